"""Much of everything: events of one resource, resources, bytes, and answers that nobody reads to their end."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice, pairwise, zip_longest
from random import Random
from threading import Event as Flag

import msgspec

from timeline.drivers.conformance.history import VM, event, needed, number
from timeline.drivers.conformance.quarantine import record
from timeline.drivers.conformance.store import OnAStore
from timeline.drivers.contract import Driver
from timeline.model import Body, Event, Phase, Quarantined, Resource, Scope, limits

_BATCH = 5_000
_DESCRIPTORS = "/dev/fd"


class Amounts(OnAStore):
    """What holds of little holds of much. No time is measured."""

    def test_very_many_events_of_one_resource_come_back_in_order(self) -> None:
        bodies = [Body.of({"flavor": n}) for n in range(40)]
        history = [
            # what is told first happened anywhere: 7_919 is a prime, so each instant comes once
            Event(VM, at - self.many_events // 2, Phase.UPDATE, bodies[at % 40], turn, "compute.instance.update")
            for turn in range(self.many_events)
            for at in [turn * 7_919 % self.many_events]
        ]
        with self.driver() as driver:
            driver.append([event(0, of=number(1)), event(0, of=Resource(type="instance", id=VM.id + "0"))])
            for first in range(0, len(history), _BATCH):
                driver.append(history[first : first + _BATCH])
            ordered = sorted(history, key=lambda one: one.occurred_at)
            _same(driver.events([VM]), ordered)
            _same(islice(driver.events(Scope(id=VM.id)), 1_000), ordered[:1_000])
            middle = len(ordered) // 2
            until = ordered[middle].occurred_at
            known = [one for one in ordered[: middle + 1] if one.recorded_at < middle]
            _same(driver.events([VM], until=until, known_before=middle), known)
            for bound in (None, until):
                last = list(driver.events([VM], until=bound, last_per_body=True))
                assert [one.occurred_at for one in last] == sorted({one.occurred_at for one in last})
                assert set(_keys(needed(ordered if bound is None else ordered[: middle + 1]))) <= set(_keys(last))
                assert last[-1] == (ordered[-1] if bound is None else ordered[middle])
            assert driver.append(history[: len(history) // 50]).events in (0, None)
            summary = driver.summary()
            assert (summary.resources, summary.events, summary.bodies) == (3, len(history) + 2, 41)

    def test_very_many_resources_are_listed_once_each_while_others_write(self) -> None:
        there = [number(n) for n in range(0, 2 * self.many_resources, 2)]
        with self.two_drivers() as (reader, writer), ThreadPoolExecutor() as pool:
            for first in range(0, len(there), _BATCH):
                writer.append([event(1, of=one) for one in there[first : first + _BATCH]])
            done = Flag()
            meanwhile = pool.submit(_write_between, writer, self.many_resources // 2, done)
            try:
                listed: list[Resource] = []
                page = reader.resources(Scope(), limit=700)
                while page:
                    listed += page
                    # before the page, far behind it, and now and then at its end
                    places = [page[0], there[-1], page[-1]][: 2 + len(listed) // 700 % 2]
                    writer.append([event(1, of=_between(one)) for one in places])
                    assert len(page) <= 700
                    page = reader.resources(Scope(), after=page[-1], limit=700)
            finally:
                done.set()
            assert all(one < other for one, other in pairwise(listed)), "twice, or out of order"
            before = set(there)
            assert [one for one in listed if one in before] == there
            assert set(listed) <= before | meanwhile.result() | {_between(one) for one in there}

    def test_very_many_abandoned_answers_leave_nothing_behind(self) -> None:
        everybody = [number(n) for n in range(1_500)]
        with self.driver() as driver:
            driver.append([event(at, of=one) for one in everybody for at in (1, 2)])
            list(driver.events(Scope()))
            choices: list[Scope | list[Resource]] = [Scope(), Scope(), Scope(source="north"), everybody[:300]]
            choices += [[everybody[n]] for n in range(6)]
            before = _descriptors()
            for turn in range(self.many_answers):
                answer = driver.events(choices[turn % 10], last_per_body=turn % 3 == 0)
                next(answer)
                if turn % 2:
                    del answer
                else:
                    _broken_off(answer)
            assert _descriptors() <= before + 20, "what an answer opened stays open when it is abandoned"
            driver.append([event(3, of=everybody[3])])
            assert [one.occurred_at for one in driver.events([everybody[3]])] == [1, 2, 3]
            assert len(list(driver.events(Scope()))) == 3_001

    def test_many_bodies_as_long_as_the_limit_can_come_in_one_batch(self) -> None:
        room = limits.BODY_BYTES - len(Body.of({"flavor": ""}).data)
        history = [event(at, f"{at:03}{_noise(at, room - 3)}", of=number(at % 3)) for at in range(40)]
        assert {len(one.body.data) for one in history} == {limits.BODY_BYTES}
        with self.driver() as driver:
            driver.append(history)
            for few in (False, True):
                _same(driver.events(Scope(), last_per_body=few), [one for n in range(3) for one in history[n::3]])
            again = driver.append(history[::-1])
            assert again.events in (0, None)
            assert again.bodies in (0, None)

    def test_records_as_long_as_the_longest_notification_can_be_put_together(self) -> None:
        data = [bytes([n]) + Random(n).randbytes(limits.NOTIFICATION_BYTES - 1) for n in range(4)]
        with self.driver() as driver:
            driver.put(_holding(n, one) for n, one in enumerate(data))
            assert [kept.data == one for kept, one in zip(driver.list(), data, strict=True)] == [True] * 4


def _write_between(driver: Driver, resources: int, done: Flag) -> set[Resource]:
    """Add resources among the first of those that are there, and events of these, until it is enough; what was added.

    Among the last, so that it is known what stands there, only the reader's own are added.
    """
    rng = Random("meanwhile")
    added: set[Resource] = set()
    turn = 0
    while not done.is_set() and turn < 2_000:
        turn += 1
        there = [number(2 * rng.randrange(resources)) for _ in range(10)]
        between = [_between(one) for one in there[:3]]
        driver.append([event(1 + turn, of=one) for one in there + between])
        added.update(between)
    return added


def _between(one: Resource) -> Resource:
    """The one after this of those with an even number."""
    return number(int(one.id) | 1)


def _broken_off(answer: Iterator[Event]) -> None:
    """What becomes of an answer when an error ends the loop that reads it."""
    try:
        for _ in answer:
            raise ZeroDivisionError
    except ZeroDivisionError:
        pass


def _descriptors() -> int:
    """How many files and connections this process has open; 0 where the system does not tell."""
    return len(os.listdir(_DESCRIPTORS)) if os.path.isdir(_DESCRIPTORS) else 0


def _noise(seed: int, length: int) -> str:
    """Text that no store can make much shorter."""
    return Random(seed).randbytes(length // 2 + 1).hex()[:length]


def _same(found: Iterable[Event], wanted: Iterable[Event]) -> None:
    """Compared one by one: there are so many, or they are so long, that nobody reads a message with all of them."""
    for turn, (one, right) in enumerate(zip_longest(found, wanted)):
        equal = one == right
        assert equal, f"the {turn}th is {_short(one)}, where {_short(right)} stands"


def _short(one: Event | None) -> str:
    if one is None:
        return "none"
    return (
        f"{one.resource} at {one.occurred_at} recorded at {one.recorded_at} with a body of {len(one.body.data)} bytes"
    )


def _holding(n: int, data: bytes) -> Quarantined:
    return msgspec.structs.replace(record(f"{n:02}", n), data=data, size=len(data))


def _keys(events: list[Event]) -> list[object]:
    return [one.key for one in events]
