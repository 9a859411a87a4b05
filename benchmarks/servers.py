"""P12: the stores on servers: events appended beside the client's own rate, questions, and room.

Each server that is installed is started in a folder of its own, with the durability that it has as it comes.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import islice

import msgspec

import timeline
from benchmarks import raw_servers
from benchmarks.measure import Row, alternately, each, seconds
from benchmarks.raw_servers import Raw, batched
from simulator import Fleet
from tests.servers import absence, own
from timeline import clock, drivers
from timeline.drivers import Driver
from timeline.model import Event, Resource, Scope

COUNT = 30_000
BATCH = 1_000
ASKED = 300

_NAMES = {"postgresql": "PostgreSQL", "mariadb": "MariaDB", "mongodb": "MongoDB's protocol", "hbase": "HBase"}
_RAW: dict[str, tuple[Callable[[str, list[Event]], Raw], str]] = {
    "postgresql": (raw_servers.Postgresql, "psycopg's rows of one INSERT, the same key"),
    "mariadb": (raw_servers.Mariadb, "PyMySQL's rows of one INSERT, the same key"),
    "mongodb": (raw_servers.Mongodb, "pymongo's insert_many of the same documents"),
    "hbase": (raw_servers.Hbase, "happybase's batches of the same cells"),
}
_REACH_STATE = {"postgresql": 1.0, "mariadb": 1.0}
_REACH_REPEAT = {"postgresql": 120}


def rows() -> Iterator[Row]:
    """P12, for each server that is here."""
    events = _events()
    for name, title in _NAMES.items():
        absent = absence(name)
        if absent is not None:
            yield Row(id="P12", what=title, reached="not measured", reach="", beside=absent)
            continue
        with own(name) as server, closing(drivers.open(server.url)) as driver:
            driver.prepare()
            yield from _of_server(name, title, server.url, driver, events)


def _of_server(name: str, title: str, url: str, driver: Driver, events: list[Event]) -> Iterator[Row]:
    make, beside = _RAW[name]
    third = len(events) // 3
    driver_parts, raw_parts = _thirds(events), _thirds(events)
    _append(driver, next(driver_parts))  # nothing is measured of a server that is still cold, or of its first bodies
    with closing(make(url, events)) as raw:
        raw.insert(next(raw_parts))
        for what in ("events of a fleet", "repeats"):
            mine, floor = alternately(
                lambda: _append(driver, next(driver_parts)), lambda: raw.insert(next(raw_parts)), repeats=2
            )
            yield Row(
                id="P12",
                what=f"{title}: {what} appended, {BATCH:,} at a time",
                reached=f"{third / mine:,.0f}/s",
                reach="50 % of raw",
                beside=f"{third / floor:,.0f}/s {beside}: {floor / mine:.0%}",
                holds=mine <= 2 * floor,
            )
        size = raw.bytes_per_repeat()
    yield from _questions(name, title, driver, events)
    if size is not None:
        reach = _REACH_REPEAT.get(name)
        yield Row(
            id="P12",
            what=f"{title}: bytes per event, with its index and provenance",
            reached=f"{size:.0f}",
            reach="" if reach is None else str(reach),
            beside="the events' table alone, as it grew",
            holds=None if reach is None else size <= reach,
        )


def _questions(name: str, title: str, driver: Driver, events: list[Event]) -> Iterator[Row]:
    resources = sorted({event.resource for event in events})
    middle = events[len(events) // 2].occurred_at
    asked: list[object] = [random.Random(1).choice(resources) for _ in range(ASKED)]

    def state(resource: object) -> list[Event]:
        assert isinstance(resource, Resource)
        return list(driver.events([resource], until=middle, last_per_body=True))

    for resource in asked[:20]:
        state(resource)
    took = 1_000 * each(state, asked)
    reach = _REACH_STATE.get(name)
    yield Row(
        id="P12",
        what=f"{title}: what decides the state of one resource at T",
        reached=f"{took:.2f} ms",
        reach="" if reach is None else f"{reach:g} ms",
        beside="",
        holds=None if reach is None else took <= reach,
    )
    some = resources[::2]
    for what, question in (
        (f"the same of all {len(resources):,}", lambda: list(driver.events(Scope(), until=middle, last_per_body=True))),
        (f"all {len(events):,} events, in order", lambda: list(driver.events(Scope()))),
        (f"the events of {len(some):,} that are named", lambda: list(driver.events(some))),
        ("a page of resources", lambda: driver.resources(Scope(), after=resources[len(resources) // 2])),
        ("whether anything was added", driver.version),
    ):
        yield Row(
            id="P12",
            what=f"{title}: {what}",
            reached=f"{1_000 * seconds(question, repeats=3):,.1f} ms",
            reach="",
            beside="",
        )


def _thirds(events: list[Event]) -> Iterator[list[Event]]:
    """The events in three parts, and then the last of them twice, as it was said again later."""
    third = len(events) // 3
    for first in range(0, 3 * third, third):
        yield events[first : first + third]
    for days in (40, 80):
        yield [_later(event, days) for event in events[2 * third : 3 * third]]


def _later(event: Event, days: int) -> Event:
    return msgspec.structs.replace(event, occurred_at=event.occurred_at + days * 86_400 * clock.SECOND)


def _append(driver: Driver, events: list[Event]) -> None:
    for batch in batched(events, BATCH):
        driver.append(batch)


def _events() -> list[Event]:
    """Events of a fleet, as they happened."""
    fleet = Fleet(instances=500, days=30)
    with timeline.open("memory:") as engine:
        engine.ingest(islice(fleet.notifications(), COUNT))
        return sorted(engine.events(), key=lambda event: event.occurred_at)
