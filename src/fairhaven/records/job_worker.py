"""Does the jobs that are due, one after another."""

import datetime as dt
import traceback
from collections.abc import Callable, Mapping

from sqlalchemy import Connection

from fairhaven.kernel.errors import FairhavenError, NotAllowedNow
from fairhaven.records.database import Database
from fairhaven.records.jobs import LEASE, USUAL_RETRIES, Job, Retries, claim, done, failed

Doing = Callable[[Job], Callable[[Connection], object]]
"""Does a job's work, outside of any transaction, and gives what is to be written in the transaction in which the job ends."""


def do_due(
    database: Database,
    doings: Mapping[str, Doing],
    *,
    clock: Callable[[], dt.datetime],
    lease: dt.timedelta = LEASE,
    retries: Retries = USUAL_RETRIES,
) -> int:
    """Do the jobs that are due until none is; what fails is tried again later, or stays for a person to look at.

    Args:
        doings: who does which kind; jobs of other kinds are left.
        clock: the time, with its zone.
        lease: longer than the longest work takes.

    Returns:
        How many were done.

    Raises:
        NotAllowedNow: the database cannot be written. What was claimed is begun again after its lease.
    """
    ended = 0
    while True:
        with database.writing() as connection:
            job = claim(connection, doings.keys(), now=clock(), lease=lease, retries=retries)
        if job is None:
            return ended
        try:
            write = doings[job.kind](job)
            with database.writing() as connection:
                write(connection)
                done(connection, job)
        except Exception as error:  # noqa: BLE001 - one job that fails keeps no other from being done; its fault stays with it
            _give_back(database, job, _words(error), now=clock(), retries=retries)
        else:
            ended += 1


def _give_back(database: Database, job: Job, fault: str, *, now: dt.datetime, retries: Retries) -> None:
    try:
        with database.writing() as connection:
            failed(connection, job, fault, now=now, retries=retries)
    except NotAllowedNow:
        # Another does it already, or the database is out of reach: then it is begun again when its lease is over.
        return


def _words(error: Exception) -> str:
    """Why a job failed. Our own words name no value of a row; of other errors their kind and place are told."""
    if isinstance(error, FairhavenError):
        return str(error)
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__qualname__} in {place.name}, line {place.lineno}: a fault of Fairhaven itself, or of the machine; please report it"
