"""A store moved from one kind to another and back: the first dump again, and nothing wrong on the way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from hashlib import sha256
from pathlib import Path

import pytest

from tests.servers import place
from timeline import clock, drivers
from timeline.drivers import Driver
from timeline.drivers.conformance.history import event, number
from timeline.drivers.conformance.identity import TEXTS
from timeline.drivers.conformance.quarantine import record
from timeline.engine.checking import Check
from timeline.engine.copying import copy
from timeline.model import Event, Outcome, Phase, Quarantined, Resource, Scope, limits
from timeline.reports.upkeep import dump_line

SERVERS = ["postgresql", "mariadb", "mongodb", "hbase"]


@contextmanager
def store(url: str) -> Iterator[Driver]:
    """A driver on an empty store, prepared."""
    with closing(drivers.open(url)) as driver:
        driver.prepare()
        yield driver


def history() -> list[Event]:
    """Events of every phase, with every odd text, at both ends of time, in long bodies and in many."""
    phases = [*Phase]
    events = [event(at, at % 7, of=number(at % 40), phase=phases[at % 9], message_id=f"{at}") for at in range(2_000)]
    events += [event(0, text, of=Resource(type="odd", id=text), message_id=text) for text in TEXTS]
    events += [event(at, "x" * 300_000, recorded_at=at) for at in (clock.MIN, -1, 0, clock.MAX)]
    return [*events, event(1, "y" * (limits.BODY_BYTES - 100), of=number(1), recorded_at=clock.MAX)]


def records() -> list[Quarantined]:
    """Quarantine records; some will be settled."""
    messages = [f"message {n}".encode() * (n % 3 + 1) for n in range(40)]
    return [
        Quarantined(
            id=sha256(message).hexdigest(),
            reason="not-json",
            detail="é\0",
            origin=f"feed:{n}",
            received_at=n % 7,
            event_type=None,
            message_id=None,
            size=len(message),
            data=message,
        )
        for n, message in enumerate(messages)
    ]


def dump(driver: Driver) -> bytes:
    return b"".join(map(dump_line, driver.events(Scope())))


@pytest.mark.parametrize("name", SERVERS)
def test_a_store_that_was_moved_there_and_back_has_the_same_dump(name: str, tmp_path: Path) -> None:
    with ExitStack() as stores:
        first = stores.enter_context(store(f"sqlite:///{tmp_path}/first.db"))
        last = stores.enter_context(store(f"sqlite:///{tmp_path}/last.db"))
        between = stores.enter_context(store(stores.enter_context(place(name))))
        first.append(history())
        first.put(records())
        for settled in records()[::3]:
            first.settle(settled.id, Outcome.STORED, 99)
        for source, target in ((first, between), (first, between), (between, last)):
            told = copy(source, target, line=dump_line)
            assert told.verified
            assert (told.extra, told.quarantined, told.quarantined_differing) == (0, 40, 0)
            assert told.digest == told.target_digest == sha256(dump(first)).hexdigest()
            assert list(target.list(settled=True)) == list(first.list(settled=True))
        for driver in (first, between, last):
            assert list(Check(driver).problems()) == []


@pytest.mark.parametrize("name", SERVERS)
def test_what_is_there_already_is_not_copied_again(name: str, tmp_path: Path) -> None:
    with ExitStack() as stores:
        source = stores.enter_context(store(f"sqlite:///{tmp_path}/timeline.db"))
        target = stores.enter_context(store(stores.enter_context(place(name))))
        source.append(history())
        source.put([record("aa")])
        target.append(history()[::3])
        before = target.summary().events
        told = copy(source, target, line=dump_line)
        assert (told.copied, told.verified) == (told.events - before, True)
        again = copy(source, target, line=dump_line)
        assert (again.copied, again.quarantined_copied, again.digest) == (0, 0, told.digest)
