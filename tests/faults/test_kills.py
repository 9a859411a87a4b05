"""Consumers are killed at any moment, and at each point that matters: nothing is lost, doubled or torn."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

import timeline
from simulator import Fleet
from tests.drivers.processes import Child
from tests.faults.amounts import amount
from tests.faults.checking import assert_right, check
from tests.faults.consuming import Consumer
from tests.faults.killing import POINTS, Death, consume
from tests.faults.publishing import Publisher, waiting
from tests.servers import place
from tests.servers.processes import Process

RANDOM_KILLS = amount(14)
KILLS_AT_EACH_POINT = amount(2)
FLEET = Fleet(seed=19, instances=amount(30), days=2, late=0.05, duplicated=0.05, reordered=0.05)


def messages() -> Iterator[bytes]:
    """What a fleet tells; every tenth message cannot be read."""
    for number, notification in enumerate(FLEET.notifications()):
        yield notification
        if number % 10 == 0:
            yield b"no notification: %d" % number


MESSAGES = [*messages()]


@pytest.fixture
def bus() -> Iterator[str]:
    with place("rabbitmq") as url:
        publisher = Publisher(url)
        publisher.publish(MESSAGES)
        publisher.close()
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield prepared(f"sqlite:///{tmp_path}/timeline.db")
    else:
        with place(request.param) as url:
            yield prepared(url)


def prepared(store: str) -> str:
    with timeline.open(store) as engine:
        engine.prepare()
    return store


def assert_nothing_is_torn(store: str, where: str) -> None:
    """Fail where the store holds what nobody has sent, or anything twice, at a moment when not all is stored."""
    verdict = check(store, [], also=MESSAGES)
    assert verdict.is_right, f"{where}: {verdict}"


def assert_all_is_stored_in_the_end(bus: str, store: str) -> None:
    redelivered = int(Child(lambda: consume(bus, store, batch=100)).report())
    assert redelivered > 0, "no kill met a message that was taken"
    assert waiting(bus) == 0
    assert_right(store, MESSAGES)


def test_consumers_killed_at_each_point_between_read_and_acknowledgement(bus: str, store: str) -> None:
    rng = Random("points")
    for point in POINTS * KILLS_AT_EACH_POINT:
        times = rng.randint(1, 6)
        where = f"{point}, the time {times}"
        said = Child(lambda point=point, times=times: consume(bus, store, Death(point, times))).report()
        assert said == "", f"{where}: it was not killed: {said}"
        assert_nothing_is_torn(store, where)
    assert waiting(bus), "the kills came when all was done"
    assert_all_is_stored_in_the_end(bus, store)


def test_consumers_killed_at_random_moments(bus: str, store: str) -> None:
    rng = Random("moments")
    before = len(MESSAGES)
    span = before * 3 // 4
    for turn in range(RANDOM_KILLS):
        # the later the farther, so that each kill meets messages that are new, and a consumer that has begun to work
        left = len(MESSAGES) - (span * turn + rng.randrange(span)) // RANDOM_KILLS
        left = min(left, before - 1)
        jitter = rng.uniform(0, 0.01)
        where = f"kill {turn}, with {left} messages left, after {jitter:.4f} s"
        with Consumer(bus, store, "--batch", "5", "--prefetch", "20") as consumer:
            consumer.until(lambda left=left: waiting(bus) <= left, what=f"the moment of {where}")
            assert not Process.of(consumer.process.pid).has_ended(within=jitter), consumer.said
            consumer.kill()
            assert consumer.process.returncode == -signal.SIGKILL, where
        assert_nothing_is_torn(store, where)
        before = waiting(bus)
    assert_all_is_stored_in_the_end(bus, store)
