"""The kit catches drivers that do not get over the end of their server."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from tests.drivers.kits import Which, fails, kit_for, passes
from timeline.drivers import Appended, Driver
from timeline.drivers.conformance.restarting import Restarting
from timeline.drivers.conformance.store import Server
from timeline.drivers.memory import Memory, MemoryDriver
from timeline.errors import StoreUnavailable
from timeline.model import Event, Resource


class Host:
    """Where a store in memory is served from: what is not on its disk is gone when it is killed."""

    def __init__(self) -> None:
        self.memory = Memory()
        self.lives = 1
        self.runs = True
        self.unwritten: list[Event] = []

    def kill(self) -> None:
        self.runs = False
        self.unwritten.clear()

    def start(self) -> None:
        self.runs = True
        self.lives += 1


class Served(MemoryDriver):
    """The right one: a connection ends with its server, and the next call makes another."""

    def __init__(self, host: Host) -> None:
        super().__init__()
        self._host = host
        self._connected_to = 0

    @property
    def _memory(self) -> Memory:
        self.connect()
        return self._host.memory

    def connect(self) -> None:
        if not self._host.runs:
            raise self.gone()
        if self._connected_to not in (0, self._host.lives):
            self._connected_to = 0
            raise self.gone()
        self._connected_to = self._host.lives

    def gone(self) -> Exception:
        return StoreUnavailable("the server is gone; try again when it is back")

    def append(self, events: Iterable[Event]) -> Appended:
        given = list(events)
        self.connect()
        return MemoryDriver(self._host.memory).append(given)  # as one: a kill comes before it or after it

    def events(self, which: Which, **rest: object) -> Iterator[Event]:
        for event in super().events(which, **rest):
            self.connect()
            yield event


class SaysItAsItCame(Served):
    """The error is that of the network."""

    def gone(self) -> Exception:
        return ConnectionResetError("peer")


class StaysAway(Served):
    """A connection that is lost is kept."""

    def connect(self) -> None:
        life = self._connected_to
        try:
            super().connect()
        finally:
            self._connected_to = life or self._connected_to


class AcknowledgesFromMemory(Served):
    """Acknowledged is what the server has heard; it writes to its disk when it is asked for something."""

    def append(self, events: Iterable[Event]) -> Appended:
        self.connect()
        self._host.unwritten += events
        return Appended(events=None, bodies=None, duplicates=None)

    def flush(self) -> None:
        super().append(self._host.unwritten)
        self._host.unwritten.clear()

    def events(self, which: Which, **rest: object) -> Iterator[Event]:
        self.flush()
        return super().events(which, **rest)


class SwallowsTheLoss(Served):
    """What cannot be sent is forgotten."""

    def append(self, events: Iterable[Event]) -> Appended:
        given = list(events)
        try:
            return super().append(given)
        except StoreUnavailable:
            return Appended(events=None, bodies=None, duplicates=None)


class EndsQuietly(Served):
    """An answer that breaks off ends."""

    def events(self, which: Which, **rest: object) -> Iterator[Event]:
        answer = super().events(which, **rest)
        first = next(answer, None)
        if first is not None:
            yield first
            try:
                yield from answer
            except StoreUnavailable:
                return


class AnswersFromACopy(Served):
    """What was read once is answered while the server is gone."""

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self._known = ""

    def version(self) -> str:
        try:
            self._known = super().version()
        except StoreUnavailable:
            if not self._known:
                raise
        return self._known


class CountsAnew(Served):
    """What has changed is counted from the start of the server."""

    def changed(self, since: str) -> Collection[Resource] | None:
        changed = super().changed(since)
        return [] if self._host.lives > 1 else changed


def a_server(driver: Callable[[Host], Driver]) -> Callable[[], AbstractContextManager[Server]]:
    @contextmanager
    def server() -> Iterator[Server]:
        host = Host()
        yield Server(open=lambda: driver(host), kill=host.kill, start=host.start)

    return server


BETWEEN = "a_server_killed_between_writes_has_all_that_was_acknowledged"
GONE = "while_its_server_is_gone_a_driver_is_told_so_by_every_call_and_then_goes_on"
MIDST = "a_server_killed_in_the_midst_of_writes_loses_nothing_that_was_acknowledged"


@pytest.mark.parametrize(
    ("wrong", "test", "by"),
    [
        (AcknowledgesFromMemory, BETWEEN, AssertionError),
        (CountsAnew, BETWEEN, AssertionError),
        (StaysAway, BETWEEN, StoreUnavailable),
        (SaysItAsItCame, GONE, ConnectionResetError),
        (SwallowsTheLoss, GONE, AssertionError),
        (EndsQuietly, GONE, AssertionError),
        (AnswersFromACopy, GONE, AssertionError),
        (StaysAway, GONE, StoreUnavailable),
        (AcknowledgesFromMemory, MIDST, AssertionError),
        (SwallowsTheLoss, MIDST, AssertionError),
    ],
)
def test_a_wrong_driver_fails_the_kit(wrong: type[Served], test: str, by: type[Exception]) -> None:
    fails(kit_for(wrong, server=a_server(wrong)), test, by)


@pytest.mark.parametrize("test", [name for name in vars(Restarting) if name.startswith("test_")])
def test_a_right_driver_of_the_same_making_passes(test: str) -> None:
    passes(kit_for(Served, server=a_server(Served)), test.removeprefix("test_"))
