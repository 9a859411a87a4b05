"""The rules of the fold, one by one, each in the smallest history that shows it."""

from itertools import permutations
from typing import Any

import pytest

from tests.histories import (
    Plain,
    create,
    delete,
    end,
    error,
    event,
    exists,
    line,
    repair,
    restore,
    start,
    timeline,
    update,
)
from timeline.model import Phase


def told(*events: Plain) -> list[str]:
    """The segments that events make, however they arrive: all orders are tried."""
    (first, *others) = {tuple(map(line, timeline(list(order)).segments)) for order in permutations(events)}
    assert not others
    return list(first)


SMALL, LARGE = {"flavor": "small"}, {"flavor": "large"}
"""Of the bodies that say only this, that of the small flavor has the greater digest."""


# Repeats and late events


def test_a_late_event_between_two_equal_ones_ends_where_the_second_says_otherwise() -> None:
    a, b, c = update(1, **SMALL), update(2, **LARGE), update(3, **SMALL)
    assert told(a, c, b) == [
        '1-2 present 1 {"flavor":"small"}',
        '2-3 present 1 {"flavor":"large"}',
        '3- present 1 {"flavor":"small"}',
    ]


def test_a_late_event_in_a_run_of_confirmations_ends_at_the_next_of_them() -> None:
    a, b, c, d = update(1, **SMALL), update(2, **LARGE), exists(3, **SMALL), exists(4, **SMALL)
    assert told(a, c, d, b) == [
        '1-2 present 1 {"flavor":"small"}',
        '2-3 present 1 {"flavor":"large"}',
        '3- present 1 {"flavor":"small"}',
    ]


def test_a_repeat_makes_no_boundary() -> None:
    assert told(create(1, **SMALL), exists(2, **SMALL), exists(3, **SMALL), end(3, **SMALL)) == [
        '1- present 1 {"flavor":"small"}'
    ]


def test_a_duplicate_with_another_message_id_makes_no_boundary_and_no_second_event() -> None:
    again = {**update(1, **SMALL), "message_id": "another", "recorded_at": 2_000, "event_type": "another"}
    assert told(update(1, **SMALL), again) == ['1- present 1 {"flavor":"small"}']
    assert len(timeline([update(1, **SMALL), again]).events) == 1


def test_what_is_older_than_the_newest_counts() -> None:
    assert told(update(2, **SMALL), update(1, **LARGE)) == [
        '1-2 present 1 {"flavor":"large"}',
        '2- present 1 {"flavor":"small"}',
    ]


# What a message says


def test_a_field_that_is_not_mentioned_keeps_what_it_had() -> None:
    assert told(update(1, flavor="small", host="a"), update(2, flavor="large"), update(3, host="b")) == [
        '1-2 present 1 {"flavor":"small","host":"a"}',
        '2-3 present 1 {"flavor":"large","host":"a"}',
        '3- present 1 {"flavor":"large","host":"b"}',
    ]


def test_an_event_that_speaks_of_no_field_is_evidence_that_the_resource_is_there() -> None:
    assert told(update(1)) == ["1- present 1 {}"]


def test_absent_null_and_the_empty_text_are_three_answers() -> None:
    assert told(update(1), update(2, host=None), update(3, host=""), update(4, host=None)) == [
        "1-2 present 1 {}",
        '2-3 present 1 {"host":null}',
        '3-4 present 1 {"host":""}',
        '4- present 1 {"host":null}',
    ]


def test_a_map_is_replaced_whole_so_that_a_tag_that_is_gone_is_gone() -> None:
    assert told(update(1, metadata={"a": 1, "b": 2}), update(2, metadata={"a": 1}), update(3, metadata={})) == [
        '1-2 present 1 {"metadata":{"a":1,"b":2}}',
        '2-3 present 1 {"metadata":{"a":1}}',
        '3- present 1 {"metadata":{}}',
    ]


def test_a_list_is_replaced_whole_and_its_order_counts() -> None:
    assert told(update(1, ips=["a", "b"]), update(2, ips=["b", "a"]), update(3, ips=["b"])) == [
        '1-2 present 1 {"ips":["a","b"]}',
        '2-3 present 1 {"ips":["b","a"]}',
        '3- present 1 {"ips":["b"]}',
    ]


@pytest.mark.parametrize(
    "spellings",
    [(1, 1.0, True, "1"), (0, 0.0, False, "0", "", None), ([1], [1.0], [True], ["1"]), ({"n": 1}, {"n": 1.0})],
)
def test_values_that_are_equal_to_python_but_spelled_otherwise_are_changes(spellings: tuple[Any, ...]) -> None:
    found = told(*(update(at, vcpus=value) for at, value in enumerate(spellings)))
    assert len(found) == len(set(found)) == len(spellings)


def test_values_that_are_spelled_alike_are_no_change() -> None:
    assert len(told(update(1, n=0.0), update(2, n=-0.0))) == 1
    assert len(told(update(1, m={"a": 1, "b": [{}]}), update(2, m={"b": [{}], "a": 1}))) == 1


# The order within an instant


def test_the_phase_orders_what_happens_at_one_instant() -> None:
    saying = [create, restore, start, exists, update, end, error, repair]
    for number, say in enumerate(saying[1:], 1):
        values = [f"{later}" for later in range(number + 1)]
        events = [before(5, flavor=value) for before, value in zip([*saying[:number], say], values, strict=True)]
        # all orders of eight are many
        found = [line(segment) for segment in timeline(events[::-1]).segments]
        assert found == [f'5- present 1 {{"flavor":"{number}"}}']


def test_a_start_tells_the_state_before_and_an_end_at_the_same_instant_the_state_after() -> None:
    assert told(start(5, **LARGE), end(5, **SMALL)) == ['5- present 1 {"flavor":"small"}']
    assert told(start(5, **SMALL), end(5, **LARGE)) == ['5- present 1 {"flavor":"large"}']


def test_a_state_of_no_length_is_evidence_and_no_segment() -> None:
    assert told(update(1, **SMALL), start(5, **LARGE), end(5, **SMALL)) == ['1- present 1 {"flavor":"small"}']
    assert told(create(1, **SMALL), update(1, **LARGE), delete(1)) == ["1- deleted 1 {}"]


def test_a_higher_version_overrules_at_one_time_and_phase() -> None:
    # by their digests the small one would win
    assert told(update(1, **SMALL), update(1, version=1, **LARGE)) == ['1- present 1 {"flavor":"large"}']


def test_a_higher_version_clears_a_field_by_null_and_keeps_what_it_does_not_mention() -> None:
    assert told(update(1, flavor="small", host="a"), update(1, version=1, host=None)) == [
        '1- present 1 {"flavor":"small","host":null}'
    ]


def test_a_higher_version_decides_neither_over_a_later_time_nor_over_a_later_phase() -> None:
    assert told(update(1, version=9, **LARGE), update(2, **SMALL))[-1] == '2- present 1 {"flavor":"small"}'
    assert told(update(1, version=9, **LARGE), end(1, **SMALL)) == ['1- present 1 {"flavor":"small"}']


# Ambiguity


def test_two_values_of_one_instant_phase_and_version_are_ambiguous_and_the_greater_digest_shows() -> None:
    assert told(update(1, **LARGE), update(1, **SMALL)) == ['1- present 1 {"flavor":"small"} ambiguous flavor']


def test_two_that_say_the_same_of_a_field_leave_it_unambiguous() -> None:
    assert told(update(1, flavor="small", host="a"), update(1, flavor="small", host="b")) == [
        '1- present 1 {"flavor":"small","host":"a"} ambiguous host'
    ]
    assert told(update(1, flavor="small", host="a"), update(1, **SMALL)) == [
        '1- present 1 {"flavor":"small","host":"a"}'
    ]


def test_of_three_the_first_and_last_of_which_agree_the_field_is_still_ambiguous() -> None:
    # in the order of their digests: large (2a...), small (6d...), large (ec...)
    three = update(1, **LARGE), update(1, **SMALL), update(1, flavor="large", host="a")
    assert told(*three) == ['1- present 1 {"flavor":"large","host":"a"} ambiguous flavor']


def test_ambiguous_fields_are_listed_in_their_order() -> None:
    (found,) = timeline([update(1, b=1, a=1, c=1), update(1, b=2, a=2, c=1)]).segments
    assert found.ambiguous == ("a", "b")


def test_values_that_python_holds_equal_are_ambiguous() -> None:
    (found,) = timeline([update(1, vcpus=1), update(1, vcpus=True)]).segments
    assert found.ambiguous == ("vcpus",)


@pytest.mark.parametrize("settling", [update(2, **SMALL), end(1, **SMALL), update(1, version=1, **SMALL)])
def test_whatever_speaks_of_the_field_later_settles_it_be_it_with_the_same_value(settling: Plain) -> None:
    found = told(update(1, **LARGE), update(1, **SMALL), settling)
    assert found[-1] == f'{settling["occurred_at"]}- present 1 {{"flavor":"small"}}'


def test_what_speaks_of_another_field_settles_nothing() -> None:
    found = told(update(1, **LARGE), update(1, **SMALL), update(2, host="a"))
    assert found[-1] == '2- present 1 {"flavor":"small","host":"a"} ambiguous flavor'


def test_what_was_ambiguous_becomes_so_again() -> None:
    found = told(update(1, **LARGE), update(1, **SMALL), update(2, **SMALL), update(3, **SMALL), update(3, **LARGE))
    assert [segment.endswith("ambiguous flavor") for segment in found] == [True, False, True]


def test_different_phases_at_one_instant_are_in_order_and_not_ambiguous() -> None:
    assert told(update(1, **LARGE), exists(1, **SMALL)) == ['1- present 1 {"flavor":"large"}']


# Lives


def test_the_first_event_opens_the_first_life_and_tells_how_it_was_born() -> None:
    for say, born in ((create, "create"), (restore, "restore"), (exists, "unseen"), (delete, "unseen")):
        (found,) = timeline([say(1)]).segments
        assert (found.life, found.born) == (1, born)


def test_no_event_makes_no_segment() -> None:
    assert timeline([update(1)]).segments != ()
    assert type(timeline([update(1)]))(timeline([update(1)]).resource, ()).segments == ()


def test_a_delete_that_comes_first_ends_the_first_life_which_has_no_length() -> None:
    assert told(delete(1), create(2, **SMALL)) == ["1-2 deleted 1 {}", '2- present 2 {"flavor":"small"}']
    assert told(delete(1), update(2, **SMALL)) == ["1- deleted 1 {}"]


def test_a_deleted_resource_has_no_fields_and_what_the_delete_says_changes_nothing() -> None:
    assert told(create(1, **SMALL), delete(2, **LARGE)) == [
        '1-2 present 1 {"flavor":"small"}',
        "2- deleted 1 {}",
    ]
    assert told(update(1, **SMALL), delete(2, **LARGE), restore(3))[-1] == '3- present 2 {"flavor":"small"}'


def test_a_second_delete_changes_nothing() -> None:
    assert told(create(1), delete(2), delete(3), delete(2, **SMALL)) == ["1-2 present 1 {}", "2- deleted 1 {}"]


def test_a_straggler_after_the_delete_revives_nothing() -> None:
    for say in (start, exists, update, end, error, repair):
        assert told(update(1, **SMALL), delete(2), say(3, **LARGE))[-1] == "2- deleted 1 {}"


def test_a_build_that_fails_or_ends_after_the_delete_revives_nothing() -> None:
    failed = {**error(3, **LARGE), "event_type": "compute.instance.create.error"}
    ended = {**end(3, **LARGE), "event_type": "compute.instance.create.end"}
    assert told(create(1, **SMALL), delete(2), failed, ended)[-1] == "2- deleted 1 {}"


def test_at_one_instant_the_delete_comes_last_and_genesis_first() -> None:
    assert told(update(1, **SMALL), delete(5), repair(5, **LARGE)) == [
        '1-5 present 1 {"flavor":"small"}',
        "5- deleted 1 {}",
    ]
    assert told(delete(1), update(5, **SMALL), create(5)) == ["1-5 deleted 1 {}", '5- present 2 {"flavor":"small"}']
    assert told(delete(5), create(5, **SMALL)) == ["5- deleted 1 {}"]


def test_create_after_a_delete_begins_with_no_fields() -> None:
    assert told(create(1, flavor="small", host="a"), delete(2), create(3, **SMALL)) == [
        '1-2 present 1 {"flavor":"small","host":"a"}',
        "2-3 deleted 1 {}",
        '3- present 2 {"flavor":"small"}',
    ]


def test_create_after_a_delete_begins_with_nothing_ambiguous() -> None:
    assert told(update(1, **SMALL), update(1, **LARGE), delete(2), create(3), update(4, host="a"))[-2:] == [
        "3-4 present 2 {}",
        '4- present 2 {"host":"a"}',
    ]


def test_restore_takes_up_the_fields_as_the_delete_found_them_and_says_what_it_says() -> None:
    assert told(create(1, flavor="small", host="a"), delete(2), restore(3, host="b")) == [
        '1-2 present 1 {"flavor":"small","host":"a"}',
        "2-3 deleted 1 {}",
        '3- present 2 {"flavor":"small","host":"b"}',
    ]


def test_restore_takes_up_what_was_ambiguous_as_ambiguous() -> None:
    assert told(update(1, **SMALL), update(1, **LARGE), delete(2), restore(3))[-1] == (
        '3- present 2 {"flavor":"small"} ambiguous flavor'
    )
    assert told(update(1, **SMALL), update(1, **LARGE), delete(2), restore(3, **SMALL))[-1] == (
        '3- present 2 {"flavor":"small"}'
    )


def test_a_false_delete_is_undone_by_restore_alone() -> None:
    assert told(update(1, **SMALL), delete(2), restore(3)) == [
        '1-2 present 1 {"flavor":"small"}',
        "2-3 deleted 1 {}",
        '3- present 2 {"flavor":"small"}',
    ]


def test_restore_after_a_delete_that_said_the_same_has_the_fields() -> None:
    assert told(update(1, **SMALL), delete(2, **SMALL), restore(3, host="c"))[-1] == (
        '3- present 2 {"flavor":"small","host":"c"}'
    )


def test_restore_after_a_straggler_that_said_the_same_has_the_fields_and_not_the_stragglers() -> None:
    posthumous = [update(3, **SMALL), update(3, host="b")]
    assert told(update(1, **SMALL), delete(2), *posthumous, restore(4, image="c"))[-1] == (
        '4- present 2 {"flavor":"small","image":"c"}'
    )


def test_a_late_restore_before_a_straggler_makes_it_count() -> None:
    assert told(update(1, **SMALL), delete(2), update(4, **LARGE), restore(3)) == [
        '1-2 present 1 {"flavor":"small"}',
        "2-3 deleted 1 {}",
        '3-4 present 2 {"flavor":"small"}',
        '4- present 2 {"flavor":"large"}',
    ]


def test_restore_of_a_restore_takes_up_what_the_first_had_taken_up() -> None:
    events = create(1, **SMALL), delete(2), restore(3, host="a"), delete(4), restore(5)
    assert told(*events)[-1] == '5- present 3 {"flavor":"small","host":"a"}'


def test_restore_takes_up_the_last_life_and_none_before_it() -> None:
    events = create(1, flavor="small"), delete(2), create(3, host="a"), delete(4), restore(5)
    assert told(*events)[-1] == '5- present 3 {"host":"a"}'


def test_restore_after_a_delete_that_came_first_finds_nothing() -> None:
    assert told(delete(1, **SMALL), restore(2)) == ["1-2 deleted 1 {}", "2- present 2 {}"]


def test_genesis_of_what_is_present_opens_nothing_and_says_what_it_says() -> None:
    for say in (create, restore):
        assert told(update(1, flavor="small", host="a"), say(2, flavor="large")) == [
            '1-2 present 1 {"flavor":"small","host":"a"}',
            '2- present 1 {"flavor":"large","host":"a"}',
        ]


def test_a_late_create_between_two_lives_renumbers_the_later_one() -> None:
    before = create(1), delete(2), delete(4), create(5)
    assert told(*before)[-1] == "5- present 2 {}"
    assert told(*before, create(3))[-1] == "5- present 3 {}"


def test_a_life_like_the_one_before_is_another_segment() -> None:
    assert told(create(1), delete(1), create(2), delete(2), create(3)) == [
        "1-2 deleted 1 {}",
        "2-3 deleted 2 {}",
        "3- present 3 {}",
    ]


def test_an_event_is_what_its_key_is_and_its_provenance_plays_no_part() -> None:
    here = timeline([update(1, **SMALL), update(2, **LARGE)])
    there = timeline(
        [
            {**event(1, Phase.UPDATE, fields=SMALL, number=9), "event_type": "x", "message_id": None},
            {**event(2, Phase.UPDATE, fields=LARGE, number=1), "event_type": "y", "message_id": ""},
        ]
    )
    assert here.segments == there.segments
