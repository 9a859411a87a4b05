"""One definition: which notifications it is for, which resource they speak of, and what they say of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

import msgspec

from timeline.definitions.paths import Path
from timeline.definitions.plugins import MISSING
from timeline.definitions.traits import Trait
from timeline.model import Json, Phase

EMPTY = (None, "", "None")
"""What is no time, and no value to a phase rule: services write a missing time in each of these ways."""


class PhaseRule(msgspec.Struct, frozen=True, kw_only=True):
    """A phase, and the messages that it is for: those in which ``when`` has a value, or one of ``values``."""

    phase: Phase
    when: Path | None = None
    values: tuple[Json, ...] | None = None
    negated: bool = False
    occurred_at: tuple[Path, ...] = ()

    def holds(self, message: Mapping[str, Any]) -> bool:
        """Whether the rule is for this message. ``null``, ``''`` and ``'None'`` are no value."""
        if self.when is None:
            return True
        found = self.when.values(message)
        if self.values is None:
            return any(value not in EMPTY for value in found)
        return any(self._named(value) is not self.negated for value in found)

    def _named(self, value: Json) -> bool:
        # 1 and True are equal to Python
        return any(type(value) is type(other) and value == other for other in self.values or ())


class ResourceRule(msgspec.Struct, frozen=True, kw_only=True):
    """Which resources a message speaks of."""

    type: str
    id: tuple[Path, ...]
    source: tuple[Path, ...] = ()
    each: tuple[Path, ...] = ()
    """Where the list of resources stands; then the paths of the definition find each one as ``item``."""


class Definition(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of a definition file, compiled."""

    included: tuple[str, ...]
    excluded: tuple[str, ...]
    line: int
    version: int = 0
    resource: ResourceRule | None = None
    """``None`` in a plain Ceilometer definition: then the resource is found by convention."""
    phases: tuple[PhaseRule, ...] = ()
    occurred_at: tuple[Path, ...] = ()
    traits: tuple[Trait, ...] = ()
    aliases: Mapping[str, str] = {}

    def matches(self, event_type: str) -> bool:
        """Whether the definition is for this event type: it matches an inclusion and no exclusion."""
        return any(fnmatchcase(event_type, glob) for glob in self.included) and not any(
            fnmatchcase(event_type, glob) for glob in self.excluded
        )

    @property
    def fields(self) -> dict[str, tuple[Trait, ...]]:
        """The fields of the body, in the order of the file, each with the traits that speak of it, the best first."""
        own = {trait.name: trait for trait in self.traits if not trait.volatile}
        fields: dict[str, list[Trait]] = {}
        for name, trait in own.items():
            field = self.aliases.get(name, name)
            traits = fields.setdefault(field, [])
            # the trait of that very name speaks first
            traits.insert(0 if name == field else len(traits), trait)
        return {field: tuple(traits) for field, traits in fields.items()}


def first_value(paths: Sequence[Path], message: Mapping[str, Any], empty: tuple[Json, ...] = (None, "")) -> Json:
    """The first value that is none of ``empty``, at the first path that has one; else MISSING."""
    for path in paths:
        for value in path.values(message):
            if value not in empty:
                return value
    return MISSING
