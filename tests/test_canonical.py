"""Canonical bytes are an on-disk format: these examples may be added to, and never be changed."""

import json
import math
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests import oracle
from timeline.model import Body, canonical, has_float

EXAMPLES = [
    (None, b"null"),
    (True, b"true"),
    (False, b"false"),
    (0, b"0"),
    (1, b"1"),
    (-7, b"-7"),
    (2**63, b"9223372036854775808"),
    (-(10**30), b"-1000000000000000000000000000000"),
    (1.0, b"1.0"),
    (-0.0, b"0.0"),
    (0.1, b"0.1"),
    (-2.5, b"-2.5"),
    (1e16, b"1e+16"),
    (123456789012345680.0, b"1.2345678901234568e+17"),
    (1e-7, b"1e-07"),
    (5e-324, b"5e-324"),
    (1.7976931348623157e308, b"1.7976931348623157e+308"),
    ("", b'""'),
    ("1", b'"1"'),
    ('say "no" \\ /', b'"say \\"no\\" \\\\ /"'),
    ("\b\f\n\r\t", b'"\\b\\f\\n\\r\\t"'),
    ("\x00\x1f\x7f", b'"\\u0000\\u001f\x7f"'),
    ("gr\u00fc\u00df\u2028", b'"gr\xc3\xbc\xc3\x9f\xe2\x80\xa8"'),
    ("\U0001f600", b'"\xf0\x9f\x98\x80"'),
    ("e\u0301", b'"e\xcc\x81"'),  # no normalisation: ids stay as they are, byte for byte
    ([], b"[]"),
    ({}, b"{}"),
    ([1, 1.0, True, "1", None], b'[1,1.0,true,"1",null]'),
    ({"b": 1, "a": [], "B": {}}, b'{"B":{},"a":[],"b":1}'),
    ({"": 0, "$x": 1, "a.b": 2, "__type__": 3}, b'{"":0,"$x":1,"__type__":3,"a.b":2}'),
    # by code point: UTF-16, and JavaScript with it, would put the last before the second
    ({"\U00010000": 1, "\uffff": 2, "\ud7ff": 3}, b'{"\xed\x9f\xbf":3,"\xef\xbf\xbf":2,"\xf0\x90\x80\x80":1}'),
    ({"z": {"y": [{"x": 0.5}, {}]}, "a": -0.0}, b'{"a":0.0,"z":{"y":[{"x":0.5},{}]}}'),
]

BODIES = [
    ({}, 0, b'{"f":{},"v":0}', "c9f1392a720beda3c24e843d274312d112e65f4c9fa41d6fef5ba10e38268c55"),
    (
        {"state": "active", "flavor": "m1.tiny"},
        1,
        b'{"f":{"flavor":"m1.tiny","state":"active"},"v":1}',
        "9b3d5ea2b92b167db6c76b3ee8048cd9979303266826a3138dfed5bb836999c0",
    ),
    (
        {"vcpus": 1, "load": 1.0, "metadata": {"\u00e9": None}},
        2,
        b'{"f":{"load":1.0,"metadata":{"\xc3\xa9":null},"vcpus":1},"v":2}',
        "3ec2f97ca2eb92efbf5c9672f149c7018b3254430870f6c70a8ca140d24caf70",
    ),
]

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(10**40), 10**40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(("value", "data"), EXAMPLES)
def test_a_value_has_these_bytes_on_disk(value: Any, data: bytes) -> None:
    assert canonical(value) == data


def test_there_are_thirty_examples() -> None:
    assert len({data for _, data in EXAMPLES}) >= 30


@pytest.mark.parametrize(("fields", "version", "data", "digest"), BODIES)
def test_a_body_has_these_bytes_and_this_digest(fields: Any, version: int, data: bytes, digest: str) -> None:
    body = Body.of(fields, version)
    assert body.data == data
    assert body.digest.hex() == digest


def test_one_and_true_and_one_as_a_text_are_four_values() -> None:
    assert len({canonical(value) for value in (1, 1.0, True, "1")}) == 4
    assert len({canonical({"v": [value]}) for value in (1, 1.0, True, "1")}) == 4


def test_null_and_empty_and_nothing_are_different_values() -> None:
    assert len({canonical(value) for value in (None, "", [], {}, {"a": None}, {"a": ""}, "None", 0, False)}) == 9


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("wrapped", [lambda it: it, lambda it: [0, it], lambda it: {"a": {"b": [it]}}])
def test_nan_and_infinity_are_no_json(number: float, wrapped: Any) -> None:
    with pytest.raises(ValueError, match="JSON"):
        canonical(wrapped(number))


@pytest.mark.parametrize("text", ["\ud800", "a\udfffb"])
@pytest.mark.parametrize("beside", [0, 0.5])
def test_a_lone_surrogate_is_no_character(text: str, beside: float) -> None:
    for value in (text, [text, beside], {text: beside}, {"a": text, "b": beside}):
        with pytest.raises(ValueError, match="surrogates"):
            canonical(value)


@settings(deadline=None)
@given(VALUES)
@example({"a": [-0.0, 10**40, {"": 1e300}]})
def test_reading_back_and_writing_again_gives_the_same_bytes(value: Any) -> None:
    data = canonical(value)
    assert canonical(msgspec.json.decode(data)) == data
    assert canonical(json.loads(data)) == data


@settings(deadline=None)
@given(VALUES)
def test_the_bytes_are_those_of_the_oracle(value: Any) -> None:
    assert canonical(value) == oracle.canonical(value)


@settings(deadline=None)
@given(VALUES)
def test_a_float_beside_a_value_does_not_change_how_the_value_is_spelled(value: Any) -> None:
    # a float anywhere takes the value on another road through the encoder
    assert canonical([0.5, value]) == b"[0.5," + canonical(value) + b"]"
    assert has_float([0.5, value])


@settings(deadline=None)
@given(VALUES)
def test_a_value_is_said_to_have_a_float_where_one_stands_in_it(value: Any) -> None:
    found: list[float] = []
    json.loads(json.dumps(value), parse_float=lambda text: found.append(float(text)))
    assert has_float(value) is bool(found)


@settings(deadline=None)
@given(st.dictionaries(st.text(), SCALARS), st.randoms())
def test_the_order_in_which_keys_were_given_does_not_matter(fields: dict[str, Any], random: Any) -> None:
    items = list(fields.items())
    random.shuffle(items)
    assert canonical(dict(items)) == canonical(fields)


@settings(deadline=None)
@given(VALUES, VALUES)
def test_values_with_the_same_bytes_are_the_same_json(one: Any, other: Any) -> None:
    same = canonical(one) == canonical(other)
    assert same is (strictly(one) == strictly(other))


def strictly(value: Any) -> Any:
    """The value with the type of each of its parts, since 1, 1.0 and True are equal to Python."""
    if isinstance(value, dict):
        return ("map", {key: strictly(inner) for key, inner in value.items()})
    if isinstance(value, list):
        return ("list", [strictly(inner) for inner in value])
    return (type(value).__name__, value)
