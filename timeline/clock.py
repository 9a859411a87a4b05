"""The only parser of times and the only reader of the hour.

An instant is an ``int``: microseconds since 1970-01-01T00:00:00Z, years 1 to 9999. Text is read once, at the edge, by
:func:`parse`, and floored to the microsecond; a text without a zone is UTC.
"""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta

from timeline.errors import TimeError

Instant = int | str | datetime
"""What a caller may give for an instant: microseconds, ISO 8601 text, or a datetime (naive means UTC)."""

SECOND = 1_000_000
"""Microseconds in a second."""

_EPOCH = datetime(1970, 1, 1)
_EPOCH_UTC = datetime(1970, 1, 1, tzinfo=UTC)


def _microseconds(span: timedelta) -> int:
    return (span.days * 86_400 + span.seconds) * SECOND + span.microseconds


MIN = _microseconds(datetime.min - _EPOCH)
"""The first instant: 0001-01-01T00:00:00Z."""

MAX = _microseconds(datetime.max - _EPOCH)
"""The last instant: 9999-12-31T23:59:59.999999Z."""

_USUAL = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?"
).fullmatch
_ISO = re.compile(
    r"(?P<day>[0-9]{4}(?:-?(?:[0-9]{2}(?:-?[0-9]{2})?|[0-9]{3}|W[0-9]{2}(?:-?[0-9])?))?)"
    r"(?:(?P<minute>[T ][0-9]{2}(?::?[0-9]{2})?)(?P<second>:?[0-9]{2}(?:[.,][0-9]+)?)?"
    r"\s?(?P<zone>Z|[+-][0-9]{2}(?::?[0-9]{2})?)?)?"
).fullmatch
_RELATIVE = re.compile(r"^-(\d{1,9})([smhdw])$")
_UNITS = {"s": SECOND, "m": 60 * SECOND, "h": 3_600 * SECOND, "d": 86_400 * SECOND, "w": 7 * 86_400 * SECOND}


def now() -> int:
    """The present instant."""
    return time.time_ns() // 1_000


def parse(text: str) -> int:
    """The instant that a text names, floored to the microsecond; no zone means UTC.

    Every spelling that notifications use is read: with ``T`` or a space, with or without fraction, ``Z``, ``+00:00``,
    ``+0000`` or no zone, a date alone. The second ``:60`` is the next second, ``24:00`` the next day.

    Raises :class:`TimeError` for anything else, ``''``, ``'None'`` and numbers included.
    """
    if not isinstance(text, str):
        raise TimeError(f"{text!r:.60} is no time: a text in ISO 8601 is expected")
    # fromisoformat alone will not do: it takes any character between date and time, and more after them
    if not _USUAL(text):
        return _parse_rare(text)
    try:
        return _instant_of(datetime.fromisoformat(text), text)
    except ValueError:
        return _parse_rare(text)


def _parse_rare(text: str) -> int:
    from dateutil.parser import isoparse  # imported late: few texts come here

    said = _ISO(text.strip().upper())
    if not said:
        raise _no_time(text)
    second, later = said["second"] or "", 0
    if second.startswith(("60", ":60")):
        second, later = second.replace("60", "59", 1), SECOND
    plain = "".join((said["day"], said["minute"] or "", second, said["zone"] or ""))
    try:
        moment = isoparse(plain)
    except OverflowError as error:
        raise _out_of_range(text) from error
    except ValueError as error:
        raise _no_time(text) from error
    return _in_range(_instant_of(moment, text) + later, text)


def _no_time(said: str) -> TimeError:
    return TimeError(f"{said!r:.60} is no time in ISO 8601, such as 2026-03-01T12:00:00Z")


def _out_of_range(said: object) -> TimeError:
    return TimeError(f"{said!r:.60} is outside the years 1 to 9999")


def _instant_of(moment: datetime, said: object) -> int:
    if moment.tzinfo is None:
        return _microseconds(moment - _EPOCH)
    return _in_range(_microseconds(moment - _EPOCH_UTC), said)


def _in_range(instant: int, said: object) -> int:
    if not MIN <= instant <= MAX:
        raise _out_of_range(said)
    return instant


def instant(value: Instant, *, relative_to: int | None = None) -> int:
    """The instant that a person or a caller gave: microseconds, a datetime, ISO 8601 text, ``now``, ``-2h``, ``-30d``.

    Relative spans (s, m, h, d, w) count back from ``relative_to``, which is the present unless given.
    Raises :class:`TimeError`.
    """
    if isinstance(value, datetime):
        return _instant_of(value, value)
    if isinstance(value, int):
        if isinstance(value, bool):
            raise TimeError(f"{value} is no time")
        return _in_range(value, value)
    if not isinstance(value, str):
        raise TimeError(f"{value!r:.60} is no time")
    if value == "now":
        return now() if relative_to is None else relative_to
    span = _RELATIVE.match(value)
    if span:
        start = now() if relative_to is None else relative_to
        return _in_range(start - int(span[1]) * _UNITS[span[2]], value)
    return parse(value)


def format(instant: int) -> str:
    """The text of an instant, always in full: ``2026-03-01T12:00:00.000000Z``."""
    return (_EPOCH + timedelta(microseconds=instant)).isoformat(timespec="microseconds") + "Z"


def normalise(text: str) -> str:
    """A time in any spelling, in the one spelling of :func:`format`. Raises :class:`TimeError`."""
    return format(parse(text))
