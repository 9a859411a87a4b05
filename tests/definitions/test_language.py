"""What a definition means: which messages it is for, what they speak of, and when it happened."""

from itertools import permutations
from typing import Any

import pytest

from tests.definitions.reading import AT, definitions, event, events, notification, of_trait, refusal
from timeline import clock
from timeline.errors import NotificationError
from timeline.model import Body, Phase, Resource, limits

# Which messages a definition is for


@pytest.mark.parametrize(
    ("globs", "matching", "others"),
    [
        (
            "compute.instance.*",
            ["compute.instance.update", "compute.instance."],
            ["compute.instance", "Compute.Instance.x", "x.compute.instance.x"],
        ),
        ("[a.b, c.d]", ["a.b", "c.d"], ["a.c", "a.b.c"]),
        ("'*'", ["a", "a.b", "a\nb"], []),
        ("a.?", ["a.b"], ["a.", "a.bc"]),
        ("'a.[bc]'", ["a.b", "a.c"], ["a.d", "a.[bc]"]),
        ("'a.[!b]'", ["a.c"], ["a.b"]),
        ("['a.*', '!a.b*']", ["a.c"], ["a.b", "a.bc", "b"]),
        ("['!a.b*', 'a.*']", ["a.c"], ["a.b"]),
        ("['!a.*', '!b.*']", ["c.d", "a"], ["a.b", "b.c"]),
        ("'!a.*'", ["b.c"], ["a.b"]),
        ("['!*']", [], ["a.b"]),
        ("a(b)+", ["a(b)+"], ["abb"]),
    ],
)
def test_a_definition_is_for_the_event_types_that_its_globs_name(
    globs: str, matching: list[str], others: list[str]
) -> None:
    read_by = definitions(f"- {{event_type: {globs}, resource: {{type: thing, id: message_id}}, traits: {{}}}}")
    for event_type in matching:
        assert len(events(read_by, event_type=event_type)) == 1
        assert read_by.find(event_type) is not None
    for event_type in others:
        assert read_by.events(notification(event_type), 0) is None
        assert read_by.try_out(notification(event_type)) is None
        assert read_by.find(event_type) is None


def test_the_last_definition_that_matches_decides_alone() -> None:
    one = "- {event_type: 'a.*', resource: {type: one, id: message_id}, traits: {x: payload.x, one: payload.x}}"
    two = "- {event_type: [a.b, a.c], resource: {type: two, id: message_id}, traits: {two: payload.x}}"
    three = "- {event_type: ['a.*', '!a.c'], resource: {type: three, id: message_id}, traits: {three: payload.x}}"
    for order in permutations([one, two, three]):
        read_by = definitions("\n".join(order))
        for event_type, names in (("a.b", ["one", "two", "three"]), ("a.c", ["one", "two"]), ("a.d", ["one", "three"])):
            last = max(names, key=lambda name: [f"type: {name}," in spelled for spelled in order].index(True))
            said = event(read_by, event_type=event_type, payload={"x": "y"})
            assert said.resource.type == last
            assert set(said.body.fields()) == ({"x", "one"} if last == "one" else {last})


def test_definitions_tell_their_places_in_the_order_of_the_file() -> None:
    read_by = definitions("""
        - {event_type: a.b, traits: {}}

        - {event_type: c.d, traits: {}}
    """)
    assert [read_by.place(each) for each in read_by] == ["definitions.yaml:2", "definitions.yaml:4"]
    assert len(read_by) == 2


def test_any_number_of_event_types_may_come() -> None:
    read_by = definitions("- {event_type: '*.c', resource: {type: thing, id: message_id}, traits: {}}")
    for number in range(10_100):
        assert read_by.events(notification(f"a.{number}"), 0) is None
    assert len(events(read_by, event_type="b.c")) == 1


# Which resource a message speaks of


IDENTIFIED = """
    - event_type: a.b
      resource:
        type: thing
        id: [payload.id, 'payload.ids[*]', ctxt.id]
        source: [payload.region, _context_region]
      traits: {}
"""


@pytest.mark.parametrize(
    ("payload", "members", "resource_id", "source"),
    [
        ({"id": "1"}, {}, "1", ""),
        ({"id": "1", "ids": ["2"]}, {"_context_id": "3"}, "1", ""),
        ({"id": "", "ids": ["2"]}, {}, "2", ""),
        ({"id": None, "ids": [None, "", "4", "5"]}, {}, "4", ""),
        ({"ids": []}, {"_context_id": "3"}, "3", ""),
        (None, {"ctxt": {"id": "3"}}, "3", ""),
        ("text", {"_context_id": "3"}, "3", ""),
        ({"id": 0}, {}, "0", ""),
        ({"id": -7}, {}, "-7", ""),
        ({"id": 10**30}, {}, str(10**30), ""),
        ({"id": "None"}, {}, "None", ""),
        ({"id": " a/\x00\u00e9\U0001f600 "}, {}, " a/\x00\u00e9\U0001f600 ", ""),
        ({"id": "1", "region": "north"}, {"_context_region": "south"}, "1", "north"),
        ({"id": "1", "region": ""}, {"ctxt": {"region": "south"}}, "1", "south"),
        ({"id": "1", "region": None}, {}, "1", ""),
        ({"id": "1", "region": 2}, {}, "1", "2"),
    ],
)
def test_the_resource_is_what_the_first_alternative_names(
    payload: Any, members: dict[str, Any], resource_id: str, source: str
) -> None:
    said = event(definitions(IDENTIFIED), payload=payload, **members)
    assert said.resource == Resource(type="thing", source=source, id=resource_id)


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        ({}, "no-resource-id"),
        ({"id": None}, "no-resource-id"),
        ({"id": "", "ids": [""]}, "no-resource-id"),
        (None, "payload-not-a-map"),
        ("an upload failed", "payload-not-a-map"),
        ([{"id": "1"}], "payload-not-a-map"),
        (5, "payload-not-a-map"),
        ({"id": 1.5}, "unreadable-resource-id"),
        ({"id": True}, "unreadable-resource-id"),
        ({"id": False}, "unreadable-resource-id"),
        ({"id": ["1"]}, "unreadable-resource-id"),
        ({"id": {"x": 1}}, "unreadable-resource-id"),
        ({"id": "1", "region": ["north"]}, "unreadable-resource-id"),
        ({"id": "1", "region": True}, "unreadable-resource-id"),
        ({"id": 10**600}, "id-too-long"),
    ],
)
def test_a_message_without_a_readable_resource_is_refused(payload: Any, reason: str) -> None:
    error = refusal(definitions(IDENTIFIED), payload=payload)
    assert error.reason == reason
    assert "thing" in error.detail


@pytest.mark.parametrize(
    ("message", "place"),
    [
        ({"payload": {}}, "payload.id or payload.ids[*] or ctxt.id"),
        ({"payload": None}, "payload"),
        ({"payload": {"id": 1.5}}, "payload.id"),
        ({"payload": {"id": None, "ids": ["", [1]]}}, "payload.ids[*]"),
        ({"payload": {"id": "x" * 513}}, "payload.id"),
        ({"payload": {"id": "1", "region": [2]}}, "payload.region"),
        ({"payload": {"id": "1"}, "_context_region": "x" * 65}, "_context_region"),
        ({"payload": {"id": "1"}, "timestamp": None}, "timestamp"),
        ({"payload": {"id": "1"}, "timestamp": "soon"}, "timestamp"),
    ],
)
def test_a_refusal_tells_the_path_that_is_wrong(message: dict[str, Any], place: str) -> None:
    assert refusal(definitions(IDENTIFIED), **message).place == place


@pytest.mark.parametrize(("name", "most"), [("id", limits.ID_BYTES), ("region", limits.NAME_BYTES)])
@pytest.mark.parametrize("letter", ["a", "\u00e9", "\U0001f600"])
def test_ids_and_sources_are_as_long_as_the_limit_in_bytes_and_no_longer(name: str, most: int, letter: str) -> None:
    longest = letter * (most // len(letter.encode()))
    said = event(definitions(IDENTIFIED), payload={"id": "1", name: longest})
    assert longest in (said.resource.id, said.resource.source)
    assert refusal(definitions(IDENTIFIED), payload={"id": "1", name: longest + "a"}).reason == "id-too-long"


# One message, many resources


BULK = """
    - event_type: a.b
      resource: {type: thing, each: [payload.thing, payload.things, 'payload.more[*].thing'], id: item.id, source: ctxt.region}
      occurred_at: [item.at, timestamp]
      phase: {phase: delete, when: item.gone}
      traits:
        name: item.name
        owner: payload.owner
        first: {fields: 'item.tags[0]', type: value}
        sender: {fields: publisher_id, volatile: true}
"""  # noqa: E501


@pytest.mark.parametrize(
    ("payload", "ids"),
    [
        ({"thing": {"id": "1"}}, ["1"]),
        ({"things": [{"id": "1"}, {"id": "2"}]}, ["1", "2"]),
        ({"things": [{"id": "1"}, {"id": "1"}]}, ["1", "1"]),
        ({"thing": {"id": "1"}, "things": [{"id": "2"}]}, ["1"]),
        ({"thing": None, "things": [{"id": "2"}]}, ["2"]),
        ({"thing": "", "things": {"id": "2"}}, ["2"]),
        ({"thing": [], "things": [{"id": "2"}]}, ["2"]),
        (
            {"more": [{"thing": {"id": "1"}}, {"thing": None}, {}, {"thing": [{"id": "2"}, {"id": "3"}]}]},
            ["1", "2", "3"],
        ),
    ],
)
def test_a_message_that_speaks_of_many_says_something_of_each(payload: dict[str, Any], ids: list[str]) -> None:
    said = events(definitions(BULK), payload={"owner": "blue", **payload}, _context_region="north")
    assert [each.resource.id for each in said] == ids
    assert {(each.resource.type, each.resource.source, each.message_id) for each in said} == {("thing", "north", "m")}
    assert {each.body for each in said} == {Body.of({"owner": "blue"})}


def test_each_of_many_has_its_own_fields_time_and_phase() -> None:
    things = [
        {"id": "1", "name": "one", "tags": [{"a": 1.5}]},
        {"id": 2, "at": "2026-01-01", "gone": "yes", "name": None},
    ]
    one, two = events(definitions(BULK), payload={"things": things})
    assert (one.occurred_at, one.phase) == (clock.parse(AT), Phase.UPDATE)
    assert (two.occurred_at, two.phase) == (clock.parse("2026-01-01"), Phase.DELETE)
    assert (one.body, two.body) == (Body.of({"name": "one", "first": {"a": 1.5}}), Body.of({"name": None}))
    trials = definitions(BULK).try_out(notification(payload={"things": things}, publisher_id="p")) or []
    assert [trial.event.resource.id for trial in trials] == ["1", "2"]
    assert [dict(trial.volatile) for trial in trials] == [{"sender": "p"}, {"sender": "p"}]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ({}, "no-resource-id"),
        ("2", "no-resource-id"),
        (None, "no-resource-id"),
        ([], "no-resource-id"),
        ({"id": [2]}, "unreadable-resource-id"),
        ({"id": "2", "at": "soon"}, "unreadable-time"),
        ({"id": "x" * 513}, "id-too-long"),
        ({"id": "2", "name": "x" * limits.BODY_BYTES}, "body-too-long"),
    ],
)
def test_where_one_of_many_cannot_be_read_the_whole_message_is_refused(bad: Any, reason: str) -> None:
    for things in ([{"id": "1"}, bad], [bad, {"id": "1"}]):
        assert refusal(definitions(BULK), payload={"things": things}).reason == reason


def test_where_one_of_many_cannot_be_read_the_place_tells_which() -> None:
    for bad, place in (({}, "item.id"), ({"id": "2", "at": "soon"}, "item.at")):
        refused = refusal(definitions(BULK), payload={"things": [{"id": "1"}, bad, {"id": "3"}]})
        assert refused.place == f"{place} of item 1"


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        ({}, "no-resource-id"),
        ({"thing": {}}, "no-resource-id"),
        ({"thing": None, "things": ""}, "no-resource-id"),
        ({"things": []}, "no-resource-id"),
        (None, "payload-not-a-map"),
        ([{"id": "1"}], "payload-not-a-map"),
        ("thing", "payload-not-a-map"),
    ],
)
def test_a_message_that_should_speak_of_many_and_speaks_of_none_is_refused(payload: Any, reason: str) -> None:
    assert refusal(definitions(BULK), payload=payload).reason == reason


# The rest of an event


def test_an_event_keeps_where_it_came_from() -> None:
    said = event(of_trait("payload.x", version="3"), payload={"id": "1", "x": "y"}, message_id=None)
    assert (said.event_type, said.message_id, said.recorded_at) == ("a.b", None, 7)
    assert said.body == Body.of({"it": "y"}, version=3)
    assert said.body.version == 3


@pytest.mark.parametrize("over", [0, 1])
def test_a_body_is_as_long_as_the_limit_and_no_longer(over: int) -> None:
    frame = len(Body.of({"it": ""}).data)
    payload = {"id": "1", "x": "x" * (limits.BODY_BYTES - frame + over)}
    if over:
        assert refusal(of_trait("payload.x"), payload=payload).reason == "body-too-long"
    else:
        assert len(event(of_trait("payload.x"), payload=payload).body.data) == limits.BODY_BYTES


@pytest.mark.parametrize(
    "members",
    [
        {"_context_tenant": "blue", "message_id": "m", "timestamp": AT},
        {
            "ctxt": {"tenant": "blue"},
            "metadata": {"message_id": "m", "timestamp": AT},
            "message_id": None,
            "timestamp": None,
        },
    ],
)
@pytest.mark.parametrize("names", [("_context_tenant", "message_id"), ("ctxt.tenant", "metadata.message_id")])
def test_both_spellings_of_a_message_are_reached_by_paths_of_either(
    members: dict[str, Any], names: tuple[str, str]
) -> None:
    read_by = definitions(f"""
        - event_type: a.b
          resource: {{type: thing, id: {names[1]}}}
          traits: {{tenant: {names[0]}}}
    """)
    said = event(read_by, **members)
    assert (said.resource.id, said.body.fields()) == ("m", {"tenant": "blue"})


def test_trying_a_message_out_tells_what_reading_it_gives() -> None:
    read_by = of_trait("{fields: payload.x, type: int}")
    (trial,) = read_by.try_out(notification(payload={"id": "1", "x": "5"})) or ()
    assert trial.event.key == event(read_by, payload={"id": "1", "x": "5"}).key
    with pytest.raises(NotificationError):
        read_by.try_out(notification(payload={}))
