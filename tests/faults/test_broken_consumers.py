"""Faults that the consumer withstands, and that catch each consumer which is broken in a way that others were."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.faults import broken, parts
from tests.faults.checking import Verdict
from tests.faults.parts import Parts
from tests.servers import place
from timeline.engine import loop

Faults = Callable[[Parts], Iterator[Verdict]]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A queue in memory is empty when it says so."""
    monkeypatch.setattr(loop, "_QUIET", 0.0)


@pytest.fixture(scope="module")
def broker() -> Iterator[str]:
    with place("rabbitmq") as url:
        yield url


def assert_all_right(verdicts: Iterator[Verdict]) -> None:
    found = [*verdicts]
    assert found
    for number, verdict in enumerate(found):
        assert verdict.is_right, f"run {number}: {verdict}"


def is_caught(verdicts: Iterator[Verdict]) -> bool:
    """Whether the checker says of one of them that something is lost, doubled or wrong."""
    return any(not verdict.is_right for verdict in verdicts)


def test_who_dies_at_any_point_loses_nothing() -> None:
    assert_all_right(parts.died_at_each_point(Parts()))


def test_a_connection_that_is_lost_before_the_acknowledgement_loses_nothing(broker: str) -> None:
    assert_all_right(parts.reconnected_before_the_acknowledgement(Parts(), broker))


def test_names_that_a_decoder_has_a_meaning_for_lose_nothing(broker: str) -> None:
    assert_all_right(parts.with_names_of_a_decoder(Parts(), broker))


def test_a_store_that_fails_at_any_one_of_its_calls_has_all_in_the_end() -> None:
    assert_all_right(parts.failed_at_each_call(Parts()))


def test_who_acknowledges_before_the_commit_is_caught() -> None:
    assert is_caught(parts.died_at_each_point(broken.ACKNOWLEDGES_FIRST))


def test_who_commits_the_ids_that_he_has_seen_apart_from_the_events_is_caught() -> None:
    assert is_caught(parts.died_at_each_point(broken.KEEPS_IDS_APART))


def test_who_swallows_errors_of_the_store_is_caught() -> None:
    assert is_caught(parts.failed_at_each_call(broken.SWALLOWS))


def test_who_keeps_tags_of_an_earlier_connection_is_caught(broker: str) -> None:
    assert is_caught(parts.reconnected_before_the_acknowledgement(broken.KEEPS_STALE_TAGS, broker))


def test_who_has_messages_decoded_by_default_is_caught(broker: str) -> None:
    assert is_caught(parts.with_names_of_a_decoder(broken.DECODES, broker))
