"""As known at: what was answered is answered ever after, whatever comes late, twice, or with an older record time."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import product

from timeline import clock
from timeline.drivers.conformance.history import VM, event, needed, number, wanted
from timeline.drivers.conformance.store import OnAStore
from timeline.drivers.contract import Driver
from timeline.model import Event, Phase, Resource, Scope

_OTHER = number(1)
_LEARNT = [
    event(1, "a", phase=Phase.CREATE, recorded_at=10),
    event(1, "a", of=_OTHER, recorded_at=10),
    event(5, "a", recorded_at=11),
    event(9, "b", recorded_at=12),
    event(3, "b", recorded_at=13),  # late
    event(7, "a", recorded_at=13, phase=Phase.EXISTS),
    event(4, "c", of=_OTHER, phase=Phase.DELETE, recorded_at=14),
    event(2, "c", of=_OTHER, recorded_at=15),  # late, before the delete
    event(5, "a", of=_OTHER, recorded_at=16),  # after it
    event(6, "d", of=_OTHER, phase=Phase.RESTORE, recorded_at=17),  # makes of all that was said something needed
    event(0, "d", recorded_at=18),  # before all that was known
    event(8, "a", of=number(2), recorded_at=19),  # a resource of which nothing was known
]
"""In the order in which it is learnt."""


class Knowing(OnAStore):
    """What ``known_before`` leaves."""

    def test_what_was_known_before_an_instant_is_answered_ever_after(self) -> None:
        with self.driver() as driver:
            pinned: dict[int, list[list[Event]]] = {}
            for one in _LEARNT:
                pinned.setdefault(one.recorded_at, _answers(driver, None))
                driver.append([one])
            for instant, answered in pinned.items():
                assert _answers(driver, instant) == answered, f"as known at {instant}"
            assert _answers(driver, clock.MAX) == _answers(driver, None)
            assert _answers(driver, clock.MIN) == [[]] * len(_answers(driver, None))

    def test_every_combination_of_bounds_is_right_for_every_choice(self) -> None:
        vm_alone = Scope(type=VM.type, source=VM.source, id=VM.id)
        choices: list[Scope | list[Resource]] = [Scope(), Scope(source="north"), vm_alone, [VM], [VM, _OTHER], [_OTHER]]
        with self.driver() as driver:
            driver.append(reversed(_LEARNT))
            for which, until, known_before in product(
                choices, [None, -1, 0, 3, 4, 5, 6, 9], [None, 10, 11, 13, 14, 17, 18, 99]
            ):
                answer = partial(driver.events, which, until=until, known_before=known_before)
                every = wanted(_LEARNT, until=until, known_before=known_before)
                every = [one for one in every if one.resource in which]
                asked = f"{which} until {until} as known at {known_before}"
                assert _sorted(answer()) == every, asked
                few = _sorted(answer(last_per_body=True))
                assert few == [one for one in every if one in few], asked
                assert [one for one in needed(every) if one not in few] == [], asked

    def test_a_redelivery_changes_neither_when_nor_how_an_event_was_learnt(self) -> None:
        first = event(5, recorded_at=100, message_id="first", event_type="compute.instance.exists")
        with self.two_drivers() as (one, other):
            one.append([first])
            for turn, recorded_at in enumerate((99, 101, clock.MIN, clock.MAX, 100)):
                again = event(5, recorded_at=recorded_at, message_id=f"again {turn}")
                (one, other)[turn % 2].append([again, again])
                for driver in (one, other):
                    assert list(driver.events([VM])) == [first]
                    assert list(driver.events([VM], known_before=100)) == []
                    assert list(driver.events(Scope(), known_before=101, last_per_body=True)) == [first]
                    assert driver.summary().newest_record == 100


def _answers(driver: Driver, known_before: int | None) -> list[list[Event]]:
    choices: list[Scope | list[Resource]] = [Scope(), Scope(source="north"), [VM, _OTHER], [VM], [_OTHER]]
    return [
        _sorted(driver.events(which, until=until, known_before=known_before))
        for which in choices
        for until in (None, 1, 4, 5, 8)
    ]


def _sorted(answer: Iterator[Event]) -> list[Event]:
    """The resources of a collection may come in any order; the events of each stay in theirs."""
    return sorted(answer, key=lambda one: one.resource)
