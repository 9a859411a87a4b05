"""Paths into a notification: JSONPath, as jsonpath-rw reads it.

A plain dotted path, which nearly all are, is recognised by a pattern and never reaches jsonpath-rw, which takes
milliseconds to parse a path and microseconds to follow one. The rest is parsed once, when the definitions are loaded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, Self

from timeline.errors import DefinitionError

_NAME = r"[A-Za-z_@][A-Za-z0-9_@-]*"
_QUOTED = r"'[^'\\]+'|\"[^\"\\]+\""
_PLAIN = re.compile(rf"\s*(?:\$\.)?(?:{_NAME}|{_QUOTED})(?:\.(?:{_NAME}|{_QUOTED}))*\s*")
_KEY = re.compile(rf"({_NAME})|({_QUOTED})")

_NOT_YET = (
    (re.compile(r"\[\s*\?"), "a filter ([?...])"),
    (re.compile(r"`(?!(?:this|parent)`)[^`]*`"), "a function in backticks"),
    (re.compile(r"[-+/*]\s*\d|\s[-+/*]\s"), "arithmetic"),
    (re.compile(r"&"), "an intersection (&)"),
)

Match = tuple[str, Any]
"""Where something was found, and what."""


class Path(Protocol):
    """A compiled path."""

    text: str
    keys: tuple[str, ...] | None
    """The names from the top of the message down, of a plain path; ``None`` of any other."""

    def matches(self, message: Mapping[str, Any]) -> list[Match]:
        """All that the path finds, in order; nothing where the message is shaped otherwise."""

    def values(self, message: Mapping[str, Any]) -> Sequence[Any]:
        """The values that the path finds, in order, without their places."""


class PlainPath:
    """Names from the top of the message down."""

    def __init__(self, text: str, keys: tuple[str, ...]) -> None:
        self.text = text
        self.keys: tuple[str, ...] | None = keys
        self._keys = keys
        self._where = ".".join(keys)

    @classmethod
    def read(cls, text: str) -> Self | None:
        """The path, where the text is a plain one."""
        if not _PLAIN.fullmatch(text):
            return None
        keys = tuple(name or quoted[1:-1] for name, quoted in _KEY.findall(text))
        # to jsonpath-rw `where` is an operator and a `*` means any key, quoted or not
        if "*" in keys or "where" in (name for name, _ in _KEY.findall(text)):
            return None
        return cls(text, keys)

    def matches(self, message: Mapping[str, Any]) -> list[Match]:
        return [(self._where, value) for value in self.values(message)]

    def values(self, message: Mapping[str, Any]) -> Sequence[Any]:
        value: Any = message
        for key in self._keys:
            if type(value) is not dict or key not in value:
                return ()
            value = value[key]
        return (value,)


class RichPath:
    """Whatever else jsonpath-rw can evaluate: ``*``, ``..``, indexes, slices, ``|``, ``where``, ```parent```."""

    def __init__(self, text: str) -> None:
        import jsonpath_rw  # imported late: a file of plain paths does not need it

        self.text = text
        self.keys: tuple[str, ...] | None = None
        self._find = jsonpath_rw.parse(text).find

    def matches(self, message: Mapping[str, Any]) -> list[Match]:
        try:
            return [(str(match.full_path), match.value) for match in self._find(message)]
        except (TypeError, KeyError, IndexError, AttributeError):
            # jsonpath-rw indexes whatever it meets: the message is shaped otherwise, so nothing is there
            return []

    def values(self, message: Mapping[str, Any]) -> Sequence[Any]:
        return [value for _, value in self.matches(message)]


def compile_path(text: str, *, file: str, line: int) -> Path:
    """The path that a text spells. Raises :class:`DefinitionError` naming what cannot be evaluated."""
    plain = PlainPath.read(text)
    if plain is not None:
        return plain
    unquoted = re.sub(_QUOTED, "", text)
    for pattern, name in _NOT_YET:
        if pattern.search(unquoted):
            raise DefinitionError(f"the path {text!r} needs {name}, which is not supported", file=file, line=line)
    try:
        return RichPath(text)
    except Exception as error:  # jsonpath-rw raises bare Exception for whatever it cannot parse
        raise DefinitionError(f"the path {text!r} is no JSONPath: {error}", file=file, line=line) from error
