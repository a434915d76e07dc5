"""The tables of organisations, accounts and roles. What tells whose an account is stands in one of them, which can be erased."""

from sqlalchemy import Column, Date, ForeignKey, Table, Text

from fairhaven.ledger.event_table import EVENT
from fairhaven.records import METADATA

ACCOUNT = Table(
    "account",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("ended", Date),
)

ACCOUNT_DETAILS = Table(
    "account_details",
    METADATA,
    Column("account", ForeignKey(ACCOUNT.c.id), primary_key=True),
    Column("name", Text, nullable=False),
    Column("email", Text, nullable=False),
    Column("salt", Text, nullable=False),
)
"""No row where it was erased."""

ORGANISATION = Table(
    "organisation",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("title", Text, nullable=False),
    Column("ods_code", Text, nullable=False),
    Column("ror_id", Text, nullable=False),
    Column("sector", Text, nullable=False),
    Column("country", Text, nullable=False),
    Column("officer", ForeignKey(ACCOUNT.c.id)),
)

ORGANISATION_ASSURANCE = Table(
    "organisation_assurance",
    METADATA,
    Column("organisation", ForeignKey(ORGANISATION.c.id), primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("reference", Text, nullable=False),
    Column("issued", Date, nullable=False),
    Column("expires", Date, nullable=False),
    Column("status", Text),
)

ORGANISATION_DELEGATE = Table(
    "organisation_delegate",
    METADATA,
    Column("organisation", ForeignKey(ORGANISATION.c.id), primary_key=True),
    Column("account", ForeignKey(ACCOUNT.c.id), primary_key=True),
)

ROLE = Table(
    "role",
    METADATA,
    # Of the entry that gave it, so that no role is without one.
    Column("number", ForeignKey(EVENT.c.number), primary_key=True, autoincrement=False),
    Column("account", ForeignKey(ACCOUNT.c.id), nullable=False, index=True),
    Column("role", Text, nullable=False),
    Column("scope_kind", Text, nullable=False),
    Column("scope", Text, nullable=False),
    Column("start", Date, nullable=False),
    Column("end", Date),
    Column("ended", Date),
)

ROLE_CONFIRMATION = Table(
    "role_confirmation",
    METADATA,
    Column("number", ForeignKey(EVENT.c.number), primary_key=True, autoincrement=False),
    Column("role", ForeignKey(ROLE.c.number), nullable=False, index=True),
    Column("day", Date, nullable=False),
)
