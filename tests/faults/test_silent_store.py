"""A store that says nothing more, and whose connection nobody ends: the broker keeps us, and who stops us is heard."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from threading import Event as Flag
from threading import get_ident
from time import monotonic
from typing import Any

import pytest

import timeline
from simulator import Fleet
from tests.faults.checking import assert_right, check
from tests.faults.consuming import Consumer, drained, until
from tests.faults.killing import Telling
from tests.faults.proxy import Wire
from tests.faults.publishing import Publisher, waiting
from tests.faults.seeing import Numbers
from tests.faults.test_network import behind
from tests.servers import place
from timeline.drivers.sql.connections import Lease
from timeline.errors import StoreUnavailable

HEARTBEAT = 1
MESSAGES = [*Fleet(seed=43, instances=10, days=2, late=0.05, duplicated=0.05).notifications()]
SLOWLY = ("--batch", "5", "--prefetch", "20", "--heartbeat", str(HEARTBEAT))
GRACE = 10.0
"""Seconds that a consumer may take to end when it is told to."""
GIVES_UP = "?options=-c%20idle_in_transaction_session_timeout%3D2s"
"""So that the server ends a transaction of which it hears nothing more, and its locks, before the system does."""


@pytest.fixture
def bus() -> Iterator[str]:
    with place("rabbitmq") as url:
        publisher = Publisher(url)
        publisher.publish(MESSAGES)
        publisher.close()
        assert publisher.confirmed == MESSAGES
        yield url


@pytest.fixture
def store() -> Iterator[str]:
    with place("postgresql") as url:
        with timeline.open(url) as engine:
            engine.prepare()
        yield url


def silenced(consumer: Consumer, numbers: Numbers, wire: Wire, bus: str) -> None:
    """Let the store fall silent in the midst of work, and return when a batch has waited for it for some heartbeats."""
    consumer.until(lambda: waiting(bus) < len(MESSAGES) - 20, what="work before the silence")
    wire.half_open()
    consumer.until(lambda: numbers["timeline_unacknowledged_messages"] > 0, what="a message that is held")
    stored = numbers["timeline_events_stored_total"]
    silent_until = monotonic() + 6 * HEARTBEAT
    consumer.until(lambda: monotonic() > silent_until, what="the end of the silence")
    assert waiting(bus), "all was done before the silence"
    assert numbers["timeline_events_stored_total"] <= stored + 5, "the store was not silent"
    assert numbers["timeline_connected"] == 1
    assert numbers["timeline_reconnects_total"] == 0, "the broker has heard nothing of us, and sent us away"


def test_the_broker_hears_of_us_while_the_store_is_silent_and_all_goes_on_when_it_speaks(bus: str, store: str) -> None:
    wire, stored = behind(store)
    numbers = Numbers()
    with closing(wire), Consumer(bus, stored, *SLOWLY, *numbers.words) as consumer:
        silenced(consumer, numbers, wire, bus)
        wire.heal()
        until(lambda: numbers["timeline_messages_total"] == len(MESSAGES), what="all messages")
        assert numbers["timeline_messages_redelivered_total"] == 0, "nothing was wrong, but slow"
        assert consumer.stop(within=GRACE) == 0, consumer.said
    assert waiting(bus) == 0
    assert_right(store, MESSAGES)


def test_who_waits_for_a_silent_store_can_be_stopped_and_what_he_held_is_in_the_queue(bus: str, store: str) -> None:
    wire, stored = behind(store)
    numbers = Numbers()
    with closing(wire), Consumer(bus, stored, *SLOWLY, *numbers.words) as consumer:
        silenced(consumer, numbers, wire, bus)
        assert consumer.stop(within=GRACE) == 0, consumer.said
        acknowledged = consumer.ended()["notifications"]
    until(lambda: waiting(bus) == len(MESSAGES) - acknowledged, what="the return of what was held")
    assert not check(store, [], also=MESSAGES).invented
    assert drained(bus, store)["notifications"] == len(MESSAGES) - acknowledged
    assert_right(store, MESSAGES)


def test_another_consumer_stores_what_one_held_before_a_silent_store(bus: str, store: str) -> None:
    wire, stored = behind(store + GIVES_UP)
    numbers = Numbers()
    with closing(wire), Consumer(bus, stored, *SLOWLY, *numbers.words) as held:
        silenced(held, numbers, wire, bus)
        with Consumer(bus, store, *SLOWLY) as other:
            other.until(lambda: waiting(bus) == 0, what="the work of the other")
            held.kill()
            other.until(lambda: check(store, MESSAGES).is_right, what="what the first held")
            assert other.stop(within=GRACE) == 0, other.said
    assert_right(store, MESSAGES)


def test_who_falls_silent_before_a_commit_keeps_others_out_no_longer_than_was_said(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    wire, stored = behind(store + GIVES_UP)
    enter, us, silent = Lease.__enter__, get_ident(), Flag()

    def silence(point: str) -> None:
        if point == "before commit" and get_ident() != us and not silent.is_set():
            wire.half_open()
            silent.set()

    def entered(lease: Lease) -> Any:
        return Telling(enter(lease), silence, "execute")

    def ingest_through_the_wire() -> None:
        with timeline.open(stored) as engine:
            engine.ingest(MESSAGES)

    monkeypatch.setattr(Lease, "__enter__", entered)
    with ThreadPoolExecutor(1) as aside, timeline.open(store) as engine:
        first = aside.submit(ingest_through_the_wire)
        with closing(wire):
            assert silent.wait(60), "it never came to its commit"
            engine.ingest(MESSAGES)
            assert not first.done(), "it was not silent"
        with pytest.raises(StoreUnavailable):
            first.result()
    assert_right(store, MESSAGES)
