"""The kit catches drivers that are right of little and wrong of much."""

import os
from collections.abc import Iterable, Iterator, Sequence

import msgspec
import pytest

from tests.drivers.kits import Which, fails, kit_for, passes
from timeline.drivers import Appended
from timeline.drivers.conformance.amounts import Amounts
from timeline.drivers.memory import Memory, MemoryDriver
from timeline.errors import StoreUnavailable
from timeline.model import Body, Event, Quarantined, Resource, Scope

FEWER = {"many_events": 20_000, "many_resources": 5_000, "many_answers": 400}


class AtMostTenThousand(MemoryDriver):
    """An answer is cut where a server's own limit lies."""

    def events(self, which: Which, **rest: object) -> Iterator[Event]:
        return (event for turn, event in enumerate(super().events(which, **rest)) if turn < 10_000)


class SortedByThePage(MemoryDriver):
    """In the order in which they came, and each thousand of them sorted."""

    def events(self, which: Which, **rest: object) -> Iterator[Event]:
        found = sorted(super().events(which, **rest), key=lambda event: (event.resource, event.recorded_at))
        for first in range(0, len(found), 1_000):
            yield from sorted(found[first : first + 1_000], key=lambda event: (event.resource, event.occurred_at))


class BatchOfAThousand(MemoryDriver):
    """What does not fit into one statement is forgotten."""

    def append(self, events: Iterable[Event]) -> Appended:
        given = list(events)
        return super().append(given[:1_000])


class PagesByOffset(MemoryDriver):
    """The next page begins so many further on, whatever has been added before it."""

    given = 0

    def resources(self, scope: Scope, *, after: Resource | None = None, limit: int = 1_000) -> Sequence[Resource]:
        begin = self.given if after else 0
        page = super().resources(scope, limit=10**9)[begin : begin + limit]
        self.given = begin + len(page)
        return page


class OneTooFar(MemoryDriver):
    """The first of each further page is taken for the last of the page before."""

    def resources(self, scope: Scope, *, after: Resource | None = None, limit: int = 1_000) -> Sequence[Resource]:
        page = super().resources(scope, after=after, limit=limit + 1)
        return page[:limit] if after is None else page[1:]


class LeavesOpen(MemoryDriver):
    """What an answer opens is closed when it is read to its end."""

    def events(self, which: Which, **rest: object) -> Iterator[Event]:
        read, write = os.pipe()
        os.close(write)
        LEFT.append(read)
        yield from super().events(which, **rest)
        LEFT.remove(read)
        os.close(read)


LEFT: list[int] = []


class OfFiftyConnections(MemoryDriver):
    """An answer that is not read to its end keeps its connection."""

    def __init__(self, memory: Memory) -> None:
        super().__init__(memory)
        self._taken = 0

    def events(self, which: Which, **rest: object) -> Iterator[Event]:
        if self._taken == 50:
            raise StoreUnavailable("all connections are taken")
        self._taken += 1
        yield from super().events(which, **rest)
        self._taken -= 1


class BodiesOfAColumn(MemoryDriver):
    """A body is cut where the column ends."""

    def append(self, events: Iterable[Event]) -> Appended:
        return super().append(msgspec.structs.replace(event, body=_cut(event.body)) for event in events)


def _cut(body: Body) -> Body:
    return Body.of({name: f"{value}"[:65_535] for name, value in body.fields().items()})


class PacketOf16MiB(MemoryDriver):
    """What does not go into one packet is not sent."""

    def append(self, events: Iterable[Event]) -> Appended:
        sent, room = [], 16 * 1024 * 1024
        for event in events:
            room -= len(event.body.data)
            if room > 0:
                sent.append(event)
        return super().append(sent)

    def put(self, records: Iterable[Quarantined]) -> int | None:
        return super().put(msgspec.structs.replace(record, data=record.data[: 2**20]) for record in records)


@pytest.fixture(autouse=True)
def nothing_stays_open() -> Iterator[None]:
    yield
    while LEFT:
        os.close(LEFT.pop())


@pytest.mark.parametrize(
    ("wrong", "test"),
    [
        (AtMostTenThousand, "very_many_events_of_one_resource_come_back_in_order"),
        (SortedByThePage, "very_many_events_of_one_resource_come_back_in_order"),
        (BatchOfAThousand, "very_many_events_of_one_resource_come_back_in_order"),
        (PagesByOffset, "very_many_resources_are_listed_once_each_while_others_write"),
        (OneTooFar, "very_many_resources_are_listed_once_each_while_others_write"),
        (LeavesOpen, "very_many_abandoned_answers_leave_nothing_behind"),
        (BodiesOfAColumn, "many_bodies_as_long_as_the_limit_can_come_in_one_batch"),
        (PacketOf16MiB, "many_bodies_as_long_as_the_limit_can_come_in_one_batch"),
        (PacketOf16MiB, "records_as_long_as_the_longest_notification_can_be_put_together"),
    ],
)
def test_a_wrong_driver_fails_the_kit(wrong: type[MemoryDriver], test: str) -> None:
    fails(kit_for(wrong, **FEWER), test)


def test_a_driver_whose_connections_are_all_taken_fails_the_kit() -> None:
    fails(kit_for(OfFiftyConnections, **FEWER), "very_many_abandoned_answers_leave_nothing_behind", by=StoreUnavailable)


@pytest.mark.parametrize("test", [name for name in vars(Amounts) if name.startswith("test_")])
def test_amounts_can_be_lowered(test: str) -> None:
    passes(kit_for(MemoryDriver, **FEWER), test.removeprefix("test_"))
