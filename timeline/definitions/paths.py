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

_LONGEST = 1_000
"""The longest path that is left to jsonpath-rw, in characters: it recurses once for each step."""

# What jsonpath-rw cannot read and its extensions can.
_NOT_YET = (
    (re.compile(r"\[\s*\?"), "a filter ([?...])"),
    (re.compile(r"`(?!(?:this|parent)`)[^`]*`"), "a function in backticks"),
    (re.compile(r"[+/]|[-*]\s*[\d$(]|\s[-*]\s"), "arithmetic"),
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
        self._find = _tolerant(jsonpath_rw.parse(text)).find

    def matches(self, message: Mapping[str, Any]) -> list[Match]:
        return [(str(match.full_path), match.value) for match in self._find(message)]

    def values(self, message: Mapping[str, Any]) -> Sequence[Any]:
        return [value for _, value in self.matches(message)]


class _Step:
    """A step of a path. Where the message is shaped otherwise it finds nothing, and jsonpath-rw's own raises."""

    def __init__(self, step: Any) -> None:
        self._step = step

    def find(self, datum: Any) -> Any:
        try:
            # above the top of the message there is None
            return [found for found in self._step.find(datum) if found is not None]
        except (TypeError, KeyError, IndexError, AttributeError):
            return []


def _tolerant(path: Any) -> Any:
    if not hasattr(path, "left"):
        return _Step(path)
    path.left, path.right = _tolerant(path.left), _tolerant(path.right)
    return path


def compile_path(text: str, *, file: str, line: int) -> Path:
    """The path that a text spells. Raises :class:`DefinitionError` naming what cannot be evaluated."""
    plain = PlainPath.read(text)
    if plain is not None:
        return plain
    if len(text) > _LONGEST:
        raise DefinitionError(f"the path {text!r:.60} is longer than {_LONGEST} characters", file=file, line=line)
    unquoted = re.sub(_QUOTED, "", text)
    try:
        path = RichPath(text)
    except Exception as error:  # jsonpath-rw raises bare Exception for whatever it cannot parse
        for pattern, name in _NOT_YET:
            if pattern.search(unquoted):
                raise _unsupported(text, name, file, line) from error
        # at the end of the text it stumbles over its own message
        reason = "it ends too soon" if isinstance(error, AttributeError) else str(error).strip()
        raise DefinitionError(f"the path {text!r} is no JSONPath: {reason}", file=file, line=line) from error
    if "&" in unquoted:  # jsonpath-rw reads it, and cannot evaluate it
        raise _unsupported(text, "an intersection (&)", file, line)
    return path


def _unsupported(text: str, what: str, file: str, line: int) -> DefinitionError:
    return DefinitionError(f"the path {text!r} needs {what}, which is not supported", file=file, line=line)
