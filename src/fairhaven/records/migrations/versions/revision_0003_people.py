"""The tables of organisations, accounts and roles."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _key(table: str, column: str, other: str, other_column: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_{column}_{other}")
    return sa.ForeignKeyConstraint([column], [f"{other}.{other_column}"], name=name)


def upgrade() -> None:
    """Make them."""
    op.create_table(
        "account",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("ended", sa.Date()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account")),
    )
    op.create_table(
        "account_details",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("salt", sa.Text(), nullable=False),
        _key("account_details", "account", "account", "id"),
        sa.PrimaryKeyConstraint("account", name=op.f("pk_account_details")),
    )
    op.create_table(
        "organisation",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("ods_code", sa.Text(), nullable=False),
        sa.Column("ror_id", sa.Text(), nullable=False),
        sa.Column("sector", sa.Text(), nullable=False),
        sa.Column("country", sa.Text(), nullable=False),
        sa.Column("officer", sa.Text()),
        _key("organisation", "officer", "account", "id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_organisation")),
    )
    op.create_table(
        "organisation_assurance",
        sa.Column("organisation", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("issued", sa.Date(), nullable=False),
        sa.Column("expires", sa.Date(), nullable=False),
        sa.Column("status", sa.Text()),
        _key("organisation_assurance", "organisation", "organisation", "id"),
        sa.PrimaryKeyConstraint("organisation", "kind", name=op.f("pk_organisation_assurance")),
    )
    op.create_table(
        "organisation_delegate",
        sa.Column("organisation", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        _key("organisation_delegate", "organisation", "organisation", "id"),
        _key("organisation_delegate", "account", "account", "id"),
        sa.PrimaryKeyConstraint("organisation", "account", name=op.f("pk_organisation_delegate")),
    )
    op.create_table(
        "role",
        sa.Column("number", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("scope_kind", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("start", sa.Date(), nullable=False),
        sa.Column("end", sa.Date()),
        sa.Column("ended", sa.Date()),
        _key("role", "number", "event", "number"),
        _key("role", "account", "account", "id"),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_role")),
    )
    op.create_index(op.f("ix_role_account"), "role", ["account"])
    op.create_table(
        "role_confirmation",
        sa.Column("number", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("role", _NUMBER, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        _key("role_confirmation", "number", "event", "number"),
        _key("role_confirmation", "role", "role", "number"),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_role_confirmation")),
    )
    op.create_index(op.f("ix_role_confirmation_role"), "role_confirmation", ["role"])


def downgrade() -> None:
    """Take them away, with all that is known of who somebody is."""
    for table in (
        "role_confirmation",
        "role",
        "organisation_delegate",
        "organisation_assurance",
        "organisation",
        "account_details",
        "account",
    ):
        op.drop_table(table)
