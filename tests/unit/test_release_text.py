"""What a build says on a screen."""

from fairhaven.cli import release_text
from fairhaven.release.facts import EmptiedValues, MappingRule, RuleOutcome
from tests.support.release_facts import release_facts

NOTHING = "names no row of the release"


def value(source: str, where: str, rows: int, given: int) -> EmptiedValues:
    table, column = where.split(".")
    return EmptiedValues(
        source=source, table="t", cdm_table=table, column=column, reason=NOTHING, rows=rows, given=given
    )


def test_references_to_what_a_source_never_gives_are_one_sentence_and_those_to_what_it_gives_are_told_each() -> None:
    rule = MappingRule(number=1, name="staff", source="his", table="Practitioner", file="fhir/staff", target="provider")
    facts = release_facts(
        rules=(rule,),
        rule_outcomes=(RuleOutcome(rule=1, source="his", table="Practitioner", outcome="provider", rows=2),),
        emptied=(
            value("gp", "visit_occurrence.provider_id", 103, 103),
            value("gp", "condition_occurrence.provider_id", 1_004, 1_004),
            value("gp", "person.care_site_id", 40, 40),
            value("gp", "measurement.visit_occurrence_id", 7, 9),
            value("his", "visit_occurrence.provider_id", 5, 5),
        ),
    )
    assert list(release_text.emptied(facts)) == [
        "  emptied: measurement.visit_occurrence_id of gp names no row of the release in 7 of 9 rows",
        "  emptied: visit_occurrence.provider_id of his names no row of the release in 5 of 5 rows",
        "  gp gives no row of care_site or provider, so what it says of these is empty: care_site_id in 40 rows, provider_id in 1,107 rows",
    ]
