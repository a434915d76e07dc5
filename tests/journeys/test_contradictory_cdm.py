"""A partner's CDM that contradicts itself: what becomes of each row and reference is decided by a rule, counted and said."""

import datetime as dt
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest

from fairhaven.cli import delivery_text, release_text
from fairhaven.hub import open_hub
from fairhaven.intake import Receipt
from fairhaven.journeys.deliveries.receive import receive_delivery
from fairhaven.journeys.releases.build import build_release
from fairhaven.kernel.errors import Invalid
from fairhaven.kernel.progress import Silent
from fairhaven.release.facts import ReleaseFacts
from tests.support.actors import ANNA
from tests.support.partner_cdm import AS_OF, new_hub, release, vocabulary_files

HERE, UNKNOWN, NOT_STANDARD = 317009, 1999999999, 45548118
_PERSON = "person_id,gender_concept_id,year_of_birth,month_of_birth,day_of_birth,race_concept_id,ethnicity_concept_id,person_source_value,location_id,provider_id,care_site_id,birth_datetime"
_VISIT = "visit_occurrence_id,person_id,visit_concept_id,visit_start_date,visit_start_datetime,visit_end_date,visit_end_datetime,visit_type_concept_id,preceding_visit_occurrence_id,provider_id,admitting_source_concept_id"
_CONDITION = "condition_occurrence_id,person_id,condition_concept_id,condition_start_date,condition_end_date,condition_type_concept_id,visit_occurrence_id,provider_id,ward"
CDM = {
    "person": f"""{_PERSON}
1,8507,1950,1,2,0,0,a1,,,,
1,8507,1950,1,2,0,0,a1,,,,
2,8532,1960,3,4,0,0,a2,42,,,
3,8507,1950,1,2,0,0,a3,,,,
3,8532,1990,7,8,0,0,b3,,,,
4,8507,1970,1,2,8527,0,a4,41,,,
4,8507,1970,1,2,0,0,a4,41,,,
5,8507,1970,13,2,0,0,a5,,,,
6,8507,0001,1,2,0,0,a6,,,,
7,8532,1970,2,30,0,0,a7,,,,
8,8532,1940,6,7,0,0,a8,97,99,98,1900-01-01 00:00:00
1955,8507,1955,1,2,0,0,a9,,,,
9202,8507,1955,1,3,0,0,a10,,,,
""",
    "location": """location_id,address_1,city
41,,Leeds
41,,York
42,1 High Street,
""",
    "provider": """provider_id,specialty_concept_id,specialty_source_value
61,38004446,GP
61,38004456,surgeon
""",
    "care_site": """care_site_id,care_site_name,location_id
51,Ward,97
""",
    "death": """person_id,death_date,death_datetime,death_type_concept_id,cause_concept_id,cause_source_value
8,2021-05-05,,32817,,late
8,2021-03-03,,32817,,early
2,1901-01-01,,32817,,long ago
""",
    "visit_occurrence": f"""{_VISIT}
11,1,9202,2020-01-05,,2020-01-05,,32817,,,
12,2,9201,2020-02-05,,2020-02-02,,32817,,,
13,1,9202,2020-03-05,2020-03-05 15:00:00,2020-03-05,2020-03-05 09:00:00,32817,911,99,
14,2,9202,2020-04-05,,2020-04-05,,32817,,,
14,2,9202,2020-06-05,,2020-06-05,,32817,,,
15,8,9202,,,2020-06-05,,32817,,,
16,9202,9202,2020-07-01,,2020-07-01,,32817,,,
""",
    "condition_occurrence": f"""{_CONDITION}
21,1,{HERE},2020-01-05,,32817,911,,x
21,1,{HERE},2020-01-06,,32817,11,,x
22,2,{HERE},2020-02-05,,32817,12,61,x
22,2,{HERE},2020-02-05,,32817,12,61,x
23,2,{UNKNOWN},2020-04-05,2020-04-01,32817,14,99,x
24,3,{HERE},2020-02-05,,32817,,,x
25,1,{NOT_STANDARD},2020-13-05,,32817,,,x
26,1,{NOT_STANDARD},2020-03-05,,32817,13,,x
27,1,{HERE},1940-03-05,,32817,,,x
""",
    "observation_period": """observation_period_id,person_id,observation_period_start_date,observation_period_end_date,period_type_concept_id
1,1,2019-01-01,2020-06-01,32817
2,1,2020-01-01,2021-01-01,32817
3,2,2021-01-01,2020-01-01,32817
4,8,2022-01-01,2023-01-01,32817
""",
    "payer_plan_period": """payer_plan_period_id,person_id,payer_plan_period_start_date,payer_plan_period_end_date
1,1,2020-01-05,2020-01-01
""",
    "episode": """episode_id,person_id,episode_concept_id,episode_start_date,episode_object_concept_id,episode_type_concept_id
1,1,32531,2020-01-01,0,0
""",
    "cdm_source": """cdm_source_name,cdm_holder,source_release_date,cdm_release_date,cdm_etl_reference,cdm_version,vocabulary_version
North,North,2015-08-31,2015-09-01,ours of Jane Doe 9990000018 v2.1,v5.0.1,v5.0 27-AUG-2015
""",
}


@dataclass(frozen=True, kw_only=True)
class Made:
    """What came of the CDM."""

    receipt: Receipt
    receipt_says: str
    build_says: str
    facts: ReleaseFacts
    release: duckdb.DuckDBPyConnection

    def rows(self, query: str) -> list[Any]:
        """Rows of the release's tables."""
        rows: list[Any] = self.release.execute(query).fetchall()
        return rows


def written(folder: Path, tables: dict[str, str]) -> Path:
    folder.mkdir()
    for name, text in tables.items():
        (folder / f"{name}.csv").write_text(text)
    return folder


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hub with the source ``partner``."""
    folder = tmp_path_factory.mktemp("hub")
    return new_hub(folder / "hub", vocabulary_files(tmp_path_factory.mktemp("vocabulary")))


@pytest.fixture(scope="module")
def made(hub: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    delivered = written(tmp_path_factory.mktemp("delivered") / "cdm", CDM)
    rooms = open_hub(hub)
    receipt = receive_delivery(
        rooms, source="partner", files=[delivered], received_on=AS_OF, today=AS_OF, by=ANNA, progress=Silent()
    )
    built = build_release(rooms, as_of=AS_OF, today=AS_OF, by=ANNA, progress=Silent())
    connection = release(rooms)
    yield Made(
        receipt=receipt,
        receipt_says="\n".join(delivery_text.receipt(receipt)),
        build_says="\n".join(release_text.built(built)),
        facts=built.release.facts,
        release=connection,
    )
    connection.close()


def test_two_people_under_one_number_and_births_on_no_day_are_in_quarantine(made: Made) -> None:
    reasons = Counter((each.field, each.reason, each.rows, each.lines) for each in made.receipt.quarantine_reasons)
    assert reasons == {
        ("person_id", "is the number of several people, whose sex, birth or NHS number differ", 2, (5, 6)): 1,
        ("person_id", "another row of this number says more, or as much", 1, (8,)): 1,
        ("month_of_birth", "is not between 1 and 12", 1, (9,)): 1,
        ("year_of_birth", "is not between 1850 and 2100", 1, (10,)): 1,
        ("day_of_birth", "is no day of that month", 1, (11,)): 1,
        ("condition_start_date", "is not a date in a declared form", 1, (8,)): 1,
    }
    assert made.rows("SELECT year_of_birth FROM person ORDER BY 1") == [
        (1940,),
        (1950,),
        *[(1955,)] * 2,
        (1960,),
        (1970,),
    ]
    assert "has 1 rows in person whose birth_datetime is not of their year, month and day of birth" in made.receipt_says
    flow = {each.table: each for each in made.facts.row_flow}
    assert (flow["person"].received, flow["person"].superseded, flow["person"].current) == (13, 1, 6)
    # Whatever the order of two rows of a number, the one that says more counts.
    assert made.rows("SELECT race_concept_id FROM person WHERE year_of_birth = 1970") == [(8527,)]


def test_a_concept_or_a_year_that_is_by_chance_the_number_of_its_person_stays(made: Made) -> None:
    assert made.rows("SELECT visit_concept_id FROM visit_occurrence WHERE visit_start_date = DATE '2020-07-01'") == [
        (9202,)
    ]
    assert made.rows("SELECT count(*) FROM person WHERE year_of_birth = 1955") == [(2,)]


def outcomes(made: Made, table: str) -> dict[str, int]:
    found: Counter[str] = Counter()
    for each in made.facts.rule_outcomes:
        if each.table == table:
            found[each.outcome] += each.rows
    return dict(found)


def test_of_two_deaths_the_earlier_counts_whatever_the_order_of_lines_and_the_manifest_counts_one(made: Made) -> None:
    assert made.rows("SELECT death_date, cause_source_value FROM death") == [(dt.date(2021, 3, 3), "early")]
    assert outcomes(made, "death") == {"death": 1, "another death of the person": 1, "before birth": 1}


def test_rows_of_one_number_stay_where_they_differ_and_are_one_where_they_are_equal(made: Made) -> None:
    assert made.rows("SELECT count(*), count(DISTINCT visit_start_date) FROM visit_occurrence") == [(6, 6)]
    assert outcomes(made, "visit_occurrence") == {"visit_occurrence": 6, "no date": 1}
    assert outcomes(made, "condition_occurrence") == {
        "condition_occurrence": 5,
        "no birth year": 1,
        "before birth": 1,
    }
    [conditions] = [each for each in made.facts.row_flow if each.table == "condition_occurrence"]
    assert (conditions.received, conditions.quarantined, conditions.superseded, conditions.current) == (9, 1, 1, 7)
    assert outcomes(made, "provider") == {"provider": 2}
    assert outcomes(made, "location") == {"location": 2, "says nothing": 1}
    shared = dict.fromkeys(("condition_occurrence", "location", "provider", "visit_occurrence"), 2)
    assert made.facts.partner_cdms["partner"].shared_keys == shared
    assert "has 2 rows in visit_occurrence whose primary key others have too" in made.receipt_says


def test_references_to_nothing_and_false_ends_are_counted_by_table_and_column(made: Made) -> None:
    assert made.facts.emptied is not None
    found = {(each.cdm_table, each.column): (each.reason, each.rows, each.given) for each in made.facts.emptied}
    nothing, early = "names no row of the release", "is before the start"
    assert found == {
        # 97, 41, which is two places, and 42, which says nothing but an address
        ("person", "location_id"): (nothing, 3, 3),
        ("care_site", "location_id"): (nothing, 1, 1),
        ("person", "provider_id"): (nothing, 1, 1),
        ("person", "care_site_id"): (nothing, 1, 1),
        # 911, and 14, which is two visits
        ("condition_occurrence", "visit_occurrence_id"): (nothing, 2, 5),
        # 99, and 61, which is two providers
        ("condition_occurrence", "provider_id"): (nothing, 2, 2),
        ("condition_occurrence", "condition_end_date"): (early, 1, 1),
        ("visit_occurrence", "provider_id"): (nothing, 1, 1),
        ("visit_occurrence", "preceding_visit_occurrence_id"): (nothing, 1, 1),
        ("visit_occurrence", "visit_end_date"): (early, 1, 6),
        ("visit_occurrence", "visit_end_datetime"): (early, 1, 1),
        ("payer_plan_period", "payer_plan_period_end_date"): (early, 1, 1),
    }
    assert (
        "condition_occurrence.visit_occurrence_id of partner names no row of the release in 2 of 5 rows"
        in made.build_says
    )


def test_periods_are_one_where_they_overlap_and_the_rest_has_a_reason(made: Made) -> None:
    assert outcomes(made, "observation_period") == {
        "observation_period": 1,
        "one with another row": 1,
        "ends before it starts": 1,
        "after death": 1,
    }
    assert outcomes(made, "episode") == {"not taken": 1}
    assert "not taken are partner episode 1" in made.build_says


def test_what_the_cdm_says_of_itself_is_said_and_held_against_this_hub(made: Made) -> None:
    own = made.facts.vocabulary
    for said in (
        "says of itself: CDM v5.0.1, vocabulary v5.0 27-AUG-2015, released 2015-09-01 from data of 2015-08-31, ETL v2.1 in another text",
        "says CDM v5.0.1, which is neither 5.3 nor 5.4",
    ):
        assert said in made.receipt_says and said in made.build_says
    assert f"was made with vocabulary v5.0 27-AUG-2015, and this hub's is {own}" in made.build_says
    [concepts] = [each for each in made.facts.partner_concepts if each.table == "condition_occurrence"]
    assert (concepts.concepts, concepts.unknown, concepts.unknown_rows) == (3, 1, 1)
    assert (concepts.not_standard, concepts.not_standard_rows) == (1, 1)
    assert made.facts.partner_cdms["partner"].shapes == ("5.3",)


def test_a_cdm_of_version_6_and_tables_that_cannot_be_placed_are_refused_by_name_all_at_once(
    hub: Path, tmp_path: Path
) -> None:
    renamed = {
        "cdm_source": ("v5.0.1", "v6.0"),
        "condition_occurrence": ("condition_concept_id", "concept"),
        "visit_occurrence": ("visit_occurrence_id", "visit"),
        "death": ("death_date,death_datetime", "day,moment"),
    }
    tables = {name: text.replace(*renamed[name], 1) if name in renamed else text for name, text in CDM.items()}
    with pytest.raises(Invalid) as refused:
        receive_delivery(
            open_hub(hub),
            source="partner",
            files=[written(tmp_path / "cdm", tables)],
            received_on=AS_OF,
            today=AS_OF,
            by=ANNA,
            progress=Silent(),
        )
    said = "\n".join(f"{fault.path}: {fault.message}" for fault in refused.value.faults)
    for part in (
        "cdm: is of CDM v6.0, and of CDM 6 nothing is read",
        "cdm/condition_occurrence: the column condition_concept_id is missing",
        "cdm/visit_occurrence: the column visit_occurrence_id is missing",
        "cdm/death: the column death_date (or death_datetime) is missing",
    ):
        assert part in said
