"""HBase is asked as seldom as the keys allow, and what it passes over is what nobody asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from tests.servers import place
from timeline import drivers
from timeline.drivers import Driver
from timeline.drivers.conformance.history import VM, event, number, wanted
from timeline.model import Phase, Resource, Scope

pytest.importorskip("happybase")
from thriftpy2.thrift import TClient

SALTS = 16


@pytest.fixture
def driver() -> Iterator[Driver]:
    with place("hbase") as url, closing(drivers.open(url)) as driver:
        driver.prepare()
        driver.version()  # the connection is open
        yield driver


@pytest.fixture
def round_trips(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], list[str]]:
    """Tells what a call asks the gateway, question by question: each is a round trip."""
    asked: list[str] = []
    question = TClient._req

    def counted(client: TClient, name: str, *arguments: object, **named: object) -> object:
        asked.append(name)
        return question(client, name, *arguments, **named)

    monkeypatch.setattr(TClient, "_req", counted)

    def of(call: Callable[[], object]) -> list[str]:
        asked.clear()
        call()
        return asked[:]

    return of


def test_the_state_at_an_instant_takes_as_many_round_trips_of_many_events_as_of_few(
    driver: Driver, round_trips: Callable[[Callable[[], object]], list[str]]
) -> None:
    def state(until: int | None, known_before: int | None) -> list[str]:
        return round_trips(
            lambda: list(driver.events([VM], until=until, known_before=known_before, last_per_body=True))
        )

    driver.append([event(at, at % 5) for at in range(10)])
    few = [state(*bounds) for bounds in ((None, None), (5, None), (8, 7))]
    driver.append([event(at, at % 5) for at in range(10, 20_000)])
    many = [state(*bounds) for bounds in ((None, None), (5_000, None), (15_000, 7_000))]
    assert few == many == [["scannerOpenWithScan", "scannerGetList", "scannerClose", "getRowsWithColumns"]] * 3
    assert len(list(driver.events([VM], until=15_000, last_per_body=True))) == 5


def test_a_timeline_takes_one_scan(driver: Driver, round_trips: Callable[[Callable[[], object]], list[str]]) -> None:
    driver.append([event(at, at % 5) for at in range(2_000)])
    asked = round_trips(lambda: list(driver.events([VM])))
    assert asked == ["scannerOpenWithScan", "scannerGetList", "scannerClose", "getRowsWithColumns"]


def test_a_fleet_is_not_asked_for_resource_by_resource(
    driver: Driver, round_trips: Callable[[Callable[[], object]], list[str]]
) -> None:
    resources = [number(n) for n in range(1_000)]
    driver.append([event(at, at % 2, of=one) for one in resources for at in range(4)])
    for ask in (
        lambda: list(driver.events(Scope(), until=2, last_per_body=True)),
        lambda: list(driver.events(Scope(source="north"))),
        lambda: list(driver.events(Scope(type="instance"), known_before=3)),
        lambda: list(driver.events(resources)),
        lambda: list(driver.events(resources[::2], last_per_body=True)),
    ):
        asked = round_trips(ask)
        # two or three pages of each salt, a few that are looked for beforehand, and the bodies
        assert asked.count("scannerOpenWithScan") <= 3 * SALTS + 4
        assert len(asked) <= 3 * (3 * SALTS + 4) + 10


def test_resources_are_listed_by_one_scan_a_page(
    driver: Driver, round_trips: Callable[[Callable[[], object]], list[str]]
) -> None:
    driver.append([event(1, of=number(n)) for n in range(2_000)])
    for ask in (
        lambda: driver.resources(Scope(), limit=1_000),
        lambda: driver.resources(Scope(type="instance"), after=number(700), limit=1_000),
        lambda: driver.resources(Scope(id=number(5).id)),
        lambda: driver.version(),
    ):
        assert round_trips(ask) == ["scannerOpenWithScan", "scannerGetList", "scannerClose"]


def test_an_append_of_what_is_known_is_six_round_trips(
    driver: Driver, round_trips: Callable[[Callable[[], object]], list[str]]
) -> None:
    driver.append([event(0, n, of=number(n)) for n in range(100)])
    asked = round_trips(lambda: driver.append([event(1, n, of=number(n)) for n in range(100)]))
    assert sorted(asked) == ["atomicIncrement"] * 2 + ["mutateRowsTs"] * 4


def test_every_byte_of_a_bound_may_stand_in_a_filter(driver: Driver) -> None:
    times = [shift + (byte << place) for place in (0, 8, 40) for byte in range(256) for shift in (0, 1)]
    history = [event(at, "same") for at in sorted(set(times))]
    driver.append(history)
    for at in sorted(set(times))[::7]:
        last = list(driver.events([VM], until=at, last_per_body=True))
        assert last == [one for one in history if one.occurred_at <= at][-1:]
        assert list(driver.events([VM], known_before=at)) == [one for one in history if one.recorded_at < at]


def test_bounds_beyond_the_first_and_the_last_instant_are_bounds(driver: Driver) -> None:
    driver.append([event(1), event(2, "large")])
    for few in (False, True):
        assert len(list(driver.events([VM], until=2**63, known_before=2**63, last_per_body=few))) == 2
        assert list(driver.events([VM], until=-(2**63), last_per_body=few)) == []
        assert list(driver.events([VM], known_before=-(2**63), last_per_body=few)) == []


def test_resources_far_apart_are_found_without_what_lies_between(driver: Driver) -> None:
    everybody = [number(n) for n in range(3_000)]
    history = [event(at, at, of=one) for one in everybody for at in range(2)]
    driver.append(history)
    for some in (everybody[::1_500], everybody[::100], everybody[10:2_990:7], [everybody[0], everybody[-1]]):
        assert list(driver.events(some)) == [one for one in wanted(history) if one.resource in set(some)]


def test_a_body_that_is_said_very_often_is_read_in_pieces(driver: Driver) -> None:
    history = [event(at, of=of) for of in (number(1), number(2)) for at in range(30_000)]
    driver.append([*history, event(7, "other", of=number(1))])
    found = list(driver.events(Scope()))
    assert len(found) == 60_001
    assert found == wanted([*history, event(7, "other", of=number(1))])


def test_a_source_alone_is_looked_for_in_each_type(driver: Driver) -> None:
    resources = [
        Resource(type=f"type{n % 30:02}", source=source, id=f"{n}") for n in range(60) for source in ("", "s", "s2")
    ]
    driver.append([event(1, of=one) for one in resources])
    expected = sorted(one for one in resources if one.source == "s")
    assert list(driver.resources(Scope(source="s"))) == expected
    assert [one.resource for one in driver.events(Scope(source="s"))] == expected
    assert list(driver.resources(Scope(source="s"), after=expected[31], limit=5)) == expected[32:37]
    assert list(driver.events(Scope(source="nobody"))) == []


def test_of_a_fleet_with_restored_resources_nothing_is_missing(driver: Driver) -> None:
    history = []
    for n in range(40):
        history += [event(1, "a", of=number(n)), event(2, of=number(n), phase=Phase.DELETE)]
        history += [event(3, "a", of=number(n)), event(4 + n % 3, of=number(n), phase=Phase.RESTORE)]
    driver.append(history)
    found = list(driver.events(Scope(), until=5, last_per_body=True))
    expected = wanted(history, until=5)
    restored = {one.resource for one in expected if one.phase is Phase.RESTORE}
    assert [one for one in found if one.resource in restored] == [one for one in expected if one.resource in restored]
