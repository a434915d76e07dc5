"""The same facts as the CDM that a partner's ETL makes of them: right by the conventions, with the faults that are a hub's to find."""

import datetime as dt
from typing import Any

from tests.support.generated_facts import Event, Moment, Person, Place, Provider, Statement, Visit, World
from tests.support.generated_periods import Row
from tests.support.generated_truth import Form, Making, Rows


def partner_rows(world: World, delivery: int, form: Form) -> Rows:
    """A partner's CDM after a delivery: its rows by table.

    Returns:
        columns as in `Truth`, but ``person``, ``key``, ``ordinal`` and ``fault`` for who it is, and ``visit``, ``provider``,
        ``care_site`` and ``location`` are keys.
    """
    faulty = [each for each in world.last(delivery) if each.fault]
    standing = world.standing(delivery)
    rows = {**_Partner([*standing, *faulty], form).truth().rows}
    of_year = {each.fact.birth[0]: each.person for each in standing if isinstance(each.fact, Person)}
    periods = Making(standing, form).truth().rows.get("observation_period", [])
    rows["observation_period"] = [
        {"person": of_year[row["who"]], "key": number, "ordinal": 0, "fault": "", "copies": 1}
        | {name: value for name, value in row.items() if name != "who"}
        for number, row in enumerate(periods, 1)
    ]
    return {name: several for name, several in rows.items() if several}


class _Partner(Making):
    """What the ETL of a partner makes of the same facts: it knows the conventions, and leaves what is wrong in the facts as it is."""

    def health_system(self) -> None:
        """A row for each address, with its street and the whole postcode."""
        for each in self.standing:
            whose = {"person": None, "key": each.key, "fault": "", "copies": each.copies}
            if isinstance(each.fact, Place):
                if address := self.address(each.fact):
                    self.rows["location"].append(
                        whose | address | {"zip": each.fact.postcode, "address_1": "1 High St"}
                    )
                self.rows["care_site"].append(whose | self.site(each.key, each.fact))
            elif isinstance(each.fact, Provider):
                self.rows["provider"].append(whose | self.staff(each.fact) | {"provider_name": "Quill, Ada"})

    def location(self, key: int, place: Place) -> Any:
        return key if place.city else None

    def care_site(self, key: int | None) -> Any:
        return key

    def provider(self, key: int | None) -> Any:
        return key

    def is_left_out(self, each: Statement) -> bool:
        assert isinstance(each.fact, Visit | Event)
        return bool(each.fact.standing)

    def is_birth(self, person: int, moment: Moment) -> bool:
        return False

    def ends(self, person: int, start: Moment | None, end: Moment | None) -> tuple[dt.date | None, dt.datetime | None]:
        return self.at(person, end)

    def person(self, each: Statement, fact: Person) -> None:
        super().person(each, fact)
        if len(fact.birth) == 3:
            self.rows["person"][-1]["day_of_birth"] = fact.birth[2]

    def who(self, each: Statement) -> Row:
        return {"person": each.person, "key": each.key, "fault": each.fault, "copies": each.copies}

    def place(self, each: Statement, fact: Event) -> Row:
        return {"visit": fact.visit, "provider": fact.provider}

    def number(self, ordinal: int) -> Row:
        return {"ordinal": ordinal}

    def derived(self) -> None:
        """Of the periods see `partner_rows`; eras are made anew."""
