"""A controller's file: what is wrong with it is said at once, with its lines, and nothing unknown is read as something else."""

import subprocess
import sys
from pathlib import Path

import pytest

from fairhaven.access.terms.term_words import DiscoveryBy, Level, UsePurpose
from fairhaven.access.terms.terms_files import shipped_tiers
from tests.support.terms import WHOLE, changed, controller, faults, proposed

_CLASS = """title = "Counts of common diseases"
reasons = "They were asked for forty times."
benefit = "Planning of services."
controllers = ["hillside"]
starts = 2026-10-01
ends = 2027-09-30
purposes = ["health-research"]
sectors = ["nhs"]
countries = ["GB"]
datasets = ["gp_hillside"]
columns = ["condition_occurrence.*"]
levels = ["result"]
outputs = ["counts"]
longest_months = 6
"""


def test_what_is_not_said_is_not_allowed(tmp_path: Path) -> None:
    terms = controller(tmp_path).terms["gp"]
    assert terms.discovery is DiscoveryBy.NONE
    assert not terms.commercial.allowed
    assert not terms.flow.transfers
    assert not terms.flow.sublicensing
    assert terms.setting.safe_setting_only
    assert terms.legal.project_dpia
    assert terms.opt_out_days == 30


def test_every_fault_of_a_file_is_told_at_once_with_its_line(tmp_path: Path) -> None:
    text = changed(
        ("starts = 2026-10-01", 'starts = "soon"\nends = 2026-13-01'),
        ('"nhs", "academia"', '"nhs",\n  "academy"'),
        ("longest_months = 24", "longest_months = 0"),
        ('opt_outs = "left-out"', "opt_outs = true"),
        ("[terms.gp.users]\n", "[terms.gp.users]\nacreditation = []\n"),
    )
    assert faults(tmp_path, text)[0][2].startswith("not valid TOML")
    found = faults(tmp_path, text.replace("2026-13-01", "2025-01-01"))
    assert [(line, field) for line, field, _ in found] == [
        (7, "terms.gp.starts"),
        (11, "terms.gp.flow.opt_outs"),
        (15, "terms.gp.use.sectors[1]"),
        (18, "terms.gp.users.acreditation"),
        (27, "terms.gp.setting.longest_months"),
    ]
    said = [message for _, _, message in found]
    assert said[0] == "is not a date like 2026-01-31"
    assert "left-out" in said[1]
    assert said[2].startswith("is not one of nhs, academia, charity")
    assert said[3] == "is not a setting here (known: accreditation, standing, training)"
    assert said[4] == "must be at least 1"


def test_what_is_missing_is_told_with_what_it_means(tmp_path: Path) -> None:
    found = faults(tmp_path, changed(("longest_months = 24\n", ""), ('sectors = ["nhs", "academia"]\n', "")))
    assert [(field, message) for _, field, message in found] == [
        ("terms.gp.use.sectors", "is missing: Kinds of organisation that may use them. Without any nobody may."),
        ("terms.gp.setting.longest_months", "is missing: Months that a project lasts at longest."),
    ]


@pytest.mark.parametrize(
    ("before", "after", "field", "words"),
    [
        ('countries = ["GB"]', 'countries = ["UK"]', "use.countries[0]", "the United Kingdom is GB"),
        ('purposes = ["health-research"]', 'purposes = ["Health-Research"]', "use.purposes[0]", "is not one of"),
        ('purposes = ["health-research"]', 'purposes = "health-research"', "use.purposes", "must be a list"),
        ('sectors = ["nhs", "academia"]', 'sectors = ["nhs", "nhs"]', "use.sectors", "the same thing twice"),
        ('article_6 = "6(1)(e)"', 'article_6 = "6(1)(g)"', "legal.article_6", "is not one of"),
        ('confidentiality = "law"', 'confidentiality = "section-251"', "legal.section_251", "is missing"),
        ('confidentiality = "law"', 'confidentiality = "consent"', "legal.consent", "is missing"),
        ("starts = 2026-10-01", "starts = 2026-10-01\nends = 2026-09-30", "ends", "is before the agreement starts"),
        ("starts = 2026-10-01", "starts = 2026-10-01\nopt_out_days = 31", "opt_out_days", "must be at most 30"),
        ("starts = 2026-10-01", "starts = 2026-10-01T00:00:01", "starts", "is not a date"),
        ('columns = ["*"]', 'columns = ["person"]', "columns[0]", "is not written so"),
        ('datasets = ["gp_hillside"]', "datasets = []", "datasets", "must not be empty"),
        ("longest_months = 24", "longest_months = true", "setting.longest_months", "must be a whole number"),
        ("longest_months = 24", "longest_months = 2.5", "setting.longest_months", "must be a whole number"),
        ("longest_months = 24", 'longest_months = 24\nsafe_setting_only = "yes"', "setting.safe_setting_only", "must be true or false"),
        ('title = "Records of Hillside Surgery"', "title = 2026-01-31", "title", "put a text in quotes"),
        ('title = "Records of Hillside Surgery"', 'title = " "', "title", "is empty"),
        ('title = "Records of Hillside Surgery"', 'title = "a\\u0007b"', "title", "none to be read"),
    ],
)  # fmt: skip
def test_what_a_stranger_writes_wrongly_is_one_fault(
    before: str, after: str, field: str, words: str, tmp_path: Path
) -> None:
    [(line, place, message)] = faults(tmp_path, changed((before, after)))
    assert place == f"terms.gp.{field}"
    assert words in message
    assert line is not None


@pytest.mark.parametrize(
    ("said", "field", "words"),
    [
        ('permission = "XYZ"', "permission", "is not one of NRES, GRU, HMB, DS, POA"),
        ('permission = "GRU"\nmodifiers = ["NPU", "ABC"]', "modifiers[1]", "is not one of"),
        ('permission = "DS"', "diseases", "is missing; DS needs it"),
        ('permission = "GRU"\nmodifiers = ["PUB"]', "publish_within_months", "is missing; PUB needs it"),
        ('permission = "GRU"\nmodifiers = ["MOR"]', "no_publication_before", "is missing; MOR needs it"),
        ('permission = "GRU"\nmonths = 3', "months", "belongs to TS, which is not said"),
    ],
)
def test_a_term_of_data_use_that_is_unknown_or_not_whole_is_a_fault(
    said: str, field: str, words: str, tmp_path: Path
) -> None:
    [(_, place, message)] = faults(tmp_path, WHOLE + f"[terms.gp.use.data_use]\n{said}\n")
    assert place == f"terms.gp.use.data_use.{field}"
    assert words in message


def test_terms_without_a_name_of_their_own_are_faults_that_say_how_it_is_meant(tmp_path: Path) -> None:
    found = faults(tmp_path, 'title = "Hillside"\n[terms]\npurposes = ["health-research"]\n[terms."a b"]\n')
    assert found[0] == (3, "terms.purposes", "must be a table of its own, as [terms.NAME]")
    assert (4, "terms.a b", "must be letters, digits, _ and -") in found


def test_two_sets_of_terms_for_one_dataset_are_a_fault(tmp_path: Path) -> None:
    again = WHOLE.partition("\n\n")[2].replace("terms.gp", "terms.more")
    [(line, field, message)] = faults(tmp_path, WHOLE + again)
    assert (line, field) == (3, "terms")
    assert message == "gp_hillside has the terms gp and more; it can have one"


def test_terms_are_found_by_dataset_and_nothing_else_is_covered(tmp_path: Path) -> None:
    found = controller(tmp_path)
    assert found.terms_for("gp_hillside") is found.terms["gp"]
    assert found.terms_for("elsewhere") is None
    assert controller(tmp_path, 'title = "Hillside"\n').terms_for("gp_hillside") is None


def test_a_column_that_may_never_be_read_may_not_be_read_whatever_else_is_said(tmp_path: Path) -> None:
    text = changed(
        ('columns = ["*"]', 'columns = ["person.*", "death.death_date"]\ncolumns_never = ["person.birth_datetime"]')
    )
    terms = controller(tmp_path, text).terms["gp"]
    assert terms.allows_column("person", "year_of_birth")
    assert not terms.allows_column("person", "birth_datetime")
    assert terms.allows_column("death", "death_date")
    assert not terms.allows_column("death", "cause_concept_id")
    assert not terms.allows_column("note", "note_text")


def test_the_words_of_an_older_file_are_its_summary_and_allow_nothing(tmp_path: Path) -> None:
    read = proposed(tmp_path, 'title = "Hillside"\nterms = """\nFor approved research.\n"""\n')
    assert not read.faults
    assert read.controllers["hillside"].summary == "For approved research.\n"
    assert not read.controllers["hillside"].terms
    [warning] = read.warnings
    assert (warning.path, warning.line) == ("controllers/hillside.toml", 2)
    assert "is called summary now" in warning.message


def test_a_file_that_is_no_toml_is_one_fault_beside_those_of_others(tmp_path: Path) -> None:
    (tmp_path / "controllers").mkdir()
    (tmp_path / "controllers" / "other.toml").write_text("nonsense = 1\n")
    read = proposed(
        tmp_path, "title = \n", tiers="[[tier]]\nname = 3\n", classes=_CLASS.replace("ends = 2027-09-30\n", "")
    )
    assert [(fault.path, fault.line) for fault in read.faults if fault.path.startswith("controllers")] == [
        ("controllers/hillside.toml", 1),
        ("controllers/other.toml", None),
        ("controllers/other.toml", 1),
    ]
    assert any((fault.path, fault.line, fault.field) == ("tiers.toml", 2, "tier[0].name") for fault in read.faults)
    [of_class] = [fault for fault in read.faults if fault.path == "classes/routine.toml"]
    assert of_class.message == "is missing: Last day of the class. It must have one."


def test_a_class_of_requests_is_read(tmp_path: Path) -> None:
    read = proposed(tmp_path, WHOLE, classes=_CLASS)
    assert not read.faults
    found = read.classes["routine"]
    assert (found.purposes, found.levels) == ((UsePurpose.HEALTH_RESEARCH,), (Level.RESULT,))
    assert found.one_looked_at_in == 10


def test_four_tiers_are_shipped_and_a_hub_without_a_file_has_them(tmp_path: Path) -> None:
    assert [tier.name for tier in shipped_tiers().tier] == ["results", "synthetic", "de-identified", "guarded"]
    assert proposed(tmp_path, WHOLE).tiers == shipped_tiers()


def test_a_project_has_the_highest_tier_of_its_data_and_purposes_and_the_last_where_nobody_answered(
    tmp_path: Path,
) -> None:
    answers = "[sensitivity.gp_hillside]\n" + "".join(
        f"{name} = {'true' if name == 'exact_dates' else 'false'}\n"
        for name in ("identifiers", "free_text", "stigma", "genomic", "images", "small_areas", "exact_dates", "rare", "vulnerable")
    )  # fmt: skip
    dated = controller(tmp_path, WHOLE + answers).sensitivity["gp_hillside"]
    harmless = dated.model_copy(update={"exact_dates": False})
    tiers = shipped_tiers()
    assert tiers.needed([harmless], []).name == "results"
    assert tiers.needed([harmless, dated], []).name == "de-identified"
    assert tiers.needed([harmless], [UsePurpose.ARTIFICIAL_INTELLIGENCE]).name == "de-identified"
    assert tiers.needed([harmless, None], []).name == "guarded"
    [(_, field, message)] = faults(tmp_path, WHOLE + answers.replace("rare = false\n", ""))
    assert field == "sensitivity.gp_hillside.rare"
    assert message.startswith("is missing")


def test_what_needs_no_terms_does_not_load_them() -> None:
    code = "import fairhaven.cli.app, fairhaven.hub, sys; print([m for m in sys.modules if m.startswith('fairhaven.access')])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
