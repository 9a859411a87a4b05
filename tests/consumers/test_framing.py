"""Cutting bytes into messages: lines, arrays and objects over many lines, whole, broken and too long."""

import gzip
import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from timeline.consumers.files import Files
from timeline.model import Message, limits

LIMIT = limits.NOTIFICATION_BYTES
ONE, TWO, THREE = b'{"event_type": "a", "n": [1, "]}\\""]}', b'{"event_type": "b"}', b'{"event_type": "c", "x": {}}'


class Drops(io.BytesIO):
    """Standard input that gives a few bytes at a time, as a pipe may."""

    def __init__(self, content: bytes, size: int) -> None:
        super().__init__(content)
        self._size = size

    def read1(self, size: int | None = -1, /) -> bytes:
        return super().read1(self._size)


def read(content: bytes, drop: int = 1 << 20) -> list[Message]:
    return list(Files(["-"], stdin=Drops(content, drop)))


def data(content: bytes) -> list[bytes]:
    return [message.data for message in read(content)]


def lines(content: bytes) -> list[int]:
    return [int(message.origin.removeprefix("<stdin>:")) for message in read(content)]


# Lines


def test_each_line_is_a_message_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(ONE + b"\n" + TWO + b"\n")
    assert list(Files([path])) == [Message(ONE, f"{path}:1"), Message(TWO, f"{path}:2")]


def test_blank_lines_are_skipped_and_counted() -> None:
    content = b"\n  \n" + ONE + b"\n\n \t\r\n" + TWO + b"\n\n"
    assert data(content) == [ONE, TWO]
    assert lines(content) == [3, 6]


def test_the_last_line_needs_no_end() -> None:
    assert data(ONE + b"\n" + TWO) == [ONE, TWO]


def test_carriage_returns_and_a_byte_order_mark_are_no_part_of_a_message() -> None:
    assert data(b"\xef\xbb\xbf" + ONE + b"\r\n" + TWO + b"\r\n") == [ONE, TWO]


@pytest.mark.parametrize(
    "empty", [b"", b"\n", b" \r\n\n", b"\xef\xbb\xbf", b"\xef\xbb\xbf\n", b"[]", b"[ ]\n", b"\n[\n]"]
)
def test_where_nothing_is_said_there_is_no_message(empty: bytes) -> None:
    assert read(empty) == []


@pytest.mark.parametrize(
    "bad",
    [
        b"not json",
        b"\xff\xfe\x00",
        b"{",
        b"}",
        b"]",
        b'{"event_type": "a", "payload": {"state": "act',
        b'{"event_type":',
        b'{"event_type": "a",',
        b'"text"',
        b"12",
        b"null",
        b"{}{}",
        b"\x00",
        b'{"a":' * 100_000,
    ],
)
def test_a_bad_line_takes_no_other_with_it(bad: bytes) -> None:
    assert data(b"\n".join([ONE, bad, TWO])) == [ONE, bad, TWO]
    assert data(b"\n".join([bad, ONE, TWO])) == [bad, ONE, TWO]
    assert data(b"\n".join([ONE, TWO, bad])) == [ONE, TWO, bad]


def test_two_bad_lines_at_the_start_are_two_messages() -> None:
    assert data(b'{"a": [1,\n{"b":\n' + ONE) == [b'{"a": [1,', b'{"b":', ONE]


def test_lines_that_reach_over_many_chunks_are_whole() -> None:
    wide = [json.dumps({"n": n, "text": "x" * 700_001}).encode() for n in range(5)]
    assert data(b"\n".join(wide)) == wide


# Objects over many lines


def pretty(*texts: bytes, indent: int = 2) -> list[bytes]:
    return [json.dumps(json.loads(text), indent=indent).encode() for text in texts]


@pytest.mark.parametrize("indent", [0, 1, 4])
@pytest.mark.parametrize("between", [b"\n", b"\n\n", b"", b"\r\n", b",\n"])
def test_objects_over_many_lines_are_messages(indent: int, between: bytes) -> None:
    texts = pretty(ONE, TWO, THREE, indent=indent)
    assert data(between.join(texts)) == texts


def test_their_place_is_the_line_on_which_they_start() -> None:
    assert lines(b"\n".join(pretty(TWO, TWO)) + b"\n\n" + TWO) == [1, 4, 8]


def test_an_object_that_is_not_closed_ends_where_the_next_begins() -> None:
    first, second, third = pretty(ONE, TWO, THREE)
    broken = second.removesuffix(b"\n}")
    assert data(b"\n".join([first, broken, third])) == [first, broken, third]


def test_the_unfinished_last_object_is_a_message_too() -> None:
    first, second = pretty(ONE, TWO)
    assert data(first + b"\n" + second[:-1]) == [first, second[:-1].strip()]


# Arrays


@pytest.mark.parametrize(
    "array",
    [
        b"[%b,%b,%b]",
        b"[\n%b,\n%b,\n%b\n]\n",
        b"  [ %b , %b\n,\n%b ] ",
        b"[%b%b %b]",
        b"[%b,,%b,%b,]",
        b"[%b,%b,%b",
        b"[%b]\n[%b,\n%b]",
        b"[%b,%b]\n%b\n",
        b"[%b,\n%b]]\n]\n%b",
    ],
)
def test_the_elements_of_arrays_are_messages(array: bytes) -> None:
    assert [text for text in data(array % (ONE, TWO, THREE)) if text.startswith(b"{")] == [ONE, TWO, THREE]


def test_an_element_is_delivered_as_it_is_spelled() -> None:
    odd = b'{ "a":1.0,\n"a" : "\\u00e9\xc3\xa9",\t"b":[ ]}'
    assert data(b"[" + odd + b"]") == [odd]


def test_the_place_of_an_element_is_the_line_on_which_it_starts() -> None:
    assert lines(b"\n[" + ONE + b",\n{\n\n}, " + TWO + b"\n,\n\n" + THREE + b"]\n[1,\n2]") == [2, 3, 5, 8, 9, 10]


@pytest.mark.parametrize(
    "bad",
    [
        b"1",
        b"null",
        b'"a, {b"',
        b'"\\", {"',
        b"[1, [2]]",
        b"[1, {}]",
        b"garbage and more",
        b"}",
        b'{"a": NaN}',
        b'{"a": }',
        b'{"a": [1}',
        b'{"a": 1]}',
        b'{"a": "\\"}\n}',
        b"\xff\x00",
        b'{"a": ' * 100_000 + b"1" + b"}" * 100_000,
    ],
)
def test_a_bad_element_takes_no_other_with_it(bad: bytes) -> None:
    assert data(b"[%b, %b, %b]" % (ONE, bad, TWO)) == [ONE, bad, TWO]
    assert data(b"[%b, %b]" % (bad, TWO)) == [bad, TWO]


@pytest.mark.parametrize("bad", [b'{"a": 1', b'{"a": "text}', b'{"a": {"b": {"c": 1}', b'{"a": "\\'])
def test_an_element_that_is_not_closed_ends_where_the_next_line_begins_one(bad: bytes) -> None:
    assert data(b"[\n%b,\n%b,\n%b\n]" % (ONE, bad, TWO)) == [ONE, bad + b",", TWO]
    inner = json.dumps([json.loads(ONE), json.loads(TWO)], indent=2).encode()
    first, second = inner.removeprefix(b"[\n").removesuffix(b"\n]").split(b",\n  {")
    second = b"{" + second
    assert data(b"[\n%b,\n  %b,\n  %b\n]" % (first, bad, second)) == [first.strip(), bad + b",", second]


@pytest.mark.parametrize("indent", [None, 0, 1, 4])
def test_objects_within_elements_begin_no_message(indent: int | None) -> None:
    nested = {"a": [{"b": [{}, {"c": {}}]}, {}], "d": {"e": {}}}
    content = json.dumps([nested, nested, 1], indent=indent).encode()
    assert [json.loads(text) for text in data(content)] == [nested, nested, 1]


def test_what_is_left_of_an_array_that_breaks_off_is_one_message() -> None:
    rest = b'{"event_type": "b", "payload": [{"a": "}'
    assert data(b"[" + ONE + b",\n" + rest) == [ONE, rest]


def test_lines_after_an_array_are_read_as_lines() -> None:
    assert data(b"[]\n" + ONE + b"\nnot json\n" + TWO) == [ONE, b"not json", TWO]


# What does not matter


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.sampled_from(["\\", '"', "\\\\", '{"', "[", "}\n{", "],"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None)
@given(st.lists(json_values, max_size=6), st.sampled_from([None, 0, 2]), st.booleans())
def test_an_array_gives_what_a_parser_finds_in_it(values: list[object], indent: int | None, ascii_only: bool) -> None:
    content = json.dumps(values, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "replace")
    assert [json.loads(text) for text in data(content)] == json.loads(content)


@settings(deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [ONE, TWO, b'{"a": [', b'"', b"\\", b"\n", b"\r\n", b"\n  {", b"}", b"]", b"[", b"{", b",", b"x"]
        )
    ),
    st.sampled_from([b"", b"[", b"[\n", b"[\n  {", b'{\n "a": 1', b"{"]),
    st.integers(min_value=1, max_value=12),
)
def test_how_the_bytes_arrive_does_not_matter(pieces: list[bytes], start: bytes, drop: int) -> None:
    content = start + b"".join(pieces)
    assert read(content, drop) == read(content)


@settings(deadline=None)
@given(
    st.lists(st.sampled_from([ONE, TWO, b'"', b"\\", b"\n", b"}", b"]", b"[", b"{", b",", b"x", b" "])),
    st.sampled_from([b"", b"[", b"[\n", b"{\n"]),
)
def test_no_byte_is_lost_but_space_and_what_separates(pieces: list[bytes], start: bytes) -> None:
    content = start + b"".join(pieces)
    separating = b" \n,[]"
    assert b"".join(data(content)).translate(None, separating) == content.translate(None, separating)


@pytest.mark.parametrize("drop", [1, 2, 3, 1000])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_slow_pipe_gives_the_same(drop: int, pack: Callable[[bytes], bytes]) -> None:
    for content in (
        b"\xef\xbb\xbf" + ONE + b"\r\n" + TWO,
        b"[" + ONE + b",\n" + TWO + b"]",
        b"\n".join(pretty(ONE, TWO)),
    ):
        assert read(pack(content), drop) == read(content)


# Too long


def assert_cut(message: Message, whole: bytes) -> None:
    assert message.data == whole[: limits.KEPT_BYTES]
    assert message.size == len(whole)
    assert message.digest == hashlib.sha256(whole).digest()


def test_a_message_at_the_limit_is_whole_and_one_beyond_is_cut() -> None:
    whole, beyond = b"x" * LIMIT, b"y" * (LIMIT + 1)
    first, second, third = read(b"\n".join([whole, beyond, ONE]))
    assert first == Message(whole, "<stdin>:1")
    assert_cut(second, beyond)
    assert third == Message(ONE, "<stdin>:3")


@pytest.mark.parametrize("drop", [65_536, 65_537, LIMIT + 2])
def test_the_end_of_a_long_line_is_no_part_of_it(drop: int) -> None:
    beyond = b"y" * (LIMIT + 1)
    for end in (b"\n", b"\r\n"):
        long, after = read(b"  " + beyond + end + ONE, drop)
        assert_cut(long, beyond)
        assert after == Message(ONE, "<stdin>:2")
    with_return = b"y\r" * LIMIT + b"y"
    assert_cut(read(with_return, drop)[0], with_return)


def test_a_long_element_is_cut_and_those_around_it_are_whole() -> None:
    beyond = b'{"a": "' + b'\\"}' * LIMIT + b'"}'
    first, long, last = read(b"[" + ONE + b",\n" + beyond + b",\n" + TWO + b"]")
    assert (first.data, last.data) == (ONE, TWO)
    assert_cut(long, beyond)
    assert [message.origin for message in (first, long, last)] == ["<stdin>:1", "<stdin>:2", "<stdin>:3"]


def test_a_long_blank_line_is_skipped() -> None:
    assert lines(ONE + b"\n" + b" " * (LIMIT + 1) + b"\n" + TWO) == [1, 3]
