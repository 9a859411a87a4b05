"""The quarantine as a program works with it: a part of the records, lazily; records dropped and wanted again."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

import msgspec
import pytest

from timeline.definitions import Definitions
from timeline.drivers.conformance.quarantine import record
from timeline.drivers.memory import MemoryDriver
from timeline.engine import Engine, quarantine
from timeline.errors import StoreError
from timeline.model import Outcome, Quarantined


class Watched(MemoryDriver):
    """Notes how much is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.pages: list[int] = []

    def list(
        self, *, after: Quarantined | None = None, limit: int = 1_000, settled: bool = False
    ) -> Sequence[Quarantined]:
        self.pages.append(limit)
        return super().list(after=after, limit=limit, settled=settled)


def typed(id: str, at: int, event_type: str | None, reason: str = "no-time") -> Quarantined:
    return msgspec.structs.replace(record(id, at, reason=reason, place=None), event_type=event_type)


@pytest.fixture
def engine() -> Engine:
    driver = Watched()
    driver.put(typed(f"{at:064}", at, "a.b" if at % 2 else "a.c") for at in range(100))
    return Engine(driver, Definitions.read("- event_type: a.*\n  traits: {}\n"))


def ids(records: Sequence[Quarantined] | islice[Quarantined]) -> list[int]:
    return [int(each.id) for each in records]


def test_records_are_read_as_they_are_wanted_and_few_at_a_time(engine: Engine) -> None:
    assert ids(islice(engine.quarantined(event_types=["*.c"]), 3)) == [0, 2, 4]
    assert isinstance(engine.driver, Watched)
    assert engine.driver.pages == [8]
    assert len(list(engine.quarantined())) == 100
    assert set(engine.driver.pages) == {8}


@pytest.mark.parametrize("words", [{"reasons": "no-time"}, {"event_types": "a.*"}])
def test_one_word_where_several_are_meant_is_refused(engine: Engine, words: dict[str, str]) -> None:
    with pytest.raises(TypeError, match="takes several names"):
        engine.quarantined(**words)  # type: ignore[arg-type]


def test_records_may_be_dropped_while_they_are_walked_along(engine: Engine) -> None:
    assert engine.drop(engine.quarantined(event_types=["a.b"]), "a test") == 50
    assert ids(list(engine.quarantined())) == list(range(0, 100, 2))
    dropped = [each for each in engine.quarantined(settled=True) if each.outcome is Outcome.DROPPED]
    assert {each.note for each in dropped} == {"a test"}
    assert all(each.settled_at is not None for each in dropped)
    assert engine.drop(dropped, "another") == 0


@pytest.mark.parametrize(("because", "error"), [("", ValueError), (" \t", ValueError), ("x" * 1_025, StoreError)])
def test_nothing_is_dropped_for_a_reason_that_says_nothing_or_too_much(
    engine: Engine, because: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        engine.drop(engine.quarantined(), because)
    assert len(list(engine.quarantined())) == 100


def test_a_dropped_record_is_open_again_where_it_is_given_to_be_retried(engine: Engine) -> None:
    first, second = islice(engine.quarantined(), 2)
    engine.drop([first, second], "a test")
    counts = engine.retry(engine.quarantine_record(each.id) for each in (first,))
    assert (counts.notifications, counts.quarantined) == (1, 1)
    assert engine.quarantine_record(first.id) == first
    assert engine.quarantine_record(second.id).outcome is Outcome.DROPPED
    assert engine.retry().notifications == 99


def test_records_are_counted_by_reason_event_type_and_outcome() -> None:
    records = [typed("a", 1, None), typed("b", 2, None), typed("c", 3, "x", "defect"), typed("d", 4, "x")]
    records.append(msgspec.structs.replace(typed("e", 5, "x"), outcome=Outcome.DROPPED, settled_at=9))
    counted = [(each.reason, each.event_type, each.outcome, each.number) for each in quarantine.count(records)]
    assert counted == [
        ("no-time", None, None, 2),
        ("defect", "x", None, 1),
        ("no-time", "x", None, 1),
        ("no-time", "x", Outcome.DROPPED, 1),
    ]


def test_the_place_of_a_record_from_before_places_were_kept_is_found_in_the_message() -> None:
    old = record("aa", place=None)
    assert quarantine.place(old) == "byte 1: {>>>"
    assert quarantine.place(msgspec.structs.replace(old, reason="no-time")) is None
    assert quarantine.place(msgspec.structs.replace(old, reason="no-event-type", data=b"{}")) == "event_type"


def test_a_byte_is_counted_in_the_message_as_it_came_and_shown_in_the_message_as_it_is_kept() -> None:
    kept = msgspec.structs.replace(
        record("aa", place="byte 1,031"), size=1_040, data=b'{"token": "***masked***", "a": oops}'
    )
    assert quarantine.place(kept) == 'byte 1,031: {"token": "***masked***", "a": >>>oops}'
