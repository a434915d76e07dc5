"""What terms say that cannot both hold, each found at the line that is to be mended."""

import datetime as dt
from pathlib import Path

import pytest

from fairhaven.access.terms.contradictions import of_class, overdue, with_flows, with_names, with_tiers, within_terms
from fairhaven.access.terms.tiers import Tiers
from fairhaven.omop.cdm import CDM
from tests.support.terms import changed, controller, proposed

COLUMNS = {name: table.names for name, table in CDM.items()}
_USE = "[terms.gp.use.data_use]\n"
_COMMERCIAL = "[terms.gp.commercial]\nallowed = true\n"


@pytest.mark.parametrize(
    ("pairs", "more", "field", "words"),
    [
        ([], _USE + 'permission = "POA"\n', "use.purposes", "research into health, disease and care, which the data use (POA) rules out"),
        ([], _USE + 'permission = "POA"\nmodifiers = ["NPOA"]\n', "use.data_use.permission", "leaves no purpose at all"),
        ([], _USE + 'permission = "GRU"\nmodifiers = ["GSO"]\n', "use.purposes", "(GRU, GSO) rules out"),
        ([('["nhs", "academia"]', '["industry"]')], _USE + 'permission = "GRU"\nmodifiers = ["NPU"]\n', "use.sectors", "companies, which NPU rules out"),
        ([], _COMMERCIAL + _USE + 'permission = "GRU"\nmodifiers = ["NCU"]\n', "commercial.allowed", "which NCU rules out"),
        ([], _COMMERCIAL + _USE + 'permission = "GRU"\nmodifiers = ["NPUNCU"]\n', "commercial.allowed", "which NPUNCU rules out"),
        ([], _USE + 'permission = "GRU"\nmodifiers = ["GS"]\nplaces = ["GB-ENG"]\n', "use.countries", "allows GB, which GS (GB-ENG) rules out"),
        ([], _USE + 'permission = "GRU"\nmodifiers = ["TS"]\nmonths = 12\n', "setting.longest_months", "24 months, TS allows 12"),
        ([], _USE + 'permission = "GRU"\nmodifiers = ["IRB"]\n', "legal.project_ethics", "none is asked for"),
        ([('"health-research"', '"product-development"')], "", "use.purposes", "but commercial use is not allowed"),
        ([], '[terms.gp.commercial]\nmodel = "cost-recovery"\n', "commercial.model", "but commercial use is not allowed"),
        ([('"6(1)(e)"', '"6(1)(a)"')], "", "legal.article_6", "names no form of it"),
        ([('"9(2)(j)"', '"9(2)(a)"')], "", "legal.article_9", "names no form of it"),
        ([('statute = "Health and Social Care Act 2012"\n', "")], "", "legal.confidentiality", "legal.statute names none"),
        ([('"left-out"', '"exempt"')], "", "flow.opt_outs", "legal.section_251 names none"),
        ([('"left-out"', '"consent"')], "", "flow.opt_outs", "legal.consent names no form of it"),
        ([('"left-out"', '"care"')], "", "flow.opt_outs", "the patients' own care, but research into health"),
        ([('"left-out"', '"not-confidential"')], "", "flow.opt_outs", "but the duty of confidence is met by"),
        ([('"law"', '"implied"')], "", "legal.confidentiality", "consent is implied"),
        ([('"law"', '"section-251"\nsection_251 = { reference = "1", letter_on = 2026-01-01 }'), ('"left-out"', '"anonymised"')], "", "flow.opt_outs", "unless its letter exempts the flow"),
        ([('["GB"]', '["GB", "US"]')], "", "use.countries", "reading from abroad is a transfer"),
        ([('opt_outs = "left-out"', 'opt_outs = "left-out"\nsublicensing = true')], "", "flow.sublicensing", "in the safe setting only"),
        ([("starts = 2026-10-01", "starts = 2026-10-01\nends = 2027-09-30")], "", "setting.longest_months", "longer than the agreement"),
        ([('columns = ["*"]', 'columns = ["person.*"]\ncolumns_never = ["person.*"]')], "", "columns[0]", "may be read and may never be read"),
        ([('columns = ["*"]', 'columns = ["*"]\ncolumns_never = ["*"]')], "", "columns_never", "nothing at all"),
        ([('"law"', '"not-confidential"'), ('"de-identified"', '"identifiable"')], "", "setting.levels", "said to be not confidential"),
    ],
)  # fmt: skip
def test_what_cannot_both_hold_is_found(
    pairs: list[tuple[str, str]], more: str, field: str, words: str, tmp_path: Path
) -> None:
    read = proposed(tmp_path, changed(*pairs) + more)
    assert not read.faults
    [found] = within_terms("hillside", read.controllers["hillside"])
    assert (found.path, found.field) == ("controllers/hillside.toml", f"terms.gp.{field}")
    assert words in found.message
    assert read.placed(found).line is not None


def test_terms_that_say_only_what_must_be_said_contradict_nothing(tmp_path: Path) -> None:
    found = controller(tmp_path)
    assert not list(within_terms("hillside", found))
    assert not list(with_names("hillside", found, ["gp_hillside"], COLUMNS))
    assert not list(with_flows("hillside", found, {"gp_hillside": True}))


def test_names_that_nothing_has_are_found(tmp_path: Path) -> None:
    text = changed(
        ('["gp_hillside"]', '["gp_hillside", "gp_elsewhere"]'),
        ('columns = ["*"]', 'columns = ["person.*", "persons.*"]\ncolumns_never = ["person.colour"]'),
    )
    found = list(with_names("hillside", controller(tmp_path, text), ["gp_hillside"], COLUMNS))
    assert [(each.field, each.message) for each in found] == [
        ("terms.gp.datasets[1]", "gp_elsewhere is no source of this controller (its sources: gp_hillside)"),
        ("terms.gp.columns[1]", "persons is no table of a release (OMOP CDM 5.4)"),
        ("terms.gp.columns_never[0]", "person has no column colour in a release (OMOP CDM 5.4)"),
    ]


def test_a_source_that_keeps_whom_the_terms_leave_out_is_found(tmp_path: Path) -> None:
    [found] = with_flows("hillside", controller(tmp_path), {"gp_hillside": False})
    assert found.field == "terms.gp.flow.opt_outs"
    assert "sources/gp_hillside.toml says national_opt_out = false" in found.message


def test_a_level_that_no_tier_of_the_data_has_is_found(tmp_path: Path) -> None:
    found = controller(tmp_path)
    only_results = Tiers.model_validate_json(
        '{"tier": [{"name": "only", "title": "Results", "levels": ["result"], "screen": "none", "networks": [], "reviewers": 0, "budget": 1}]}'
    )
    [contradiction] = with_tiers("hillside", found, only_results, ["gp_hillside"])
    assert contradiction.message == (
        "allows de-identified rows, which no tier that gp_hillside needs (only or a higher one) has"
    )


_CLASS = """title = "Routine"
reasons = "R"
benefit = "B"
controllers = ["hillside", "nobody"]
starts = 2026-10-01
ends = 2029-09-30
purposes = ["health-research", "planning"]
sectors = ["nhs", "industry"]
countries = ["GB-ENG", "IE"]
datasets = ["gp_hillside", "of_another"]
columns = ["person.*", "note.*", "nothing.*"]
levels = ["identifiable"]
outputs = ["counts"]
commercial = true
longest_months = 36
"""


def test_a_class_lets_nothing_pass_that_terms_do_not_allow(tmp_path: Path) -> None:
    text = changed(
        ('columns = ["*"]', 'columns = ["*"]\ncolumns_never = ["note.note_text"]'),
        ("starts = 2026-10-01", "starts = 2026-10-01\nends = 2028-10-01"),
    )
    read = proposed(tmp_path, text, classes=_CLASS)
    assert not read.faults
    owners = {"gp_hillside": "hillside", "of_another": "another"}
    found = {each.field: each.message for each in of_class("routine", read.classes["routine"], read.controllers, owners, COLUMNS)}  # fmt: skip
    allowed = ", which the terms of hillside for gp_hillside do not allow"
    assert found == {
        "columns[2]": "nothing is no table of a release (OMOP CDM 5.4)",
        "controllers[1]": "there is no controllers/nobody.toml that can be read",
        "datasets[1]": "of_another is no source of the class's controllers (hillside, nobody)",
        "purposes": f"lets planning and commissioning of health and care pass{allowed}",
        "sectors": f"lets companies pass{allowed}",
        "levels": f"lets identifiable rows pass{allowed}",
        "countries": f"lets IE pass{allowed}",
        "columns": f"lets note.* pass{allowed}",
        "commercial": f"lets commercial uses pass{allowed}",
        "longest_months": f"lets projects of 36 months pass{allowed}",
        "ends": f"lasts until 2029-09-30{allowed}",
    }


@pytest.mark.parametrize(
    ("letter", "review", "due"),
    [
        ("2025-12-01", None, "2026-12-01"),
        ("2025-12-01", "2026-11-10", "2027-12-01"),  # early, for 2026
        ("2025-12-01", "2027-01-15", "2027-12-01"),  # late, for 2026
        ("2025-12-01", "2025-12-20", "2026-12-01"),  # soon after the letter: no year has passed
        ("2024-02-29", None, "2025-02-28"),
        ("2024-02-29", "2027-02-20", "2028-02-29"),
    ],
)
def test_an_annual_review_is_due_on_the_anniversary_of_the_letter(
    letter: str, review: str | None, due: str, tmp_path: Path
) -> None:
    last = f", last_review_on = {review}" if review else ""
    text = changed(('"law"', f'"section-251"\nsection_251 = {{ reference = "1", letter_on = {letter}{last} }}'))
    support = controller(tmp_path, text).terms["gp"].legal.section_251
    assert support is not None
    assert support.review_due == dt.date.fromisoformat(due)


def test_days_that_have_passed_are_told_with_the_day(tmp_path: Path) -> None:
    text = changed(
        ("starts = 2026-10-01", "starts = 2020-10-01\nends = 2026-01-01\nreview_on = 2026-02-01"),
        ('"law"', '"section-251"\nsection_251 = { reference = "1", letter_on = 2025-03-01 }\ndpia = { reference = "2", review_on = 2026-04-01 }'),
    )  # fmt: skip
    found = controller(tmp_path, text)
    assert [each.message for each in overdue("hillside", found, dt.date(2026, 5, 1))] == [
        "the agreement ended on 2026-01-01",
        "the agreement was to be reviewed on 2026-02-01",
        "the impact assessment was to be reviewed on 2026-04-01",
        "the annual review was due on 2026-03-01",
    ]
    assert not list(overdue("hillside", found, dt.date(2026, 1, 1)))
