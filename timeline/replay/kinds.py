"""What kind of value a field has, and the Arrow column that holds it.

A column has one type, a field may have values of any. Where all are of one kind the column has the type of that kind;
where they are of several, it holds each value's JSON. Whole numbers and others are two kinds: ``1`` is not ``1.0``.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from timeline.errors import PackageMissing

if TYPE_CHECKING:
    import pyarrow

AS_JSON = {"timeline:encoding": "json"}
"""The metadata of an Arrow field whose texts are JSON."""

_LEAST, _GREATEST = -(2**63), 2**63 - 1

_NEVER_TOO_LONG = 18
"""Digits, a sign among them, of which every whole number is within int64."""


class Kind(StrEnum):
    """The kinds of values that a column can have."""

    TEXT = "text"
    BOOL = "bool"
    INT = "int"
    """Whole numbers within int64."""
    FLOAT = "float"
    JSON = "json"
    """Lists, maps and greater whole numbers; and values of several kinds."""


def kind_of(canonical_value: bytes) -> Kind | None:
    """The kind of a value, given as its canonical JSON; ``None`` for ``null``."""
    first = canonical_value[:1]
    if first == b'"':
        return Kind.TEXT
    if first == b"n":
        return None
    if first in (b"t", b"f"):
        return Kind.BOOL
    if first in (b"{", b"["):
        return Kind.JSON
    if b"." in canonical_value or b"e" in canonical_value:
        return Kind.FLOAT
    if len(canonical_value) <= _NEVER_TOO_LONG:
        return Kind.INT
    # int() refuses thousands of digits; what is within int64 has no more than twenty
    return Kind.INT if len(canonical_value) <= 20 and _LEAST <= int(canonical_value) <= _GREATEST else Kind.JSON


def common(kinds: Iterable[Kind]) -> Kind:
    """The kind of a column with values of these kinds: text where there are none, JSON where there are several."""
    found = set(kinds)
    return Kind.TEXT if not found else found.pop() if len(found) == 1 else Kind.JSON


def arrow_array(kind: Kind, values: Sequence[bytes]) -> pyarrow.Array:
    """Values, given as their canonical JSON and none of them ``null``, as an array of the type of their kind.

    Values of any kinds may be taken as JSON, which is the canonical text itself. Raises :class:`PackageMissing`.
    """
    need_arrow("an Arrow array")
    import pyarrow

    if kind is Kind.JSON:
        return pyarrow.array([value.decode() for value in values], pyarrow.string())
    if kind is Kind.BOOL:
        return pyarrow.array([value == b"true" for value in values], pyarrow.bool_())
    together = b"[" + b",".join(values) + b"]"
    if kind is Kind.INT:
        return pyarrow.array(msgspec.json.decode(together, type=list[int]), pyarrow.int64())
    if kind is Kind.FLOAT:
        return pyarrow.array(msgspec.json.decode(together, type=list[float]), pyarrow.float64())
    return pyarrow.array(msgspec.json.decode(together, type=list[str]), pyarrow.string())


def is_json(field: pyarrow.Field) -> bool:
    """Whether the texts of an Arrow field are JSON."""
    return (field.metadata or {}).get(b"timeline:encoding") == b"json"


def need_arrow(what: str) -> None:
    """Raise :class:`PackageMissing` unless there is what columns are made with; ``what`` is it that needs it."""
    for package in ("pyarrow", "numpy"):
        try:
            importlib.import_module(package)
        except ModuleNotFoundError as error:
            raise PackageMissing(
                f"{what} needs {package}, which is not installed: pip install 'resource-timeline[arrow]'"
            ) from error
