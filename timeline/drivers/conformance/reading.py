"""Reading events: bounds, choices, pages, and iterators that nobody finishes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from timeline.drivers.conformance.history import VM, event, needed, number, wanted
from timeline.drivers.conformance.store import OnAStore
from timeline.drivers.contract import Driver
from timeline.model import Event, Phase, Resource, Scope


class Reading(OnAStore):
    """What is answered."""

    def test_until_includes_its_instant(self) -> None:
        with self.driver() as driver:
            driver.append([event(at) for at in (9, 10, 11)])
            for few in (False, True):
                assert max(one.occurred_at for one in driver.events([VM], until=10, last_per_body=few)) == 10
                assert max(one.occurred_at for one in driver.events(Scope(), until=9, last_per_body=few)) == 9
                assert list(driver.events([VM], until=8, last_per_body=few)) == []

    def test_known_before_excludes_its_instant(self) -> None:
        early, bound, late = (
            event(1, "a", recorded_at=9),
            event(2, "b", recorded_at=10),
            event(0, "c", recorded_at=11),
        )
        with self.driver() as driver:
            driver.append([early, bound, late])
            for few in (False, True):
                assert list(driver.events([VM], known_before=9, last_per_body=few)) == []
                assert list(driver.events([VM], known_before=10, last_per_body=few)) == [early]
                assert list(driver.events(Scope(), known_before=11, last_per_body=few)) == [early, bound]

    def test_the_last_of_a_body_is_taken_after_both_bounds(self) -> None:
        history = [event(1, recorded_at=1), event(2, recorded_at=9), event(3, recorded_at=3), event(4, recorded_at=4)]
        with self.driver() as driver:
            driver.append(history)
            chosen = list(driver.events([VM], until=3, known_before=3, last_per_body=True))
            assert history[0] in chosen
            assert [one for one in chosen if one not in history[:1]] == []
            assert history[2] in list(driver.events([VM], until=3, known_before=4, last_per_body=True))
            assert history[2] not in list(driver.events([VM], until=3, known_before=3, last_per_body=True))

    def test_of_a_body_every_bound_of_a_life_is_kept_and_of_the_rest_the_last(self) -> None:
        bounds = [Phase.CREATE, Phase.DELETE, Phase.CREATE, Phase.DELETE, Phase.CREATE]
        history = [event(at, phase=phase) for at, phase in enumerate(bounds)]
        history += [event(at, phase=phase) for at in (1, 3, 5) for phase in (Phase.UPDATE, Phase.EXISTS)]
        with self.driver() as driver:
            driver.append(history)
            _gives_what_is_needed(driver, history)

    def test_of_a_restored_resource_everything_is_kept(self) -> None:
        history = [event(1, "a"), event(2, phase=Phase.DELETE), event(3, "a"), event(4, phase=Phase.RESTORE)]
        others = [event(at, of=number(1)) for at in (1, 2)]
        with self.driver() as driver:
            driver.append(others + history)
            _gives_what_is_needed(driver, history)
            assert list(driver.events([VM], last_per_body=True)) == history
            assert event(3, "a") in list(driver.events([VM], until=3, last_per_body=True))

    def test_the_last_of_a_body_is_by_time_and_then_by_phase(self) -> None:
        last = event(5, phase=Phase.END)
        with self.driver() as driver:
            driver.append([last, event(5, phase=Phase.EXISTS), event(4, phase=Phase.REPAIR)])
            assert list(driver.events([VM], last_per_body=True))[-1] == last

    def test_a_scope_chooses_by_type_source_and_id(self) -> None:
        resources = [
            Resource(type=type, source=source, id=id)
            for type in ("image", "instance", "volume")
            for source in ("", "north")
            for id in ("a", "b")
        ]
        history = [event(1, of=resource) for resource in reversed(resources)]
        with self.driver() as driver:
            driver.append(history)
            for type in (None, "instance", "nothing"):
                for source in (None, "", "north"):
                    for id in (None, "b"):
                        scope = Scope(type=type, source=source, id=id)
                        expected = [resource for resource in resources if resource in scope]
                        assert [one.resource for one in driver.events(scope)] == expected
                        assert [one.resource for one in driver.events(scope, last_per_body=True)] == expected
                        assert list(driver.resources(scope)) == expected

    def test_a_collection_gives_each_resource_once_and_in_one_piece(self) -> None:
        history = [event(at, of=number(n)) for at in (1, 2) for n in range(700)]
        asked = [number(n) for n in range(1, 800, 2)]
        with self.driver() as driver:
            driver.append(history)
            found = list(driver.events([*asked, *asked[:5]]))
            found.sort(key=lambda one: one.resource)  # stable: the events of each stay in the order they came in
            assert found == [one for one in wanted(history) if one.resource in asked]
            assert [one.occurred_at for one in found] == [1, 2] * 350
            assert list(driver.events([])) == []
            assert list(driver.events([Resource(type="instance", id="nobody")])) == []
            assert [one.resource for one in driver.events({number(3)})] == [number(3)] * 2

    def test_resources_come_in_pages_and_in_order(self) -> None:
        with self.driver() as driver:
            driver.append([event(1, of=number(n)) for n in (5, 3, 9, 1, 7)])
            driver.append([event(2, of=number(5)), event(1, of=Resource(type="volume", id="v"))])
            assert list(driver.resources(Scope(type="instance"), limit=2)) == [number(1), number(3)]
            page = driver.resources(Scope(type="instance"), after=number(3), limit=2)
            assert list(page) == [number(5), number(7)]
            assert list(driver.resources(Scope(), after=number(4), limit=9))[:2] == [number(5), number(7)]
            assert list(driver.resources(Scope(), after=number(9))) == [Resource(type="volume", id="v")]
            assert list(driver.resources(Scope(source="north"), after=number(9))) == []
            assert list(driver.resources(Scope(type="image"))) == []

    def test_an_abandoned_iterator_holds_nothing_up(self) -> None:
        with self.driver() as driver:
            driver.append([event(at, of=number(n)) for n in range(300) for at in (1, 2)])
            choices: list[Scope | list[Resource]] = [Scope(), [number(n) for n in range(300)], [number(7)]]
            for turn, which in enumerate(choices):
                abandoned = driver.events(which)
                next(abandoned)
                driver.append([event(4, turn, of=number(8))])
                del abandoned
                driver.append([event(3, of=number(7)), event(5, turn, of=number(8))])
            never_begun = driver.events(Scope())
            assert list(driver.events([number(7)]))[-1].occurred_at == 3
            del never_begun

    def test_the_store_can_be_written_while_it_is_read(self) -> None:
        with self.driver() as driver:
            driver.append([event(1, of=number(n)) for n in range(50)])
            for one in driver.events(Scope()):
                driver.append([event(2, of=one.resource), event(1, of=Resource(type="z", id=one.resource.id))])
                assert [own.occurred_at for own in driver.events([one.resource])] == [1, 2]
            added = driver.summary().events
            assert added == 150 if self.transactions else 150 <= added <= 200  # what was added may have been read too

    def test_an_answer_holds_all_that_was_there_when_it_began(self) -> None:
        everybody = [number(n) for n in range(2_500)]
        with self.two_drivers() as (reader, writer):
            writer.append([event(1, of=resource) for resource in everybody])
            choices: list[tuple[Scope | list[Resource], list[Resource]]] = [
                (Scope(), everybody),
                (Scope(source="north"), everybody),
                (everybody[:100], everybody[:100]),
            ]
            for turn, (which, asked) in enumerate(choices):
                answer = reader.events(which)
                seen = [next(answer)]
                writer.append([event(2 + turn, of=resource) for resource in everybody[::3]])
                seen += answer
                assert [one.resource for one in seen if one.occurred_at == 1] == asked

    def test_an_answer_shows_one_moment(self) -> None:
        if not self.transactions:
            pytest.skip("a store without transactions")
        everybody = [number(n) for n in range(2_500)]
        with self.two_drivers() as (reader, writer):
            writer.append([event(1, of=resource) for resource in everybody])
            answers: list[tuple[int, int, Iterator[Event]]] = [
                (2, 2_500, reader.events(Scope())),
                (3, 100, reader.events(everybody[:100])),
            ]
            for newest, asked, answer in answers:
                seen = [next(answer)]
                writer.append([event(newest, of=resource) for resource in everybody])
                seen += answer
                assert len(seen) % asked == 0, "some have what was added meanwhile, and some have not"
                assert [one.occurred_at for one in reader.events([everybody[0]])] == list(range(1, newest + 1))

    def test_many_iterators_can_be_open(self) -> None:
        with self.driver() as driver:
            driver.append([event(at, of=number(n)) for n in range(3) for at in range(5)])
            expected = list(driver.events(Scope()))
            answers = [driver.events(Scope()) for _ in range(40)]
            assert [list(row) for row in zip(*answers, strict=True)] == [[one] * 40 for one in expected]

    def test_closing_twice_is_harmless(self) -> None:
        with self.driver() as driver:
            driver.append([event(1)])
            list(driver.events(Scope()))
            driver.close()
            driver.close()


def _gives_what_is_needed(driver: Driver, history: Sequence[Event]) -> None:
    every = wanted(history)
    assert list(driver.events([VM])) == every
    for which in ([VM], Scope(type=VM.type, source=VM.source)):
        chosen = list(driver.events(which, last_per_body=True))
        assert chosen == [one for one in every if one in chosen]
        assert [one for one in needed(every) if one not in chosen] == []
