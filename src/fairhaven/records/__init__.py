"""The one database of a hub: opened, read and written in one way, on SQLite and on PostgreSQL; and the work that waits in it."""

from fairhaven.records.database import Database
from fairhaven.records.job_worker import Doing, do_due
from fairhaven.records.jobs import Job, Retries, all_jobs, enqueue, revive
from fairhaven.records.revisions import check_current, head, make
from fairhaven.records.schema import METADATA

__all__ = [
    "METADATA",
    "Database",
    "Doing",
    "Job",
    "Retries",
    "all_jobs",
    "check_current",
    "do_due",
    "enqueue",
    "head",
    "make",
    "revive",
]
