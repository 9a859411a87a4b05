"""Steps that go on at the same time: in order, one ahead, and stopped together."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from timeline.cli.ahead import Ahead


def test_items_come_in_their_order() -> None:
    with Ahead(range(1_000)) as first, Ahead(number + 1 for number in first) as second:
        assert list(second) == list(range(1, 1_001))
        assert list(second) == []


def test_no_more_is_made_ahead_than_is_asked_for() -> None:
    made: list[int] = []
    full = threading.Event()

    def items() -> Iterator[int]:
        for number in range(10):
            made.append(number)
            if number == 2:
                full.set()
            yield number

    with Ahead(items(), ahead=2) as ahead:
        assert full.wait(10)
        assert next(ahead) == 0
    assert len(made) <= 4


def test_what_goes_wrong_is_raised_after_what_went_well() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("broken")

    with Ahead(items()) as ahead:
        assert next(ahead) == 1
        with pytest.raises(ValueError, match="broken"):
            next(ahead)


def test_who_waits_for_an_item_goes_on_when_it_is_stopped() -> None:
    never = threading.Event()
    waiting = threading.Event()

    def items() -> Iterator[int]:
        waiting.set()
        never.wait(60)
        yield 1

    with Ahead(items()) as first, Ahead(first) as second:
        assert waiting.wait(10)
        first.stop()
        assert list(second) == []
        never.set()


def test_leaving_early_ends_the_thread() -> None:
    before = threading.active_count()
    with Ahead(iter(int, 1)) as endless:
        assert next(endless) == 0
    assert threading.active_count() == before
