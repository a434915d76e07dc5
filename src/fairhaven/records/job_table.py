"""The table of jobs."""

from sqlalchemy import BigInteger, Boolean, Column, Integer, Table, Text

from fairhaven.records.schema import METADATA

JOB = Table(
    "job",
    METADATA,
    Column("number", BigInteger().with_variant(Integer(), "sqlite"), primary_key=True),
    Column("kind", Text, nullable=False),
    Column("facts", Text, nullable=False),
    Column("enqueued", Text, nullable=False),
    Column("due", Text, nullable=False, index=True),
    Column("attempts", Integer, nullable=False),
    Column("holder", Text, nullable=False),
    Column("fault", Text, nullable=False),
    Column("is_dead", Boolean, nullable=False),
)
"""What is to be done in the background, and by when. Times are in UTC, as text that sorts."""
