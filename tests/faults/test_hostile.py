"""Hostile and corrupt messages among good ones: each ends in one place, and the good ones are stored as ever."""

from __future__ import annotations

import re
import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from time import perf_counter

import pytest

import timeline
from tests.bus.nova import notification
from tests.faults import hostile
from tests.faults.amounts import amount
from tests.faults.checking import assert_right
from tests.faults.consuming import Consumer, drained, until, until_empty
from tests.faults.publishing import Publisher
from tests.servers import place

MEGABYTES = 256


@pytest.fixture
def bus() -> Iterator[str]:
    with place("rabbitmq") as url:
        yield url


@pytest.fixture
def store(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path}/timeline.db"
    with timeline.open(url) as engine:
        engine.prepare()
    return url


def publish(bus: str, messages: list[bytes]) -> None:
    publisher = Publisher(bus)
    publisher.publish(messages)
    publisher.close()
    assert Counter(publisher.confirmed) == Counter(messages)


def test_each_ends_in_one_place_and_the_good_ones_are_stored(bus: str, store: str, tmp_path: Path) -> None:
    bad = [*hostile.messages(Random("hostile"), amount(5_000))]
    good = [notification(number) for number in range(500)]
    mixed = [*bad, *good]
    Random("mixed").shuffle(mixed)
    publish(bus, mixed)
    counts = drained(bus, store)
    assert counts["notifications"] == len(mixed)
    assert counts["in_scope"] + counts["out_of_scope"] + counts["quarantined"] == len(mixed)
    assert counts["quarantined"] > len(bad) / 3
    assert_right(store, mixed)
    with timeline.open(store) as engine:
        held = {event.resource.id for event in engine.events()}
        assert {f"i-{number}" for number in range(500)} <= held
        assert {*(f"odd-{number}" for number in range(1, 7)), "\U0001f600" * 128} <= held
        reasons = {record.reason for record in engine.quarantined()}
        assert "defect" not in reasons
        assert "store-refused" not in reasons
    again = sqlite3.connect(tmp_path / "timeline.db").execute("PRAGMA integrity_check").fetchone()
    assert again == ("ok",)


def test_after_a_flood_of_what_nobody_can_read_good_ones_are_stored_at_their_usual_rate(bus: str, store: str) -> None:
    flood = [b"{" + str(number).encode() for number in range(amount(5_000))]
    before, after = ([notification(number, memory_mb=size) for number in range(3_000)] for size in (512, 1_024))
    publish(bus, [])
    with Consumer(bus, store) as consumer:
        took = []
        for messages in (before, flood, after):
            began = perf_counter()
            publish(bus, messages)
            until_empty(bus)
            took.append(perf_counter() - began)
        assert consumer.stop() == 0, consumer.said
    drained(bus, store)
    with timeline.open(store) as engine:
        assert len([*engine.quarantined()]) == len(flood)
    assert_right(store, [*before, *flood, *after])
    assert took[2] < 3 * took[0] + 1, f"before, during and after the flood: {took}"


def test_large_messages_take_no_more_memory_than_may_be_held(bus: str, store: str) -> None:
    filling = b'"p", "padding": "%s"' % (b"x" * (1024 * 1024 - 2_000))
    publish(bus, [notification(number).replace(b'"p"', filling) for number in range(300)])
    with Consumer(bus, store, "--prefetch", "100") as consumer:
        status = Path(f"/proc/{consumer.process.pid}/status")
        until_empty(bus)
        until(lambda: _events(store) == 300)
        peak = int(re.findall(r"VmHWM:\s+(\d+) kB", status.read_text())[0]) / 1024
        assert consumer.stop() == 0, consumer.said
    assert peak < MEGABYTES


def _events(store: str) -> int:
    with timeline.open(store) as engine:
        return engine.status().events


def test_a_second_group_on_the_same_exchange_takes_nothing_away(bus: str, store: str, tmp_path: Path) -> None:
    other = f"sqlite:///{tmp_path}/other.db"
    with timeline.open(other) as engine:
        engine.prepare()
    messages = [notification(number) for number in range(1_000)]
    publisher = Publisher(bus, ["timeline", "ceilometer"])
    with Consumer(bus, store), Consumer(bus, other, "--queue", "ceilometer"):
        publisher.publish(messages)
        until(lambda: _events(store) == _events(other) == len(messages))
    publisher.close()
    assert_right(store, messages)
    assert_right(other, messages)
