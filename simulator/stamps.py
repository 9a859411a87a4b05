"""Times as nova spells them. Inside the simulator a time is an int: microseconds since 1970, UTC."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache

__all__ = [
    "DAY",
    "HOUR",
    "MINUTE",
    "SECOND",
    "canonical",
    "database",
    "envelope",
    "microseconds",
    "minute",
    "payload",
]

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_EPOCH = datetime(1970, 1, 1)
_FRACTION = "%s:%02d.%06d"
"""Half the time of an f-string with the same widths, and one is made for every message."""


def microseconds(text: str) -> int:
    """Read an ISO 8601 time; without a zone it is UTC."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    return (moment - _EPOCH) // timedelta(microseconds=1)


@lru_cache(maxsize=512)
def minute(number: int) -> str:
    """The minute of that number since 1970, `2026-01-01 01:30`. Kept: a fleet speaks often within one."""
    return (_EPOCH + timedelta(minutes=number)).isoformat(" ", "minutes")


def envelope(at: int) -> str:
    """`2026-01-01 01:30:32.111054`, the `str()` of a naive datetime: without a fraction where that is 0."""
    whole, rest = divmod(at, MINUTE)
    seconds, fraction = divmod(rest, SECOND)
    if fraction:
        return _FRACTION % (minute(whole), seconds, fraction)
    return f"{minute(whole)}:{seconds:02}"


def payload(at: int | None) -> str:
    """`2026-01-01T01:30:32.111054`; a time that is not known is nova's null, the empty text."""
    return "" if at is None else _iso(at)


def database(at: int) -> str:
    """`2026-01-01 01:30:32+00:00`, as a column of whole seconds comes back."""
    return f"{envelope(at - at % SECOND)}+00:00"


def canonical(at: int | None) -> str | None:
    """`2026-01-01T01:30:32.111054Z`: how the truth spells a time, and None where there is none."""
    return None if at is None else f"{_iso(at)}Z"


def _iso(at: int) -> str:
    return (_EPOCH + timedelta(microseconds=at)).isoformat("T", "microseconds")
