"""The checker itself: it finds what is lost, doubled, invented and wrong, and is content with what is right."""

from __future__ import annotations

import pytest

import timeline
from simulator import Fleet
from tests.faults.checking import assert_right, check
from tests.faults.consuming import drained
from tests.faults.publishing import Publisher, waiting
from tests.servers import place
from timeline.engine import Engine

SENT = [*Fleet(seed=3, instances=3, days=2, late=0.1).notifications()]


@pytest.fixture
def engine() -> Engine:
    return timeline.open("memory:")


def test_a_store_that_holds_all_is_right(engine: Engine) -> None:
    engine.ingest([*SENT, b"{", *SENT])
    assert_right(engine, [b"{", *SENT])


@pytest.mark.parametrize("missing", [0, len(SENT) // 2, len(SENT) - 1])
def test_what_is_not_there_is_lost(engine: Engine, missing: int) -> None:
    engine.ingest(SENT[:missing] + SENT[missing + 1 :])
    assert len(check(engine, SENT).lost) == 1


def test_a_message_that_could_not_be_read_is_lost_where_it_is_not_in_quarantine(engine: Engine) -> None:
    engine.ingest(SENT)
    assert len(check(engine, [*SENT, b"{"]).lost) == 1


def test_what_nobody_has_sent_is_invented(engine: Engine) -> None:
    engine.ingest(SENT)
    assert len(check(engine, SENT[:-1]).invented) == 1
    assert check(engine, SENT[:-1], also=SENT[-1:]).is_right


def test_what_differs_is_told(engine: Engine) -> None:
    engine.ingest([message.replace(b'"memory_mb":2048', b'"memory_mb":2049') for message in SENT])
    verdict = check(engine, SENT)
    assert verdict.lost
    assert verdict.invented
    assert verdict.wrong
    with pytest.raises(AssertionError, match="lost"):
        assert_right(engine, SENT)


def test_what_a_publisher_had_confirmed_is_in_the_queue_and_then_in_the_store() -> None:
    with place("rabbitmq") as bus, place("postgresql") as store:
        with timeline.open(store) as engine:
            engine.prepare()
        publisher = Publisher(bus)
        publisher.publish(SENT)
        publisher.close()
        assert publisher.confirmed == SENT
        assert waiting(bus) == len(SENT)
        counts = drained(bus, store)
        assert counts["notifications"] == len(SENT)
        assert waiting(bus) == 0
        assert_right(store, publisher.confirmed)
