"""The store goes away, is locked, or has no room, while messages are stored: the consumer goes on when it is back."""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from random import Random

import pytest

import timeline
from simulator import Fleet
from tests.drivers.test_sql_server_faults import goes_on
from tests.faults.amounts import VARIABLE, amount
from tests.faults.checking import assert_right
from tests.faults.consuming import Consumer, until, until_empty
from tests.faults.publishing import Publisher, waiting
from tests.faults.seeing import Numbers
from tests.servers import Server, own, place
from tests.servers.databases import fresh_database

TIMES = amount(3)
MESSAGES = [*Fleet(seed=17, instances=10 * TIMES, days=2, late=0.05, duplicated=0.05).notifications()]
PART = len(MESSAGES) // (TIMES + 1)
SLOWLY = ("--batch", "5", "--prefetch", "20")
"""So that a store may go in the midst of work, and what is left can be seen in the queue."""
LOCK_PATIENCE = "" if os.environ.get(VARIABLE) else "?timeout=1"
"""How long a consumer waits for a lock: at night as long as it does by itself, which is 30 s."""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with own("postgresql") as server:
        yield server


@pytest.fixture
def bus() -> Iterator[str]:
    with place("rabbitmq") as url:
        publisher = Publisher(url)
        publisher.publish(MESSAGES)
        publisher.close()
        assert publisher.confirmed == MESSAGES
        yield url


def prepared(store: str) -> str:
    with timeline.open(store) as engine:
        engine.prepare()
    return store


def survives(bus: str, store: str, *faults: Callable[[Consumer, Numbers], None]) -> None:
    """Consume all while these come over the store, one after the other, each in the midst of work."""
    rng = Random("store")
    numbers = Numbers()
    with Consumer(bus, store, *SLOWLY, *numbers.words) as consumer:
        for turn, fault in enumerate(faults):
            left = len(MESSAGES) - turn * len(MESSAGES) // (len(faults) + 1) - rng.randrange(20, PART)
            consumer.until(lambda left=left: waiting(bus) < left, what=f"work before fault {turn}")
            assert waiting(bus), "all was done before the fault"
            fault(consumer, numbers)
        until_empty(bus, within=amount(60))
        until(lambda: numbers["timeline_unacknowledged_messages"] == 0, what="the last acknowledgement")
        assert numbers["timeline_messages_redelivered_total"] > 0, "no fault was met"
        assert numbers["timeline_store_errors_total"] >= len(faults), "not every fault was met"
        assert numbers["timeline_store_available"] == 1
        assert consumer.stop() == 0, consumer.said
    assert waiting(bus) == 0
    assert_right(store, MESSAGES)


def fails(numbers: Numbers, more: int = 1) -> None:
    """Wait until the consumer has found so many times more that the store does not work."""
    before = numbers["timeline_store_errors_total"]
    until(lambda: numbers["timeline_store_errors_total"] >= before + more, within=300, what="a failure of the store")


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGQUIT, signal.SIGKILL], ids=["fast", "immediate", "kill"])
def test_a_server_that_is_restarted_loses_nothing_and_is_found_again(
    end: signal.Signals, bus: str, server: Server
) -> None:
    def restart(consumer: Consumer, numbers: Numbers) -> None:
        if end is signal.SIGKILL:
            server.kill()
        else:
            server.processes["server"].end(end, within=60)
        fails(numbers)
        server.start()

    with fresh_database(server.url, drop="DROP DATABASE {} WITH (FORCE)") as store:
        survives(bus, prepared(store), *[restart] * TIMES)


def test_a_file_that_another_process_locks_is_waited_for_however_long(bus: str, tmp_path: Path) -> None:
    def lock(consumer: Consumer, numbers: Numbers) -> None:
        with closing(sqlite3.connect(tmp_path / "timeline.db", timeout=60, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            fails(numbers, more=2)
            other.execute("ROLLBACK")

    store = prepared(f"sqlite:///{tmp_path}/timeline.db")
    survives(bus, store + LOCK_PATIENCE, *[lock] * TIMES)


def test_a_file_that_has_no_room_to_grow_takes_all_when_there_is_room_again(bus: str, tmp_path: Path) -> None:
    def fill(consumer: Consumer, numbers: Numbers) -> None:
        size = max(file.stat().st_size for file in tmp_path.iterdir())
        resource.prlimit(consumer.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
        fails(numbers, more=2)
        resource.prlimit(consumer.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

    survives(bus, prepared(f"sqlite:///{tmp_path}/timeline.db"), fill)


@pytest.mark.skipif(os.geteuid() != 0, reason="only the superuser can mount a small disk")
def test_a_server_whose_disk_is_full_takes_all_when_there_is_room_again(bus: str) -> None:
    with (
        small_disk("128m") as disk,
        own("postgresql", "max_wal_size=32MB", "min_wal_size=32MB", folder=disk) as server,
    ):

        def fill(consumer: Consumer, numbers: Numbers) -> None:
            ballast = disk / "ballast"
            with suppress(OSError), ballast.open("wb", buffering=0) as file:
                while file.write(bytes(65_536)):
                    pass
            fails(numbers)
            ballast.unlink()
            goes_on(server)

        survives(bus, prepared(server.url), fill)


@contextmanager
def small_disk(size: str) -> Iterator[Path]:
    """A folder on a disk of its own, which holds no more than this."""
    disk = Path("/tmp") / f"timeline-disk-{os.getpid()}"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=777", "tmpfs", disk], check=True)
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", disk], check=True)
        disk.rmdir()
