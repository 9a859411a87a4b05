"""Messages that come again, in any order, to many at once: what is stored is what one clean run stores."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import ExitStack
from random import Random

import kombu
import pytest

import timeline
from tests import histories
from tests.faults.amounts import amount
from tests.faults.checking import assert_right
from tests.faults.consuming import Consumer, drained, until_empty
from tests.faults.publishing import Publisher
from tests.faults.unruly import Unruly
from tests.histories import equal, random_history
from tests.servers import place
from tests.test_convergence import DEFINITIONS, lives, right_lives, telling
from timeline.definitions import Definitions
from timeline.drivers.contract import Appended
from timeline.drivers.memory import MemoryDriver
from timeline.engine import Engine, loop
from timeline.engine.loop import Loop
from timeline.engine.storing import Storing
from timeline.errors import StoreUnavailable
from timeline.model import Event, Quarantined

TOGETHER = 20
"""Histories that lie in one queue, one after the other, so that the end of one meets the beginning of the next."""


class Fickle(MemoryDriver):
    """A store that fails now and then, before it has stored anything or after it has."""

    def __init__(self, rng: Random) -> None:
        super().__init__()
        self._rng = rng

    def append(self, events: Iterable[Event]) -> Appended:
        self._fail()
        appended = super().append(events)
        self._fail()
        return appended

    def put(self, records: Iterable[Quarantined]) -> None:
        self._fail()
        super().put(records)
        self._fail()

    def _fail(self) -> None:
        if self._rng.random() < 0.03:
            raise StoreUnavailable("this store is away for a moment")


@pytest.fixture(scope="module")
def definitions(tmp_path_factory: pytest.TempPathFactory) -> Definitions:
    path = tmp_path_factory.mktemp("definitions") / "told.yaml"
    path.write_text(DEFINITIONS)
    return Definitions.load(path)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A source in memory is empty when it says so."""
    monkeypatch.setattr(loop, "_QUIET", 0.0)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("part", range(4))
def test_histories_that_come_in_shuffled_windows_and_again_are_stored_as_in_one_clean_run(
    part: int, definitions: Definitions
) -> None:
    redelivered = 0
    for first in range(part * TOGETHER, amount(2_000), 4 * TOGETHER):
        rng = Random(f"redelivery {first}")
        told = [
            event
            for number in range(first, first + TOGETHER)
            for event in random_history(f"redelivery {number}", source=f"{number}")
        ]
        sent = [json.dumps(telling(event)).encode() for event in told]
        sent.insert(rng.randrange(len(sent)), b"{ %d" % first)
        source = Unruly(sent, rng)
        engine, clean = Engine(Fickle(rng), definitions), Engine(MemoryDriver(), definitions)
        storing = Storing(engine.driver, definitions)
        counts = Loop(
            source, storing, batch=rng.randint(1, 9), age=0.0, patient=True, until_empty=True, pauses=(0.0,)
        ).run()
        clean.ingest(sent)
        where = f"histories {first} to {first + TOGETHER - 1}"
        assert histories.dump(engine) == histories.dump(clean), where
        assert [record.id for record in engine.quarantined()] == [record.id for record in clean.quarantined()], where
        assert equal(lives(engine, told), right_lives(told)), where
        assert counts.notifications == counts.in_scope + counts.quarantined >= len(sent)
        redelivered += source.redelivered
    assert redelivered > 100


PROCESSES = 8


def hot(number: int, rng: Random) -> bytes:
    """What a nova says of the one instance of which everybody speaks: few bodies, and many at one instant."""
    at = rng.randrange(36_000)
    said = {
        "instance_id": "hot",
        "tenant_id": "p",
        "state": rng.choice(("active", "stopped", "paused", "resized")),
        "host": f"compute-{rng.randrange(8)}",
        "memory_mb": rng.choice((512, 1024)),
    }
    return json.dumps(
        {
            "event_type": rng.choice(("compute.instance.update", "compute.instance.exists")),
            "message_id": f"hot-{number}",
            "timestamp": f"2026-03-01 12:{at // 600:02}:{at // 10 % 60:02}.{at % 10}00000",
            "payload": said,
        }
    ).encode()


def subscribed(url: str) -> int:
    """How many consume the queue."""
    with kombu.Connection(url) as connection:
        return int(connection.channel().queue_declare("timeline", passive=True).consumer_count)


def test_eight_processes_share_the_messages_about_one_resource() -> None:
    rng = Random("hot")
    messages = [hot(number, rng) for number in range(amount(10_000))]
    sent = [message for message in messages for _ in range(1 + (rng.random() < 0.3))]
    rng.shuffle(sent)
    with place("rabbitmq") as bus, place("postgresql") as store, ExitStack() as stack:
        with timeline.open(store) as engine:
            engine.prepare()
        publisher = Publisher(bus)
        words = ("--batch", "50", "--prefetch", "200")
        many = [stack.enter_context(Consumer(bus, store, *words)) for _ in range(PROCESSES)]
        for consumer in many:
            consumer.until(lambda: subscribed(bus) == PROCESSES, what="a subscription of each")
        publisher.publish(sent)
        publisher.close()
        until_empty(bus, within=amount(120))
        assert [consumer.stop() for consumer in many] == [0] * PROCESSES, [consumer.said for consumer in many]
        counts = [consumer.ended() for consumer in many] + [drained(bus, store)]
        assert all(each["notifications"] for each in counts[:-1]), "not all took part"
        assert sum(each["notifications"] for each in counts) >= len(sent)
        assert sum(each["duplicates"] for each in counts) >= len(sent) - len(messages)
        with timeline.open(store) as engine:
            assert sum(each["events"] for each in counts) == len([*engine.events()])
        assert_right(store, publisher.confirmed)
