"""What each published policy shows, count by count: the manual of `policies/*.toml`."""

import datetime as dt
from pathlib import Path

import pytest

from fairhaven.disclosure import Dominance, Policy, Ties, protect
from fairhaven.hub.disclosure_policies import policy_in, policy_named, published_policies, read_policy
from fairhaven.kernel.errors import Invalid, NotFound

SHOWN = {
    # Secure Research Service: nothing under 10, nothing rounded.
    "ons": {0: "0", 1: "under 10", 9: "under 10", 10: "10", 11: "11", 12: "12", 1_234_567: "1234567"},
    # Cohort Discovery: below 10 is 0; then to the nearest 10, and from half-way to the even ten.
    "hdr-uk": {
        0: "0", 1: "0", 5: "0", 9: "0", 10: "10", 11: "10", 14: "10", 15: "20", 16: "20",
        24: "20", 25: "20", 26: "30", 34: "30", 35: "40", 36: "40", 104: "100", 105: "100", 106: "110", 115: "120",
    },
    # OpenSAFELY: up to 7 redacted, then to the nearest 5.
    "opensafely": {
        0: "0", 1: "[REDACTED]", 6: "[REDACTED]", 7: "[REDACTED]", 8: "10", 9: "10",
        12: "10", 13: "15", 17: "15", 18: "20", 16: "15", 23: "25", 31: "30", 44: "45",
    },
    # Hospital Episode Statistics: 1 to 7 is *, then to the nearest 5; 0 stays 0.
    "hes": {0: "0", 1: "*", 6: "*", 7: "*", 8: "10", 9: "10", 12: "10", 13: "15", 17: "15", 18: "20", 1_002: "1000"},
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "count", "shown"), [(name, count, shown) for name, of in SHOWN.items() for count, shown in of.items()]
)
def test_a_cell_holds_what_the_publisher_would_put_there(name: str, count: int, shown: str) -> None:
    assert protect(count, policy_named(name)).mark == shown


def test_every_published_policy_has_its_table_here() -> None:
    assert set(SHOWN) == set(published_policies())
    for name, policy in published_policies().items():
        assert {0, policy.threshold - 1, policy.threshold, policy.threshold + 1} <= set(SHOWN[name])


@pytest.mark.parametrize("name", sorted(SHOWN))
def test_suppression_comes_before_rounding(name: str) -> None:
    policy = policy_named(name)
    small, least = protect(policy.threshold - 1, policy), protect(policy.threshold, policy)
    assert not small.value, "rounded first, it would have been lifted over the threshold"
    assert least.value == policy.rounded(policy.threshold)


@pytest.mark.parametrize("name", sorted(SHOWN))
def test_a_shown_count_is_within_half_a_step_of_the_true_one(name: str) -> None:
    policy = policy_named(name)
    for count in range(policy.threshold, 300):
        value = protect(count, policy).value
        assert value is not None and value % policy.round_to == 0 and abs(value - count) <= policy.half_width


@pytest.mark.parametrize(
    ("round_to", "ties", "count", "rounded"),
    [
        (10, Ties.UP, 15, 20),
        (10, Ties.UP, 25, 30),
        (10, Ties.EVEN, 15, 20),
        (10, Ties.EVEN, 25, 20),
        (10, Ties.EVEN, 24, 20),
        (10, Ties.EVEN, 26, 30),
        (2, Ties.UP, 11, 12),
        (2, Ties.EVEN, 11, 12),
        (2, Ties.EVEN, 13, 12),
        (5, Ties.UP, 12, 10),
        (5, Ties.EVEN, 13, 15),
        (3, Ties.UP, 10, 9),
        (3, Ties.UP, 11, 12),
        (1, Ties.UP, 11, 11),
    ],
)
def test_half_way_goes_up_or_to_the_even_multiple_as_the_policy_says(
    round_to: int, ties: Ties, count: int, rounded: int
) -> None:
    policy = Policy(
        name="own", title="", threshold=5, round_to=round_to, ties=ties, since=dt.date(2026, 1, 1), source=""
    )
    assert protect(count, policy).value == rounded


def test_the_table_in_opensafelys_own_documentation_comes_out_the_same() -> None:
    counts = {"21-30": (3, 18), "31-40": (8, 23), "41-50": (16, 31), "51+": (23, 44)}
    published = {
        "21-30": ("[REDACTED]", "20"),
        "31-40": ("10", "25"),
        "41-50": ("15", "30"),
        "51+": ("25", "45"),
    }
    policy = policy_named("opensafely")
    shown = {age: tuple(protect(count, policy) for count in row) for age, row in counts.items()}
    assert {age: tuple(cell.mark for cell in row) for age, row in shown.items()} == published
    assert [sum(row[place].value or 0 for row in shown.values()) for place in (0, 1)] == [50, 120]


OWN = """
[ours]
title = "Our hub"
threshold = 5
since = 2026-01-01
source = "Board, minute 3"
"""


def written(folder: Path, text: str) -> Path:
    file = folder / "disclosure.toml"
    file.write_text(text)
    return file


def test_a_hub_states_everything_in_its_own_file(tmp_path: Path) -> None:
    text = OWN + (
        'read = 2026-02-01\norder = ["suppress", "round"]\nsmall = "hide"\nmark = "c"\nround_to = 4\nties = "even"\n'
        'zeros = "hide"\ngroups = "hide"\nsecondary = true\n'
        '[ours.dominance]\nn = 1\nk = 0.5\np = 0.2\nsource = "Board, minute 4"\n'
    )
    policy = read_policy(written(tmp_path, text))
    assert [protect(count, policy).mark for count in (0, 4, 5, 6, 10)] == ["c", "c", "4", "8", "8"]
    assert policy.dominance == Dominance(n=1, k=0.5, p=0.2, source="Board, minute 4")
    assert (policy.groups, policy.read) == ("hide", dt.date(2026, 2, 1))


def test_what_a_file_leaves_out_is_on_the_safe_side(tmp_path: Path) -> None:
    policy = read_policy(written(tmp_path, OWN))
    assert policy.secondary
    assert (policy.dominance.n, policy.dominance.k, policy.dominance.p) == (2, 0.9, 0.1)


@pytest.mark.parametrize(
    ("line", "field", "why"),
    [
        ('order = ["round", "suppress"]', "ours.order", "rounding first"),
        ('ties = "down"', "ours.ties", "not one of up, even"),
        ("round_to = 0", "ours.round_to", "1 or more"),
        ('small = "zero"\nzeros = "hide"', "ours.zeros", "shown as zero"),
        ('small = "zero"\nsecondary = true', "ours.secondary", "shown as zero"),
        ('[ours.dominance]\nn = 0\nk = 0.9\np = 0.1\nsource = "x"', "ours.dominance.n", "1 or more"),
        ('[ours.dominance]\nn = 1\nk = 90\np = 0.1\nsource = "x"', "ours.dominance.k", "share"),
        ('[ours.dominance]\nn = 1\nk = 0.9\np = 0\nsource = "x"', "ours.dominance.p", "share"),
        ("[ours.dominance]\nn = 1\nk = 0.9\np = 0.1", "ours.dominance.source", "missing"),
        ("dominance = false", "ours.dominance", "must be a table"),
    ],
)
def test_a_rule_that_would_not_protect_is_a_fault_with_its_place(
    tmp_path: Path, line: str, field: str, why: str
) -> None:
    with pytest.raises(Invalid, match=why) as caught:
        read_policy(written(tmp_path, OWN + line + "\n"))
    assert field in {fault.field for fault in caught.value.faults}


def test_a_hub_names_a_published_policy_or_a_file_in_its_folder(tmp_path: Path) -> None:
    written(tmp_path, OWN)
    assert policy_in(tmp_path, "hes") is policy_named("hes")
    assert policy_in(tmp_path, "disclosure.toml").name == "ours"


@pytest.mark.parametrize(
    ("setting", "why"),
    [
        ("../disclosure.toml", "in the hub's folder"),
        ("missing.toml", "does not exist"),
        ("taken.toml", "name of a published policy"),
        ("nobody", "no disclosure policy"),
    ],
)
def test_a_policy_that_cannot_be_had_is_said_so(tmp_path: Path, setting: str, why: str) -> None:
    (tmp_path / "taken.toml").write_text(OWN.replace("[ours]", "[ons]"))
    with pytest.raises((Invalid, NotFound), match=why):
        policy_in(tmp_path, setting)
