"""What a trait says of a resource: its value, null, or nothing; and what a type and a plugin make of it."""

import json
import logging
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.definitions.reading import definitions, event, fields, notification, of_trait
from timeline.model import Body, canonical

NOTHING = "nothing"
UNREADABLE = "unreadable"
MANY = "9" * 400
MAP = {"b": [1, {"a": None}], "a": 1.5}


def said(trait: str, payload: dict[str, Any], **keys: str) -> Any:
    """What a message says of the trait, or that it says nothing, or that nobody can read it."""
    reading = of_trait(trait, **keys).events(notification(payload={"id": "1", **payload}), 0)
    assert reading is not None
    (only,), unreadable = reading
    said = only.body.fields()
    assert ("it" in said) + unreadable <= 1
    return UNREADABLE if unreadable else said.get("it", NOTHING)


def same(one: Any, other: Any) -> bool:
    return canonical(one) == canonical(other)


# Types


CONVERSIONS = [
    # value, then what text, int, float, datetime and value make of it
    (None, None, None, None, None, None),
    ("", "", None, None, None, ""),
    ("None", "None", None, None, None, "None"),
    (" ", " ", UNREADABLE, UNREADABLE, UNREADABLE, " "),
    ("text", "text", UNREADABLE, UNREADABLE, UNREADABLE, "text"),
    ("12", "12", 12, 12.0, UNREADABLE, "12"),
    (" -7\n", " -7\n", -7, -7.0, UNREADABLE, " -7\n"),
    ("12.0", "12.0", UNREADABLE, 12.0, UNREADABLE, "12.0"),
    ("1e3", "1e3", UNREADABLE, 1000.0, UNREADABLE, "1e3"),
    (".5", ".5", UNREADABLE, 0.5, UNREADABLE, ".5"),
    ("-0", "-0", 0, 0.0, UNREADABLE, "-0"),
    ("1_000", "1_000", UNREADABLE, UNREADABLE, UNREADABLE, "1_000"),
    ("0x10", "0x10", UNREADABLE, UNREADABLE, UNREADABLE, "0x10"),
    ("\u0661\u0662", "\u0661\u0662", UNREADABLE, UNREADABLE, UNREADABLE, "\u0661\u0662"),
    ("nan", "nan", UNREADABLE, UNREADABLE, UNREADABLE, "nan"),
    ("inf", "inf", UNREADABLE, UNREADABLE, UNREADABLE, "inf"),
    ("1e400", "1e400", UNREADABLE, UNREADABLE, UNREADABLE, "1e400"),
    (MANY, MANY, int(MANY), UNREADABLE, UNREADABLE, MANY),
    ("9" * 5_000, "9" * 5_000, UNREADABLE, UNREADABLE, UNREADABLE, "9" * 5_000),
    (12, "12", 12, 12.0, UNREADABLE, 12),
    (int(MANY), MANY, int(MANY), UNREADABLE, UNREADABLE, int(MANY)),
    (12.0, "12.0", 12, 12.0, UNREADABLE, 12.0),
    (12.5, "12.5", UNREADABLE, 12.5, UNREADABLE, 12.5),
    (-0.0, "-0.0", 0, 0.0, UNREADABLE, 0.0),
    (True, "True", 1, 1.0, UNREADABLE, True),
    (False, "False", 0, 0.0, UNREADABLE, False),
    (MAP, MAP, UNREADABLE, UNREADABLE, UNREADABLE, MAP),
    ([], [], UNREADABLE, UNREADABLE, UNREADABLE, []),
    (
        "2026-03-01 12:00:00",
        "2026-03-01 12:00:00",
        UNREADABLE,
        UNREADABLE,
        "2026-03-01T12:00:00.000000Z",
        "2026-03-01 12:00:00",
    ),
    ("x" * 300, "x" * 300, UNREADABLE, UNREADABLE, UNREADABLE, "x" * 300),
    ("\x00\u00e9\U0001f600", "\x00\u00e9\U0001f600", UNREADABLE, UNREADABLE, UNREADABLE, "\x00\u00e9\U0001f600"),
]


@pytest.mark.parametrize(("value", "text", "int_", "float_", "datetime_", "as_it_is"), CONVERSIONS)
def test_each_type_makes_of_a_value_what_the_table_says(
    value: Any, text: Any, int_: Any, float_: Any, datetime_: Any, as_it_is: Any
) -> None:
    expected = {"text": text, "int": int_, "float": float_, "datetime": datetime_, "value": as_it_is}
    for kind, converted in expected.items():
        trait = f"{{fields: payload.x, type: {kind}}}"
        assert same(said(trait, {"x": value}), converted), kind
        # two alternatives, and a value that is found by another road, are read alike
        assert same(said(f"{{fields: [payload.y, payload.x], type: {kind}}}", {"x": value}), converted), kind
        assert same(said(f"{{fields: 'payload.l[0]', type: {kind}}}", {"l": [value]}), converted), kind
    assert same(said("payload.x", {"x": value}), text)


@pytest.mark.parametrize("kind", ["text", "int", "float", "datetime", "value"])
def test_what_a_message_does_not_mention_is_not_said_and_what_is_null_is_said_to_be(kind: str) -> None:
    trait = f"{{fields: payload.x.y, type: {kind}}}"
    for payload in ({}, {"x": None}, {"x": {}}, {"x": []}, {"x": "y"}, {"x": 5}, {"X": {"y": 1}}):
        assert said(trait, payload) == NOTHING
    assert said(trait, {"x": {"y": None}}) is None


@pytest.mark.parametrize(
    ("value", "text", "kept"),
    [("", None, None), ("None", "None", "None"), (" ", " ", " "), (0, "0", 0), ([], [], []), (False, "False", False)],
)
def test_an_empty_text_is_null_where_the_trait_or_the_definition_says_so(value: Any, text: Any, kept: Any) -> None:
    for kind, expected in (("text", text), ("value", kept)):
        by_trait = f"{{fields: payload.x, type: {kind}, empty_as_null: true}}"
        assert same(said(by_trait, {"x": value}), expected)
        assert same(said(f"{{fields: payload.x, type: {kind}}}", {"x": value}, empty_as_null="true"), expected)
        against = f"{{fields: payload.x, type: {kind}, empty_as_null: false}}"
        assert said(against, {"x": ""}, empty_as_null="true") == ""


@settings(deadline=None)
@given(
    st.dictionaries(
        st.text(max_size=2),
        st.none() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=3),
    )
)
def test_a_map_is_one_value_and_keeps_its_structure(value: dict[str, Any]) -> None:
    body = event(of_trait("{fields: payload.x, type: value}"), payload={"id": 1, "x": value}).body
    assert body == Body.of({"it": json.loads(json.dumps(value))})


# Alternatives


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({"a": "1", "b": "2"}, "1"),
        ({"b": "2"}, "2"),
        ({"a": None, "b": "2"}, "2"),
        ({"a": None, "b": None}, None),
        ({"a": None}, None),
        ({}, NOTHING),
        ({"a": "", "b": "2"}, ""),
        ({"a": {"x": 1}}, {"x": 1}),
    ],
)
def test_of_alternatives_the_first_that_is_not_null_is_the_value(payload: dict[str, Any], expected: Any) -> None:
    for trait in ("[payload.a, payload.b]", "{fields: [payload.a, payload.b]}", "(payload.a)|(payload.b)"):
        assert said(trait, payload) == expected


def test_a_number_is_a_constant() -> None:
    for spelled, expected in (("1", 1), ("{fields: 2.5, type: value}", 2.5), ("{fields: 3}", "3")):
        assert said(f"{{fields: {spelled}, type: int}}" if spelled == "1" else spelled, {}) == expected


# Unreadable values


def test_an_unreadable_value_is_counted_and_logged_once_and_the_rest_is_said(caplog: pytest.LogCaptureFixture) -> None:
    read_by = definitions("""
        - event_type: a.b
          resource: {type: thing, id: payload.id}
          traits:
            size: {fields: payload.size, type: int}
            rate: {fields: [payload.rate, payload.x], type: float}
            name: payload.name
    """)
    for size in ("large", "huge"):
        reading = read_by.events(notification(payload={"id": "1", "size": size, "rate": [], "name": "n"}), 0)
        assert reading is not None
        assert reading[0][0].body.fields() == {"name": "n"}
        assert reading[1] == 2
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 2
    assert all(warning.startswith("definitions.yaml:2: the field") for warning in warnings)
    assert any("'size'" in warning and "'large'" in warning for warning in warnings)


# Plugins


TWO_FLAGS = "flags: [{path: payload.a, bit: 0, value: 5}, {path: payload.b, bit: 62}]"


@pytest.mark.parametrize(
    ("plugin", "payload", "expected"),
    [
        ("split", {"x": "a.b.c"}, "a"),
        ("split", {"x": ""}, ""),
        ("{name: split}", {"x": "abc"}, "abc"),
        ("{name: split, parameters: }", {"x": "a.b"}, "a"),
        ("{name: split, parameters: {segment: 1}}", {"x": "a.b.c"}, "b"),
        (
            "{name: split, parameters: {segment: 1, max_split: 1}}",
            {"x": "compute.node.example.com"},
            "node.example.com",
        ),
        ("{name: split, parameters: {segment: -1, separator: /}}", {"x": "http://host/images/1"}, "1"),
        ("{name: split, parameters: {segment: -1, separator: /}}", {"x": "http://host/images/"}, ""),
        ("{name: split, parameters: {segment: 3}}", {"x": "a.b.c"}, NOTHING),
        ("{name: split, parameters: {segment: -4}}", {"x": "a.b.c"}, NOTHING),
        ("{name: split, parameters: {separator: ', '}}", {"x": "a, b"}, "a"),
        ("split", {"x": 1.5}, "1"),
        ("split", {"x": True}, "True"),
        ("split", {"x": {"a": 1}}, UNREADABLE),
        ("split", {"x": None}, None),
        ("split", {}, NOTHING),
        ("{name: map, parameters: {values: {a: 1, b: two, true: yes, 3: x}}}", {"x": "a"}, "1"),
        ("{name: map, parameters: {values: {a: 1, b: two, true: yes, 3: x}}}", {"x": "b"}, "two"),
        ("{name: map, parameters: {values: {a: 1, b: two, true: yes, 3: x}}}", {"x": True}, "True"),
        ("{name: map, parameters: {values: {a: 1, b: two, true: yes, 3: x}}}", {"x": 1}, NOTHING),
        ("{name: map, parameters: {values: {a: 1, b: two, true: yes, 3: x}}}", {"x": 3}, "x"),
        ("{name: map, parameters: {values: {a: 1, b: two, true: yes, 3: x}}}", {"x": "3"}, NOTHING),
        ("{name: map, parameters: {values: {a: 1}}}", {"x": "A"}, NOTHING),
        ("{name: map, parameters: {values: {a: 1}}}", {"x": ["a"]}, NOTHING),
        ("{name: map, parameters: {values: {a: 1}}}", {"x": None}, None),
        ("{name: map, parameters: {values: {a: 1}}}", {}, NOTHING),
        ("{name: map, parameters: {values: {a: null}}}", {"x": "a"}, None),
        ("{name: map, parameters: {values: {a: 1}, default: other}}", {"x": "z"}, "other"),
        ("{name: map, parameters: {values: {a: 1}, default: other}}", {"x": {"a": 1}}, "other"),
        ("{name: map, parameters: {values: {a: 1}, default: other}}", {}, NOTHING),
        ("{name: map, parameters: {values: {Gru\u00df: 1}, case_sensitive: false}}", {"x": "GRUSS"}, "1"),
    ],
)
def test_a_plugin_makes_of_one_match_what_the_table_says(plugin: str, payload: dict[str, Any], expected: Any) -> None:
    assert same(said(f"{{fields: payload.x, plugin: {plugin}}}", payload), expected)
    assert same(said(f"{{fields: [payload.y, payload.x], plugin: {plugin}}}", payload), expected)


@pytest.mark.parametrize(
    ("plugin", "kind", "payload", "expected"),
    [
        ("split", "text", {"a": "1.2", "b": "3.4"}, "1"),
        ("{name: split, parameters: {segment: 1}}", "text", {"a": "1", "b": "3.4"}, "4"),
        ("{name: split, parameters: {segment: 1}}", "int", {"a": "1.x"}, UNREADABLE),
        ("{name: map, parameters: {values: {y: 1}}}", "int", {"a": "x", "b": "y"}, 1),
        ("{name: map, parameters: {values: {y: 1}, default: 0}}", "int", {"a": "x", "b": "y"}, 0),
        ("{name: map, parameters: {values: {x: false}}}", "value", {"a": "x"}, False),
        ("sum", "int", {"a": 20, "b": 5}, 25),
        ("sum", "float", {"a": 0.5, "b": 1}, 1.5),
        ("sum", "int", {"a": 20}, NOTHING),
        ("sum", "int", {"a": 20, "b": None}, NOTHING),
        ("sum", "int", {"a": None, "b": None}, None),
        ("sum", "int", {"a": 20, "b": "5"}, UNREADABLE),
        ("sum", "int", {"a": 20, "b": True}, UNREADABLE),
        ("sum", "value", {"a": 1e308, "b": 1e308}, UNREADABLE),
        ("sum", "value", {"a": int(MANY), "b": 0.5}, UNREADABLE),
        ("sum", "value", {"a": 10**4_299 * 9, "b": 10**4_299 * 9}, UNREADABLE),
        ("timedelta", "float", {"a": "2026-03-01T12:00:00Z", "b": "2026-03-01 13:00:00.5"}, 3600.5),
        ("timedelta", "float", {"b": "2026-03-01T12:00:00Z", "a": "2026-03-01T13:00:00+01:00"}, 0.0),
        ("timedelta", "float", {"a": "2026-03-01T12:00:00Z"}, NOTHING),
        ("timedelta", "float", {"a": "2026-03-01T12:00:00Z", "b": None}, NOTHING),
        ("timedelta", "float", {"a": "2026-03-01T12:00:00Z", "b": ""}, NOTHING),
        ("timedelta", "float", {"a": "None", "b": ""}, NOTHING),
        ("timedelta", "float", {"a": None, "b": None}, None),
        ("timedelta", "float", {"a": "2026-03-01T12:00:00Z", "b": "soon"}, UNREADABLE),
        ("timedelta", "float", {"a": "2026-03-01T12:00:00Z", "b": 5}, UNREADABLE),
        ("timedelta", "float", {"a": "2026-03-01T12:00:00Z", "b": [1]}, UNREADABLE),
        (f"{{name: bitfield, parameters: {{{TWO_FLAGS}}}}}", "int", {"a": 5, "b": 0}, 1 + 2**62),
        (f"{{name: bitfield, parameters: {{{TWO_FLAGS}}}}}", "int", {"a": 6, "b": None}, 0),
        (f"{{name: bitfield, parameters: {{{TWO_FLAGS}, initial_bitfield: 6}}}}", "int", {"a": "5"}, 6),
        (f"{{name: bitfield, parameters: {{{TWO_FLAGS}}}}}", "int", {"a": [5], "b": {}}, 2**62),
        (f"{{name: bitfield, parameters: {{{TWO_FLAGS}}}}}", "int", {}, 0),
        ("bitfield", "int", {}, 0),
    ],
)
def test_a_plugin_makes_of_several_matches_what_the_table_says(
    plugin: str, kind: str, payload: dict[str, Any], expected: Any
) -> None:
    trait = f"{{fields: [payload.a, payload.b], type: {kind}, plugin: {plugin}}}"
    assert same(said(trait, payload), expected)


@pytest.mark.parametrize(("payload", "expected"), [({}, 0), ({"a": None}, 0), ({"a": 6}, 0), ({"a": 5}, 1)])
def test_a_bitfield_says_something_whatever_is_found(payload: dict[str, Any], expected: int) -> None:
    plugin = f"{{name: bitfield, parameters: {{{TWO_FLAGS}}}}}"
    for paths in ("payload.a", "[payload.a]", "[payload.a, payload.c]"):
        assert said(f"{{fields: {paths}, type: int, plugin: {plugin}}}", payload) == expected


def test_a_plugin_that_needs_no_fields_has_none() -> None:
    assert said("{plugin: {name: bitfield, parameters: {initial_bitfield: 5}}, type: int}", {}) == 5


# Volatile traits and aliases


def test_a_volatile_trait_is_told_to_people_and_is_no_field() -> None:
    read_by = definitions("""
        - event_type: a.b
          resource: {type: thing, id: payload.id}
          traits:
            state: payload.state
            bad: {fields: payload.state, type: int}
            request_id: {fields: ctxt.request_id, volatile: true}
            progress: {fields: payload.progress, type: int, volatile: true}
            unsaid: {fields: payload.unsaid, volatile: true}
            cleared: {fields: payload.cleared, volatile: true}
    """)
    message = {
        "payload": {"id": "1", "state": "active", "progress": "slow", "cleared": None},
        "_context_request_id": "r",
    }
    assert event(read_by, **message).body == Body.of({"state": "active"})
    (trial,) = read_by.try_out(notification(**message)) or ()
    assert trial.volatile == {"request_id": "r", "cleared": None}
    assert list(trial.unreadable) == ["bad"]
    assert trial.definition == "definitions.yaml:2"
    assert trial.event.body == Body.of({"state": "active"})


ALIASED = """
    - event_type: a.b
      resource: {type: thing, id: payload.id}
      aliases: {is_public: visibility, hidden: visibility, kind: type}
      traits:
        is_public:
          fields: payload.is_public
          plugin: {name: map, parameters: {values: {true: public, false: private}}}
        hidden: {fields: payload.hidden, volatile: true}
        visibility: payload.visibility
        kind: payload.kind
"""


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({"visibility": "shared"}, {"visibility": "shared"}),
        ({"is_public": True}, {"visibility": "public"}),
        ({"is_public": True, "visibility": "shared"}, {"visibility": "shared"}),
        ({"is_public": False, "visibility": None}, {"visibility": "private"}),
        ({"is_public": None, "visibility": None}, {"visibility": None}),
        ({"is_public": None}, {"visibility": None}),
        ({"is_public": "maybe"}, {}),
        ({"hidden": "yes"}, {}),
        ({"kind": "x"}, {"type": "x"}),
        ({}, {}),
    ],
)
def test_traits_that_are_one_field_are_heard_by_name_and_null_last(payload: Any, expected: dict[str, Any]) -> None:
    assert fields(definitions(ALIASED), payload) == expected
