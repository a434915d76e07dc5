"""Who changes code that makes rows thinks of its version: by it, hubs know that their next release can have other rows."""

from pathlib import Path

import pytest

from tests.architecture.row_making_code import (
    CODE,
    WRITTEN,
    code_of,
    data_in,
    digests_of,
    sources_in,
    versions,
    written_down,
)

_COMMAND = "python -m tests.architecture.row_making_code"


@pytest.mark.parametrize("name", CODE)
def test_code_that_makes_rows_is_as_it_was_when_its_version_was_thought_of(name: str) -> None:
    version, made = versions()[name], digests_of(name)
    versions_before, made_before = written_down()
    changed = sorted(place for place in {*made, *made_before[name]} if made.get(place) != made_before[name].get(place))
    if changed and version == versions_before[name]:
        pytest.fail(
            f"{name}: code that makes rows was changed ({', '.join(changed)}), and its VERSION was not ({version}).\n"
            "Can a row of a release come out otherwise by it? Then raise the VERSION (of intake: that of the reader, or "
            "of landing), so that every hub makes a new release. Of nhs, omop and ids raise those of intake too where "
            "landed rows change.\n"
            f"In either case write down that you have thought of it: {_COMMAND}",
            pytrace=False,
        )
    assert not changed and version == versions_before[name], f"{name}: write down the new version: {_COMMAND}"


def test_changes_of_two_modules_are_written_down_in_lines_that_do_not_touch() -> None:
    lines = WRITTEN.read_text(encoding="utf-8").splitlines()
    assert all(line.startswith("  ") == bool(number % 2) for number, line in enumerate(lines))


_SOURCE = '"""Doc."""\n\nONE = 1\n"""Of it."""\n\n\ndef rows(x: int) -> int:\n    """Doc."""\n    return x + ONE\n'


def test_wording_is_no_change_of_code() -> None:
    worded = _SOURCE.replace('"""Doc."""', '"""Another\n\ntext."""').replace("ONE = 1", "# why\nONE = 1  # so")
    assert code_of(worded) == code_of(_SOURCE)
    assert code_of(_SOURCE.replace("return x + ONE", "return (x\n            + ONE)")) == code_of(_SOURCE)


@pytest.mark.parametrize(("old", "new"), [("ONE = 1", "ONE = 2"), ("ONE = 1", "ONE = '1'"), ("x + ONE", "x - ONE")])
def test_another_value_is_a_change_of_code(old: str, new: str) -> None:
    assert code_of(_SOURCE.replace(old, new)) != code_of(_SOURCE)


@pytest.mark.parametrize("place", ["journeys.releases.build_plan.fed_sources", "kernel.keyring.DerivationKey"])
def test_of_a_module_one_function_or_class_may_be_the_code(place: str) -> None:
    [(name, source)] = sources_in(f"fairhaven.{place}")
    assert name == f"fairhaven.{place}"
    assert source.startswith((f"def {place.split('.')[-1]}(", f"class {place.split('.')[-1]}:"))


def test_code_that_was_moved_away_is_missed() -> None:
    with pytest.raises(LookupError):
        list(sources_in("fairhaven.journeys.releases.build_plan.moved"))


def test_data_of_every_form_is_part_of_the_code(tmp_path: Path) -> None:
    (tmp_path / "__pycache__").mkdir()
    for name in ("units.csv", "rules.toml", "codes.json", "reader.py", "__pycache__/reader.pyc"):
        (tmp_path / name).write_text("x")
    assert [path.name for path in data_in(tmp_path)] == ["codes.json", "rules.toml", "units.csv"]
