"""What a consumer is made of, and the faults that it has to withstand: the same for real and for broken ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from itertools import count
from typing import Any, NamedTuple

from tests.bus.nova import notification
from tests.bus.waiting import Waiting
from tests.faults.checking import Verdict, check
from tests.faults.killing import Telling
from tests.faults.publishing import EXCHANGE, Publisher
from timeline.consumers.amqp import Amqp, Subscription
from timeline.consumers.source import Source
from timeline.definitions import Definitions
from timeline.drivers.contract import Driver
from timeline.drivers.memory import MemoryDriver
from timeline.engine import Engine
from timeline.engine.loop import Loop
from timeline.engine.storing import Storing
from timeline.errors import StoreUnavailable

DEFINITIONS = Definitions.load()
CALLS = ("put", "append", "version")
MESSAGES = [b"no notification" if number % 9 == 4 else notification(number) for number in range(50)]
SUBSCRIPTION = Subscription(exchanges=(EXCHANGE,), topics=("notifications",), priorities=("info",))


class Parts(NamedTuple):
    """The three parts of a consumer."""

    source: Callable[[str], Source] = partial(Amqp, subscription=SUBSCRIPTION)
    """What takes messages of a queue."""
    storing: type[Storing] = Storing
    loop: type[Loop] = Loop

    def run(self, source: Source, driver: Driver, batch: int = 7) -> None:
        """Consume until nothing is left."""
        storing = self.storing(driver, DEFINITIONS)
        self.loop(source, storing, batch=batch, age=0.0, patient=True, until_empty=True, pauses=(0.0,)).run()


class Died(Exception):
    """The process is killed here."""


class Alarm:
    """Raises an error where a call of the store is come to for the ``at``-th time; ``rung`` where it was."""

    def __init__(self, error: Callable[[], Exception], at: int, *, when: str) -> None:
        self._error = error
        self._at = at
        self._when = when
        self._count = count(1)
        self.rung = False

    def __call__(self, point: str) -> None:
        if point.startswith(self._when) and next(self._count) == self._at:
            self.rung = True
            raise self._error()


def died_at_each_point(parts: Parts) -> Iterator[Verdict]:
    """A consumer dies before and after each call that matters, the first time and later; another one goes on."""
    for call, when in ((call, when) for call in ("put", "append", "acknowledge") for when in ("before", "after")):
        for times in (1, 3):
            memory, source = MemoryDriver(), Waiting(MESSAGES, ahead=14)
            alarm = Alarm(Died, times, when=f"{when} {call}")
            wrapped: Any = Telling(source, alarm, "acknowledge")
            driver: Any = Telling(memory, alarm, "put", "append")
            try:
                parts.run(wrapped, driver)
            except Died:
                source.close()  # as the broker does when the connection is gone
            parts.run(source, memory)
            assert alarm.rung, f"{when} {call}, the time {times}: nobody came there"
            yield check(Engine(memory), MESSAGES)


def failed_at_each_call(parts: Parts) -> Iterator[Verdict]:
    """The store fails at its k-th call, for every k, before it has done it and after: nobody knows which."""
    for when in ("before", "after"):
        for at in count(1):
            memory, source = MemoryDriver(), Waiting(MESSAGES, ahead=14)
            alarm = Alarm(partial(StoreUnavailable, "the store is not to be reached"), at, when=when)
            driver: Any = Telling(memory, alarm, *CALLS)
            parts.run(source, driver)
            if not alarm.rung:
                break
            assert len(source.acknowledged) >= len(MESSAGES)
            yield check(Engine(memory), MESSAGES)


def reconnected_before_the_acknowledgement(parts: Parts, bus: str) -> Iterator[Verdict]:
    """The connection is lost while messages are stored; they come again, and the consumer dies with them."""
    publisher = Publisher(bus)
    publisher.publish(MESSAGES[:6])
    publisher.close()
    memory = MemoryDriver()
    source = parts.source(bus)
    mark = taken_all(source)
    source.give_back()
    taken_all(source)
    source.acknowledge(mark)
    source.close()
    with closing(parts.source(bus)) as again:
        parts.run(again, memory)
    yield check(Engine(memory), publisher.confirmed)


def with_names_of_a_decoder(parts: Parts, bus: str) -> Iterator[Verdict]:
    """A tenant gives his metadata the names that a decoder has a meaning for."""
    publisher = Publisher(bus)
    names = [{"__type__": "x", "__value__": "y"}, {"__type__": "decimal", "__value__": "1"}, {"__type__": "uuid"}]
    publisher.publish([*MESSAGES[:2], *(notification(90 + at, metadata=each) for at, each in enumerate(names))])
    publisher.close()
    memory = MemoryDriver()
    with closing(parts.source(bus)) as source:
        parts.run(source, memory)
    yield check(Engine(memory), publisher.confirmed)


def taken_all(source: Source) -> object:
    """Take the six messages that wait, and give the mark of the last."""
    taken = 0
    while taken < 6:
        taken += len(source.take(6, 1 << 30, 5.0) or [])
    return source.mark
