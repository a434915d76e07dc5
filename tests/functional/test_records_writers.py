"""Many write the hub's database at once: nothing is lost, nobody is told of a lock, and nobody waits long."""

import pytest

from tests.support.database_addresses import DatabaseAddress
from tests.support.record_writers import write_for


def test_two_processes_with_sixteen_threads_each_lose_nothing_and_wait_in_turn(address: DatabaseAddress) -> None:
    done = write_for(1.5, address)
    assert not done.errors
    assert done.rows >= 32
    assert done.share(0.99) < 2


@pytest.mark.slow
def test_they_do_so_for_a_minute(address: DatabaseAddress) -> None:
    done = write_for(60, address)
    assert not done.errors
    assert done.share(0.99) < 2, (done.rows, done.share(0.5), done.share(0.99), done.seconds[-1])
