"""Paths find what jsonpath-rw finds, the plain ones without it; and no message can make one fail."""

import json
from typing import Any

import jsonpath_rw
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from timeline.definitions.paths import PlainPath, RichPath, compile_path

MESSAGE = {
    "payload": {
        "list": [{"x": 1, "y": [10, 11]}, {"x": None}, {"y": None}, 5, None, "text"],
        "map": {"a": 1, "b": {"x": 2}},
        "null": None,
        "text": "abc",
        "number": 1.5,
        "true": True,
        "empty": [],
        "nova_object.data": {"uuid": "u"},
        "where": "here",
        "x-1": {"y": 3},
        "@id": 4,
        "*": 6,
        "": 7,
        "a'b": 8,
    },
    "other": 9,
}


def path(text: str) -> Any:
    return compile_path(text, file="f", line=1)


def find(text: str) -> list[Any]:
    return [value for _, value in path(text).matches(MESSAGE)]


# Plain paths


@pytest.mark.parametrize(
    ("text", "where", "found"),
    [
        ("other", "other", 9),
        ("$.other", "other", 9),
        (" payload.map.a\t", "payload.map.a", 1),
        ("payload.null", "payload.null", None),
        ("payload.'nova_object.data'.uuid", "payload.nova_object.data.uuid", "u"),
        ('payload."nova_object.data"."uuid"', "payload.nova_object.data.uuid", "u"),
        ("'payload'.'map'", "payload.map", {"a": 1, "b": {"x": 2}}),
        ("payload.'where'", "payload.where", "here"),
        ("payload.x-1.y", "payload.x-1.y", 3),
        ("payload.@id", "payload.@id", 4),
        ('payload."a\'b"', "payload.a'b", 8),
    ],
)
def test_a_plain_path_is_followed_without_jsonpath_rw(text: str, where: str, found: Any) -> None:
    compiled = path(text)
    assert isinstance(compiled, PlainPath)
    assert compiled.matches(MESSAGE) == [(where, found)]
    assert list(compiled.values(MESSAGE)) == [found]
    assert [(str(match.full_path), match.value) for match in jsonpath_rw.parse(text).find(MESSAGE)] == [(where, found)]


@pytest.mark.parametrize(
    "text",
    [
        "payload",
        "payload.a",
        "payload.map.a.b",
        "payload.list.x",
        "payload.text.x",
        "payload.null.x",
        "payload.empty.x",
    ],
)
@pytest.mark.parametrize("message", [{}, {"payload": {}}, {"payload": None}, {"payload": []}, {"payload": "a"}])
def test_a_plain_path_finds_nothing_where_a_message_has_no_such_names(text: str, message: dict[str, Any]) -> None:
    expected = [("payload", message["payload"])] if text == "payload" and message else []
    assert path(text).matches(message) == expected


@pytest.mark.parametrize(
    "text",
    [
        "*",
        "payload.*",
        "payload.'*'",
        "payload.list[0]",
        "payload..x",
        "$",
        "a|b",
        "a where b",
        "payload.''",
        "a . b",
        "a,b",
        "a['b']",
    ],
)
def test_what_is_not_plain_is_left_to_jsonpath_rw(text: str) -> None:
    assert isinstance(path(text), RichPath)
    assert path(text).keys is None
    assert PlainPath.read(text) is None


NAMES = st.sampled_from(["a", "b", "@c", "_d", "e-1", "f.g", "h i", "é", "where", "parent", "0", "x", "'", "$", "a.b"])
QUOTED = NAMES.filter(lambda name: "'" not in name).map(lambda name: f"'{name}'")
BARE = st.sampled_from(["a", "b", "@c", "_d", "e-1", "parent", "x"])
PLAIN = st.tuples(
    st.sampled_from(["", "$."]),
    st.lists(BARE | QUOTED | QUOTED.map(lambda name: name.replace("'", '"')), min_size=1, max_size=4),
).map(lambda parts: parts[0] + ".".join(parts[1]))
SCALARS = st.none() | st.booleans() | st.integers(0, 3) | st.floats(0, 1) | st.sampled_from(["", "a", "text"])
JSON = st.recursive(
    SCALARS,
    lambda inner: st.dictionaries(NAMES, inner, max_size=4) | st.lists(inner, max_size=3),
    max_leaves=15,
)
MESSAGES = st.dictionaries(NAMES, JSON, max_size=5)


def found_by_jsonpath_rw(text: str, message: Any) -> list[tuple[str, Any]]:
    return [(str(match.full_path), match.value) for match in jsonpath_rw.parse(text).find(message)]


@settings(deadline=None)
@given(PLAIN, MESSAGES)
def test_a_plain_path_finds_what_jsonpath_rw_finds(text: str, message: dict[str, Any]) -> None:
    compiled = path(text)
    assert isinstance(compiled, PlainPath)
    assert repr(compiled.matches(message)) == repr(found_by_jsonpath_rw(text, message))
    assert repr([value for _, value in compiled.matches(message)]) == repr(list(compiled.values(message)))


# The others


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("payload.list[0].x", [1]),
        ("payload.list[-1]", ["text"]),
        ("payload.list[3]", [5]),
        ("payload.list[9]", []),
        ("payload.list[-9]", []),
        ("payload.list[*].x", [1, None]),
        ("payload.list[0:2].x", [1, None]),
        ("payload.list[-3:]", [5, None, "text"]),
        ("payload.list[*].y[0]", [10]),
        ("payload.list[0].y[*]", [10, 11]),
        ("payload.map.*", [1, {"x": 2}]),
        ("payload.x-1.*", [3]),
        ("payload . map . * . x", [2]),
        ("payload.map..x", [2]),
        ("payload.list..y[1]", [11]),
        ("$..uuid", ["u"]),
        ("payload.list..[0]", [{"x": 1, "y": [10, 11]}, 10, "t"]),
        ("(payload.nothing)|(payload.map.a)", [1]),
        ("(payload.map.a)|(other)", [1, 9]),
        ("payload.map.a,b", [1, {"x": 2}]),
        ("payload.list[*] where x", [{"x": 1, "y": [10, 11]}, {"x": None}]),
        ("payload.map.* where x", [{"x": 2}]),
        ("payload.map.b.x.`parent`", [{"x": 2}]),
        ("payload.map.b.`this`.x", [2]),
        ("payload.''", [7]),
        ("payload['text']", ["abc"]),
        ("payload.'a\\'b'", [8]),
        ("payload.'*'", list(MESSAGE["payload"].values())),
        ("other|payload.'x-1'.'y'", [3]),  # a bar binds closer than a dot
        # one alternative, or item, of another shape does not lose the others
        ("(payload.null[0])|(other)", [9]),
        ("(other)|(payload.number[0])", [9]),
        ("`parent`", []),
        ("$.`parent`.other", []),
        ("payload.`parent`.`parent`..other", []),
    ],
)
def test_a_rich_path_finds_these(text: str, found: list[Any]) -> None:
    assert find(text) == found
    assert list(path(text).values(MESSAGE)) == found


@pytest.mark.parametrize("step", ["[0]", "[-1]", "[*]", "[1:]", ".*", "..x", ".`parent`", ".x", "[0].x[0]", "[*].x[*]"])
@pytest.mark.parametrize("name", ["null", "text", "number", "true", "empty", "map", "list", "nothing"])
def test_a_value_of_another_shape_makes_no_path_fail(name: str, step: str) -> None:
    compiled = path(f"payload.{name}{step}")
    found = compiled.matches(MESSAGE)
    assert all(isinstance(where, str) for where, _ in found)
    for other in ({}, {"payload": None}, {"payload": "x"}, {"payload": [1]}, {"payload": {name: {"0": 1}}}):
        compiled.matches(other)


STEPS = st.lists(
    st.sampled_from(
        [".a", ".b", ".*", "[0]", "[-1]", "[*]", "[0:1]", "..a", "..[0]", ".`parent`", ".`this`", ".'f.g'", " where a"]
    ),
    min_size=1,
    max_size=4,
)
RICH = st.builds(lambda first, steps: first + "".join(steps), st.sampled_from(["a", "$", "*", "@c"]), STEPS)


@settings(deadline=None)
@given(RICH, MESSAGES)
def test_a_rich_path_never_fails_and_finds_what_jsonpath_rw_finds_where_that_does_not(
    text: str, message: dict[str, Any]
) -> None:
    compiled = path(text)
    found = compiled.matches(message)
    # above the top of a message there is nothing, where jsonpath-rw finds a None that has no place
    assume(text.count("`parent`") <= (text[0] != "$"))
    try:
        expected = found_by_jsonpath_rw(text, message)
    except (TypeError, KeyError, IndexError, AttributeError):
        assume(False)
    assert repr(found) == repr(expected)


def test_a_path_finds_its_way_through_messages_as_deep_and_texts_as_long_as_may_be() -> None:
    message: dict[str, Any] = {"a": 1}
    for _ in range(63):
        message = {"a": message}
    assert path("$..a").matches(message)[-1] == (".".join("a" * 64), 1)
    assert path(".".join("a" * 64)).matches(message) == [(".".join("a" * 64), 1)]
    assert path("a" + ".*" * 499).matches(message) == []
    assert path(".".join("a" * 5_000)).matches(message) == []


def test_paths_leave_the_message_as_it_was() -> None:
    before = json.dumps(MESSAGE)
    for text in ("payload.list[0:2].x", "payload..x", "payload.map.*", "payload.text[*]"):
        path(text).matches(MESSAGE)
    assert json.dumps(MESSAGE) == before
