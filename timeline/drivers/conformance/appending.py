"""Storing events: late, twice, at once, halfway."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, permutations

from hypothesis import HealthCheck, given, settings

from timeline.drivers.conformance.history import (
    BOUNDS,
    HISTORIES,
    UPDATED,
    VM,
    event,
    in_source,
    needed,
    number,
    wanted,
)
from timeline.drivers.conformance.store import OnAStore
from timeline.model import Event, Phase, Scope, limits


class Appending(OnAStore):
    """What is stored, and how often."""

    def test_a_late_event_stands_where_it_happened(self) -> None:
        with self.driver() as driver:
            driver.append([event(1, "small"), event(3, "small")])
            driver.append([event(2, "large", recorded_at=9)])
            assert [one.occurred_at for one in driver.events([VM])] == [1, 2, 3]

    def test_of_a_duplicate_the_provenance_of_the_first_delivery_stays(self) -> None:
        first = event(1, recorded_at=5, event_type=UPDATED, message_id="first")
        again = event(1, recorded_at=3, event_type="compute.instance.exists", message_id="again")
        assert first.key == again.key
        with self.driver() as driver:
            driver.append([first])
            driver.append([again])
            assert list(driver.events([VM])) == [first]

    def test_of_a_duplicate_within_one_call_the_first_given_stays(self) -> None:
        first, again = event(1, recorded_at=5, message_id="z"), event(1, recorded_at=3, message_id="a")
        with self.driver() as driver:
            driver.append([event(2), first, event(0), again])
            assert list(driver.events([VM])) == [event(0), first, event(2)]

    def test_simultaneous_events_come_in_the_order_of_the_model(self) -> None:
        at_once = [
            event(7, "z", phase=Phase.START),
            event(7, "a", phase=Phase.UPDATE, version=2),
            event(7, "a", phase=Phase.UPDATE, version=10),
            event(7, "z", phase=Phase.UPDATE, version=10),
            event(7, "a", phase=Phase.DELETE),
        ]
        with self.driver() as driver:
            for n, arrival in enumerate(permutations(at_once)):
                given = in_source(str(n), [arrival])[0]
                driver.append(given[:2])
                driver.append(given[2:])
                assert list(driver.events(Scope(source=str(n)))) == wanted(given)

    def test_the_key_is_resource_time_phase_and_body(self) -> None:
        apart = [
            event(1, "small"),
            event(2, "small"),
            event(1, "large"),
            event(1, "small", version=1),
            event(1, "small", phase=Phase.END),
            event(1, "small", of=number(1)),
        ]
        with self.driver() as driver:
            driver.append(apart)
            assert list(driver.events(Scope())) == wanted(apart)

    def test_an_append_that_fails_halfway_stores_nothing(self) -> None:
        def broken() -> Iterator[Event]:
            yield event(1, message_id="of the broken")
            yield event(2)
            raise RuntimeError("the source broke off")

        with self.driver() as driver:
            driver.append([event(0)])
            try:
                driver.append(broken())
            except RuntimeError:
                pass
            else:
                raise AssertionError("the error of the iterable was swallowed")
            stored = list(driver.events([VM]))
            if self.transactions:
                assert stored == [event(0)]
            else:
                assert stored == [event(0), event(1, message_id="of the broken"), event(2)][: len(stored)]
            driver.append([event(1, message_id="sent again"), event(2)])
            first = "sent again" if len(stored) == 1 else "of the broken"
            assert [one.message_id for one in driver.events([VM])] == [None, first, None]

    def test_sending_everything_again_changes_nothing(self) -> None:
        history = [event(at, ["small", "large"][at % 2], of=number(at % 3)) for at in range(30)]
        with self.driver() as driver:
            driver.append(history)
            before = list(driver.events(Scope()))
            driver.append(reversed(history))
            driver.append(history[10:20])
            assert list(driver.events(Scope())) == before == wanted(history)

    def test_what_was_appended_is_there_after_closing_and_opening_again(self) -> None:
        with self.store() as open:
            first = open()
            first.prepare()
            first.append([event(1), event(2, "large")])
            first.close()
            again = open()
            assert list(again.events([VM])) == [event(1), event(2, "large")]
            again.append([event(2, "large"), event(3)])
            assert [one.occurred_at for one in again.events([VM])] == [1, 2, 3]
            again.close()

    def test_preparing_again_changes_nothing(self) -> None:
        with self.driver() as driver:
            driver.append([event(1)])
            driver.prepare()
            assert list(driver.events([VM])) == [event(1)]

    def test_nothing_can_be_appended(self) -> None:
        with self.driver() as driver:
            counts = driver.append([])
            assert counts.events in (0, None)
            assert list(driver.events(Scope())) == []

    def test_the_counts_are_right_where_they_are_told(self) -> None:
        with self.driver() as driver:
            first = driver.append(iter([event(1), event(2), event(2), event(1, "large", of=number(1))]))
            assert first.events in (3, None)
            assert first.bodies in (2, None)
            assert first.duplicates in (1, None)
            second = driver.append(
                [event(1), event(5, "large"), event(5, "huge"), event(6, "huge", phase=Phase.DELETE)]
            )
            assert second.events in (3, None)
            assert second.bodies in (1, None)
            assert second.duplicates in (1, None)

    def test_the_version_changes_with_every_append_that_adds(self) -> None:
        with self.two_drivers() as (one, other):
            versions = [one.version()]
            late = [event(9, recorded_at=9), event(3, recorded_at=3), event(3, "large", recorded_at=1)]
            for driver, added in zip((one, other, one), late, strict=True):
                driver.append([added])
                assert one.version() == other.version()
                versions.append(other.version())
            assert len(set(versions)) == 4

    def test_the_summary_counts_what_is_there(self) -> None:
        with self.driver() as driver:
            empty = driver.summary()
            assert (empty.resources, empty.events, empty.bodies) == (0, 0, 0)
            assert (empty.first_event, empty.last_event, empty.newest_record) == (None, None, None)
            assert (empty.quarantined, empty.many_bodies) == ({}, [])
            driver.append([event(-5, recorded_at=8), event(5, recorded_at=7), event(5, "large", of=number(1))])
            full = driver.summary()
            assert (full.resources, full.events, full.bodies) == (2, 3, 2)
            assert (full.first_event, full.last_event, full.newest_record) == (-5, 5, 8)

    def test_resources_with_very_many_bodies_are_named(self) -> None:
        most, many, few = number(1), number(2), number(3)
        with self.driver() as driver:
            for resource, bodies in ((few, limits.MANY_BODIES), (many, limits.MANY_BODIES + 1)):
                driver.append([event(at, at, of=resource) for at in range(bodies)])
            driver.append([event(at, at, of=most, phase=Phase.END) for at in range(limits.MANY_BODIES + 5)])
            driver.append([event(at, at, of=few, phase=Phase.CREATE) for at in range(3)])
            expected = [(most, limits.MANY_BODIES + 5), (many, limits.MANY_BODIES + 1)]
            assert driver.summary().many_bodies == expected

    def test_every_history_is_given_back_whole_and_in_order(self) -> None:
        sources = count()
        with self.driver() as driver:

            @settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
            @given(HISTORIES, BOUNDS, BOUNDS)
            def holds(batches: list[list[Event]], until: int | None, known_before: int | None) -> None:
                source = str(next(sources))
                batches = in_source(source, batches)
                for batch in batches:
                    driver.append(batch)
                given = [one for batch in batches for one in batch]
                every = list(driver.events(Scope(source=source), until=until, known_before=known_before))
                assert every == wanted(given, until=until, known_before=known_before)
                few = list(
                    driver.events(Scope(source=source), until=until, known_before=known_before, last_per_body=True)
                )
                assert few == [one for one in every if one in few], "more than there is, or out of order"
                assert [one for one in needed(every) if one not in few] == []
                for resource in {one.resource for one in given}:
                    alone = driver.events([resource], until=until, known_before=known_before, last_per_body=True)
                    assert list(alone) == [one for one in few if one.resource == resource]

            holds()
