"""Trait plugins: what makes a value of several matches, or a better one of a single match."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any

from timeline import clock
from timeline.definitions.paths import Match
from timeline.model import Json

MISSING: Any = type("Missing", (), {"__repr__": lambda self: "MISSING", "__slots__": ()})()
"""What a message does not mention. Distinct from ``None``, which is a ``null`` that it says."""

Plugin = Callable[[Sequence[Match]], Json]
"""From the matches that are not null to a value, or :data:`MISSING`. Raises ValueError for what it cannot read."""


def split(separator: str = ".", segment: int = 0, max_split: int | None = None) -> Plugin:
    """The piece numbered ``segment`` of a text that is split at ``separator``, at most ``max_split`` times."""
    if not isinstance(separator, str) or not separator:
        raise ValueError("separator is a text that is not empty")
    if not isinstance(segment, int) or not isinstance(max_split, int | None):
        raise ValueError("segment and max_split are whole numbers")

    def apply(matches: Sequence[Match]) -> Json:
        for _, value in matches:
            if isinstance(value, (dict, list)):
                raise ValueError("a map or a list cannot be split")
            pieces = str(value).split(separator, -1 if max_split is None else max_split)
            if -len(pieces) <= segment < len(pieces):
                return pieces[segment]
        return MISSING

    return apply


def bitfield(initial_bitfield: int = 0, flags: Sequence[Mapping[str, Any]] = ()) -> Plugin:
    """A number whose bits say which ``flags`` (``path``, ``bit`` and perhaps ``value``) the matches fulfil."""
    if not isinstance(initial_bitfield, int) or not isinstance(flags, list | tuple):
        raise ValueError("initial_bitfield is a whole number and flags a list")
    for flag in flags:
        if not isinstance(flag, dict) or not {"path", "bit"} <= flag.keys() <= {"path", "bit", "value"}:
            raise ValueError("each flag has a path and a bit, and perhaps a value")
        if not isinstance(flag["path"], str):
            raise ValueError("the path of a flag is a text")
        if not isinstance(flag["bit"], int) or not 0 <= flag["bit"] < 63:
            raise ValueError("the bit of a flag is a whole number from 0 to 62")

    def apply(matches: Sequence[Match]) -> Json:
        found = dict(matches)
        bits = initial_bitfield
        for flag in flags:
            if flag["path"] in found and ("value" not in flag or found[flag["path"]] == flag["value"]):
                bits |= 1 << flag["bit"]
        return bits

    return apply


def timedelta() -> Plugin:
    """The seconds between two times, as a float that is not negative; nothing where one of them is not told."""

    def apply(matches: Sequence[Match]) -> Json:
        times = [value for _, value in matches if value not in ("", "None")]
        if len(times) != 2:
            return MISSING
        return abs(clock.parse(times[0]) - clock.parse(times[1])) / clock.SECOND

    return apply


def map_values(values: Mapping[Any, Any], default: Any = None, case_sensitive: bool = True) -> Plugin:
    """Another value for each value; ``default`` for those that ``values`` does not name, nothing where it is null."""
    if not isinstance(values, dict) or not values:
        raise ValueError("values is a map that is not empty")
    for value in (*values.values(), default):
        if isinstance(value, (dict, list)) or (isinstance(value, float) and not isfinite(value)):
            raise ValueError("what a value becomes is a text, a finite number, true, false or null")

    def key_of(value: Any) -> tuple[bool, Any]:
        # True and 1 are one key to Python
        return (isinstance(value, bool), value.casefold() if isinstance(value, str) and not case_sensitive else value)

    table = {key_of(key): value for key, value in values.items()}
    otherwise = MISSING if default is None else default

    def apply(matches: Sequence[Match]) -> Json:
        for _, value in matches:
            mapped = otherwise if isinstance(value, (dict, list)) else table.get(key_of(value), otherwise)
            if mapped is not MISSING:
                return mapped
        return MISSING

    return apply


def total() -> Plugin:
    """The sum of numbers, none of which may be missing or null: two at least."""

    def apply(matches: Sequence[Match]) -> Json:
        numbers = [value for _, value in matches]
        if any(isinstance(number, bool) or not isinstance(number, (int, float)) for number in numbers):
            raise ValueError("only numbers can be added")
        if len(numbers) < 2:
            return MISSING
        try:
            added = sum(numbers)
            if isfinite(added):
                return added
        except OverflowError:
            pass
        raise ValueError("the sum is beyond what a number can hold")

    return apply


PLUGINS: Mapping[str, Callable[..., Plugin]] = {
    "bitfield": bitfield,
    "map": map_values,
    "split": split,
    "sum": total,
    "timedelta": timedelta,
}
"""The plugins by the names that definition files use."""
