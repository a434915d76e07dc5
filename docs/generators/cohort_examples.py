"""Examples of the cohort language: five people, what a definition says, and who is then in the cohort."""

import datetime as dt
from dataclasses import dataclass
from typing import Any

from fairhaven.cohort.domains import DOMAINS
from fairhaven.cohort.model import Domain
from fairhaven.omop import CDM

SETS = """[concept_sets.diabetes]
name = "Type 2 diabetes"
concepts = ["201826 descendants | Type 2 diabetes mellitus"]

[concept_sets.metformin]
name = "Metformin"
concepts = ["1503297 descendants | metformin"]

[concept_sets.hba1c]
name = "HbA1c"
concepts = ["3004410 | Hemoglobin A1c/Hemoglobin.total in Blood"]

[concept_sets.inpatient]
name = "Stay in hospital"
concepts = ["9201 | Inpatient Visit"]
"""
"""The concept sets of all examples, at the end of each."""

VOCABULARY: dict[str, list[dict[str, Any]]] = {
    "concept": [
        {"concept_id": concept, "invalid_reason": None}
        for concept in (201826, 443238, 1503297, 40164929, 3004410, 9201)
    ],
    "concept_ancestor": [
        {"ancestor_concept_id": above, "descendant_concept_id": below}
        for above, below in ((201826, 201826), (201826, 443238), (1503297, 1503297), (1503297, 40164929))
    ],
    "concept_relationship": [],
}
"""443238 is a kind of type 2 diabetes, 40164929 a metformin tablet."""

KINDS = {
    "diagnosis": Domain.CONDITION_OCCURRENCE,
    "drug": Domain.DRUG_EXPOSURE,
    "measurement": Domain.MEASUREMENT,
    "visit": Domain.VISIT_OCCURRENCE,
    "death": Domain.DEATH,
}


@dataclass(frozen=True, kw_only=True)
class Person:
    """One of the five, with records as ``KIND CONCEPT FIRST_DAY[/LAST_DAY] [VALUE]``; the concept of a death is 0."""

    name: str
    born: int
    sex: int
    observed: str
    records: tuple[str, ...]


PEOPLE = (
    Person(
        name="Ann",
        born=1960,
        sex=8532,
        observed="2015-01-01/2022-12-31",
        records=(
            "visit 9201 2018-02-27/2018-03-04",
            "diagnosis 201826 2018-03-01",
            "drug 40164929 2018-05-02/2018-06-01",
            "drug 40164929 2018-06-10/2018-07-10",
            "measurement 3004410 2018-03-01 9.1",
            "measurement 3004410 2019-03-05 7.9",
            "diagnosis 443238 2020-01-15",
        ),
    ),
    Person(
        name="Ben",
        born=1951,
        sex=8507,
        observed="2015-01-01/2021-06-30",
        records=(
            "diagnosis 201826 2016-02-01",
            "diagnosis 201826 2016-02-20",
            "drug 40164929 2018-02-01/2018-03-03",
            "measurement 3004410 2016-02-10 6.8",
            "death 0 2021-06-30",
        ),
    ),
    Person(
        name="Cat",
        born=2005,
        sex=8532,
        observed="2015-01-01/2022-12-31",
        records=(
            "diagnosis 201826 2017-01-10",
            "drug 40164929 2017-02-01/2017-03-03",
            "measurement 3004410 2017-01-10 8.4",
            "measurement 3004410 2017-01-10 8.6",
        ),
    ),
    Person(
        name="Dan",
        born=1949,
        sex=8507,
        observed="2016-06-01/2020-03-31",
        records=(
            "diagnosis 443238 2016-09-01",
            "drug 40164929 2016-09-15/2016-10-15",
            "measurement 3004410 2016-09-01 8.0",
            "measurement 3004410 2017-09-01 8.2",
        ),
    ),
    Person(
        name="Eve", born=1970, sex=8532, observed="2015-01-01/2022-12-31", records=("visit 9201 2019-05-01/2019-05-03",)
    ),
)


@dataclass(frozen=True, kw_only=True)
class Example:
    """A definition without its concept sets, and who is in the cohort: ``Ann 2018-03-01/2022-12-31``."""

    title: str
    about: str
    text: str
    stays: tuple[str, ...]


EXAMPLES = (
    Example(
        title="The shortest definition",
        about="Every record of the concept set lets a person in, until observation ends. Stays that overlap are one.",
        text="""[entry]
events = [{ condition_occurrence = "diabetes" }]
""",
        stays=(
            "Ann 2018-03-01/2022-12-31",
            "Ben 2016-02-01/2021-06-30",
            "Cat 2017-01-10/2022-12-31",
            "Dan 2016-09-01/2020-03-31",
        ),
    ),
    Example(
        title="New diagnoses of adults",
        about=(
            "`first` takes each person's earliest record; `where` then tests that one; `prior_days` asks for a year of observation "
            "before it. Cat was 12; Dan had been observed for three months only."
        ),
        text="""[entry]
prior_days = 365
events = [{ condition_occurrence = "diabetes", first = true, where = ["age >= 18"] }]
""",
        stays=("Ann 2018-03-01/2022-12-31", "Ben 2016-02-01/2021-06-30"),
    ),
    Example(
        title="Rules: something in a time window, nothing in another",
        about=(
            "All rules must hold for the same entry event. A window counts days from the entry event; both its ends belong to it. "
            "Ben's first metformin came two years after."
        ),
        text="""[entry]
events = [{ condition_occurrence = "diabetes", first = true }]

[[rules]]
name = "Metformin within 90 days"
members = [{ drug_exposure = "metformin", when = "0 days to 90 days" }]

[[rules]]
name = "Not in hospital in the week before"
members = [{ times = "exactly 0", visit_occurrence = "inpatient", when = "-7 days to -1 day" }]
""",
        stays=("Cat 2017-01-10/2022-12-31", "Dan 2016-09-01/2020-03-31"),
    ),
    Example(
        title="Groups",
        about="`match` says how many members of a group must hold. A group may be a member of another.",
        text="""[entry]
events = [{ condition_occurrence = "diabetes", first = true }]

[[rules]]
name = "An older man, or anyone in hospital"
match = "any"
members = [
  { demographic = ["gender_concept_id in 8507", "age between 65 and 120"] },
  { match = "at least 1", members = [{ visit_occurrence = "inpatient", when = "any time to 0 days" }] },
]
""",
        stays=("Ann 2018-03-01/2022-12-31", "Ben 2016-02-01/2021-06-30", "Dan 2016-09-01/2020-03-31"),
    ),
    Example(
        title="Values, and results on different days",
        about="Cat has two high results on one day; Ann and Dan have them on two days.",
        text="""[entry]
limit = "first"
events = [{ measurement = "hba1c", where = ["value_as_number >= 7.5", "unit_concept_id in 8554"] }]

[[rules]]
name = "High on two days"

  [[rules.members]]
  times = "at least 2 different start_date"
  measurement = "hba1c"
  where = ["value_as_number >= 7.5", "unit_concept_id in 8554"]
  when = "0 days to 400 days"
""",
        stays=("Ann 2018-03-01/2022-12-31", "Dan 2016-09-01/2020-03-31"),
    ),
    Example(
        title="Conditions on the entry event itself",
        about="`nested` asks of each event, with that event as the index. Here: a diagnosis made during a stay in hospital.",
        text="""[entry]

  [[entry.events]]
  condition_occurrence = "diabetes"

    [entry.events.nested]

      [[entry.events.nested.members]]
      visit_occurrence = "inpatient"
      when = "any time to 0 days"
      and_when = "end_date 0 days to any time"
""",
        stays=("Ann 2018-03-01/2022-12-31",),
    ),
    Example(
        title="A fixed time, cut to calendar dates",
        about="`exit` ends a stay so many days after a date of its event, `window` cuts all stays to calendar dates.",
        text="""exit = "start_date + 30 days"
window = "2017-01-01 to 2019-12-31"

[entry]
events = [{ condition_occurrence = "diabetes" }]
""",
        stays=("Ann 2018-03-01/2018-03-31", "Cat 2017-01-10/2017-02-09"),
    ),
    Example(
        title="While treated",
        about=(
            "A stay lasts as long as the drug is taken: Ann's two prescriptions are nine days apart, which `gap_days` allows. "
            "Events in `censoring` end a stay earlier."
        ),
        text="""exit = { drug_era = "metformin", gap_days = 30 }

[entry]
events = [{ drug_exposure = "metformin", first = true }]

[[censoring]]
death = "*"
""",
        stays=(
            "Ann 2018-05-02/2018-07-10",
            "Ben 2018-02-01/2018-03-03",
            "Cat 2017-02-01/2017-03-03",
            "Dan 2016-09-15/2016-10-15",
        ),
    ),
    Example(
        title="Eras built from several kinds of event",
        about="`eras_of` joins events that follow each other within `gap_days`; the era is the entry event, and can be asked for its length.",
        text="""exit = "end_date"

[entry]

  [[entry.events]]
  eras_of = [
    { drug_exposure = "metformin" },
    { condition_occurrence = "diabetes" },
  ]
  gap_days = 70
  where = ["days >= 60"]
""",
        stays=("Ann 2018-03-01/2018-07-10",),
    ),
    Example(
        title="People as such",
        about=(
            "Counts of people who need not be observed, as Cohort Discovery asks for them. A person is an event on the first day of the "
            "year of birth."
        ),
        text="""[entry]
observed = false
events = [{ person = "*", where = ["year_of_birth <= 1970"] }]

[[rules]]
name = "Ever on metformin"
members = [{ drug_exposure = "metformin", within_observation = false }]
""",
        stays=("Ann 1960-01-01/9999-12-31", "Ben 1951-01-01/9999-12-31", "Dan 1949-01-01/9999-12-31"),
    ),
)


def tables() -> dict[str, list[dict[str, Any]]]:
    """The five as OMOP tables, which lack nothing but rows."""
    found: dict[str, list[dict[str, Any]]] = (
        {name: [] for name in DOMAINS} | {"provider": [], "care_site": []} | VOCABULARY
    )
    for number, person in enumerate(PEOPLE, start=1):
        born = {"person_id": number, "year_of_birth": person.born, "gender_concept_id": person.sex}
        found["person"].append(dict.fromkeys(CDM["person"].names) | born)
        for place, text in enumerate((f"period 0 {person.observed}", *person.records)):
            domain, row = _row(text, number * 100 + place)
            found[domain].append(dict.fromkeys(CDM[domain].names) | row | {"person_id": number})
    return found


def _row(text: str, key: int) -> tuple[Domain, dict[str, Any]]:
    kind, concept, days, *value = text.split()
    domain = Domain.OBSERVATION_PERIOD if kind == "period" else KINDS[kind]
    facts = DOMAINS[domain]
    first, _, last = days.partition("/")
    row: dict[str, Any] = {facts.key: key, facts.start: dt.date.fromisoformat(first)}
    if facts.concept is not None:
        row[facts.concept] = int(concept)
    if last and facts.end is not None:
        row[facts.end] = dt.date.fromisoformat(last)
    if value:
        row |= {"value_as_number": float(value[0]), "unit_concept_id": 8554}
    return domain, row
