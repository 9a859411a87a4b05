"""Hostile messages in every store: each holds the same of them, and what is too long is never held whole."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import chain, cycle, islice
from pathlib import Path
from random import Random

import pytest

import timeline
from tests.bus.nova import notification
from tests.bus.waiting import Waiting
from tests.faults import hostile
from tests.faults.amounts import amount
from tests.faults.checking import assert_right
from tests.faults.consuming import Consumer
from tests.faults.parts import Parts
from tests.faults.publishing import Publisher, waiting
from tests.faults.seeing import Numbers
from tests.servers import place
from timeline.engine import loop
from timeline.model import limits

GOOD = [notification(number) for number in range(100)]
MEGABYTES = 256
TOO_LONG = 5 * 1024 * 1024
assert TOO_LONG > limits.NOTIFICATION_BYTES


@pytest.fixture(params=["sqlite", "postgresql", "mariadb", "mongodb"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/timeline.db"
    else:
        with place(request.param) as url:
            yield url


def test_every_store_takes_the_good_ones_and_a_record_of_each_bad_one(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "_QUIET", 0.0)
    messages = [*hostile.messages(Random("stores"), amount(1_000)), *GOOD]
    Random("mixed").shuffle(messages)
    with timeline.open(store) as engine:
        engine.prepare()
        source = Waiting([*messages, *messages[:200]], ahead=200)
        Parts().run(source, engine.driver, batch=100)
        assert Counter(source.acknowledged) == Counter([*messages, *messages[:200]])
        assert_right(engine, messages)
        reasons = Counter(record.reason for record in engine.quarantined())
        assert not reasons.keys() & {"store-refused", "defect"}
        assert len(reasons) > 10, reasons


def test_of_messages_that_are_too_long_many_together_take_little_memory(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path}/timeline.db"
    with timeline.open(store) as engine:
        engine.prepare()
    too_long = (b"%03d" % number + bytes(TOO_LONG) for number in range(amount(60)))
    deep = islice(cycle(each for each in hostile.CURATED if 100_000 <= len(each) < TOO_LONG), 40)
    with place("rabbitmq") as bus:
        publisher = Publisher(bus)
        publisher.publish(chain.from_iterable(zip(too_long, cycle(GOOD))))
        publisher.publish(deep)
        publisher.close()
        numbers = Numbers()
        with Consumer(bus, store, "--prefetch", "200", *numbers.words) as consumer:
            consumer.until(lambda: numbers["timeline_messages_total"] == len(publisher.confirmed), what="all messages")
            status = Path(f"/proc/{consumer.process.pid}/status").read_text()
            assert consumer.stop() == 0, consumer.said
        assert waiting(bus) == 0
    assert int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) / 1024 < MEGABYTES
    with timeline.open(store) as engine:
        records = [record for record in engine.quarantined() if record.reason == "notification-too-long"]
        assert len(records) == amount(60)
        assert {record.size for record in records} == {TOO_LONG + 3}
        assert max(len(record.data) for record in records) == limits.KEPT_BYTES
    assert_right(store, publisher.confirmed)
