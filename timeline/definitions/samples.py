"""Sample rules: of which type the resource of a meter is, and where its id stands in the resource_id of a sample."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase

import msgspec

from timeline.model import limits

_REMEMBERED = 10_000
"""Meters whose rule is remembered: they come from outside, so there may be any number."""

_CHARACTERS = 2_048
"""The longest resource_id of a sample that is read: a pattern's time grows with it, and it too comes from outside."""


class SampleRule(msgspec.Struct, frozen=True, kw_only=True):
    """What the meters that it is for tell of: which type of resource, and how its id is found."""

    included: tuple[str, ...]
    excluded: tuple[str, ...]
    type: str
    id: re.Pattern[str] | None
    """What the whole resource_id of a sample is like; its one group is the id. ``None``: the whole is the id."""
    cumulative: bool
    """Whether the meter counts up, so that what a sample adds is the difference from the one before."""
    line: int

    def matches(self, meter: str) -> bool:
        """Whether the rule is for this meter: it matches an inclusion and no exclusion."""
        return any(fnmatchcase(meter, glob) for glob in self.included) and not any(
            fnmatchcase(meter, glob) for glob in self.excluded
        )

    def resource_id(self, text: str) -> str | None:
        """The id of the resource in the resource_id of a sample; ``None`` where there is none that a resource can have.

        That is: the pattern does not match the whole of it, its group is not in the match or is empty, the id has more
        than 512 bytes, or the text more than 2,048 characters.
        """
        if len(text) > _CHARACTERS:
            return None
        found: str | None = text
        if self.id is not None:
            match = self.id.fullmatch(text)
            found = None if match is None else match[1]
        return found if found and _fits(found) else None


class SampleRules:
    """Sample rules, in the order of their file: the last one that is for a meter decides."""

    def __init__(self, rules: tuple[SampleRule, ...], file: str) -> None:
        self._rules = rules
        self._file = file
        self._found: dict[str, SampleRule | None] = {}

    def __iter__(self) -> Iterator[SampleRule]:
        return iter(self._rules)

    def __len__(self) -> int:
        return len(self._rules)

    def place(self, rule: SampleRule) -> str:
        """Where a rule stands: ``FILE:LINE``."""
        return f"{self._file}:{rule.line}"

    def find(self, meter: str) -> SampleRule | None:
        """The rule that decides about a meter: the last that matches; ``None`` where none does."""
        try:
            return self._found[meter]
        except KeyError:
            pass
        rule = next((each for each in reversed(self._rules) if each.matches(meter)), None)
        if len(self._found) >= _REMEMBERED:
            self._found.clear()
        self._found[meter] = rule
        return rule


def _fits(id: str) -> bool:
    try:
        return len(id.encode()) <= limits.ID_BYTES
    except UnicodeEncodeError:  # a lone surrogate is no character, and stands in no stored id
        return False
