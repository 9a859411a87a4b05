"""The formats of answers: a table where a person looks, JSON where a program reads, never a mixture."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import IO, Any

import msgspec

from timeline.reports.shapes import Shape

# decimal digits for every integer, floats as Python spells them, text as it is
_encode = msgspec.json.Encoder().encode

Stream = IO[bytes]

_JSON = re.compile(r'null|true|false|-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?|[\[{"].*|', re.DOTALL)


def write_object(shape: Shape, stream: Stream, *, lines: bool) -> None:
    """One JSON object: indented, or on one line."""
    text = _encode(shape)
    stream.write((text if lines else msgspec.json.format(text, indent=2)) + b"\n")


def write_list(shapes: Iterable[Shape], stream: Stream, *, lines: bool) -> None:
    """A list of JSON objects: a line each, or one JSON list; written as it comes, however long it is."""
    if lines:
        for shape in shapes:
            stream.write(_encode(shape) + b"\n")
        return
    separator = b"[\n"
    for shape in shapes:
        stream.write(separator + _encode(shape))
        separator = b",\n"
    stream.write(b"[]\n" if separator == b"[\n" else b"\n]\n")


def text(value: Any) -> str:
    """A value as a person reads it in a table: text as it is, all else as JSON; control characters are escaped.

    A text that could be taken for another JSON value is quoted: ``"1"`` is not ``1``.
    """
    if isinstance(value, str) and not _JSON.fullmatch(value):
        return printable(value)
    return "".join(each if each.isprintable() else json.dumps(each)[1:-1] for each in _encode(value).decode())


def printable(text: str) -> str:
    """A text on one line, which no terminal takes for a command: control characters are escaped."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)
