"""The run loop: what is acknowledged is stored, what is not comes again, and it ends when it is to."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from threading import Event as Flag
from threading import Thread
from typing import Any

import pytest

from tests.bus.nova import notification
from tests.bus.waiting import Waiting
from timeline.definitions import Definitions
from timeline.drivers.contract import Appended
from timeline.drivers.memory import MemoryDriver
from timeline.engine import Engine, loop
from timeline.engine.loop import Loop
from timeline.engine.storing import Storing
from timeline.errors import StoreError, StoreUnavailable
from timeline.metrics import Metrics
from timeline.model import Event, Message

DEFINITIONS = Definitions.load()


class Noting(MemoryDriver):
    """A store that notes its appends beside what its source hears, and fails, waits or refuses as it is told."""

    def __init__(self, heard: list[str]) -> None:
        super().__init__()
        self._heard = heard
        self.errors: Iterator[StoreError | None] = iter(())
        self.refused: bytes | None = None
        self.gate: Flag | None = None
        self.waits = Flag()

    def append(self, events: Iterable[Event]) -> Appended:
        events = list(events)
        if self.gate is not None:
            self.waits.set()
            self.gate.wait(30)
        if self.refused is not None and any(self.refused in event.resource.id.encode() for event in events):
            raise StoreError("this is not to be stored")
        error = next(self.errors, None)
        if error is not None:
            self._heard.append("fail")
            raise error
        self._heard.append(f"store {len(events)}")
        return super().append(events)


def running(source: Waiting, store: Noting, **how: Any) -> Loop:
    metrics = how.pop("metrics", None)
    settings = {"batch": 1_000, "age": 0.0, "patient": True, "until_empty": True, "pauses": (0.0,)}
    return Loop(source, Storing(store, DEFINITIONS, metrics), metrics=metrics, **{**settings, **how})


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A source in memory is empty when it says so, and nobody waits for a store that hangs."""
    monkeypatch.setattr(loop, "_QUIET", 0.0)
    monkeypatch.setattr(loop, "GRACE", 0.2)


def ids(store: MemoryDriver) -> set[str]:
    return {event.resource.id for event in Engine(store).events()}


def test_a_message_is_acknowledged_after_it_is_stored() -> None:
    source = Waiting(map(notification, range(6)), at_once=2, ahead=4)
    store = Noting(source.heard)
    running(source, store, batch=2).run()
    stored = acknowledged = 0
    for said in source.heard:
        if said.startswith("store"):
            stored += int(said.split()[1])
        if said.startswith("acknowledge"):
            acknowledged += int(said.split()[1])
            assert acknowledged <= stored
    assert acknowledged == stored == 6


@pytest.mark.parametrize(("batch", "ahead", "most"), [(3, None, 3), (100, 8, 4), (100, 1, 1), (1, 50, 1)])
def test_a_batch_is_no_longer_than_asked_and_leaves_half_of_what_may_be_held_to_the_next(
    batch: int, ahead: int | None, most: int
) -> None:
    source = Waiting(map(notification, range(20)), ahead=ahead)
    store = Noting(source.heard)
    counts = running(source, store, batch=batch, age=0.01).run()
    sizes = [int(said.split()[1]) for said in source.heard if said.startswith("store")]
    assert (counts.notifications, sum(sizes), max(sizes)) == (20, 20, most)


def test_a_batch_is_stored_before_it_takes_too_much_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    messages = [*map(notification, range(9))]
    monkeypatch.setattr(loop, "BATCH_BYTES", 3 * len(messages[0]))
    source = Waiting(messages, at_once=1)
    running(source, Noting(source.heard), age=10.0).run()
    assert [said for said in source.heard if said.startswith("store")][:3] == ["store 3"] * 3


def test_a_lone_message_is_stored_when_it_is_old_enough_and_not_before() -> None:
    source = Waiting([notification(1)])
    store = Noting(source.heard)
    stopping = Flag()
    looping = running(source, store, batch=2, age=0.05, until_empty=False, stopping=stopping)
    thread = Thread(target=looping.run)
    thread.start()
    while "acknowledge 1" not in source.heard:
        assert thread.is_alive()
    stopping.set()
    thread.join(30)
    assert source.heard[:3] == ["take 1", "store 1", "acknowledge 1"]


def test_where_the_store_fails_all_is_given_back_and_stored_once_it_is_back() -> None:
    source = Waiting(map(notification, range(10)))
    store = Noting(source.heard)
    store.errors = iter([StoreUnavailable("away")] * 3)
    counts = running(source, store, batch=5).run()
    first = source.heard.index("fail")
    assert not any(said.startswith("acknowledge") for said in source.heard[:first])
    given_back, *tries = (said for said in source.heard[first + 1 :] if not said.startswith("take"))
    assert given_back.startswith("give back")
    assert tries[:3] == ["fail", "fail", "store 5"]
    assert ids(store) == {f"i-{number}" for number in range(10)}
    assert len(source.acknowledged) == 10
    assert counts.events == 10
    assert source.heard.count("fail") == 3
    assert sum(said.startswith("give back") for said in source.heard) == 1, "it came back to the queue more than once"


def test_while_the_store_is_away_it_can_be_stopped_and_everything_is_in_the_queue() -> None:
    messages = [*map(notification, range(4))]
    source = Waiting(messages)
    store = Noting(source.heard)
    store.errors = iter(lambda: StoreUnavailable("away"), None)
    stopping = Flag()
    thread = Thread(target=running(source, store, pauses=(60.0,), stopping=stopping).run)
    thread.start()
    while "fail" not in source.heard:
        assert thread.is_alive()
    stopping.set()
    thread.join(30)
    assert not thread.is_alive()
    assert not source.acknowledged
    assert [*source.waiting] == messages


def test_what_is_being_stored_when_it_is_to_stop_is_finished_and_acknowledged() -> None:
    source = Waiting(map(notification, range(4)), ahead=4)
    store = Noting(source.heard)
    store.gate = Flag()
    stopping = Flag()
    thread = Thread(target=running(source, store, stopping=stopping).run)
    thread.start()
    assert store.waits.wait(30)
    stopping.set()
    store.gate.set()
    thread.join(30)
    assert len(source.acknowledged) == 2
    assert ids(store) == {"i-0", "i-1"}


def test_a_store_that_hangs_keeps_nobody_from_stopping_and_what_it_was_given_comes_again() -> None:
    messages = [*map(notification, range(4))]
    source = Waiting(messages)
    store = Noting(source.heard)
    store.gate = Flag()
    stopping = Flag()
    engine = Engine(store, DEFINITIONS)
    thread = Thread(target=lambda: engine.consume(source, age=0.0, stopping=stopping))
    thread.start()
    assert store.waits.wait(30)
    stopping.set()
    thread.join(30)
    assert not thread.is_alive()
    assert source.heard[-2:] == ["close", "give back 4"]
    assert [*source.waiting] == messages
    store.gate.set()


def test_an_acknowledgement_for_an_earlier_connection_is_thrown_away_and_counted() -> None:
    source = Waiting(map(notification, range(4)))
    store = Noting(source.heard)
    store.gate = Flag()
    metrics = Metrics()
    thread = Thread(target=running(source, store, metrics=metrics).run)
    thread.start()
    assert store.waits.wait(30)
    source.give_back()
    store.gate.set()
    store.gate = None
    thread.join(30)
    assert metrics.told().tally.stale == 4
    assert len(source.acknowledged) == 4, "it came again, and was acknowledged then"
    assert len([*Engine(store).events()]) == 4


def test_one_message_that_the_store_refuses_is_found_and_the_others_are_stored() -> None:
    source = Waiting(map(notification, range(40, 60)))
    store = Noting(source.heard)
    store.refused = b"i-53"
    counts = running(source, store).run()
    (record,) = Engine(store).quarantined()
    assert (record.reason, record.message_id, record.data) == ("store-refused", "m-53", notification(53))
    assert "this is not to be stored" in record.detail
    assert ids(store) == {f"i-{number}" for number in range(40, 60)} - {"i-53"}
    assert (counts.notifications, counts.in_scope, counts.quarantined) == (20, 19, 1)
    assert len(source.acknowledged) == 20


def test_a_message_on_which_this_program_fails_is_quarantined_and_stops_no_other(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Failing(Definitions):
        def events(self, notification: Any, recorded_at: int) -> Any:
            if notification.message_id == "m-2":
                raise ZeroDivisionError("a defect")
            return DEFINITIONS.events(notification, recorded_at)

    store = MemoryDriver()
    failing = Failing((), "nothing.yaml")
    counts = Storing(store, failing).store([Message(notification(number), "nova/x") for number in range(4)])
    (record,) = store.list()
    assert (record.reason, record.message_id) == ("defect", "m-2")
    assert "ZeroDivisionError" in record.detail
    assert (counts.in_scope, counts.quarantined) == (3, 1)
    assert "nova/x" in caplog.text


def test_metrics_tell_what_became_of_messages() -> None:
    good = [*map(notification, range(8))]
    outside = json.dumps({"event_type": "nobody.knows", "timestamp": "2026-03-01 12:00:00", "payload": {}}).encode()
    source = Waiting([*good, b"{", b"[]", good[0], outside])
    metrics = Metrics()
    running(source, Noting(source.heard), metrics=metrics, batch=8).run()
    tally = metrics.told().tally
    assert (tally.in_scope, tally.out_of_scope, tally.quarantined) == (9, 1, {"not-json": 1, "not-a-notification": 1})
    assert (tally.events, tally.duplicates) == (8, 1)
