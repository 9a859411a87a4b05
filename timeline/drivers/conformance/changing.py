"""What has changed since: never less than what was added."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count, groupby
from threading import Barrier

from hypothesis import HealthCheck, given, settings

from timeline.drivers.conformance.history import HISTORIES, VM, event, in_source, number, wanted
from timeline.drivers.conformance.store import OnAStore
from timeline.drivers.contract import Driver
from timeline.model import Event, Phase, Resource, Scope


class Changing(OnAStore):
    """What is told to those who keep what they have read. A store that cannot tell says ``None``, and is believed."""

    def test_where_nothing_is_new_nothing_has_changed(self) -> None:
        with self.two_drivers() as (one, other):
            assert not one.changed(one.version())
            one.append([event(1), event(1, of=number(1))])
            for driver in (one, other):
                assert not driver.changed(driver.version())
                assert not driver.changed(one.version())

    def test_a_resource_with_a_new_event_is_named_whoever_added_it(self) -> None:
        with self.two_drivers() as (one, other):
            one.append([event(1, of=number(n)) for n in range(5)])
            for turn, writer in enumerate((one, other, other, one)):
                before = other.version()
                writer.append([event(9, turn, of=number(turn))])
                for reader in (one, other):
                    assert reader.version() != before
                    _names(reader, before, [number(turn)])

    def test_a_resource_is_named_with_its_first_event(self) -> None:
        with self.driver() as driver:
            empty = driver.version()
            driver.append([event(1)])
            _names(driver, empty, [VM])
            one = driver.version()
            driver.append([event(1, of=number(1))])
            _names(driver, one, [number(1)])
            _names(driver, empty, [VM, number(1)])

    def test_a_repeat_is_a_change(self) -> None:
        with self.driver() as driver:
            driver.append([event(1), event(1, of=number(1))])
            for repeat in (event(2), event(2, phase=Phase.EXISTS), event(0)):
                before = driver.version()
                driver.append([repeat])
                assert driver.version() != before
                _names(driver, before, [VM])

    def test_a_late_event_is_a_change_whenever_it_happened_and_was_recorded(self) -> None:
        with self.driver() as driver:
            driver.append([event(9, recorded_at=9), event(9, recorded_at=9, of=number(1))])
            for late in (event(3, "b", recorded_at=9), event(9, "c", recorded_at=3), event(-7, "d", recorded_at=-7)):
                before = driver.version()
                driver.append([late])
                _names(driver, before, [VM])

    def test_duplicates_alone_are_no_change(self) -> None:
        history = [event(at, of=number(at % 3)) for at in range(9)]
        with self.two_drivers() as (one, other):
            one.append(history)
            before = one.version()
            for driver, again in ((one, history), (other, history[3:5]), (other, [history[0]] * 2), (one, [])):
                if driver.append(again).events == 0:  # otherwise the store cannot tell
                    assert one.version() == other.version() == before
                    assert not driver.changed(before)

    def test_each_token_tells_what_came_after_it(self) -> None:
        with self.two_drivers() as (one, other):
            tokens = [one.version()]
            for n in range(12):
                (one, other)[n % 2].append([event(1, of=number(n)), event(n, of=VM), event(1, of=number(0))])
                tokens.append(one.version())
            for n, token in enumerate(tokens[:-1]):
                for driver in (one, other):
                    _names(driver, token, [VM, *(number(later) for later in range(n, 12))])
            assert not one.changed(tokens[-1])

    def test_a_token_that_the_store_never_gave_is_not_known(self) -> None:
        with self.driver() as driver, self.driver() as another:
            for store in (driver, another):
                for n in range(3):
                    store.append([event(n, of=number(n))])
            token = driver.version()
            tokens = [another.version(), "", " ", "x", "-1", "1e3", "٣", "9" * 30, "9" * 5_000, "0" * 16, "é", "\0"]
            tokens += [token + end for end in ("0", " ", ",", ".", "," + token, "\n")]
            for unknown in tokens:
                assert driver.changed(unknown) is None, unknown

    def test_what_was_not_to_be_seen_with_the_token_has_changed_since(self) -> None:
        """An append that began before the token was read, and was over after it."""
        tokens: list[str] = []

        def slow() -> Iterator[Event]:
            yield event(1)
            tokens.append(reader.version())
            yield event(1, of=number(1))

        with self.two_drivers() as (writer, reader):
            writer.append([event(0, of=number(2))])
            writer.append(slow())
            _names(reader, tokens[0], [VM, number(1)])

    def test_what_comes_between_the_token_and_the_events_is_seen_the_next_time(self) -> None:
        with self.two_drivers() as (reader, writer):
            writer.append([event(1, of=number(n)) for n in range(3)])
            token = reader.version()
            writer.append([event(2, of=number(1))])
            list(reader.events(Scope()))
            _names(reader, token, [number(1)])

    def test_very_many_resources_are_all_named(self) -> None:
        everybody = [number(n) for n in range(3_000)]
        with self.driver() as driver:
            before = driver.version()
            for first in range(0, 3_000, 600):
                driver.append([event(1, of=one) for one in everybody[first : first + 600]])
            _names(driver, before, everybody)
            middle = driver.version()
            driver.append([event(2, of=one) for one in everybody[::-2]])
            _names(driver, middle, everybody[::-2])

    def test_what_has_changed_is_known_after_closing_and_opening_again(self) -> None:
        with self.store() as open:
            first = open()
            first.prepare()
            first.append([event(1)])
            token = first.version()
            first.append([event(1, of=number(1))])
            first.close()
            again = open()
            _names(again, token, [number(1)])
            again.append([event(1, of=number(2))])
            _names(again, token, [number(1), number(2)])
            again.close()

    def test_a_copy_that_is_kept_so_holds_what_the_store_holds(self) -> None:
        sources = count()
        with self.two_drivers() as (one, other):

            @settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
            @given(HISTORIES)
            def holds(batches: list[list[Event]]) -> None:
                source = str(next(sources))
                batches = in_source(source, batches)
                copy = Copy(one)
                for turn, batch in enumerate(batches):
                    (one, other)[turn % 2].append(batch)
                    if turn != 1:
                        copy.refresh()
                copy.refresh()
                assert copy.events(Scope(source=source)) == wanted(one for batch in batches for one in batch)

            holds()

    def test_a_copy_that_is_kept_so_misses_nothing_of_many_writers(self) -> None:
        history = [event(at, at // 30, of=number(at % 10)) for at in range(300)]
        with self.two_drivers() as (one, other), ThreadPoolExecutor() as pool:
            together = Barrier(3)

            def write(driver: Driver, own: Iterable[Event]) -> None:
                together.wait()
                for added in own:
                    driver.append([added])

            copy = Copy(one)
            copy.refresh()
            done = [pool.submit(write, driver, history[first::3]) for first, driver in enumerate((one, other, other))]
            while not all(each.done() for each in done):
                copy.refresh()
            for each in done:
                each.result()
            copy.refresh()
            assert copy.events(Scope()) == wanted(history)


class Copy:
    """The events of a store as they were read, by the rule: the token, then the events, of what has changed since."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._token: str | None = None
        self._events: dict[Resource, list[Event]] = {}

    def refresh(self) -> None:
        """Read again what has changed."""
        token = self._driver.version()
        if token == self._token:
            return
        which: Scope | Collection[Resource] | None = None
        if self._token is not None:
            which = self._driver.changed(self._token)
        self._token = token
        read = self._driver.events(Scope() if which is None else which)
        self._events.update((resource, list(events)) for resource, events in groupby(read, key=_resource))

    def events(self, scope: Scope) -> list[Event]:
        """Those of a scope, in order."""
        return [one for resource in sorted(self._events) if resource in scope for one in self._events[resource]]


def _resource(one: Event) -> Resource:
    return one.resource


def _names(driver: Driver, since: str, added: Collection[Resource]) -> None:
    changed = driver.changed(since)
    assert changed is None or set(added) <= set(changed)
