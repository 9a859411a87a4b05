"""One parser of times: every spelling of one instant is that instant, and what is no time is refused."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from timeline import clock
from timeline.errors import TimeError, TimelineError

INSTANT = 1_336_508_621_000_000  # 2012-05-08T20:23:41Z
HOUR = 3_600 * clock.SECOND
DAY = 24 * HOUR


@pytest.mark.parametrize(
    "text",
    [
        "2012-05-08 20:23:41.000000",  # the envelope of oslo.messaging
        "2012-05-08 20:23:41",  # the same where there are no microseconds
        "2012-05-08 20:23:41+00:00",  # the created_at of nova, the ends of an audit period
        "2012-05-08T20:23:41.000000",
        "2012-05-08T20:23:41Z",  # versioned payloads of nova, heat
        "2012-05-08T20:23:41.000000+0000",  # CADF
        "2012-05-08T20:23:41+00:00",  # cinder
        "2012-05-08T20:23:41.000000+00:00",
        "2012-05-08T20:23:41",
        "2012-05-08t20:23:41z",
        "2012-05-08T20:23:41.0Z",
        "2012-05-08T20:23:41.000000000Z",
        "2012-05-08T20:23:41,000Z",
        "2012-05-08 20:23:41 Z",
        "2012-05-08 20:23:41 +0000",
        " 2012-05-08T20:23:41Z\n",
        "2012-05-08T22:23:41+02:00",
        "2012-05-08T22:23:41+02",
        "2012-05-09T01:53:41+0530",
        "2012-05-08T13:23:41-07:00",
        "20120508T202341Z",
        "20120508 202341",
        "2012-W19-2T20:23:41Z",
        "2012-129T20:23:41Z",
    ],
)
def test_every_spelling_of_an_instant_is_that_instant(text: str) -> None:
    assert clock.parse(text) == INSTANT
    assert clock.normalise(text) == "2012-05-08T20:23:41.000000Z"
    assert clock.instant(text) == INSTANT


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("2012-05-08", "2012-05-08T00:00:00.000000Z"),
        ("20120508", "2012-05-08T00:00:00.000000Z"),
        ("2012-05-08T20:23", "2012-05-08T20:23:00.000000Z"),
        ("2012-05-08T20", "2012-05-08T20:00:00.000000Z"),
        ("2012-05-08T20:23:47.985999", "2012-05-08T20:23:47.985999Z"),
        ("2012-05-08 20:23:47.9", "2012-05-08T20:23:47.900000Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000000Z"),
        ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"),
    ],
)
def test_what_a_text_leaves_out_is_zero(text: str, full: str) -> None:
    assert clock.normalise(text) == full


@pytest.mark.parametrize(
    ("text", "full"),
    [
        # the last of these is rounded into another year, and another invoice, by a database
        ("2026-03-01T12:00:00.1234569Z", "2026-03-01T12:00:00.123456Z"),
        ("2026-03-01T12:00:00.9999999Z", "2026-03-01T12:00:00.999999Z"),
        ("1969-12-31T23:59:59.9999999Z", "1969-12-31T23:59:59.999999Z"),
        ("2013-12-31T23:59:59.999999999", "2013-12-31T23:59:59.999999Z"),
        ("9999-12-31T23:59:59.9999999", "9999-12-31T23:59:59.999999Z"),
        ("2026-03-01T12:00:00." + "9" * 5_000, "2026-03-01T12:00:00.999999Z"),
    ],
)
def test_what_is_finer_than_a_microsecond_is_floored(text: str, full: str) -> None:
    assert clock.normalise(text) == full


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000000Z"),
        ("2016-12-31 23:59:60", "2017-01-01T00:00:00.000000Z"),
        ("2016-12-31T23:59:60.5Z", "2017-01-01T00:00:00.500000Z"),
        ("2016-12-31T18:59:60-05:00", "2017-01-01T00:00:00.000000Z"),
        ("20161231T235960Z", "2017-01-01T00:00:00.000000Z"),
        ("2026-03-01T12:00:60Z", "2026-03-01T12:01:00.000000Z"),
        ("2026-03-01T24:00:00Z", "2026-03-02T00:00:00.000000Z"),
        ("2024-02-28 24:00", "2024-02-29T00:00:00.000000Z"),
        ("2026-12-31T24:00:00", "2027-01-01T00:00:00.000000Z"),
    ],
)
def test_the_sixtieth_second_and_the_twenty_fourth_hour_are_the_next_ones(text: str, full: str) -> None:
    assert clock.normalise(text) == full


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "None",
        "null",
        "10",  # lenient parsers read the tenth of this month
        "may",  # and a day of May
        "now",
        "-2h",
        "1336508621",
        "1336508621.5",
        "1312010112123",  # milliseconds since 1970: the first eight digits would be a day
        "131201011212",
        "2012-5-8",
        "2012-05-08x20:23",
        "2012-05-08_20:23:41",
        "2012-05-08\ud80020:23:41",
        "2012W19x20",
        "2012W19-20",
        "2012-W19x20",
        "2012-05-0820:23:41",
        "2014-05-1510: 24: 56.335612",  # captured from a bus
        # what follows is read by fromisoformat of Python 3.11, past what it does not understand
        "2012-05-08 20:23:41xZ",
        "2012-05-08 20:23:419Z",
        "2012-05-08 20:23:41:123456",
        "2012-05-08 20:23.41",
        "2012-05-08 20:23:41+05,30",
        "2012-05-08T20:23:41 UTC",
        "2012-05-08T20:23:41 Europe/Berlin",
        "2012-05-08 08:23:41 PM",
        "Tue, 08 May 2012 20:23:41 GMT",
        "05/08/2012",
        "2012-02-30",
        "2012-05-08T25:00",
        "2012-05-08T24:01",
        "2012-05-08T24:00:00.000001",
        "2012-05-08T20:60",
        "2012-05-08T20:23:61",
        "2012-05-08T20:23:41+24:00",
        "2012-05-08Z",
        "0000-01-01T00:00:00Z",
        "10000-01-01T00:00:00Z",
        "-0001-01-01T00:00:00Z",
        "\uff12\uff10\uff12\uff16-03-01",  # digits, but not those of ISO 8601
        "\ud800",
        "\x00",
        "2012-05-08T20:23:41Z\x00",
        "9" * 100_000,
        " " * 100_000 + "T",
    ],
)
def test_a_text_that_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(TimeError, match="no time in ISO 8601"):
        clock.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "9999-12-31T23:59:60Z",
        "9999-12-31T24:00",
        "9999-12-31T24:00:00Z",
        "9999-12-31T23:59:59-00:01",
        "0001-01-01T00:00:00+00:01",
        "0001-01-01T00:00:00+14:00",
    ],
)
def test_a_time_beyond_the_years_1_to_9999_is_refused(text: str) -> None:
    with pytest.raises(TimeError, match="outside the years 1 to 9999"):
        clock.parse(text)


@pytest.mark.parametrize("value", [None, 0, 1336508621, 1.5, True, b"2012-05-08", ["2012-05-08"], {}])
def test_what_is_no_text_is_refused(value: Any) -> None:
    with pytest.raises(TimeError):
        clock.parse(value)


def test_a_refusal_is_short_and_one_of_our_errors_and_a_value_error() -> None:
    with pytest.raises(TimeError) as refused:
        clock.parse("x" * 10_000)
    assert len(str(refused.value)) < 200
    assert isinstance(refused.value, TimelineError)
    assert isinstance(refused.value, ValueError)


SIGNS = st.sampled_from(list("0123456789-:.,+TtZzW \n"))
MOMENTS = st.datetimes(timezones=st.sampled_from([None, UTC, timezone(timedelta(hours=-7, minutes=-30))]))


def damaged(moment: datetime, places: list[tuple[int, str]]) -> str:
    text = moment.isoformat()
    for place, character in places:
        text = text[: place % len(text)] + character + text[place % len(text) + 1 :]
    return text


@settings(deadline=None)
@given(
    st.text()
    | st.text(SIGNS)
    | st.builds(damaged, MOMENTS, st.lists(st.tuples(st.integers(0, 40), SIGNS | st.characters()), max_size=3))
)
@example("9999-12-31T24:00")
@example("2026W10x12")
@example("2012-05-08T20:23:41\x00")
def test_any_text_is_a_time_within_the_range_or_refused_as_none(text: str) -> None:
    try:
        instant = clock.parse(text)
    except TimeError:
        return
    assert clock.MIN <= instant <= clock.MAX
    assert set(text.strip().upper()) <= set("0123456789-:.,+TWZ ")
    assert clock.parse(clock.format(instant)) == instant


@settings(deadline=None)
@given(st.integers(clock.MIN, clock.MAX))
@example(clock.MIN)
@example(clock.MAX)
@example(-1)
def test_an_instant_reads_back_from_its_text(instant: int) -> None:
    text = clock.format(instant)
    assert clock.parse(text) == instant
    assert len(text) == 27
    assert text.endswith("Z")


@settings(deadline=None)
@given(MOMENTS, st.sampled_from(["T", " "]))
def test_the_text_of_a_datetime_and_the_datetime_are_one_instant(moment: datetime, separator: str) -> None:
    try:
        instant = clock.instant(moment)
    except TimeError:
        with pytest.raises(TimeError):
            clock.parse(moment.isoformat(separator))
        return
    assert clock.parse(moment.isoformat(separator)) == instant
    if moment.tzinfo is None:
        assert instant == clock.instant(moment.replace(tzinfo=UTC))


@settings(deadline=None)
@given(st.integers(clock.MIN, clock.MAX), st.integers(clock.MIN, clock.MAX))
def test_texts_of_instants_sort_as_instants_do(one: int, other: int) -> None:
    assert (clock.format(one) < clock.format(other)) is (one < other)


def test_the_bounds_are_the_first_and_last_microsecond_of_the_years_1_to_9999() -> None:
    assert clock.format(clock.MIN) == "0001-01-01T00:00:00.000000Z"
    assert clock.format(clock.MAX) == "9999-12-31T23:59:59.999999Z"
    assert clock.MIN < -(2**55) < 2**57 < clock.MAX < 2**63 - 1


@pytest.mark.parametrize(
    ("value", "instant"),
    [
        ("now", INSTANT),
        ("-0s", INSTANT),
        ("-90s", INSTANT - 90 * clock.SECOND),
        ("-5m", INSTANT - 300 * clock.SECOND),
        ("-2h", INSTANT - 2 * HOUR),
        ("-30d", INSTANT - 30 * DAY),
        ("-1w", INSTANT - 7 * DAY),
        ("1970-01-01", 0),
        (0, 0),
        (-1, -1),
        (clock.MAX, clock.MAX),
        (datetime(2012, 5, 8, 20, 23, 41), INSTANT),
        (datetime(2012, 5, 8, 22, 23, 41, tzinfo=timezone(timedelta(hours=2))), INSTANT),
        (datetime(1970, 1, 1, 0, 0, 0, 7, tzinfo=UTC), 7),
    ],
)
def test_a_person_may_give_an_instant_in_several_ways(value: Any, instant: int) -> None:
    assert clock.instant(value, relative_to=INSTANT) == instant


@pytest.mark.parametrize(
    "value",
    [
        True,
        False,
        1.5,
        None,
        b"now",
        [],
        clock.MAX + 1,
        clock.MIN - 1,
        10**400,
        "Now",
        "2h",
        "+2h",
        "-2",
        "-2y",
        "- 2h",
        "-2.5h",
        "-999999999w",
        "yesterday",
        "",
        datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-2))),
    ],
)
def test_what_names_no_instant_is_refused_whoever_gives_it(value: Any) -> None:
    with pytest.raises(TimeError):
        clock.instant(value, relative_to=INSTANT)


def test_spans_count_back_from_the_present_unless_told_otherwise() -> None:
    before = clock.now()
    now, hour_ago = clock.instant("now"), clock.instant("-1h")
    after = clock.now()
    assert before <= now <= after
    assert before - HOUR <= hour_ago <= after - HOUR


def test_instants_are_whole_numbers_that_json_keeps() -> None:
    assert json.loads(json.dumps(clock.parse("9999-12-31T23:59:59.999999Z"))) == clock.MAX
