"""A ledger of a million events is verified in seconds."""

import time
from pathlib import Path

import pytest

from fairhaven.ledger import Ledger
from fairhaven.records import Database
from tests.support.actors import ANNA
from tests.support.ledgers import SIGNER
from tests.support.many_events import write_events

_EVENTS = 1_000_000
_SECONDS = {"sqlite": 20.0, "postgresql": 30.0}


@pytest.mark.slow
def test_a_million_events_are_verified_in_time(database: Database, tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, database=lambda: database, signer=SIGNER)
    ledger.begin({}, by=ANNA)
    write_events(ledger, database, _EVENTS)
    began = time.process_time()
    assert ledger.verify() == []
    spent = time.process_time() - began
    assert ledger.head_faults() == [] and ledger.as_read().size == _EVENTS + 1
    assert spent < _SECONDS[database.dialect]
