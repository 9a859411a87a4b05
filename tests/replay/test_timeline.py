"""What a timeline answers: at, between, diff, explain, and the evidence it keeps."""

from datetime import UTC, datetime

import pytest

from tests.histories import (
    Plain,
    create,
    delete,
    end,
    event,
    exists,
    line,
    plain_event,
    restore,
    start,
    timeline,
    update,
)
from timeline import clock
from timeline.errors import TimeError
from timeline.model import Existence, Phase, Resource
from timeline.replay import Explanation, Timeline

NOTHING = Timeline(Resource(type="instance", id="a"), ())

LIFE = timeline(
    [
        create(10, flavor="small", host="a"),
        update(20, flavor="large"),
        exists(25, flavor="large", host="a"),
        delete(30, flavor="large"),
        update(35, flavor="tiny"),
        restore(40),
    ]
)


def set_by(found: Explanation) -> Plain | None:
    return None if found.set_by is None else plain_event(found.set_by)


# at


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (clock.MIN, "None-10 unknown 0 {}"),
        (9, "None-10 unknown 0 {}"),
        (10, '10-20 present 1 {"flavor":"small","host":"a"}'),
        (19, '10-20 present 1 {"flavor":"small","host":"a"}'),
        (20, '20-30 present 1 {"flavor":"large","host":"a"}'),
        (29, '20-30 present 1 {"flavor":"large","host":"a"}'),
        (30, "30-40 deleted 1 {}"),
        (39, "30-40 deleted 1 {}"),
        (40, '40- present 2 {"flavor":"large","host":"a"}'),
        (clock.MAX, '40- present 2 {"flavor":"large","host":"a"}'),
    ],
)
def test_an_instant_equal_to_a_change_sees_the_new_state_and_the_one_before_it_the_old(at: int, expected: str) -> None:
    assert line(LIFE.at(at)) == expected


def test_an_instant_may_be_a_text_or_a_datetime() -> None:
    told = timeline([update(clock.parse("2026-03-01T12:00:00Z"), flavor="small")])
    for same in ("2026-03-01T12:00:00", "2026-03-01 13:00:00+01:00", datetime(2026, 3, 1, 12, tzinfo=UTC)):
        assert told.at(same).existence is Existence.PRESENT
    assert told.at("2026-03-01T11:59:59.999999Z").existence is Existence.UNKNOWN


def test_a_resource_of_which_nothing_speaks_is_unknown_for_ever() -> None:
    for at in (clock.MIN, -1, 0, 1, clock.MAX):
        assert line(NOTHING.at(at)) == "None- unknown 0 {}"


def test_times_before_1970_and_at_both_ends_are_times_like_any_other() -> None:
    told = timeline([create(clock.MIN, n=1), update(-1, n=2), update(0, n=3), delete(clock.MAX)])
    assert [line(segment).partition(" ")[0] for segment in told.segments] == [
        f"{clock.MIN}--1",
        "-1-0",
        f"0-{clock.MAX}",
        f"{clock.MAX}-",
    ]
    assert [told.at(at).fields.get("n") for at in (clock.MIN, -2, -1, 0, clock.MAX)] == [1, 1, 2, 3, None]
    assert told.between(clock.MIN, None) == told.segments


@pytest.mark.parametrize("wrong", ["", "yesterday", True, 1.5, clock.MAX + 1, clock.MIN - 1, None])
def test_what_is_no_instant_is_refused_by_every_question(wrong: object) -> None:
    with pytest.raises(TimeError):
        LIFE.at(wrong)  # type: ignore[arg-type]
    with pytest.raises(TimeError):
        LIFE.explain(wrong, "flavor")  # type: ignore[arg-type]
    with pytest.raises(TimeError):
        LIFE.diff(10, wrong)  # type: ignore[arg-type]
    with pytest.raises(TimeError):
        LIFE.diff(wrong, 10)  # type: ignore[arg-type]
    if wrong is not None:
        with pytest.raises(TimeError):
            LIFE.between(wrong, 20)  # type: ignore[arg-type]
        with pytest.raises(TimeError):
            LIFE.between(10, wrong)  # type: ignore[arg-type]


# between


def lines(told: Timeline, first: int | None, last: int | None) -> list[str]:
    return [line(segment) for segment in told.between(first, last)]


def test_a_span_begins_with_what_was_in_force_and_is_clipped_at_both_ends() -> None:
    assert lines(LIFE, 15, 22) == [
        '15-20 present 1 {"flavor":"small","host":"a"}',
        '20-22 present 1 {"flavor":"large","host":"a"}',
    ]
    assert lines(LIFE, 16, 17) == ['16-17 present 1 {"flavor":"small","host":"a"}']
    assert lines(LIFE, 39, 41) == ["39-40 deleted 1 {}", '40-41 present 2 {"flavor":"large","host":"a"}']


def test_a_span_excludes_its_end_and_includes_its_start() -> None:
    assert lines(LIFE, 10, 20) == ['10-20 present 1 {"flavor":"small","host":"a"}']
    assert lines(LIFE, 20, 30) == ['20-30 present 1 {"flavor":"large","host":"a"}']
    assert lines(LIFE, 19, 21)[0].startswith("19-20 ")
    assert lines(LIFE, 19, 21)[1].startswith("20-21 ")


def test_a_span_that_begins_before_the_first_evidence_begins_with_unknown() -> None:
    assert lines(LIFE, 0, 11) == ["0-10 unknown 0 {}", '10-11 present 1 {"flavor":"small","host":"a"}']
    assert lines(LIFE, 0, 10) == ["0-10 unknown 0 {}"]
    assert lines(LIFE, 0, 5) == ["0-5 unknown 0 {}"]


def test_no_bound_is_the_first_evidence_and_the_open_end() -> None:
    assert LIFE.between(None, None) == LIFE.segments
    assert lines(LIFE, None, 15) == ['10-15 present 1 {"flavor":"small","host":"a"}']
    assert lines(LIFE, 35, None) == ["35-40 deleted 1 {}", '40- present 2 {"flavor":"large","host":"a"}']
    assert lines(LIFE, 50, None) == ['50- present 2 {"flavor":"large","host":"a"}']
    assert lines(LIFE, 0, None)[0] == "0-10 unknown 0 {}"
    assert lines(LIFE, None, 10) == lines(LIFE, None, 5) == []


def test_an_empty_span_has_no_segments() -> None:
    assert LIFE.between(20, 20) == LIFE.between(21, 20) == ()


def test_a_span_of_a_resource_of_which_nothing_speaks_is_unknown() -> None:
    assert lines(NOTHING, 1, 2) == ["1-2 unknown 0 {}"]
    assert lines(NOTHING, 1, None) == ["1- unknown 0 {}"]
    assert lines(NOTHING, None, 2) == lines(NOTHING, None, None) == []


# diff


def test_a_diff_tells_what_changed_was_added_and_was_removed() -> None:
    told = timeline([create(1, flavor="small", host="a"), update(2, flavor="large", image="x"), delete(3), create(4)])
    found = told.diff(1, 2)
    assert (found.changed, found.added, found.removed) == ({"flavor": ("small", "large")}, {"image": "x"}, {})
    assert found.existence == (Existence.PRESENT, Existence.PRESENT)
    back = told.diff(2, 1)
    assert (back.changed, back.added, back.removed) == ({"flavor": ("large", "small")}, {}, {"image": "x"})


def test_a_diff_across_birth_and_death_adds_and_removes_all_fields() -> None:
    born, gone, again = LIFE.diff(9, 10), LIFE.diff(29, 30), LIFE.diff(30, 40)
    assert (born.added, born.existence) == ({"flavor": "small", "host": "a"}, ("unknown", "present"))
    assert (gone.removed, gone.existence) == ({"flavor": "large", "host": "a"}, ("present", "deleted"))
    assert (again.added, again.existence) == ({"flavor": "large", "host": "a"}, ("deleted", "present"))


def test_a_diff_of_an_instant_with_itself_or_of_equal_states_is_empty() -> None:
    for found in (LIFE.diff(15, 15), LIFE.diff(10, 19), LIFE.diff(20, 40), LIFE.diff(0, 5)):
        assert (found.changed, found.added, found.removed) == ({}, {}, {})


def test_a_diff_holds_apart_what_python_holds_equal_and_null_from_absent() -> None:
    told = timeline(
        [update(1, n=1), update(2, n=True), update(3, n=None), update(4, m=None), update(5, m=[1, {"a": 1}])]
    )
    assert told.diff(1, 2).changed.keys() == {"n"}
    assert repr(told.diff(1, 2).changed["n"]) == "(1, True)"
    assert told.diff(2, 3).changed == {"n": (True, None)}
    assert told.diff(3, 4).added == {"m": None}
    assert told.diff(4, 5).changed == {"m": (None, [1, {"a": 1}])}


# explain


def test_a_value_is_set_by_the_event_since_which_it_holds_without_a_break() -> None:
    told = timeline(
        [create(1, flavor="small"), update(2, flavor="large"), update(3, flavor="small"), exists(5, host="a")]
    )
    assert set_by(told.explain(1, "flavor")) == create(1, flavor="small")
    assert set_by(told.explain(2, "flavor")) == update(2, flavor="large")
    found = told.explain(9, "flavor")
    assert (found.field, found.value, set_by(found)) == ("flavor", "small", update(3, flavor="small"))
    assert (found.confirmed_by, found.last_confirmed) == (0, None)


def test_confirmations_are_counted_up_to_the_instant() -> None:
    told = timeline([create(1, n=1), exists(2, n=1), exists(3, m=1), exists(4, n=1), end(4, n=1), update(6, n=2)])
    counted = [(told.explain(at, "n").confirmed_by, told.explain(at, "n").last_confirmed) for at in range(1, 7)]
    assert counted == [(0, None), (1, 2), (1, 2), (3, 4), (3, 4), (0, None)]


def test_the_evidence_is_of_the_first_delivery() -> None:
    first = event(1, Phase.UPDATE, fields={"n": 1}, number=7)
    found = timeline([first, event(1, Phase.UPDATE, fields={"n": 1}, number=8)]).explain(1, "n")
    assert set_by(found) == first
    assert found.confirmed_by == 0


def test_a_field_that_is_null_is_explained_and_one_that_is_not_collected_has_no_value() -> None:
    told = timeline([create(1, host=None)])
    cleared, missing = told.explain(1, "host"), told.explain(1, "flavor")
    assert (cleared.collected, cleared.value, set_by(cleared)) == (True, None, create(1, host=None))
    assert (missing.collected, missing.value, missing.set_by) == (False, None, None)
    assert (missing.confirmed_by, missing.last_confirmed) == (0, None)


def test_nothing_is_collected_while_unknown_or_deleted() -> None:
    for at in (9, 30, 39):
        assert not LIFE.explain(at, "flavor").collected


def test_a_value_that_a_restore_takes_up_is_set_by_the_restore() -> None:
    assert set_by(LIFE.explain(40, "flavor")) == restore(40)
    assert LIFE.explain(40, "flavor").confirmed_by == 0
    again = timeline([create(1, n=1), delete(2), restore(3, m=1), exists(4, n=1)]).explain(4, "n")
    assert (set_by(again), again.confirmed_by, again.last_confirmed) == (restore(3, m=1), 1, 4)


def test_of_two_restores_at_one_instant_the_one_that_opened_the_life_took_the_fields_up() -> None:
    opened, second = restore(3, m=1), restore(3, version=1, n=1)
    found = timeline([create(1, n=1), delete(2), opened, second]).explain(3, "n")
    assert (set_by(found), found.confirmed_by, found.last_confirmed) == (opened, 1, 3)


def test_a_value_that_a_restore_says_itself_is_set_by_it_too() -> None:
    said = restore(3, n=2)
    assert set_by(timeline([create(1, n=1), delete(2), said]).explain(3, "n")) == said


def test_a_state_of_no_length_breaks_no_run() -> None:
    told = timeline([create(1, n=1), start(2, n=2), end(2, n=1)])
    found = told.explain(2, "n")
    assert (set_by(found), found.confirmed_by, found.last_confirmed) == (create(1, n=1), 1, 2)


def test_a_change_of_another_field_breaks_no_run() -> None:
    found = timeline([create(1, n=1, m=1), update(2, m=2)]).explain(2, "n")
    assert set_by(found) == create(1, n=1, m=1)


def test_stragglers_and_deletes_confirm_nothing() -> None:
    told = timeline([create(1, n=1), delete(3, n=1), exists(4, n=1), restore(5), exists(6, n=1)])
    assert told.explain(6, "n").confirmed_by == 1
    assert told.explain(2, "n").confirmed_by == 0


# evidence


def test_what_comes_after_a_delete_and_opens_no_life_is_flagged() -> None:
    assert [plain_event(each) for each in LIFE.posthumous] == [update(35, flavor="tiny")]
    told = timeline([exists(1), delete(2), exists(3), delete(4), update(5), create(6), update(7), delete(7), end(8)])
    assert [each.occurred_at for each in told.posthumous] == [3, 5, 8]


def test_all_events_are_kept_in_order_those_without_effect_included() -> None:
    assert [each.occurred_at for each in LIFE.events] == [10, 20, 25, 30, 35, 40]


def test_the_last_fields_of_a_deleted_resource_are_those_before_its_delete() -> None:
    assert LIFE.last_fields(LIFE.at(30)) == {"flavor": "large", "host": "a"}
    assert LIFE.last_fields(LIFE.at(29)) == LIFE.last_fields(LIFE.at(0)) == {}


def test_the_last_fields_are_the_same_of_a_segment_that_was_clipped() -> None:
    (clipped,) = LIFE.between(33, 36)
    assert LIFE.last_fields(clipped) == {"flavor": "large", "host": "a"}


def test_a_life_of_no_length_leaves_no_last_fields_and_not_those_of_another_life() -> None:
    told = timeline([create(1, n=1), delete(2), create(3, n=2), delete(3)])
    assert told.last_fields(told.at(2)) == {"n": 1}
    assert told.last_fields(told.at(3)) == {}
    first = timeline([delete(1, n=1)])
    assert first.last_fields(first.at(1)) == {}
