"""The kit catches drivers that cry wolf, change what they check, or list half of what is there. Memory tells damage."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256

import msgspec
import pytest

from timeline.drivers import Driver
from timeline.drivers.conformance.history import VM, event, number
from timeline.drivers.conformance.keeping import Keeping
from timeline.drivers.contract import Damage, Problem
from timeline.drivers.memory import Memory, MemoryDriver
from timeline.engine.checking import Check
from timeline.model import Body, Outcome, Quarantined, Resource, Scope


def keeping(driver: Callable[[Memory], Driver]) -> Keeping:
    class Kit(Keeping):
        @contextmanager
        def store(self) -> Iterator[Callable[[], Driver]]:
            memory = Memory()
            yield lambda: driver(memory)

    return Kit()


class TestMemory(Keeping):
    @contextmanager
    def store(self) -> Iterator[Callable[[], Driver]]:
        memory = Memory()
        yield lambda: MemoryDriver(memory)


class CriesWolf(MemoryDriver):
    """Takes a long body for a damaged one."""

    def check(self) -> Iterator[Problem]:
        for one in self.events(Scope()):
            if len(one.body.data) > 65_536:
                yield Problem(damage=Damage.BODY_DAMAGED, detail="too long")


class BodiesBeforeEvents(MemoryDriver):
    """Looks at the bodies first, and at the events, which have become more, after that."""

    def check(self) -> Iterator[Problem]:
        before = self.version()
        known = {one.body.digest for one in self.events(Scope())}
        for _ in range(100_000):
            if self.version() != before:
                break  # somebody writes, as the test says
        for one in self.events(Scope()):
            if one.body.digest not in known:
                yield Problem(damage=Damage.BODY_MISSING, detail="it was not there a moment ago")


class ChecksByWriting(MemoryDriver):
    """Leaves a mark of its visit."""

    def check(self) -> Iterator[Problem]:
        self.append([event(1_000, of=number(999))])
        yield from super().check()


class SettledAtTheEnd(MemoryDriver):
    """Lists the settled ones behind the others."""

    def list(
        self, *, after: Quarantined | None = None, limit: int = 1_000, settled: bool = False
    ) -> Sequence[Quarantined]:
        found = super().list(after=after, limit=limit, settled=settled)
        return sorted(found, key=lambda record: record.outcome is not None)


class OnlyTheOpen(MemoryDriver):
    """Does not list what is settled, whatever is asked for."""

    def list(
        self, *, after: Quarantined | None = None, limit: int = 1_000, settled: bool = False
    ) -> Sequence[Quarantined]:
        return super().list(after=after, limit=limit)


@pytest.mark.parametrize(
    ("wrong", "test"),
    [
        (CriesWolf, "a_store_is_sound_whatever_it_was_given"),
        (BodiesBeforeEvents, "what_is_being_written_is_no_problem"),
        (ChecksByWriting, "a_check_changes_nothing"),
        (SettledAtTheEnd, "all_records_are_listed_where_the_settled_ones_are_asked_for"),
        (OnlyTheOpen, "all_records_are_listed_where_the_settled_ones_are_asked_for"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_a_wrong_driver_fails_the_kit(wrong: type[MemoryDriver], test: str) -> None:
    with pytest.raises(AssertionError):
        getattr(keeping(wrong), f"test_{test}")()


def damaged() -> tuple[Memory, MemoryDriver]:
    memory = Memory()
    driver = MemoryDriver(memory)
    driver.append([event(1), event(2, "large")])
    return memory, driver


def damages(driver: Driver) -> set[Damage]:
    return {problem.damage for problem in Check(driver).problems()}


def test_a_body_that_is_gone_is_told_with_its_resource() -> None:
    memory, driver = damaged()
    memory.bodies.discard(event(1).body.digest)
    (problem,) = driver.check()
    assert (problem.damage, problem.resource) == (Damage.BODY_MISSING, VM)
    assert event(1).body.digest.hex() in problem.detail


def test_a_body_that_was_changed_is_told_by_the_driver_and_by_what_it_answers() -> None:
    memory, driver = damaged()
    first = event(1)
    changed = msgspec.structs.replace(first, body=Body(b'{"f":{},"v":0}', first.body.digest))
    memory.events[VM][first.key[1:]] = changed
    assert [problem.damage for problem in Check(driver).problems()] == [Damage.BODY_DAMAGED] * 2


def test_an_event_that_lies_under_another_key_is_told() -> None:
    memory, driver = damaged()
    memory.events[VM][(5, event(1).phase, event(1).body.digest)] = event(1)
    assert damages(driver) == {Damage.ROW_DAMAGED, Damage.OUT_OF_ORDER}


def test_answers_that_differ_are_told_once_nobody_writes() -> None:
    class Forgetful(MemoryDriver):
        def resources(self, scope: Scope, *, after: Resource | None = None, limit: int = 1_000) -> Sequence[Resource]:
            return [one for one in super().resources(scope, after=after, limit=limit) if one != number(1)]

    driver = Forgetful()
    driver.append([event(1, of=number(n)) for n in range(3)])
    (problem,) = Check(driver).problems()
    assert (problem.damage, problem.resource) == (Damage.ANSWERS_DIFFER, number(1))


def test_events_out_of_order_are_told() -> None:
    class Backwards(MemoryDriver):
        def events(self, which: object, **rest: object) -> Iterator[object]:  # type: ignore[override]
            yield from reversed(list(super().events(which, **rest)))  # type: ignore[arg-type]

    driver = Backwards()
    driver.append([event(1), event(2), event(1, of=number(1))])
    assert damages(driver) == {Damage.OUT_OF_ORDER, Damage.ANSWERS_DIFFER}


def test_a_look_counts_what_it_looked_at() -> None:
    _, driver = damaged()
    message = b"no JSON"
    driver.put(
        [
            Quarantined(
                id=sha256(message).hexdigest(),
                reason="not-json",
                detail="",
                origin="feed:1",
                received_at=1,
                event_type=None,
                message_id=None,
                size=len(message),
                data=message,
            )
        ]
    )
    driver.settle(sha256(message).hexdigest(), Outcome.OUT_OF_SCOPE, 2)
    check = Check(driver)
    assert list(check.problems()) == []
    assert (check.events, check.resources, check.records) == (2, 1, 1)
