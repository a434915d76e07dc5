"""What an organisation, an account and a role can be: what cannot be so is refused with all its faults, and no name is told."""

import datetime as dt
from typing import Any

import pytest

from fairhaven.kernel.errors import Invalid
from fairhaven.people.model import (
    HUB,
    Account,
    Assurance,
    Details,
    HeldRole,
    Organisation,
    RoleGrant,
    Scope,
    new_account_id,
)
from fairhaven.people.organisation_codes import is_ods_code, is_ror_id
from fairhaven.people.people_words import AccountKind, DsptStatus, Role, RoleState, ScopeKind, Sector, Standing
from fairhaven.people.rules import SCOPES

DAY = dt.date(2026, 12, 1)
ID = "a0123456789ab"


@pytest.mark.parametrize("code", ["052gg0110", "013meh722", "03h2bxq36", "041kmwe10", "02jx3x895"])
def test_a_ror_identifier_is_known_by_the_digits_that_check_it(code: str) -> None:
    assert is_ror_id(code)
    other = "b" if code[3] != "b" else "c"
    for wrong in (
        code[:3] + other + code[4:],
        code[:-1],
        f"1{code[1:]}",
        code.upper(),
        f"{code[:3]}l{code[4:]}",
        f"{code}\n",
    ):
        assert not is_ror_id(wrong)


@pytest.mark.parametrize(
    ("code", "is_one"),
    [
        *[(code, True) for code in ("RTH", "QMJ", "N81001", "00EF", "EE133832", "8HA12")],
        *[(code, False) for code in ("", "R1", "rth", "RTH ", "R-H", "ABCDEFGHIJKLM", "ＲＴＨ", "RTH\n")],
    ],
)
def test_an_ods_code_is_of_capital_letters_and_digits(code: str, is_one: bool) -> None:
    assert is_ods_code(code) is is_one


def _toolkit(**changed: Any) -> Assurance:
    given = {"kind": Standing.DSPT, "reference": "RX9", "status": DsptStatus.MET, "issued": dt.date(2026, 6, 12)}
    return Assurance(**{**given, "expires": dt.date(2027, 6, 30), **changed})


@pytest.mark.parametrize("status", DsptStatus)
def test_the_toolkit_counts_to_30_june_and_only_where_its_standards_are_met(status: DsptStatus) -> None:
    is_met = status in (DsptStatus.MET, DsptStatus.EXCEEDED)
    found = _toolkit(status=status)
    days = [dt.date(2026, 6, 11), dt.date(2026, 6, 12), dt.date(2027, 6, 30), dt.date(2027, 7, 1)]
    assert [found.counts_on(day) for day in days] == [False, is_met, is_met, False]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"expires": dt.date(2027, 6, 29)}, "dspt.expires: is no 30 June"),
        ({"expires": dt.date(2029, 6, 30)}, "dspt.expires: is more than 24 months"),
        ({"expires": dt.date(2025, 6, 30)}, "dspt.expires: is not after"),
        ({"status": None}, "dspt.status: is missing"),
        ({"reference": ""}, "dspt.reference: is no code"),
        (
            {"kind": Standing.CYBER_ESSENTIALS, "status": None, "expires": dt.date(2027, 6, 30)},
            "cyber-essentials.expires: is more than 12 months",
        ),
        ({"kind": Standing.ICO}, "ico.status: is said of the Data Security"),
    ],
)
def test_an_assurance_that_cannot_be_is_refused(changed: dict[str, Any], words: str) -> None:
    with pytest.raises(Invalid, match=words):
        _toolkit(**changed)


def test_an_organisation_is_refused_with_all_its_faults_at_once() -> None:
    with pytest.raises(Invalid) as refused:
        Organisation(
            id="the trust",
            title="\u202eTrust",
            ror_id="03h2bxq35",
            sector=Sector.NHS,
            country="UK",
            assurances=(_toolkit(), _toolkit(reference="RX8")),
            officer="eve",
        )
    assert [fault.field for fault in refused.value.faults] == [
        "id",
        "title",
        "ror_id",
        "country",
        "assurances",
        "officer",
    ]
    with pytest.raises(Invalid, match="look the organisation up"):
        Organisation(id="trust", title="Trust", sector=Sector.NHS, country="GB")


def test_an_id_of_an_account_says_nothing_of_the_person() -> None:
    assert new_account_id(random=lambda size: bytes(range(size))) == "a000102030405"
    assert Account(id=new_account_id(), kind=AccountKind.PERSON).id != new_account_id()
    for wrong in ("eve", "A0123456789AB", "eve@trust.example", f"{ID}0", f"{ID}\n"):
        with pytest.raises(Invalid, match="says nothing of the person") as refused:
            Account(id=wrong, kind=AccountKind.PERSON)
        assert wrong not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "email", "field"),
    [
        (" ", "", "name"),
        ("Eve\nMallory", "", "name"),
        ("E" * 301, "", "name"),
        ("Eve", "eve", "email"),
        ("Eve", "eve@trust.example, mallory@trust.example", "email"),
        ("Eve", "eve\x00@trust.example", "email"),
        ("Eve", f"eve@{'t' * 254}", "email"),
    ],
)
def test_details_that_cannot_be_are_refused_without_being_told(name: str, email: str, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        Details(name=name, email=email)
    assert [fault.field for fault in refused.value.faults] == [field]
    assert not [word for word in (name.strip(), email) if word and word in str(refused.value)]


def test_the_same_details_have_another_salt_each_time() -> None:
    made = Details(name="Eve")
    assert made.salt != Details(name="Eve").salt
    assert made.salt not in repr(made)


@pytest.mark.parametrize("role", Role)
def test_a_role_is_held_for_what_its_rule_says_and_for_nothing_else(role: Role) -> None:
    for kind in ScopeKind:
        scope = HUB if kind is ScopeKind.HUB else Scope(kind=kind, id="trust")
        if kind in SCOPES[role]:
            assert RoleGrant(account=ID, role=role, scope=scope, start=DAY).scope == scope
        else:
            with pytest.raises(Invalid, match=f"{role} is held for .*, not for"):
                RoleGrant(account=ID, role=role, scope=scope, start=DAY)


def test_a_scope_names_what_it_is_of_and_a_role_ends_after_its_start() -> None:
    for kind, name in ((ScopeKind.HUB, "hub"), (ScopeKind.CONTROLLER, ""), (ScopeKind.ORGANISATION, "the trust")):
        with pytest.raises(Invalid, match="scope"):
            Scope(kind=kind, id=name)
    with pytest.raises(Invalid, match="not after the start"):
        RoleGrant(account=ID, role=Role.ADMINISTRATOR, scope=HUB, start=DAY, end=DAY)


@pytest.mark.parametrize(
    ("confirmed", "day", "state"),
    [
        ([], dt.date(2026, 11, 29), RoleState.NOT_YET),
        ([], dt.date(2026, 11, 30), RoleState.HELD),
        ([], dt.date(2027, 2, 27), RoleState.HELD),
        ([], dt.date(2027, 2, 28), RoleState.LAPSED),
        ([dt.date(2027, 2, 27)], dt.date(2027, 2, 28), RoleState.HELD),
        ([dt.date(2027, 2, 27)], dt.date(2027, 5, 27), RoleState.LAPSED),
        ([dt.date(2027, 2, 27), dt.date(2027, 5, 1)], dt.date(2027, 7, 31), RoleState.HELD),
        ([dt.date(2027, 2, 27), dt.date(2027, 5, 1)], dt.date(2027, 8, 1), RoleState.LAPSED),
    ],
)
def test_a_role_lapses_a_quarter_after_it_was_given_or_confirmed(
    confirmed: list[dt.date], day: dt.date, state: RoleState
) -> None:
    grant = RoleGrant(account=ID, role=Role.ADMINISTRATOR, scope=HUB, start=dt.date(2026, 11, 30))
    assert HeldRole(number=1, grant=grant, confirmed=tuple(confirmed)).state(day) is state


@pytest.mark.parametrize(
    ("end", "ended", "state"),
    [
        (dt.date(2027, 2, 1), None, RoleState.ENDED),
        (dt.date(2027, 2, 28), dt.date(2027, 2, 1), RoleState.ENDED),
        (dt.date(2027, 3, 5), None, RoleState.LAPSED),
        (None, dt.date(2027, 3, 5), RoleState.LAPSED),
    ],
)
def test_whichever_came_first_is_what_became_of_a_role(
    end: dt.date | None, ended: dt.date | None, state: RoleState
) -> None:
    grant = RoleGrant(account=ID, role=Role.ADMINISTRATOR, scope=HUB, start=DAY, end=end)
    assert HeldRole(number=1, grant=grant, ended=ended).state(dt.date(2027, 6, 1)) is state
