"""Canonical JSON: the one spelling of a value, so that equality is equality of bytes.

UTF-8, keys sorted by code point, no spaces, only the escapes that JSON requires, integers as their digits, floats as
the shortest text that reads back (``repr``; ``-0.0`` is ``0.0``), no NaN and no infinity. This is an on-disk format.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

Json = Any
"""A JSON value: ``None``, ``bool``, ``int``, ``float``, ``str``, a list of such or a map from text to such."""

# The fast encoder agrees with the rules above but for floats, which it spells 1e16 where repr says 1e+16.
_encode_without_floats = msgspec.json.Encoder(order="sorted").encode
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")).encode


def canonical(value: Json) -> bytes:
    """The canonical bytes of a JSON value, which the caller vouches for: other types are not looked for.

    Raises :class:`ValueError` for NaN, infinity and lone surrogates.
    """
    if not has_float(value):
        return _encode_without_floats(value)
    return _encode(_without_negative_zero(value)).encode()


def has_float(value: Json) -> bool:
    """Whether a float stands anywhere in the value."""
    kind = type(value)
    if kind is dict:
        value = value.values()
    elif kind is not list:
        return kind is float
    for inner in value:
        kind = type(inner)
        if kind is float or ((kind is dict or kind is list) and has_float(inner)):
            return True
    return False


def _without_negative_zero(value: Json) -> Json:
    if isinstance(value, float):
        return value + 0.0
    if isinstance(value, dict):
        return {key: _without_negative_zero(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_without_negative_zero(inner) for inner in value]
    return value
