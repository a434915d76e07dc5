"""Who is who in a hub, on SQLite and on PostgreSQL: every change has its event, no event names anybody, and a past day stays as it was."""

import datetime as dt
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from fairhaven.kernel.errors import Invalid, NotAllowedNow, NotFound
from fairhaven.ledger import EventKind, Ledger, RecordedChange
from fairhaven.people import people_events as events
from fairhaven.people import people_lookup, service
from fairhaven.people.model import HUB, Account, Assurance, Details, HeldRole, Organisation, RoleGrant, Scope
from fairhaven.people.people_events import PeopleEvent
from fairhaven.people.people_words import AccountKind, DsptStatus, Role, RoleState, ScopeKind, Sector, Standing
from fairhaven.records import Database
from tests.support.actors import ANNA
from tests.support.ledgers import SIGNER

EVE, ROBOT = "a0000000000ee", "a00000000000b"
DETAILS = Details(name="Eve Ó Murchú", email="eve@trust.example", salt="5a" * 16)
DAY = dt.date(2026, 12, 1)
TRUST = Organisation(
    id="trust",
    title="Glenfrea Hospitals Trust",
    ods_code="RX9",
    sector=Sector.NHS,
    country="GB-ENG",
    officer=EVE,
    delegates=frozenset({EVE}),
    assurances=(
        Assurance(kind=Standing.CYBER_ESSENTIALS, reference="CE-1", issued=DAY, expires=dt.date(2027, 12, 1)),
        Assurance(
            kind=Standing.DSPT,
            reference="RX9",
            issued=dt.date(2026, 6, 30),
            expires=dt.date(2027, 6, 30),
            status=DsptStatus.MET,
        ),
    ),
)
RESEARCHER = RoleGrant(
    account=EVE, role=Role.RESEARCHER, scope=Scope(kind=ScopeKind.ORGANISATION, id="trust"), start=DAY
)


@dataclass
class Hub:
    """A ledger over a database, and the day that its clock shows."""

    database: Database
    store: Path
    today: dt.date = DAY
    ledger: Ledger = field(init=False)

    def __post_init__(self) -> None:
        self.ledger = Ledger(self.store, database=lambda: self.database, signer=SIGNER, now=self.now)
        self.ledger.begin({}, by=ANNA)

    def now(self) -> dt.datetime:
        return dt.datetime.combine(self.today, dt.time(12), dt.UTC)

    def enters(self, event: PeopleEvent) -> AbstractContextManager[RecordedChange]:
        return event.entered(self.ledger, by=ANNA)

    def make(self, name: str, kind: AccountKind = AccountKind.PERSON, details: Details = DETAILS) -> None:
        account = Account(id=name, kind=kind)
        with self.enters(events.account_made(account, details)) as change:
            service.make_account(change, account, details)

    def record(self, organisation: Organisation) -> None:
        with self.enters(events.organisation_recorded(organisation)) as change:
            service.record_organisation(change, organisation)

    def give(self, grant: RoleGrant) -> HeldRole:
        with self.enters(events.role_given(grant)) as change:
            return service.give_role(change, grant)

    def confirm(self, role: HeldRole) -> None:
        with self.enters(events.role_confirmed(role.grant.account, role.number)) as change:
            service.confirm_role(change, role.number)

    def end(self, role: HeldRole, day: dt.date) -> None:
        with self.enters(events.role_ended(role.grant.account, role.number, day)) as change:
            service.end_role(change, role.number, day)

    def end_account(self, name: str, day: dt.date) -> None:
        with self.enters(events.account_ended(name, day)) as change:
            service.end_account(change, name, day)

    def states(self, day: dt.date, name: str = EVE) -> list[RoleState]:
        with self.database.reading() as connection:
            return list(people_lookup.roles_of(connection, name, day).values())


@pytest.fixture
def hub(database: Database, tmp_path: Path) -> Hub:
    made = Hub(database=database, store=tmp_path)
    made.make(EVE)
    made.record(TRUST)
    return made


def test_what_was_written_is_read_again(hub: Hub) -> None:
    role = hub.give(RESEARCHER)
    with hub.database.reading() as connection:
        assert people_lookup.organisations(connection) == [TRUST]
        assert people_lookup.accounts(connection) == [Account(id=EVE, kind=AccountKind.PERSON)]
        assert people_lookup.details_of(connection, EVE) == DETAILS
        assert people_lookup.roles_of(connection, EVE, DAY) == {role: RoleState.HELD}
    changed = replace(
        TRUST, title="Glenfrea University Hospitals", assurances=TRUST.assurances[1:], delegates=frozenset()
    )
    hub.record(changed)
    with hub.database.reading() as connection:
        assert people_lookup.organisation(connection, "trust") == changed
        assert changed.in_force(dt.date(2027, 6, 30)) == {Standing.DSPT}
        assert not changed.in_force(dt.date(2027, 7, 1))


def test_no_event_names_anybody_and_what_is_erased_is_in_no_file(hub: Hub, database: Database) -> None:
    hub.end(hub.give(RESEARCHER), DAY)
    with hub.enters(events.details_erased(EVE)) as change:
        service.erase_details(change, EVE)
    with database.reading() as connection:
        assert people_lookup.details_of(connection, EVE) is None
        assert people_lookup.account(connection, EVE)
        content = "\n".join(connection.exec_driver_sql("SELECT content FROM event").scalars())
    assert EVE in content
    assert not [word for word in ("Eve", "Murch", "trust.example", "Glenfrea", DETAILS.salt) if word in content]
    database.close()
    assert not [path for path in hub.store.rglob("*") if path.is_file() and b"trust.example" in path.read_bytes()]


def test_what_tells_whose_an_account_is_is_held_by_its_event(hub: Hub, database: Database) -> None:
    new = replace(DETAILS, email="eve@elsewhere.example", salt="77" * 16)
    with hub.enters(events.details_recorded(EVE, new)) as change:
        service.change_details(change, EVE, new)
    with database.reading() as connection:
        assert people_lookup.details_of(connection, EVE) == new
    for statement in (
        "UPDATE account_details SET name = 'Mallory'",
        f"UPDATE account_details SET name = '{DETAILS.name}', email = '{DETAILS.email}', salt = '{DETAILS.salt}'",
        "DELETE FROM account_details",
    ):
        with database.writing() as connection:
            connection.exec_driver_sql(statement)
        with database.reading() as connection, pytest.raises(Invalid, match="was altered by something other"):
            people_lookup.details_of(connection, EVE)


def test_a_role_that_nobody_confirms_lapses_and_is_told_from_one_that_was_ended(hub: Hub) -> None:
    role = hub.give(RESEARCHER)
    hub.today = dt.date(2027, 2, 28)
    hub.confirm(role)
    ended = hub.give(replace(RESEARCHER, role=Role.ADMINISTRATOR, scope=HUB, start=hub.today))
    hub.end(ended, dt.date(2027, 3, 15))
    assert hub.states(dt.date(2026, 11, 30)) == []
    assert hub.states(dt.date(2027, 2, 27)) == [RoleState.HELD]
    assert hub.states(dt.date(2027, 3, 14)) == [RoleState.HELD, RoleState.HELD]
    assert hub.states(dt.date(2027, 5, 27)) == [RoleState.HELD, RoleState.ENDED]
    assert hub.states(dt.date(2027, 5, 28)) == [RoleState.LAPSED, RoleState.ENDED]
    hub.today = dt.date(2027, 5, 28)
    with pytest.raises(NotAllowedNow, match="lapsed on 2027-05-28"):
        hub.confirm(role)
    with pytest.raises(NotAllowedNow, match="ended on 2027-03-15"):
        hub.confirm(ended)
    hub.give(replace(RESEARCHER, start=hub.today))
    assert hub.states(hub.today) == [RoleState.LAPSED, RoleState.ENDED, RoleState.HELD]


def test_a_day_that_is_over_stays_as_it_was(hub: Hub) -> None:
    role = hub.give(RESEARCHER)
    hub.today = dt.date(2027, 1, 10)
    yesterday = dt.date(2027, 1, 9)
    for act in (
        lambda: hub.end(role, yesterday),
        lambda: hub.end_account(EVE, yesterday),
        lambda: hub.give(replace(RESEARCHER, role=Role.BROKER, scope=HUB, start=yesterday)),
    ):
        with pytest.raises(Invalid, match="the past stays as it was"):
            act()
    hub.end(role, hub.today)
    assert hub.states(yesterday) == [RoleState.HELD]
    assert hub.states(hub.today) == [RoleState.ENDED]


def test_a_role_that_is_ended_before_it_begins_was_never_held(hub: Hub) -> None:
    role = hub.give(replace(RESEARCHER, start=dt.date(2027, 1, 1), end=dt.date(2027, 2, 1)))
    with pytest.raises(NotAllowedNow, match="begins on 2027-01-01"):
        hub.confirm(role)
    with pytest.raises(NotAllowedNow, match="ends on 2027-02-01 already"):
        hub.end(role, dt.date(2027, 2, 2))
    hub.end(role, DAY)
    assert hub.states(dt.date(2026, 12, 31)) == []
    assert hub.states(dt.date(2027, 1, 1)) == [RoleState.ENDED]


def test_a_role_is_given_once_for_one_time(hub: Hub) -> None:
    first = hub.give(replace(RESEARCHER, start=DAY, end=dt.date(2027, 2, 1)))
    with pytest.raises(NotAllowedNow, match=f"by role {first.number}"):
        hub.give(replace(RESEARCHER, start=dt.date(2027, 1, 31)))
    hub.give(replace(RESEARCHER, start=dt.date(2027, 2, 1)))


def test_an_account_that_ends_takes_its_roles_with_it(hub: Hub) -> None:
    hub.give(RESEARCHER)
    hub.end_account(EVE, dt.date(2026, 12, 24))
    later = hub.give(replace(RESEARCHER, role=Role.EXPERT, scope=HUB))
    assert later.end == dt.date(2026, 12, 24)
    assert hub.states(dt.date(2026, 12, 23)) == [RoleState.HELD] * 2
    assert hub.states(dt.date(2026, 12, 24)) == [RoleState.ENDED] * 2
    hub.today = dt.date(2026, 12, 24)
    for act in (
        lambda: hub.give(replace(RESEARCHER, start=hub.today)),
        lambda: hub.end_account(EVE, hub.today),
        lambda: hub.record(TRUST),
    ):
        with pytest.raises(NotAllowedNow, match="is none any more"):
            act()


def test_what_names_nobody_and_nothing_is_refused_and_leaves_no_event(hub: Hub) -> None:
    hub.make(ROBOT, AccountKind.SERVICE, Details(name="collection", salt="00" * 16))
    before = hub.ledger.length()
    nobody = "a00000000000f"
    refused: list[tuple[type[Exception], str, Callable[[], object]]] = [
        (NotFound, "no account", lambda: hub.give(replace(RESEARCHER, account=nobody))),
        (NotFound, "no account", lambda: hub.record(replace(TRUST, officer=nobody))),
        (NotFound, "no account", lambda: hub.end_account(nobody, DAY)),
        (
            NotFound,
            "no organisation",
            lambda: hub.give(replace(RESEARCHER, scope=Scope(kind=ScopeKind.ORGANISATION, id="none"))),
        ),
        (Invalid, "there is an account", lambda: hub.make(EVE)),
        (Invalid, "held by a person", lambda: hub.give(replace(RESEARCHER, account=ROBOT))),
        (Invalid, "code of trust already", lambda: hub.record(replace(TRUST, id="other"))),
    ]
    for error, words, act in refused:
        with pytest.raises(error, match=words):
            act()
    assert hub.ledger.length() == before


def test_a_change_whose_event_says_something_else_writes_nothing(hub: Hub) -> None:
    before = hub.ledger.length()
    other = events.role_given(replace(RESEARCHER, role=Role.BROKER, scope=HUB))
    with pytest.raises(RuntimeError, match="no role given"), hub.enters(other) as change:
        service.give_role(change, RESEARCHER)
    with pytest.raises(RuntimeError), hub.ledger.change(EventKind.PROJECT, {}, by=ANNA) as change:
        service.end_account(change, EVE, DAY)
    assert hub.ledger.length() == before
    assert hub.states(DAY) == []


def test_no_role_is_in_the_database_without_the_entry_that_gave_it(hub: Hub, database: Database) -> None:
    values = f"(99, '{EVE}', 'administrator', 'hub', '', '2026-12-01')"
    with pytest.raises(IntegrityError), database.writing() as connection:
        connection.exec_driver_sql(
            f"INSERT INTO role (number, account, role, scope_kind, scope, start) VALUES {values}"
        )


def test_what_was_written_into_a_table_without_an_event_decides_nothing(hub: Hub, database: Database) -> None:
    """Each is done in a transaction that is taken back, after it was read as anybody reads."""
    role = hub.give(RESEARCHER)
    hub.confirm(role)
    reads: dict[str, Callable[[Connection], object]] = {
        "what roles": lambda connection: people_lookup.roles_of(connection, EVE, DAY),
        "account": people_lookup.accounts,
        "organisation": people_lookup.organisations,
    }
    event = role.number - 1
    altered = {
        "UPDATE role SET role = 'administrator'": "what roles",
        "UPDATE role SET role = 'anything'": "what roles",
        "UPDATE role SET scope_kind = 'hub', scope = ''": "what roles",
        f"UPDATE role SET ended = '{DAY}'": "what roles",
        "UPDATE role SET start = '2026-06-01'": "what roles",
        "DELETE FROM role_confirmation": "what roles",
        f"INSERT INTO role_confirmation VALUES ({event}, {role.number}, '2027-12-01')": "what roles",
        f"INSERT INTO role VALUES ({event}, '{EVE}', 'administrator', 'hub', '', '{DAY}', NULL, NULL)": "what roles",
        "UPDATE account SET kind = 'service'": "account",
        "UPDATE account SET ended = '2026-12-02'": "account",
        f"INSERT INTO account VALUES ('{ROBOT}', 'person', NULL)": "account",
        "UPDATE organisation SET sector = 'industry'": "organisation",
        "UPDATE organisation SET officer = NULL": "organisation",
        "UPDATE organisation_assurance SET expires = '2027-11-30' WHERE kind = 'cyber-essentials'": "organisation",
        "UPDATE organisation_assurance SET status = 'standards-exceeded' WHERE kind = 'dspt'": "organisation",
        "DELETE FROM organisation_delegate": "organisation",
    }
    for statement, what in altered.items():
        with pytest.raises(Invalid, match=f"^{what}.*was altered by something other"):
            _read_after(statement, database, reads[what])
    with database.reading() as connection:
        assert all(read(connection) for read in reads.values())


def _read_after(statement: str, database: Database, read: Callable[[Connection], object]) -> None:
    with database.writing() as connection:
        connection.exec_driver_sql(statement)
        read(connection)
