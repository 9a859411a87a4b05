"""Wires to the broker and to the store that are slow, cut, half open or gone: all is stored once they are whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from random import Random
from urllib.parse import urlsplit

import pytest

import timeline
from simulator import Fleet
from tests.faults.amounts import amount
from tests.faults.checking import assert_right
from tests.faults.consuming import Consumer, drained, until
from tests.faults.proxy import Wire
from tests.faults.publishing import Publisher, waiting
from tests.faults.seeing import Numbers
from tests.servers import place

FAULTS = [(side, fault) for fault in ("reset", "slow", "half open", "parted") for side in ("bus", "store")]
HEARTBEAT = 2
EACH = 60


@pytest.fixture(scope="module")
def broker() -> Iterator[str]:
    with place("rabbitmq") as url:
        yield url


@pytest.fixture
def store() -> Iterator[str]:
    with place("postgresql") as url:
        with timeline.open(url) as engine:
            engine.prepare()
        yield url


def behind(url: str) -> tuple[Wire, str]:
    """A wire to the server of a URL, and the URL of the server at the other end of it."""
    said = urlsplit(url)
    assert said.hostname
    assert said.port
    wire = Wire(said.hostname, said.port)
    return wire, url.replace(f":{said.port}/", f":{wire.port}/")


def spoil(wire: Wire, fault: str, rng: Random) -> None:
    match fault:
        case "reset":
            wire.reset()
        case "slow":
            wire.slow(0.2)
        case "half open":
            wire.half_open(hears=rng.random() < 0.5)
        case "parted":
            wire.part()


@pytest.mark.parametrize("seed", range(amount(10)))
def test_whatever_becomes_of_the_wires_all_is_stored_once_they_are_whole(broker: str, store: str, seed: int) -> None:
    rng = Random(f"schedule {seed}")
    schedule = [FAULTS[seed % len(FAULTS)], rng.choice(FAULTS)]
    messages = islice(Fleet(seed=seed, instances=EACH, days=2, late=0.05, duplicated=0.05).notifications(), 4 * EACH)
    queue = f"schedule-{seed}"
    publisher = Publisher(broker, [queue])
    bus_wire, bus = behind(broker)
    store_wire, stored = behind(store)
    numbers = Numbers()
    small = ("--queue", queue, "--heartbeat", str(HEARTBEAT), "--batch", "10", "--prefetch", "20")
    with closing(bus_wire), closing(store_wire), Consumer(bus, stored, *small, *numbers.words) as consumer:
        for side, fault in schedule:
            publisher.publish(islice(messages, EACH))
            # it is in the midst of its work when the wire is spoiled
            until(lambda: numbers["timeline_messages_read_total"] > 0, what=f"the work before {side} {fault}")
            reconnects, errors = numbers["timeline_reconnects_total"], numbers["timeline_store_errors_total"]
            spoil(bus_wire if side == "bus" else store_wire, fault, rng)
            publisher.publish(islice(messages, EACH))
            if side == "bus" and fault in ("half open", "parted"):
                until(lambda: numbers["timeline_connected"] == 0, what=f"that the bus is found to be {fault}")
            elif side == "store" and fault in ("half open", "parted"):
                until(lambda: numbers["timeline_unacknowledged_messages"] > 0, what=f"that the store is {fault}")
            bus_wire.heal()
            store_wire.heal()
            if side == "bus" and fault != "slow":
                until(lambda before=reconnects: numbers["timeline_reconnects_total"] > before, what="a new connection")
            assert numbers["timeline_store_errors_total"] >= errors
            until(lambda: waiting(broker, queue) == 0, what=f"the work after {side} {fault}")
        assert consumer.stop() == 0, consumer.said
    drained(broker, store, "--queue", queue)
    publisher.close()
    assert_right(store, publisher.confirmed)
