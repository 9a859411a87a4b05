"""Several processes on one store: at once on one hot resource, killed at any moment, preparing together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from itertools import chain
from random import Random

import pytest

from timeline.drivers.conformance.children import Child, together
from timeline.drivers.conformance.history import VM, event, number, wanted
from timeline.drivers.conformance.store import OnAStore
from timeline.drivers.contract import Driver
from timeline.model import Event, Phase, Scope

WRITERS = 8
KILLED = 5
Open = Callable[[], Driver]
Tell = Callable[[str], None]


class Processes(OnAStore):
    """What holds among processes, each with a driver of its own that it opened itself."""

    def test_processes_that_write_one_hot_resource_store_the_union_of_what_they_sent(self) -> None:
        self._needs_processes()
        sent = [_part_of(_hot(), writer) for writer in range(WRITERS)]
        with self.store() as open:
            _prepared(open)
            told = together([_writing(open, batches) for batches in sent])
            with closing(open()) as driver:
                union = [one for batches in sent for batch in batches for one in batch]
                stored = list(driver.events(Scope()))
                assert [one.key for one in stored] == [one.key for one in wanted(union)]
                delivered = {(one.key, one.message_id) for one in union}
                assert {(one.key, one.message_id) for one in stored} <= delivered, "a provenance that nobody sent"
                assert list(driver.events([VM])) == [one for one in stored if one.resource == VM]
                summary = driver.summary()
                assert (summary.events, summary.bodies) == (len(stored), len({one.body.digest for one in stored}))
                new = [line for lines in told for line in lines]
                if "None" not in new:
                    assert sum(map(int, new)) == len(stored), "an event was counted as new by two, or by nobody"
                for batches in sent:
                    for batch in batches:
                        assert driver.append(batch).events in (0, None)
                assert list(driver.events(Scope())) == stored

    def test_processes_that_write_at_once_are_each_seen_by_who_keeps_a_copy(self) -> None:
        self._needs_processes()
        sent = [_part_of(_hot(), writer) for writer in range(WRITERS)]
        with self.store() as open:
            _prepared(open)
            with closing(open()) as driver:
                token = driver.version()
            together([_writing(open, batches) for batches in sent])
            with closing(open()) as driver:
                stored = {one.resource for one in driver.events(Scope())}
                changed = driver.changed(token)
                assert driver.version() != token
                assert changed is None or stored <= set(changed)

    def test_what_a_process_had_acknowledged_is_there_when_it_was_killed(self) -> None:
        self._needs_processes()
        rng = Random("killed")
        with self.store() as open:
            _prepared(open)
            before: list[Event] = []
            for turn in range(KILLED):
                batches = [[event(at, turn, of=number(n)) for n in range(20)] for at in range(1_000)]
                child = Child(_writing(open, batches))
                acknowledged = len([child.line() for _ in range(rng.randint(1, 12))])
                with closing(open()) as driver:  # reads take about as long as writes: it is killed anywhere in one
                    for _ in range(rng.randrange(6)):
                        driver.version()
                acknowledged += len(child.kill())
                surely = [*before, *chain.from_iterable(batches[:acknowledged])]
                perhaps = [*surely, *chain.from_iterable(batches[acknowledged : acknowledged + 1])]
                with closing(open()) as driver:
                    stored = list(driver.events(Scope()))
                    known = set(stored)
                    assert known.issuperset(surely), "what was acknowledged is gone"
                    assert stored == [one for one in wanted(perhaps) if one in known], "more than was sent"
                    assert len(stored) % 20 == 0 or not self.transactions, "half of an append"
                    for batch in batches[: acknowledged + 1]:
                        driver.append(batch)
                    assert list(driver.events(Scope())) == wanted(perhaps)
                before = perhaps

    def test_processes_may_prepare_at_once(self) -> None:
        self._needs_processes()
        with self.store() as open:
            together([_preparing(open, turn) for turn in range(4)])
            with closing(open()) as driver:
                driver.prepare()
                assert list(driver.events([VM])) == [event(turn) for turn in range(4)]

    def _needs_processes(self) -> None:
        if not self.processes:
            pytest.skip("a store that no other process reaches")


def _hot() -> list[Event]:
    """Events of one resource for the most part, in few bodies, with all that meets at one instant."""
    phases = [Phase.UPDATE, Phase.EXISTS, Phase.CREATE, Phase.DELETE, Phase.END]
    hot = [event(at // 3, at % 7, phase=phases[at % 5]) for at in range(240)]
    return hot + [event(at, "same", of=number(at % 5)) for at in range(60)]


def _part_of(history: Sequence[Event], writer: int) -> list[list[Event]]:
    """What one writer sends of a history, shuffled, some of it twice, in batches; any two have much in common."""
    rng = Random(f"writer {writer}")
    own = [one for turn, one in enumerate(history) if turn % WRITERS == writer or rng.random() < 0.6]
    own += rng.sample(own, len(own) // 10)
    rng.shuffle(own)
    named = [
        Event(one.resource, one.occurred_at, one.phase, one.body, one.recorded_at, one.event_type, f"{writer} {turn}")
        for turn, one in enumerate(own)
    ]
    batches: list[list[Event]] = []
    while named:
        size = rng.randint(1, 40)
        batches.append(named[:size])
        del named[:size]
    return batches


def _writing(open: Open, batches: Sequence[Sequence[Event]]) -> Callable[[Tell], None]:
    def work(tell: Tell) -> None:
        with closing(open()) as own:
            for batch in batches:
                tell(str(own.append(batch).events))

    return work


def _preparing(open: Open, turn: int) -> Callable[[Tell], None]:
    def work(tell: Tell) -> None:
        with closing(open()) as own:
            own.prepare()
            own.append([event(turn)])

    return work


def _prepared(open: Open) -> None:
    """Prepare the store, and leave no driver open beside those of the children."""
    with closing(open()) as driver:
        driver.prepare()
