"""The reference page of the cohort language, made from the language itself and the cases of its tests."""

import tomllib
from collections.abc import Iterator, Mapping

from docs.generators.cohort_examples import EXAMPLES, PEOPLE, SETS, Example
from fairhaven.cohort.definition_checks import DEPTH, MAX_DAYS
from fairhaven.cohort.domains import (
    DEMOGRAPHIC_FIELDS,
    DOMAINS,
    ERA_FIELDS,
    DomainFacts,
    DomainField,
    FieldKind,
    countable,
)
from fairhaven.cohort.english import explain, sentence
from fairhaven.cohort.english.event_phrases import NOUNS
from fairhaven.cohort.english.phrases import with_article
from fairhaven.cohort.formats.fairhaven import read_json
from fairhaven.cohort.formats.fairhaven.toml_layout import spell
from fairhaven.cohort.model import CohortDefinition, Domain
from tests.spec import test_cohort_conditions, test_cohort_events

_HEAD = """# The cohort language

This page is written by `make docs` from the language itself; a test holds it to that, and runs every example.

A cohort is a set of people, each from a first to a last day. A definition says who is let in, by which **events**; what must be true
around such an event, by **rules**; and when they leave, by an **exit**. It is a TOML file for people and a JSON file for programs, of one
structure. Its meaning is that of OHDSI's Circe, whose definitions Fairhaven reads as well.

![A definition on the line of time](../cohort.svg)

`fairhaven cohort explain FILE` says in words what a definition means, `fairhaven cohort count` and `report` how many people it finds.
How to write one is in [write a cohort](../how-to/write-a-cohort.md).

In the order of their meaning:

1. **Entry events** are the events listed in `[entry]` that start in an observation period of the person, with `prior_days` before and `post_days`
   after in that period. `limit` leaves all of a person's, the first or the last.
2. The **qualifying** group, where there is one, is asked of each; `qualified_limit` then leaves all, the first or the last.
3. All **rules** must hold for the same event. Of the events that meet them `limit` leaves all, the first or the last.
4. A stay lasts from the event's start to the **exit**, never beyond the event's observation period, and ends earlier with the first event in `censoring`
   that starts on or after its first day.
5. Stays of a person that overlap or follow each other within `gap_days` become one, and are cut to `window`.
"""

_KEYS = """## The keys

What is left out has its default. A key that is not here is a fault, and so is all that does not fit: every fault is told at once with its place
(`rules[1].members[0].where[2]`) and, in a TOML file, its line.

### The definition

| key | | default |
|---|---|---|
| `name`, `description` | for readers | none |
| `limit` | `"all"`, `"first"` or `"last"` of a person's events that meet all rules | `"all"` |
| `qualified_limit` | the same, of the events that the qualifying group lets through | `"all"` |
| `exit` | `"end of observation"`; a date of the event (`"start_date + 30 days"`, `"end_date"`); or a drug era, `{ drug_era = "SET", gap_days = 30, offset = 0, days_supply = 28 }`: as long as exposures to the set, each `offset` days longer and of `days_supply` days where that is given, follow each other within `gap_days` | `"end of observation"` |
| `gap_days` | stays that follow each other within so many days become one | 0 |
| `window` | calendar dates that stays are cut to: `"2010-01-01 to 2019-12-31"`, `"2010-01-01 to any time"` | none |
| `[concept_sets.ID]` | concept sets, by an id of your choice | none |
| `[entry]` | the entry events | must be there |
| `[qualifying]` | a group asked of each entry event before the rules | none |
| `[[rules]]` | `name`, `description` and a group | none |
| `[[censoring]]` | events that end a stay | none |

### A concept set: `[concept_sets.ID]`

`name` is for readers; `concepts` is a list of lines: `"201826 descendants | Type 2 diabetes mellitus"`, `"exclude 201254 descendants mapped"`.

| word | |
|---|---|
| `descendants` | with all valid concepts below it (CONCEPT_ANCESTOR) |
| `mapped` | with the source concepts that map to these (CONCEPT_RELATIONSHIP "Maps to") |
| `exclude` | takes these concepts out, whatever other lines put in |
| after a bar | a name, for readers |

### `[entry]`

| key | | default |
|---|---|---|
| `events` | a list of events; any of them lets a person in | must be there |
| `prior_days`, `post_days` | days that the observation period must hold before and after the event's start | 0 |
| `limit` | `"all"`, `"first"` or `"last"` of a person's events, by start date | `"all"` |
| `observed` | `false`: the whole of time counts as observed; only with `person = "*"` | `true` |

### Events

An event names its table and a concept set, `"*"` for every row: `condition_occurrence = "diabetes"`.

| key | | default |
|---|---|---|
| TABLE | a concept set, held against the table's standard concept | must be there |
| `source_concepts` | a concept set, held against the table's source concept | none |
| `first` | each person's earliest row that the sets let through, before anything below is looked at | `false` |
| `dates` | new dates for the event: `["start_date - 7 days", "end_date"]`; an event that would end before it starts is left out | none |
| `period` | for observation and payer plan periods: dates that the period must contain and that take the place of its own | none |
| `where` | a list of tests, all of which must pass | none |
| `nested` | a group, asked with this event as the index event, in the observation period that it starts in | none |

Or it is an era: `eras_of`, a list of events (or eras), `gap_days`, `first`, `dates`, `where`. Events that follow each other within `gap_days`
make one era.

### A group: `[[rules]]`, `[qualifying]`, `nested`

`match` is `"all"` (the default), `"any"`, `"at least N"` or `"at most N"` of `members`. A group without members holds. A member is

- a **group**: a table with `members`;
- **demographic**, tests of the person at the index event: `{ demographic = ["age >= 18"] }`;
- **events in a time window**: an event with the keys below.

| key | | default |
|---|---|---|
| `times` | `"at least 2"`, `"exactly 0"`, `"at most 3"`, `"at least 2 different start_date"` | `"at least 1"` |
| `when` | the time window | `"any time to any time"` |
| `and_when` | a second window that must hold for the same event | none |
| `within_observation` | the event starts in the index event's observation period | `true` |
| `same_visit` | the event belongs to the index event's visit | `false` |

### Time windows

`"[end_date] SINCE to UNTIL [from index end_date]"`: the event's start (or end) lies between two moments, both included, counted from the index
event's start (or end).

| moment | |
|---|---|
| `-90 days`, `0 days`, `1 day` | days after the index date, before it with a minus |
| `observation start`, `observation end` | of the index event's observation period |
| `any time` | open |

### Tests: `where` and `demographic`

`"FIELD TEST"`. The fields of each table are [below](#the-tables). What is missing passes no test but `is missing`.

| test | of | |
|---|---|---|
| `< 7`, `<= 7`, `= 7`, `!= 7`, `>= 7`, `> 7` | numbers, dates (`>= 2010-01-01`) | |
| `between 3 and 7` | numbers, dates | both ends included |
| `not between 3 and 7` | numbers, dates | both ends left out |
| `in 8507, 8532`, `not in 8507` | concepts | concept ids, looked for as they are |
| `in set ID`, `not in set ID` | concepts | a concept set (in quotes where the id is more than letters, digits, `.`, `:`, `-` and `_`) |
| `like "%text%"`, `not like "text%"` | texts | `%` stands for any characters, `_` for one; letter case counts |
| `is known`, `is missing` | all | `is missing` not of what comes from the provider, visit or care site |
| `is abnormal` | `abnormal` | below the lower or above the upper limit of the range, or a value that says so (4155142, 4155143) |

### Limits of the language
"""


def page() -> str:
    """The page as Markdown."""
    return "\n".join([_HEAD, *_examples(), _KEYS.rstrip(), "", *_limits(), *_cases(), *_tables()]).rstrip() + "\n"


def _limits() -> Iterator[str]:
    yield (
        f"Groups, nested groups and eras lie at most {DEPTH} deep in each other. A number of days is at most {MAX_DAYS:,}, a number "
        "compared with at most 10^15. Numbers compared with a whole number are whole.\n"
    )


def _examples() -> Iterator[str]:
    yield "## Examples\n"
    yield "Five people:\n"
    yield "| person | born | sex | observed | records |\n|---|---|---|---|---|"
    for person in PEOPLE:
        sex = {8507: "male", 8532: "female"}[person.sex]
        records = "; ".join(_record(text) for text in person.records)
        yield f"| {person.name} | {person.born} | {sex} | {person.observed.replace('/', ' to ')} | {records} |"
    yield "\nFour concept sets, which each example has at its end:\n"
    yield f"```toml\n{SETS}```\n"
    for example in EXAMPLES:
        yield from _example(example)
    yield "In full, the third of these in words (`fairhaven cohort explain`):\n"
    yield f"```text\n{explain(_read(EXAMPLES[2])).as_text()}```\n"


def _record(text: str) -> str:
    _, concept, days, *value = text.split()
    words = {
        "201826": "type 2 diabetes",
        "443238": "type 2 diabetes (a kind of it)",
        "40164929": "metformin",
        "3004410": "HbA1c",
        "9201": "stay in hospital",
        "0": "death",
    }[concept]
    return f"{words}{f' {value[0]} %' if value else ''} {days.replace('/', ' to ')}"


def _example(example: Example) -> Iterator[str]:
    yield f"### {example.title}\n"
    yield f"{example.about}\n"
    yield f"```toml\n{example.text}```\n"
    yield f"> {sentence(_read(example))}\n"
    yield f"In the cohort: {'; '.join(stay.replace(' ', ', ', 1).replace('/', ' to ') for stay in example.stays)}.\n"


def _read(example: Example) -> CohortDefinition:
    return read_json(tomllib.loads(f"{example.text}\n{SETS}"))


def _cases() -> Iterator[str]:
    yield "## Case by case\n"
    yield (
        "Each line is a test (`tests/spec/test_cohort_events.py`, `tests/spec/test_cohort_conditions.py`). One person's records, on days that are "
        "numbered from 1 January 2020; observed on days 1-100, and let in by each condition of concept 1, unless the line says otherwise; what "
        "the definition says besides; and the days that are then in the cohort.\n"
    )
    for title, module in (("Events", test_cohort_events), ("Conditions, exits and eras", test_cohort_conditions)):
        yield f"### {title}\n"
        yield "| that | records | the definition says | in the cohort |\n|---|---|---|---|"
        for case in module.CASES:
            said = " ".join(spell(case.says).split()) if case.says else ""
            told = f"`{said.replace('|', chr(92) + '|')}`" if said else ""
            yield f"| {case.that} | {', '.join(case.rows)} | {told} | {case.stays or 'nobody'} |"
        yield ""


def _tables() -> Iterator[str]:
    yield "## The tables\n"
    yield (
        "A table's name is the OMOP CDM 5.4 table; fields are its columns, and these: `start_date`, `end_date`, `days` (from start to end), `age` and "
        "`age_at_end` (the year of the event's start or end, less the year of birth), `value_to_range_low` and `value_to_range_high` (a "
        "measurement over a limit of its range), and what comes from the person, provider, visit or care site. `different` values of "
        "the countable columns can be counted.\n"
    )
    yield "### Every table but person, and eras that a definition builds\n"
    yield f"| kind | fields |\n|---|---|\n{_fields(ERA_FIELDS)}\n"
    for domain, facts in DOMAINS.items():
        yield from _table(domain, facts)
    yield "### The person at an index event (`demographic`)\n"
    yield f"| kind | fields |\n|---|---|\n{_fields(DEMOGRAPHIC_FIELDS)}\n"


def _table(domain: Domain, facts: DomainFacts) -> Iterator[str]:
    yield f"### {domain}\n"
    end = f"`{facts.end}`" if facts.end else "the next day"
    missing = {None: "", 1: "; a missing end is the next day"}.get(
        facts.end_after if not isinstance(facts.end_after, str) else 0,
        f"; a missing end is `{facts.end_after}` days later, or the next day",
    )
    concept = ", ".join(f"`{name}`" for name in (facts.concept, facts.source_concept) if name) or "none"
    dates = f"`{facts.start}` to {end}{missing if facts.end else ''}"
    if domain == Domain.PERSON:
        dates = "the first day of the year of birth"
    yield f"In words: {with_article(NOUNS[domain].one)}. Dates: {dates}. Concept sets are held against: {concept}."
    yield f"Countable: {', '.join(f'`{name}`' for name in countable(domain))}.\n"
    own = {name: field for name, field in facts.fields.items() if name not in ERA_FIELDS or domain == Domain.PERSON}
    yield f"| kind | fields |\n|---|---|\n{_fields(own)}\n"


def _fields(fields: Mapping[str, DomainField]) -> str:
    rows = []
    for kind in FieldKind:
        names = [
            f"`{name}`{f' ({field.via})' if field.via and field.via.name in ('PROVIDER', 'VISIT', 'CARE_SITE') else ''}"
            for name, field in fields.items()
            if field.kind == kind
        ]
        if names:
            rows.append(f"| {kind} | {', '.join(names)} |")
    return "\n".join(rows)
