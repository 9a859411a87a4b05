"""What is refused, by the same error from every driver; and what is odd, and is no error."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

import pytest

from timeline.drivers.conformance.history import VM, event, number
from timeline.drivers.conformance.quarantine import record
from timeline.drivers.conformance.store import OnAStore
from timeline.drivers.contract import Driver
from timeline.errors import StoreError, StoreNotFound
from timeline.model import Outcome, Resource, Scope

CALLS: dict[str, Callable[[Driver], object]] = {
    "append": lambda driver: driver.append([event(1)]),
    "events": lambda driver: list(driver.events([VM])),
    "events of several": lambda driver: list(driver.events([VM, number(1)], until=5, last_per_body=True)),
    "events of a scope": lambda driver: list(driver.events(Scope())),
    "resources": lambda driver: driver.resources(Scope()),
    "version": lambda driver: driver.version(),
    "changed": lambda driver: driver.changed("0"),
    "summary": lambda driver: driver.summary(),
    "put": lambda driver: driver.put([record("aa")]),
    "list": lambda driver: driver.list(),
    "find": lambda driver: driver.find("aa"),
    "settle": lambda driver: driver.settle("aa", Outcome.STORED, 1),
}
"""Every call that needs a store."""

NO_TEXTS = ["\ud800", "\udcff", "a\udc80b"]
"""What Python makes of bytes that are no text, in an argument or the name of a file."""

ODD_TEXTS = [
    *("%", "_", "a%", "a_", "a*", "a?", "[a]", "\\", "\\%", "'", '"', "a'--", ";", "$", "^a", ".*", "{}", "(", "\0"),
    *(" ", " a", "a ", "A", "ÿ", "é", "a\0", "a\0b", "\uffff", "😀", "\U0010ffff", "x" * 600, *NO_TEXTS),
]
"""What some store takes for a pattern, for a part of the question, or for too much."""


class Refusing(OnAStore):
    """What is asked for in vain."""

    def test_a_store_that_was_never_made_is_not_found_by_any_call(self) -> None:
        if self.made_by_opening:
            pytest.skip("a store that is there as soon as it is opened")
        with self.store() as open, closing(open()) as driver:
            for name, call in CALLS.items():
                refuses(driver, name, call, StoreNotFound)
            with closing(open()) as maker:
                maker.prepare()
            for call in CALLS.values():
                call(driver)  # the same driver, now that there is one

    def test_a_driver_that_was_never_used_can_be_closed(self) -> None:
        with self.store() as open:
            driver = open()
            driver.close()
            driver.close()

    def test_a_closed_driver_refuses_every_call(self) -> None:
        with self.two_drivers() as (driver, other):
            for call in CALLS.values():
                call(driver)
            driver.close()
            for name, call in CALLS.items():
                refuses(driver, name, call, StoreError)
            refuses(driver, "prepare", lambda driver: driver.prepare(), StoreError)
            assert list(other.events([VM])) == [event(1)]
            other.append([event(2)])

    def test_an_answer_that_outlives_its_driver_is_whole_or_refused(self) -> None:
        everybody = [number(n) for n in range(2_500)]
        with self.two_drivers() as (driver, other):
            other.append([event(1, of=one) for one in everybody])
            answer = driver.events(Scope())
            seen = [next(answer)]
            driver.close()
            try:
                seen += answer
            except StoreError:
                return
            assert [one.resource for one in seen] == everybody

    def test_preparing_again_is_harmless_for_all_who_use_the_store(self) -> None:
        with self.two_drivers() as (one, other):
            one.append([event(1)])
            one.put([record("aa")])
            token, summary = one.version(), one.summary()
            for driver in (other, one, other):
                driver.prepare()
                assert list(driver.events([VM])) == [event(1)]
                assert driver.summary() == summary
                assert not driver.changed(token)
            other.append([event(2)])
            assert list(one.events(Scope())) == [event(1), event(2)]

    def test_odd_texts_find_nothing(self) -> None:
        with self.driver() as driver:
            driver.append([event(1), event(1, of=Resource(type="a", source="b", id="c"))])
            driver.put([record("ab01"), record("ab02")])
            for text in ODD_TEXTS:
                said = repr(text[:20])
                assert list(driver.find(text)) == [], said
                for scope in (
                    Scope(id=text),
                    Scope(source=text),
                    Scope(type=text),
                    Scope(type="a", source="b", id=text),
                ):
                    assert list(driver.events(scope)) == [], said
                    assert list(driver.events(scope, until=5, last_per_body=True)) == [], said
                    assert list(driver.resources(scope)) == [], said
                for nobody in (
                    Resource(type="a", source="b", id=text),
                    Resource(type="a", source=text, id="c"),
                    Resource(type=text, source="b", id="c"),
                ):
                    assert list(driver.events([nobody])) == [], said
                    assert [one.resource for one in driver.events([nobody, VM])] == [VM], said
                driver.settle(text, Outcome.STORED, 1)
                driver.changed(text)
            assert len(driver.list()) == 2
            assert driver.summary().resources == 2

    def test_pages_go_on_after_odd_texts(self) -> None:
        there = [Resource(type="t", id=text) for text in ("a", "b", "é", "\uffff", "\U0010ffff")]
        with self.driver() as driver:
            driver.append([event(1, of=one) for one in there])
            driver.put([record(one.id) for one in there])
            for text in ODD_TEXTS:
                after = Resource(type="t", id=text)
                assert list(driver.resources(Scope(), after=after)) == [one for one in there if one > after], repr(text)
                listed = [one.id for one in driver.list(after=record(text))]
                assert listed == [one.id for one in there if one.id > text], repr(text)
            assert list(driver.resources(Scope(), after=Resource(type="s", source="\U0010ffff", id="z"))) == there
            assert list(driver.resources(Scope(), after=Resource(type="t", source="\0", id=""))) == []
            assert list(driver.resources(Scope(), after=Resource(type="u", id="a"))) == []

    def test_a_page_has_at_most_as_many_as_asked_for(self) -> None:
        with self.driver() as driver:
            driver.append([event(1, of=number(n)) for n in range(5)])
            driver.put([record(f"{n}") for n in range(5)])
            for limit in (0, 1, 2, 5, 6, 10**9, 2**31, 2**40):
                assert list(driver.resources(Scope(), limit=limit)) == [number(n) for n in range(5)][:limit]
                assert [one.id for one in driver.list(limit=limit)] == ["0", "1", "2", "3", "4"][:limit]

    def test_what_is_no_text_is_kept_in_quarantine(self) -> None:
        """The origin is a file name, which may hold any bytes; and what is wrong may quote it."""
        with self.driver() as driver:
            records = [record(f"{n:02}", n, origin=f"/feeds/{text}.jsonl:1") for n, text in enumerate(NO_TEXTS)]
            long = record("99", 99, origin="/" + "é" * 4_000, reason="a" * 200)
            driver.put([*records, long])
            assert list(driver.list()) == [*records, long]


def refuses(driver: Driver, name: str, call: Callable[[Driver], object], by: type[StoreError]) -> None:
    """Whether a call is refused by an error of this class, in words."""
    try:
        call(driver)
    except by as error:
        said = str(error)
    else:
        raise AssertionError(f"{name}: not refused")
    assert said, f"{name}: refused without a word"
