"""Rows: the traits that stand in one map of a message, read together.

Nearly all traits are one plain path, and nearly all of those stand in the same map, whose values have nearly always the
same types. So the map is found once, its values are fetched in one call, and what must be converted is looked up by the
tuple of their types.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any

from timeline.definitions.plugins import MISSING
from timeline.definitions.traits import Converter, Trait
from timeline.model import Json

_REMEMBERED = 1_000
"""Tuples of types that are remembered: messages come from outside, so there may be any number."""

_TEXTS = 65_536
"""Converted texts that are remembered, of each converter."""

_CONVERTERS = 64
"""Converters that share what they remember among the event types that they are for."""

_FLOATING = frozenset({dict, list, float})
"""Types of values in which a float may stand."""

_Fix = tuple[str, Converter | None]
"""A field whose value may hold a float, and the conversion that it needs first."""


class Rows:
    """The fields that stand in one map, which ``keys`` lead to from the top of a message."""

    def __init__(self, keys: tuple[str, ...], traits: Sequence[tuple[str, Trait]]) -> None:
        self._parents = keys
        self._rows = tuple(
            (name, _key(trait), trait.fits, trait.converter, _remembering(trait.converter)) for name, trait in traits
        )
        self._names = tuple(name for name, *_ in self._rows)
        keys_of_rows = tuple(key for _, key, *_ in self._rows)
        one = keys_of_rows[0]
        # itemgetter gives a tuple for several keys only
        self._fetch: Callable[[Mapping[str, Any]], tuple[Any, ...]] = (
            itemgetter(*keys_of_rows) if len(keys_of_rows) > 1 else lambda parent: (parent[one],)
        )
        self._fixes: dict[tuple[type, ...], tuple[_Fix, ...]] = {}

    def read(
        self,
        message: Mapping[str, Any],
        fields: dict[str, Json],
        floating: list[Json],
        failures: dict[str, ValueError],
    ) -> None:
        """Put what the message says into ``fields``, what may hold floats into ``floating`` too."""
        parent: Any = message
        for key in self._parents:
            parent = parent.get(key) if type(parent) is dict else None
        if type(parent) is not dict and parent is not message:
            return
        try:
            values = self._fetch(parent)
            fixes = self._fixes.get(types := tuple(map(type, values)))
        except KeyError:
            self._read_what_is_there(parent, fields, floating, failures)
            return
        if fixes is None:
            fixes = self._fixes_for(types)
        fields.update(zip(self._names, values))  # noqa: B905 - as long as each other, and strict takes its time
        for name, convert in fixes:
            value = fields[name]
            if convert is not None:
                try:
                    value = fields[name] = convert(value)
                except ValueError as error:
                    failures[name] = error
                    value = MISSING
                if value is MISSING:
                    del fields[name]
                    continue
            if type(value) in _FLOATING:
                floating.append(value)

    def _fixes_for(self, types: tuple[type, ...]) -> tuple[_Fix, ...]:
        fixes = tuple(
            (name, remembered if kind is str else convert)
            for (name, _, fits, convert, remembered), kind in zip(self._rows, types, strict=True)
            if kind is not type(None) and kind is not fits and (convert is not None or kind in _FLOATING)
        )
        if len(self._fixes) >= _REMEMBERED:
            self._fixes.clear()
        self._fixes[types] = fixes
        return fixes

    def _read_what_is_there(
        self,
        parent: Mapping[str, Any],
        fields: dict[str, Json],
        floating: list[Json],
        failures: dict[str, ValueError],
    ) -> None:
        for name, key, fits, convert, _ in self._rows:
            value = parent.get(key, MISSING)
            if type(value) is fits or value is None:
                fields[name] = value
                continue
            if value is MISSING:
                continue
            if convert is not None:
                try:
                    value = convert(value)
                except ValueError as error:
                    failures[name] = error
                    continue
                if value is MISSING:
                    continue
            fields[name] = value
            if type(value) in _FLOATING:
                floating.append(value)


def grouped(
    fields: Mapping[str, tuple[Trait, ...]],
) -> tuple[tuple[Rows, ...], tuple[tuple[str, tuple[Trait, ...]], ...]]:
    """The fields of a definition as rows, and those that are more than one plain path."""
    groups: dict[tuple[str, ...], list[tuple[str, Trait]]] = {}
    others = []
    for name, traits in fields.items():
        keys = traits[0].keys
        if len(traits) == 1 and keys is not None:
            groups.setdefault(keys[:-1], []).append((name, traits[0]))
        else:
            others.append((name, traits))
    return tuple(Rows(keys, traits) for keys, traits in groups.items()), tuple(others)


@lru_cache(maxsize=_CONVERTERS)
def _remembering(convert: Converter | None) -> Converter | None:
    # texts alone: the created_at of a resource comes again with each of its messages, and 1 and True are one to a cache
    return None if convert is None else lru_cache(maxsize=_TEXTS)(convert)


def _key(trait: Trait) -> str:
    return (trait.keys or ("",))[-1]
