"""Writers of one database: two processes with sixteen threads each, that all add rows with consecutive numbers, as the ledger does."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

from sqlalchemy import BigInteger, Column, MetaData, Table, Text, func, insert, select

from tests.support.database_addresses import DatabaseAddress

PROCESSES, THREADS = 2, 16
_TABLES = MetaData()
WRITTEN = Table(
    "written", _TABLES, Column("number", BigInteger, primary_key=True, autoincrement=False), Column("by", Text)
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Writing:
    """What came of it.

    Args:
        rows: that the writers were told are written.
        seconds: that each write took, with its waiting, the shortest first.
        errors: what the writers were told instead.
    """

    rows: int
    seconds: Sequence[float]
    errors: Sequence[str]

    def share(self, part: float) -> float:
        """Seconds in which this share of the writes was done."""
        return self.seconds[min(int(part * len(self.seconds)), len(self.seconds) - 1)]


def write_for(seconds: float, address: DatabaseAddress) -> Writing:
    """Let them write, and see that no row is lost and none is there that nobody was told of."""
    with closing(address.opened()) as database:
        with database.writing() as connection:
            _TABLES.create_all(connection)
        command = [sys.executable, "-m", __name__, json.dumps(asdict(address), default=str), str(seconds)]
        running = [subprocess.Popen([*command, str(number)], stdout=subprocess.PIPE) for number in range(PROCESSES)]
        told = [json.loads(each.communicate()[0]) for each in running]
        with database.reading() as connection:
            numbers = connection.execute(select(WRITTEN.c.number).order_by(WRITTEN.c.number)).scalars().all()
    took = sorted(each for part in told for each in part["seconds"])
    assert numbers == list(range(1, len(took) + 1))
    return Writing(rows=len(took), seconds=took, errors=[each for part in told for each in part["errors"]])


def main(address: str, seconds: str, process: str) -> None:
    """Be one of the processes."""
    facts = json.loads(address)
    path = Path(facts.pop("path")) if facts["path"] else facts.pop("path")
    took: list[float] = []
    errors: list[str] = []

    def write(thread: int) -> None:
        while (began := time.monotonic()) < until:
            try:
                with database.writing() as connection:
                    last = connection.execute(select(func.coalesce(func.max(WRITTEN.c.number), 0))).scalar_one()
                    connection.execute(insert(WRITTEN).values(number=last + 1, by=f"{process}.{thread}"))
            except Exception as error:  # noqa: BLE001 - whatever it is, a person would have been told
                errors.append(repr(error))
            else:
                took.append(time.monotonic() - began)

    with closing(DatabaseAddress(path=path, **facts).opened()) as database:
        until = time.monotonic() + float(seconds)
        threads = [threading.Thread(target=write, args=(number,)) for number in range(THREADS)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
    sys.stdout.write(json.dumps({"seconds": took, "errors": errors}))


if __name__ == "__main__":
    main(*sys.argv[1:])
