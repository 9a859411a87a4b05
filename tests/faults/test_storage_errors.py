"""A store that fails at any call, for however long: nothing is acknowledged that it does not hold at that moment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from hashlib import sha256
from itertools import count
from pathlib import Path
from threading import Event as Flag
from typing import Any

import pytest

import timeline
from tests.bus.waiting import Waiting
from tests.faults import broken
from tests.faults.checking import assert_right
from tests.faults.killing import Telling
from tests.faults.parts import CALLS, DEFINITIONS, MESSAGES, Parts
from timeline import envelope
from timeline.drivers.contract import Driver
from timeline.drivers.memory import MemoryDriver
from timeline.engine import Engine, loop
from timeline.engine.loop import Loop
from timeline.engine.storing import Storing
from timeline.errors import NotificationError, StoreBusy, StoreDenied, StoreError, StoreFull, StoreUnavailable

BATCHES = (1, 7, 50)
NAMED = (StoreUnavailable, StoreBusy, StoreFull, StoreDenied)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A queue in memory is empty when it says so."""
    monkeypatch.setattr(loop, "_QUIET", 0.0)


def owed(message: bytes) -> str:
    """What a store holds of a message: the id of what it speaks of, or that of its record in quarantine."""
    try:
        payload = envelope.read(message).payload
    except NotificationError:
        return sha256(message).hexdigest()
    return str(payload["instance_id"])


OWED = {message: owed(message) for message in MESSAGES}


class Lost(AssertionError):
    """Something was acknowledged that is not in the store."""


class Witness(Waiting):
    """A queue that looks into the store at each acknowledgement: what is acknowledged has to be there."""

    def __init__(self, driver: Driver, batch: int) -> None:
        super().__init__(MESSAGES, ahead=2 * batch)
        self._engine = Engine(driver, DEFINITIONS)

    def acknowledge(self, mark: object) -> bool:
        told = super().acknowledge(mark)
        held = {event.resource.id for event in self._engine.events()}
        held |= {record.id for record in self._engine.quarantined()}
        for message in self.acknowledged:
            if OWED[message] not in held:
                raise Lost(OWED[message])
        return told


class Outage:
    """A store that fails at its ``at``-th call and those after it, ``calls`` in all; ``met`` are those that failed."""

    def __init__(self, error: Callable[[], StoreError], at: int, calls: int, *, when: str) -> None:
        self._error = error
        self._failing = range(at, at + calls)
        self._when = when
        self._count = count(1)
        self.met = 0

    def __call__(self, point: str) -> None:
        if point.startswith(self._when) and next(self._count) in self._failing:
            self.met += 1
            raise self._error()


def away() -> StoreError:
    return StoreUnavailable("the store is not to be reached")


def outlived(
    parts: Parts,
    stores: Iterator[Driver],
    *,
    batch: int = 7,
    error: Callable[[], StoreError] = away,
    calls: int = 1,
    when: str = "before",
) -> int:
    """Consume all on a new store for each call at which an outage may begin; at how many it could."""
    for at in count(1):
        store = next(stores)
        source = Witness(store, batch)
        outage = Outage(error, at, calls, when=when)
        failing: Any = Telling(store, outage, *CALLS)
        parts.run(source, failing, batch)
        if not outage.met:
            return at - 1
        assert Counter(source.acknowledged) == Counter(MESSAGES), "each is acknowledged once, and none is left"
        assert_right(Engine(store, DEFINITIONS), MESSAGES)
    raise AssertionError


def in_memory() -> Iterator[Driver]:
    while True:
        yield MemoryDriver()


def in_files(folder: Path) -> Iterator[Driver]:
    for number in count():
        with timeline.open(f"sqlite:///{folder}/{number}.db") as engine:
            engine.prepare()
            yield engine.driver


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("error", NAMED)
@pytest.mark.parametrize("when", ["before", "after"])
def test_whatever_the_error_and_wherever_it_comes_nothing_is_acknowledged_that_is_not_stored(
    when: str, error: type[StoreError], batch: int
) -> None:
    calls = outlived(Parts(), in_memory(), batch=batch, error=lambda: error("the store does not work"), when=when)
    assert calls >= len(MESSAGES) / batch


@pytest.mark.parametrize("calls", [2, 3, 10])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_store_that_fails_again_and_again_has_all_in_the_end(when: str, calls: int) -> None:
    assert outlived(Parts(), in_memory(), calls=calls, when=when)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_file_holds_all_in_the_end_whichever_call_fails(when: str, tmp_path: Path) -> None:
    assert outlived(Parts(), in_files(tmp_path), when=when)


def test_who_is_told_to_stop_at_any_call_leaves_each_message_in_the_queue_or_in_the_store() -> None:
    for at in count(1):
        store, stopping = MemoryDriver(), Flag()
        source = Witness(store, 7)
        storing = Storing(gone_for_good(store, at, stopping), DEFINITIONS)
        Loop(source, storing, batch=7, patient=True, until_empty=True, stopping=stopping).run()
        source.close()
        if not stopping.is_set():
            break
        assert Counter([*source.acknowledged, *source.waiting]) == Counter(MESSAGES)
        Parts().run(source, store)
        assert_right(Engine(store, DEFINITIONS), MESSAGES)
    assert at > len(MESSAGES) / 7


def gone_for_good(store: Driver, at: int, stopping: Flag) -> Any:
    """A store that is away from its ``at``-th call on, at which its user is told to stop."""
    calls = count(1)

    def stop(point: str) -> None:
        if point.startswith("before") and next(calls) >= at:
            stopping.set()
            raise away()

    return Telling(store, stop, *CALLS)


@pytest.mark.parametrize(
    ("parts", "calls"),
    [(broken.ACKNOWLEDGES_FIRST, 0), (broken.SWALLOWS, 1)],
    ids=["acknowledges before the commit", "swallows errors of the store"],
)
def test_who_acknowledges_what_is_not_stored_is_seen_at_that_moment(parts: Parts, calls: int) -> None:
    with pytest.raises(Lost):
        outlived(parts, in_memory(), calls=calls)
