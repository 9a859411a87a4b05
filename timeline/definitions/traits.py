"""Traits: a name, where its value stands in a message, and what kind of value it is."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from math import inf, isfinite
from typing import Any

import msgspec

from timeline import clock
from timeline.definitions.paths import Match, Path
from timeline.definitions.plugins import MISSING, Plugin
from timeline.model import Json

Converter = Callable[[Any], Json]
"""From a value that is not null to the trait's. Raises ValueError for what it cannot convert."""

_WHOLE = re.compile(r"\s*[+-]?[0-9]+\s*")
_DECIMAL = re.compile(r"\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*")
_EMPTY = frozenset({"", "None"})


def _text(value: Any) -> Json:
    # a list or a map keeps its structure: a text of it could not be compared
    return value if isinstance(value, (str, dict, list)) else str(value)


def _text_or_null(value: Any) -> Json:
    return None if value == "" else _text(value)


def _value_or_null(value: Any) -> Json:
    return None if value == "" else value


def _whole(value: Any) -> Json:
    if isinstance(value, str):
        if value in _EMPTY:
            return None
        if not _WHOLE.fullmatch(value):
            raise ValueError(f"{value!r:.40} is no whole number")
        return int(value)
    if isinstance(value, float) and not value.is_integer():
        raise ValueError(f"{value!r} is no whole number")
    if isinstance(value, (int, float)):
        return int(value)
    raise ValueError("a list or a map is no number")


def _decimal(value: Any) -> Json:
    if isinstance(value, str):
        if value in _EMPTY:
            return None
        if not _DECIMAL.fullmatch(value):
            raise ValueError(f"{value!r:.40} is no number")
    elif not isinstance(value, (int, float)):
        raise ValueError("a list or a map is no number")
    try:
        number = float(value)
    except OverflowError:  # a whole number of more than 308 digits; as a text it is infinite
        number = inf
    if not isfinite(number):
        raise ValueError(f"{value!r:.40} is beyond what a number can hold")
    return number


def _datetime(value: Any) -> Json:
    if not isinstance(value, str):
        raise ValueError("a time is a text")
    return None if value in _EMPTY else clock.normalise(value)


class TraitType(msgspec.Struct, frozen=True):
    """A kind of value: the type that needs no conversion, and the conversion of the others (``None``: needs none)."""

    name: str
    fits: type | None
    convert: Converter | None


def trait_type(name: str, *, empty_as_null: bool = False) -> TraitType:
    """The trait type of this name. To numbers and times, ``''`` and ``'None'`` are null. Raises KeyError."""
    if empty_as_null and name == "text":
        return TraitType(name, None, _text_or_null)
    if empty_as_null and name == "value":
        return TraitType(name, None, _value_or_null)
    return TYPES[name]


TYPES: Mapping[str, TraitType] = {
    "text": TraitType("text", str, _text),
    "int": TraitType("int", int, _whole),
    "float": TraitType("float", None, _decimal),
    "datetime": TraitType("datetime", None, _datetime),
    "value": TraitType("value", None, None),
}
"""Trait types by the names that definition files use. ``value`` keeps what is there, lists and maps included."""


class Trait(msgspec.Struct, frozen=True, kw_only=True):
    """One trait of a definition, compiled."""

    name: str
    paths: tuple[Path, ...]
    constant: Json = MISSING
    kind: TraitType
    plugin: Plugin | None = None
    plugin_name: str | None = None
    volatile: bool = False
    """Whether it belongs to the message and not to the resource: then it is no part of the body."""
    line: int

    @property
    def keys(self) -> tuple[str, ...] | None:
        """The names from the top of the message down, where what stands there decides alone."""
        if len(self.paths) == 1 and self.constant is MISSING and self.plugin_name != "bitfield":
            return self.paths[0].keys
        return None

    @property
    def fits(self) -> type | None:
        """The type of values that need no conversion at all."""
        return self.kind.fits if self.plugin is None else None

    @property
    def converter(self) -> Converter | None:
        """From the one match, not null, to the value or :data:`MISSING`; ``None`` where none needs conversion."""
        return self.kind.convert if self.plugin is None else self._by_plugin

    def read(self, message: Mapping[str, Any]) -> Json:
        """What a message says of this trait, or :data:`MISSING`.

        The first match that is not null, of the first path that has one; ``None`` where all matches are null.
        Raises ValueError for a value that cannot be converted.
        """
        if self.constant is not MISSING:
            return self._converted(self.constant)
        matches = [match for path in self.paths for match in path.matches(message)]
        spoken = [match for match in matches if match[1] is not None]
        if self.plugin is not None:
            if matches and not spoken and self.plugin_name != "bitfield":
                return None
            return self._by_plugin_of(spoken)
        if spoken:
            return self._converted(spoken[0][1])
        return None if matches else MISSING

    def _by_plugin(self, value: Any) -> Json:
        return self._by_plugin_of(((self.paths[0].text, value),))

    def _by_plugin_of(self, matches: Sequence[Match]) -> Json:
        value = MISSING if self.plugin is None else self.plugin(matches)
        return value if value is MISSING or value is None else self._converted(value)

    def _converted(self, value: Any) -> Json:
        return value if self.kind.convert is None else self.kind.convert(value)


def first_spoken(traits: Sequence[Trait], message: Mapping[str, Any]) -> Json:
    """What the first of several traits says that says anything but null; null where one says that, else MISSING.

    Raises ValueError where that one's value cannot be converted.
    """
    said: Json = MISSING
    for trait in traits:
        value = trait.read(message)
        if value is not MISSING and value is not None:
            return value
        if value is None:
            said = None
    return said
