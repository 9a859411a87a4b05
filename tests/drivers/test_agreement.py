"""The same histories give the same answers from every driver, in whatever batches and order they came."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import cache
from itertools import zip_longest
from pathlib import Path
from random import Random

import pytest

from tests import servers
from tests.drivers.test_kit_catches import ByArrival, OnlyChanges
from tests.histories import History, Plain, equal, model, plain_state, random_history
from timeline import drivers
from timeline.drivers import Driver
from timeline.drivers.memory import Memory, MemoryDriver
from timeline.engine import Engine
from timeline.model import Existence
from timeline.reports import formats, shapes

HISTORIES = 500
HOURS = (None, 1_000, 1_002, 1_005)
INSTANTS = (-2, 0, 1, 3, 5, 8, 12, 20, 100)
SERVERS = ("postgresql", "mariadb", "mongodb", "hbase")

Answers = dict[str, list[object]]
"""By what was asked, an item for each line of the answer."""


@cache
def histories() -> list[History]:
    """Each in a source of its own, by which a failure names its seed."""
    return [random_history(f"agreement {seed}", source=f"{seed:03}") for seed in range(HISTORIES)]


def store(driver: Driver, rng: Random) -> None:
    """Append every history, mixed with the others, in batches of any size; then some of it again, in any order.

    The events of one history stay in their order: which of two deliveries came first is the one thing that answers as
    known at may tell.
    """
    waiting = [[model(one) for one in history][::-1] for history in histories()]
    mixed = []
    while waiting:
        turn = rng.randrange(len(waiting))
        mixed.append(waiting[turn].pop())
        if not waiting[turn]:
            waiting[turn] = waiting[-1]
            waiting.pop()
    again = rng.sample(mixed, len(mixed) // 3)
    for sent in (mixed, again):
        begin = 0
        while begin < len(sent):
            size = rng.choice((1, 2, 7, 40, 300, 1_000))
            driver.append(sent[begin : begin + size])
            begin += size


def answers(engine: Engine) -> Iterator[tuple[str, list[object]]]:
    for hour in HOURS:
        yield f"the dump as known at {hour}", list(exported(engine, hour))
        for at in INSTANTS:
            found = engine.resources(at=at, existence=tuple(Existence), as_known_at=hour)
            listed = [[f"{one.resource}", one.resource.source, plain_state(one)] for one in found]
            yield f"resources at {at} as known at {hour}", listed
    for told in histories()[::10]:
        yield f"states of {told[0]['source']}", [states(engine, one) for one in told[::4]]


def exported(engine: Engine, hour: int | None) -> list[bytes]:
    """What `timeline export events` writes, line by line."""
    stream = io.BytesIO()
    events = (shapes.event(one, provenance=False) for one in engine.events(as_known_at=hour))
    formats.write_list(events, stream, lines=True)
    return stream.getvalue().splitlines()


def states(engine: Engine, of: Plain) -> list[Plain]:
    name = (of["type"], of["id"], of["occurred_at"])
    return [plain_state(engine.state(*name, source=of["source"], as_known_at=hour)) for hour in HOURS]


def difference(engine: Engine) -> str | None:
    """Where a store does not answer as the reference does."""
    for asked, found in answers(engine):
        for one, right in zip_longest(found, reference()[asked]):
            if one != right or not equal(f"{one}", f"{right}"):  # 1, 1.0 and True are equal to Python
                return f"{asked}: {one!r:.300} where {right!r:.300} is right"
    return None


@cache
def reference() -> Answers:
    driver = MemoryDriver(Memory())
    for history in histories():
        driver.append(map(model, history))
    return dict(answers(Engine(driver)))


def agrees(url: str, seed: str) -> None:
    with closing(drivers.open(url)) as driver:
        driver.prepare()
        store(driver, Random(seed))
        assert difference(Engine(driver)) is None
        stored = driver.summary()
    one = reference()["the dump as known at None"]
    assert stored.events == len(one)


def test_memory_in_other_batches_answers_as_memory_does() -> None:
    driver = MemoryDriver()
    store(driver, Random("memory"))
    assert difference(Engine(driver)) is None


def test_sqlite_answers_as_memory_does(tmp_path: Path) -> None:
    agrees(f"sqlite:///{tmp_path}/timeline.db", "sqlite")


@pytest.mark.parametrize("name", SERVERS)
def test_a_server_answers_as_memory_does(name: str) -> None:
    with servers.place(name) as url:
        agrees(url, name)


@pytest.mark.parametrize("wrong", [ByArrival, OnlyChanges])
def test_a_driver_that_does_not_agree_is_found(wrong: Callable[[], Driver]) -> None:
    driver = wrong()
    store(driver, Random("wrong"))
    assert difference(Engine(driver)) is not None


def test_the_histories_meet_what_drivers_are_found_to_differ_in() -> None:
    told = [one for history in histories() for one in history]
    assert len(told) > 5 * HISTORIES
    dumped = reference()["the dump as known at None"]
    assert len(dumped) < len(told), "nothing was delivered twice"
    hours = [len(reference()[f"the dump as known at {hour}"]) for hour in HOURS[1:]]
    assert 0 == hours[0] < hours[1] < hours[2] < len(dumped)
