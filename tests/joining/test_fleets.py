"""The fleets that an engine keeps: read once, brought up to date by what has changed, the same for all who ask."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa

from timeline import clock
from timeline.drivers.memory import MemoryDriver
from timeline.engine import Engine
from timeline.engine.fleets import KEPT, Fleets
from timeline.model import Body, Event, Phase, Resource, Scope

NOON = clock.parse("2026-03-01T12:00:00Z")


class Reading(MemoryDriver):
    """A store in memory that tells what was read of it."""

    def __init__(self, *, tells_changes: bool = True) -> None:
        super().__init__()
        self.read: list[Scope | list[Resource]] = []
        self._tells_changes = tells_changes

    def events(
        self,
        which: Scope | Collection[Resource],
        *,
        until: int | None = None,
        known_before: int | None = None,
        last_per_body: bool = False,
    ) -> Iterator[Event]:
        self.read.append(which if isinstance(which, Scope) else sorted(which))
        return super().events(which, until=until, known_before=known_before, last_per_body=last_per_body)

    def changed(self, since: str) -> Collection[Resource] | None:
        return super().changed(since) if self._tells_changes else None


def event(id: str, minute: int, value: object, *, type: str = "instance", recorded: int = 0) -> Event:
    resource = Resource(type=type, id=id)
    body = Body.of({"x": value})  # type: ignore[dict-item]
    return Event(resource, NOON + minute * 60 * clock.SECOND, Phase.UPDATE, body, NOON + recorded, "told")


def filled(driver: MemoryDriver, resources: int = 10) -> MemoryDriver:
    driver.append([event(f"vm{number}", 0, "old") for number in range(resources)])
    return driver


def value(fleet_owner: Engine, id: str, minute: int) -> object:
    samples = pa.table({"resource_id": [id], "timestamp": [NOON + minute * 60 * clock.SECOND]})
    return fleet_owner.join(samples, ["x"], type="instance")["x"].to_pylist()[0]


def test_nothing_is_read_while_the_version_stands_still() -> None:
    driver = Reading()
    fleets = Fleets(filled(driver))
    first = fleets.fleet("instance", None)
    assert fleets.fleet("instance", None) is first
    driver.append([event("vm1", 0, "old")])  # a duplicate
    assert fleets.fleet("instance", None).starts.tolist() == first.starts.tolist()
    assert driver.read[:1] == [Scope(type="instance")]
    assert Scope(type="instance") not in driver.read[1:]


def test_only_what_has_changed_is_read_again() -> None:
    driver = Reading()
    engine = Engine(filled(driver))
    assert value(engine, "vm1", 5) == "old"
    driver.append([event("vm1", 3, "new"), event("vol", 3, "other", type="volume"), event("late", 1, "came")])
    assert [value(engine, id, 5) for id in ("vm1", "vm2", "late")] == ["new", "old", "came"]
    assert driver.read == [Scope(type="instance"), [Resource(type="instance", id=id) for id in ("late", "vm1")]]
    assert value(engine, "vm1", 2) == "old"


def test_what_was_handed_out_never_changes() -> None:
    driver = filled(MemoryDriver())
    fleets = Fleets(driver)
    before = fleets.fleet("instance", None)
    rows = before.table(None, None, None, "").to_pylist()
    for minute in range(1, 300):
        driver.append([event("vm1", minute, f"value {minute}"), event(f"more{minute}", 0, minute)])
        fleets.fleet("instance", None)
    assert before.table(None, None, None, "").to_pylist() == rows
    assert len(fleets.fleet("instance", None)) == len(before) + 299


def test_a_store_that_cannot_tell_what_changed_is_read_whole() -> None:
    driver = Reading(tells_changes=False)
    engine = Engine(filled(driver))
    assert value(engine, "vm1", 5) == "old"
    driver.append([event("vm1", 3, "new")])
    assert value(engine, "vm1", 5) == "new"
    assert driver.read == [Scope(type="instance")] * 2


def test_where_most_has_changed_all_is_read_at_once() -> None:
    driver = Reading()
    engine = Engine(filled(driver))
    assert value(engine, "vm1", 5) == "old"
    driver.append([event(f"vm{number}", 3, "new") for number in range(9)])
    assert [value(engine, id, 5) for id in ("vm1", "vm9")] == ["new", "old"]
    assert driver.read == [Scope(type="instance")] * 2


def test_what_was_known_is_a_fleet_of_its_own() -> None:
    driver = filled(MemoryDriver())
    engine = Engine(driver)
    samples = pa.table({"resource_id": ["vm1"], "timestamp": [NOON + 600 * clock.SECOND]})
    driver.append([event("vm1", 5, "new", recorded=10)])

    def known(at: int | None) -> object:
        return engine.join(samples, ["x"], type="instance", as_known_at=at)["x"].to_pylist()[0]

    assert [known(NOON + 10), known(None), known(NOON + 11)] == ["old", "new", "new"]
    driver.append([event("vm1", 6, "found later", recorded=9)])
    assert [known(NOON + 10), known(None), known(NOON + 9)] == ["found later", "found later", "old"]


def test_few_fleets_are_kept() -> None:
    driver = Reading()
    fleets = Fleets(filled(driver))
    for round in range(2):
        for known in range(KEPT + 1):
            fleets.fleet("instance", NOON + 1 + known)
        assert len(driver.read) == (round + 1) * (KEPT + 1)
    fleets.fleet("instance", NOON + 1 + KEPT)
    assert len(driver.read) == 2 * (KEPT + 1)


def test_a_fleet_in_which_much_was_written_anew_is_made_anew() -> None:
    driver = filled(MemoryDriver(), 3)
    fleets = Fleets(driver)
    written = []
    for minute in range(1, 420):
        driver.append([event("vm1", minute, minute % 7)])
        written.append(len(fleets.fleet("instance", None).starts))
    assert written != sorted(written)  # at some step it became smaller
    assert (
        fleets.fleet("instance", None)
        .table(None, None, None, "")
        .equals(Fleets(driver).fleet("instance", None).table(None, None, None, ""))
    )


def test_threads_share_an_engine_while_others_write() -> None:
    driver = filled(MemoryDriver(), 50)
    engine = Engine(driver)

    def write(number: int) -> None:
        driver.append([event(f"vm{number}", 3, "new"), event(f"new{number}", 0, "new")])

    def ask(number: int) -> object:
        return value(engine, f"vm{number % 50}", 2)

    with ThreadPoolExecutor(8) as threads:
        writing = [threads.submit(write, number) for number in range(50)]
        asked = list(threads.map(ask, range(200)))
        for each in writing:
            each.result()
    assert set(asked) == {"old"}
    assert [value(engine, f"vm{number}", 5) for number in range(50)] == ["new"] * 50
