"""Consumers of a real broker as they are seen from outside: their health, their numbers, and one of them killed."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep
from typing import NamedTuple
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

import timeline
from tests.bus.test_amqp import notification, opened, publish
from tests.servers import place
from timeline.cli.workers import Workers
from timeline.cli.working import Part
from timeline.consumers.amqp import Amqp, Subscription
from timeline.engine import Counts
from timeline.metrics.serving import Serving


class Task(NamedTuple):
    """What each worker is to do."""

    url: str
    store: str
    folder: str
    until_empty: bool


SUBSCRIPTION = Subscription(exchanges=("nova",), queue="timeline.seen")


def consume(task: Task, part: Part) -> Counts:
    """Consume the queue into the store."""
    Path(task.folder, f"{part.number}.{os.getpid()}").touch()
    with timeline.open(task.store) as engine:
        engine.driver.version()
        part.metrics.store_available(True)
        source = Amqp(task.url, SUBSCRIPTION, metrics=part.metrics)
        return engine.consume(
            source, batch=50, until_empty=task.until_empty, stopping=part.stopping, metrics=part.metrics
        )


@pytest.fixture
def task(tmp_path: Path) -> Iterator[Task]:
    """A store and a queue that are ready, and empty."""
    store = f"sqlite:///{tmp_path}/timeline.db"
    with timeline.open(store) as engine:
        engine.prepare()
    folder = tmp_path / "workers"
    folder.mkdir()
    with place("rabbitmq") as url:
        opened(Amqp(url, SUBSCRIPTION)).close()
        yield Task(url, store, str(folder), until_empty=False)


def stored(task: Task) -> set[str]:
    """The instances that the store knows."""
    with timeline.open(task.store) as engine:
        return {listed.resource.id for listed in engine.resources(type="instance", at="2026-03-02")}


def answer(serving: Serving, path: str) -> tuple[int, str]:
    try:
        with urlopen(serving.url + path) as answered:
            return answered.status, answered.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()


def until(serving: Serving, path: str, expected: str) -> None:
    """Ask until an answer holds a text."""
    end = monotonic() + 60
    while expected not in answer(serving, path)[1]:
        assert monotonic() < end, answer(serving, path)
        sleep(0.02)


def test_two_workers_share_a_queue_and_end_when_it_is_empty(task: Task) -> None:
    publish(task.url, *(notification(number) for number in range(500)), b"{")
    fleet = Workers(task._replace(until_empty=True), 2, consume)
    counts = fleet.run(threading.Event())
    assert (counts.notifications, counts.in_scope, counts.quarantined) == (501, 500, 1)
    assert (counts.events, counts.duplicates) == (500, 0)
    assert stored(task) == {f"i-{number}" for number in range(500)}


def test_who_watches_sees_a_worker_die_and_come_back_and_every_message_stored(task: Task) -> None:
    fleet = Workers(task, 2, consume, pauses=(0.1,))
    stopping = threading.Event()
    counts: list[Counts] = []
    thread = threading.Thread(target=lambda: counts.append(fleet.run(stopping)))
    with Serving("127.0.0.1", 0, fleet.told) as serving:
        assert answer(serving, "/readyz")[0] == 503
        thread.start()
        try:
            until(serving, "/readyz", "ok\n")
            publish(task.url, *(notification(number) for number in range(300)))
            until(serving, "/metrics", 'timeline_messages_total{outcome="in_scope"} 300.0\n')
            until(serving, "/metrics", "timeline_unacknowledged_messages 0.0\n")
            (killed,) = Path(task.folder).glob("2.*")
            os.kill(int(killed.suffix[1:]), signal.SIGKILL)
            until(serving, "/readyz", "worker 2: ")
            until(serving, "/readyz", "ok\n")
            publish(task.url, *(notification(number) for number in range(300, 600)))
            until(serving, "/metrics", 'timeline_messages_total{outcome="in_scope"} 600.0\n')
            until(serving, "/metrics", "timeline_unacknowledged_messages 0.0\n")
            assert answer(serving, "/healthz") == (200, "ok\n")
        finally:
            stopping.set()
            thread.join()
    assert [(each.notifications, each.in_scope, each.events) for each in counts] == [(600, 600, 600)]
    assert stored(task) == {f"i-{number}" for number in range(600)}
