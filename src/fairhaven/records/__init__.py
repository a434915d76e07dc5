"""The one database of a hub: opened, read and written in one way, on SQLite and on PostgreSQL."""

from fairhaven.records.database import Database
from fairhaven.records.job_table import JOB
from fairhaven.records.revisions import check_current, head
from fairhaven.records.schema import METADATA

__all__ = ["JOB", "METADATA", "Database", "check_current", "head"]
