"""A server, or a process that writes, is killed at any moment, and all is sent again: nothing is lost or doubled."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from io import BytesIO
from random import Random
from typing import TypeVar

import pytest

import timeline
from simulator import Fleet
from tests.drivers.processes import Child
from tests.servers import own
from tests.servers.processes import Process
from timeline.errors import StoreUnavailable
from timeline.reports import formats, shapes

T = TypeVar("T")
KILLS = 5
BATCH = 7
FLEET = Fleet(seed=13, instances=6, days=2, late=0.05, duplicated=0.05, reordered=0.05)
NOTIFICATIONS = [*FLEET.notifications()]

IMPATIENT = {"mongodb": "?serverSelectionTimeoutMS=1000"}
"""Options by which a writer whose server is gone says so sooner, where it would wait for long."""

on_each_server = pytest.mark.parametrize("name", ["postgresql", "mariadb", "mongodb", "hbase"])


class Writer:
    """A process that ingests all notifications, and tells of each that it takes, and of each batch that is stored."""

    _TAKEN, _STORED = b".", b"+"

    def __init__(self, url: str) -> None:
        self._hears, tells = os.pipe()
        self._heard = b""

        def work() -> str:
            def taken(notification: bytes) -> bytes:
                os.write(tells, self._TAKEN)
                return notification

            with timeline.open(url) as engine:
                taking = map(taken, NOTIFICATIONS)
                try:
                    engine.ingest(taking, batch=BATCH, progress=lambda counts: os.write(tells, self._STORED))
                except StoreUnavailable as error:
                    return f"unavailable: {error}"
            return "done"

        self._child = Child(work)
        self.process = Process.of(self._child.pid)
        os.close(tells)

    def has_taken(self, notifications: int) -> bool:
        """Whether it has come so far; waits until it has, or has ended."""
        while self._heard.count(self._TAKEN) < notifications:
            said = os.read(self._hears, 64)
            if not said:
                return False
            self._heard += said
        return True

    def ended(self) -> tuple[int, str]:
        """How many notifications were stored for sure, and what became of it; nothing, where it was killed."""
        self.has_taken(len(NOTIFICATIONS) + 1)
        os.close(self._hears)
        return min(self._heard.count(self._STORED) * BATCH, len(NOTIFICATIONS)), self._child.report()


def dump(engine: timeline.Engine) -> list[bytes]:
    """The canonical dump of a store, line by line."""
    lines = []
    for event in engine.events():
        line = BytesIO()
        formats.write_object(shapes.event(event, provenance=False), line, lines=True)
        lines.append(line.getvalue())
    return lines


def clean_dump(notifications: Sequence[bytes]) -> list[bytes]:
    """What a clean run of these leaves: that of the store in memory."""
    with timeline.open("memory:") as engine:
        engine.ingest(notifications)
        return dump(engine)


def at_the_second_try(call: Callable[[], T]) -> T:
    """What comes of it; the first try after a restart may find that the connection is gone."""
    try:
        return call()
    except StoreUnavailable:
        return call()


@on_each_server
def test_after_kills_of_the_server_and_of_the_writer_the_store_is_that_of_one_clean_run(name: str) -> None:
    rng = Random(f"kills of {name}")
    whole = clean_dump(NOTIFICATIONS)
    with own(name) as server:
        with timeline.open(server.url) as engine:
            engine.prepare()
        told = []
        for turn in range(2 * KILLS):
            # the later the farther, so that each kill meets notifications that are new
            first, last = (len(NOTIFICATIONS) * part // (2 * KILLS) for part in (turn, turn + 1))
            after = rng.randrange(first, last)
            jitter = rng.uniform(0, 0.01)
            where = f"{name}, kill {turn}, after {after} notifications and {jitter:.4f} s"
            writer = Writer(server.url + IMPATIENT.get(name, ""))
            assert writer.has_taken(after), where
            if not writer.process.has_ended(within=jitter):
                if turn % 2:
                    server.kill()
                else:
                    writer.process.send(signal.SIGKILL)
            stored, said = writer.ended()
            told.append(said.partition(":")[0])
            if turn % 2:
                server.start()
            with timeline.open(server.url) as engine:
                found = {*dump(engine)}
            assert {*clean_dump(NOTIFICATIONS[:stored])} <= found, f"{where}: what was acknowledged is gone: {said}"
            assert found <= {*whole}, f"{where}: more than was sent: {said}"

        assert {*told[::2]} <= {"", "done"}
        assert {*told[1::2]} <= {"unavailable", "done"}, told
        assert told.count("done") < KILLS, "the kills came when all was done"
        with timeline.open(server.url) as engine:
            engine.ingest(NOTIFICATIONS)
            assert dump(engine) == whole
            again = engine.ingest(NOTIFICATIONS)
            assert (again.events or 0, again.bodies or 0) == (0, 0)


@on_each_server
def test_the_same_engine_goes_on_after_each_restart_of_its_server(name: str) -> None:
    third = len(NOTIFICATIONS) // 3
    with own(name) as server, timeline.open(server.url) as engine:
        engine.prepare()
        engine.ingest(NOTIFICATIONS[:third], batch=BATCH)
        server.kill()
        server.start()
        at_the_second_try(lambda: engine.ingest(NOTIFICATIONS[third : 2 * third], batch=BATCH))
        server.stop()
        server.start()
        assert at_the_second_try(lambda: dump(engine)) == clean_dump(NOTIFICATIONS[: 2 * third])
        engine.ingest(NOTIFICATIONS, batch=BATCH)
        assert dump(engine) == clean_dump(NOTIFICATIONS)
