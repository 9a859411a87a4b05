"""Masking the values of token-like keys, in whatever bytes they stand."""

import json
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from timeline.masking import MASK, MASKED_ENDINGS, MASKED_WITHIN, mask

MASKED = f'"{MASK}"'.encode()
CANARY = "canary-58b1"
SIZE = 1 << 19
"""Long enough that a search which reads the rest anew from each byte would never end."""

SECRET_KEYS = [
    "_context_auth_token",
    "token",
    "X-Subject-Token",
    "adminPass",
    "admin_pass",
    "PASSWORD",
    "passwd",
    "client_secret",
    "apiKey",
    "api-key",
    "private_key",
    "credentials",
    "Authorization",
    "user_data",
    "_context_service_catalog",
    "injected_files",
    'a "token"',
    "token\\",
    "😀 secret é",
]
PLAIN_KEYS = [
    "key_name",
    "keypair",
    "key_data",
    "public_key",
    "encryption_key_id",
    "metadata",
    "user_data_format",
    "user_id",
    "tok",
    "state",
    "",
]


# Which keys


@pytest.mark.parametrize("key", SECRET_KEYS)
def test_the_value_of_a_token_like_key_is_masked(key: str) -> None:
    assert json.loads(mask(json.dumps({key: CANARY}).encode())) == {key: MASK}
    assert json.loads(mask(json.dumps({key: CANARY}, ensure_ascii=False).encode())) == {key: MASK}


@pytest.mark.parametrize("key", PLAIN_KEYS)
def test_any_other_value_stays(key: str) -> None:
    data = json.dumps({key: "value", "nested": {key: [1]}}).encode()
    assert mask(data) == data


@pytest.mark.parametrize("name", MASKED_WITHIN + MASKED_ENDINGS)
def test_every_name_of_the_lists_is_masked_however_it_is_written(name: str) -> None:
    camel = "".join(word.capitalize() for word in name.split("_"))
    for key in (name, name.upper(), name.replace("_", "-"), camel, f"_context_{name}"):
        assert mask(b'{"%b": 1}' % key.encode()) == b'{"%b": %b}' % (key.encode(), MASKED)


def test_a_key_may_be_written_in_escapes() -> None:
    assert mask(rb'{"\u0074o\u006Ben": "abc"}') == rb'{"\u0074o\u006Ben": %b}' % MASKED


# Which values


@pytest.mark.parametrize(
    "value",
    [
        b'"abc"',
        b'""',
        b'"a\\"b\\\\"',
        b'"{[,"',
        b"12",
        b"-1.5e3",
        b"true",
        b"[]",
        b"{}",
        b'[1, {"a": "]}"}, []]',
        b'{"a": null}',
    ],
)
@pytest.mark.parametrize("layout", [b'{"token":%b}', b'{"token" : %b , "x": "y"}', b'{"a": [{"token":\n%b\n}, 5]}'])
def test_a_value_of_any_kind_is_masked_whole(value: bytes, layout: bytes) -> None:
    assert mask(layout % value) == layout % MASKED


def test_null_stays() -> None:
    data = b'{"token": null, "password":null }'
    assert mask(data) == data


def test_every_value_is_masked() -> None:
    assert mask(b'{"token": 1, "a": 2, "token": 3, "b": [{"token": 4}, 5]}') == (
        b'{"token": %b, "a": 2, "token": %b, "b": [{"token": %b}, 5]}' % (MASKED, MASKED, MASKED)
    )


def test_a_text_that_only_speaks_of_tokens_stays() -> None:
    data = b'{"message": "the token: expired", "a": ["token", ":x", "token"], "b": "token", "c": 1}'
    assert mask(data) == data


def test_nothing_to_mask_is_the_same_bytes() -> None:
    for data in (b"", b"null", b"{}", b"\xff\xfe\x00", b'"', b"\\", b"token", b'"token"', b'"token":'):
        assert mask(data) is data


# JSON within JSON


def test_the_message_of_an_envelope_is_masked() -> None:
    message = {"_context_auth_token": 'a"b\\', "payload": {"adminPass": "x", "key_name": "k"}, "token": None}
    data = json.dumps({"oslo.version": "2.0", "oslo.message": json.dumps(message, indent=1)}).encode()
    masked = json.loads(mask(data))
    assert masked["oslo.version"] == "2.0"
    assert json.loads(masked["oslo.message"]) == {
        "_context_auth_token": MASK,
        "payload": {"adminPass": MASK, "key_name": "k"},
        "token": None,
    }


@pytest.mark.parametrize("depth", range(8))
def test_the_depth_does_not_matter(depth: int) -> None:
    def wrapped(value: str) -> bytes:
        text = json.dumps({"token": value, "state": 'a "b" \\'})
        for _ in range(depth):
            text = json.dumps(["\\", text, '"'])
        return text.encode()

    assert mask(wrapped(CANARY + '"\\')) == wrapped(MASK)


def test_a_quote_may_be_written_in_escapes() -> None:
    for data in (rb'["{\u0022token\u0022: \u0022abc\u0022}"]', rb'["[\"{\\u0022token\\u0022: \\\u0022abc\\\"}\"]"]'):
        value = json.loads(mask(data))
        while isinstance(value, list):
            value = json.loads(value[0])
        assert value == {"token": MASK}


def test_a_value_never_reaches_over_the_end_of_the_string_around_it() -> None:
    masked = mask(rb'{"a": "\"token\": {[", "b": "\"token\": \"x", "c": "\"token\":", "d": 4}')
    assert json.loads(masked) == {"a": f'"token": "{MASK}"', "b": f'"token": "{MASK}"', "c": '"token":', "d": 4}


# What is no JSON


@pytest.mark.parametrize(
    "broken",
    [
        b'{"token": "canary',
        b'{"token": "a, canary',
        b'{"token": {"a": "canary"}, "b": [',
        b'{"token": [["canary", {"b": 1}',
        b'{"token": canary}',
        b'{"token": canary and canary\n}',
        b'{"token": "a"canary", "b": 1}',
        b'{"token": \\"a, canary\\"}',
        b'{"token": "\xff\x00canary\xfe"}',
        b'\xff{"token"\t:\r\n"canary"',
        b'{{{"token": NaN canary,]',
        b'"token": "canary"',
        b'{\\"token\\": \\"a, canary\\"}',
        b'{"a": "{\\"token\\": \\"a, canary',
        b"{'token': 'a, canary', 'b': 1}",
        b"{u'token': u'a, \\' \" canary'}",
        b"{'token': {'a': ['b', 'canary']}}",
        b'{"error": "{\'token\': \'a, canary\'}", "b": 1}',
        b'{"error": "{\'token\': [\\"it\'s\\", \'canary\']}", "b": 1}',
    ],
)
def test_no_secret_remains_in_what_is_no_json(broken: bytes) -> None:
    masked = mask(broken)
    assert b"canary" not in masked
    assert MASK.encode() in masked
    assert mask(masked) == masked


def test_what_stands_around_a_value_in_the_notation_of_python_stays() -> None:
    quoted = f"'{MASK}'".encode()
    assert mask(b"{'token': 'a', 'b': None, 'token': None}") == b"{'token': %b, 'b': None, 'token': None}" % quoted
    data = b"{\"error\": \"it's {'token': '%b'} that's wrong\", \"b\": 1}"
    assert mask(data % b"a, b") == data % MASK.encode()


# Whatever the bytes


@dataclass(frozen=True)
class Within:
    """A value that is written as JSON within a JSON string."""

    value: Any


@dataclass(frozen=True)
class Secret:
    """A value under a token-like key."""

    value: Any


# no letters that could make a token-like name
keys = st.text("\"\\'{}[]:, \n\x00é😀\ud800nullxyz12", max_size=8) | st.sampled_from(PLAIN_KEYS)
texts = keys | st.sampled_from(["my token", "token: 1", "'token"])
leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts


def containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3)


secrets = (st.recursive(leaves, containers, max_leaves=5) | st.just(CANARY)).map(Secret)


def documents(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    with_secrets = st.dictionaries(st.sampled_from(SECRET_KEYS), secrets, max_size=2)
    both = st.tuples(st.dictionaries(keys, inner, max_size=3), with_secrets).map(lambda both: {**both[0], **both[1]})
    return st.lists(inner, max_size=3) | both | inner.map(Within)


spellings = st.fixed_dictionaries(
    {"indent": st.sampled_from([None, 0, 2]), "separators": st.sampled_from([None, (" ,", ":  ")])}
)


def written(value: Any, spelling: dict[str, Any], *, masked: bool) -> Any:
    """The value with its secrets, or as it should be once they are masked."""
    match value:
        case Secret():
            return MASK if masked and value.value is not None else value.value
        case Within():
            return json.dumps(written(value.value, spelling, masked=masked), **spelling)
        case list():
            return [written(item, spelling, masked=masked) for item in value]
        case dict():
            return {key: written(item, spelling, masked=masked) for key, item in value.items()}
    return value


@settings(deadline=None)
@given(st.recursive(leaves, documents, max_leaves=12), spellings)
def test_all_but_the_secrets_is_byte_for_byte_the_same(document: Any, spelling: dict[str, Any]) -> None:
    data = json.dumps(written(document, spelling, masked=False), **spelling).encode()
    expected = json.dumps(written(document, spelling, masked=True), **spelling).encode()
    assert mask(data) == expected
    assert mask(expected) == expected


@settings(deadline=None)
@given(st.recursive(leaves, documents, max_leaves=12), spellings, st.floats(min_value=0, max_value=1))
def test_no_secret_remains_where_a_message_is_cut(document: Any, spelling: dict[str, Any], share: float) -> None:
    data = json.dumps(written(document, spelling, masked=False), **spelling).encode()
    masked = mask(data[: round(len(data) * share)])
    assert CANARY.encode() not in masked
    assert mask(masked) == masked


PIECES = [
    *rb"""
        " \ ' \" \' \\\" \\n \u0022 u0022 \u0074 : , { } [ ] x null 1 ***masked*** [{" ": "\ "a": null,
        token "token "token" "token": \"token\": 'token 'token':
        "token":1, "token":"a" "token":[ "token":null 'token':1,
    """.split(),
    *(b" ", b"\n", b"\xff", b'" '),
]
pieces = st.sampled_from(PIECES)


@settings(deadline=None)
@given(st.lists(pieces, max_size=12).map(b"".join) | st.binary(max_size=40))
def test_masking_twice_is_masking_once(data: bytes) -> None:
    masked = mask(data)
    assert mask(masked) == masked


@settings(deadline=None)
@given(st.lists(pieces, max_size=12).map(b"".join))
def test_what_decodes_still_does(text: bytes) -> None:
    for data in (text, b'["' + text + b'"]', json.dumps(text.decode("latin-1")).encode(), b'{"token":' + text + b"}"):
        try:
            json.loads(data)
        except ValueError:
            continue
        json.loads(mask(data))


@pytest.mark.parametrize("piece", PIECES)
def test_time_grows_with_the_length_and_no_faster(piece: bytes) -> None:
    run = piece * (SIZE // len(piece))
    assert b"canary" not in mask(run + b'"token": "canary"')
    assert mask(b'"token":' + run).startswith(b'"token":')
