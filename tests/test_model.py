"""The words that all floors share: resources, bodies, phases, the order, and both views of a message."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from timeline.errors import StoreCorrupt
from timeline.model import (
    GENESIS,
    LIFE_BOUNDS,
    Body,
    Event,
    Notification,
    Phase,
    Resource,
    Scope,
    canonical,
    default_phase,
    order,
)

NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
RESOURCES = st.builds(Resource, type=NAMES, source=NAMES, id=NAMES)
VALUES = st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False, allow_infinity=False)
FIELDS = st.dictionaries(st.text(max_size=4), VALUES, max_size=4)


def event(**differing: Any) -> Event:
    given = {
        "occurred_at": 3,
        "phase": Phase.UPDATE,
        "body": Body.of({"state": "active"}),
        "recorded_at": 9,
        **differing,
    }
    return Event(resource=Resource(type="instance", id="a"), event_type="compute.instance.update", **given)


# Resources


@settings(deadline=None)
@given(RESOURCES, RESOURCES)
def test_resources_sort_as_the_bytes_of_their_type_source_and_id(one: Resource, other: Resource) -> None:
    def in_bytes(resource: Resource) -> tuple[bytes, bytes, bytes]:
        return (resource.type.encode(), resource.source.encode(), resource.id.encode())

    assert (one < other) is (in_bytes(one) < in_bytes(other))
    assert (one == other) is (in_bytes(one) == in_bytes(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [("Abc", "abc"), ("abc", "abc "), ("e\u0301", "\u00e9"), ("1", "01"), ("\uffff", "\U00010000"), ("a", "a\x00")],
)
def test_ids_that_a_database_would_fold_into_one_are_two(one: str, other: str) -> None:
    assert Resource(type="instance", id=one) != Resource(type="instance", id=other)
    assert len({Resource(type="instance", id=one), Resource(type="instance", id=other)}) == 2


def test_the_same_id_in_another_type_or_source_is_another_resource() -> None:
    resources = {
        Resource(type="volume", id="1"),
        Resource(type="image", id="1"),
        Resource(type="image", id="1", source="north"),
        Resource(type="image", id="1", source=""),
    }
    assert len(resources) == 3
    assert str(Resource(type="image", id="1", source="north")) == "image/1"


@pytest.mark.parametrize(
    ("scope", "chosen"),
    [
        (Scope(), True),
        (Scope(type="image"), True),
        (Scope(type="image", source="", id="1"), True),
        (Scope(type="volume"), False),
        (Scope(source="north"), False),
        (Scope(type="image", id="2"), False),
        (Scope(id=""), False),
    ],
)
def test_a_scope_chooses_by_what_it_names(scope: Scope, chosen: bool) -> None:
    assert (Resource(type="image", id="1") in scope) is chosen


# Bodies


@settings(deadline=None)
@given(FIELDS, st.integers(0, 2**31 - 1))
def test_a_body_gives_back_its_fields_and_version(fields: dict[str, Any], version: int) -> None:
    body = Body.of(fields, version)
    assert body == Body.read(body.data)
    assert body.version == version
    assert canonical(body.fields()) == canonical(fields)
    assert {name: canonical(value) for name, value in fields.items()} == {
        name: bytes(value) for name, value in body.spoken().items()
    }


def test_a_body_is_the_same_whatever_the_order_of_its_fields() -> None:
    assert Body.of({"a": 1, "b": 2}) == Body.of({"b": 2, "a": 1})
    assert len({Body.of({"a": value}).digest for value in (1, 1.0, True, "1", None)} | {Body.of({}).digest}) == 6
    assert Body.of({"a": 1}, 1) != Body.of({"a": 1}, 2)


@pytest.mark.parametrize("version", [0, 9, 10, 2**31 - 1, 2**63, 10**40])
def test_a_version_of_any_size_is_read(version: int) -> None:
    body = Body.of({"v": ':5}"', "a": {"v": 7}}, version)
    assert body.version == version
    assert body.fields() == {"v": ':5}"', "a": {"v": 7}}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"{}",
        b'{"f":{}}',
        b'{"f":[],"v":0}',
        b'{"f":{},"v":"0"}',
        b'{"f":{},"v":0}}',
        b'{"f":{"a":1e400},"v":0}',
        b'{"f":{"a":"\xff"},"v":0}',
        b'{"f":{"a":' + b"[" * 5_000 + b"]" * 5_000 + b'},"v":0}',
        b'{"f":{"a":1',
    ],
)
def test_bytes_that_are_no_body_are_told_to_be_corrupt(data: bytes) -> None:
    body = Body.read(data)
    with pytest.raises(StoreCorrupt, match=body.digest.hex()):
        body.fields()


@pytest.mark.parametrize("data", [b"", b"{}", b'{"f":{},"v":"0"}', b'{"f":{},"v":0'])
def test_a_body_without_a_version_is_told_to_be_corrupt(data: bytes) -> None:
    with pytest.raises(StoreCorrupt, match="no canonical body"):
        _ = Body.read(data).version


# Events and their order


def test_events_are_ordered_by_time_then_phase_then_version_then_digest() -> None:
    low, high = sorted([Body.of({"state": "active"}), Body.of({"state": "error"})], key=lambda body: body.digest)
    newer = next(
        body for n in range(1_000) if (body := Body.of({"state": str(n)}, version=1)).digest < low.digest < high.digest
    )
    in_order = [
        event(occurred_at=-5, phase=Phase.DELETE, body=newer),
        event(occurred_at=3, phase=Phase.CREATE, body=newer),
        event(body=low),
        event(body=high),
        event(body=newer),
        event(phase=Phase.DELETE, body=low),
        event(occurred_at=4, phase=Phase.CREATE, body=low),
    ]
    backwards = in_order[::-1]
    assert sorted(backwards, key=order) == in_order


def test_provenance_is_no_part_of_the_key_or_the_order() -> None:
    one, other = event(recorded_at=1, message_id="x"), event(recorded_at=2, message_id=None)
    assert one.key == other.key
    assert order(one) == order(other)


@pytest.mark.parametrize("differing", [{"occurred_at": 4}, {"phase": Phase.END}, {"body": Body.of({"state": "error"})}])
def test_events_that_differ_in_time_phase_or_body_are_two(differing: Any) -> None:
    assert event(**differing).key != event().key
    assert order(event(**differing)) != order(event())


@pytest.mark.parametrize("value", [Resource(type="a", id="b"), Body.of({}), event()])
def test_values_are_frozen(value: Any) -> None:
    for name in value.__struct_fields__:
        with pytest.raises(AttributeError):
            setattr(value, name, None)


# Phases


def test_the_numbers_of_the_phases_are_their_order_and_are_stored() -> None:
    assert [(phase.name, phase.value) for phase in Phase] == [
        ("CREATE", 10),
        ("RESTORE", 11),
        ("START", 20),
        ("EXISTS", 25),
        ("UPDATE", 30),
        ("END", 40),
        ("ERROR", 45),
        ("REPAIR", 50),
        ("DELETE", 90),
    ]
    assert {Phase.CREATE, Phase.RESTORE} == GENESIS
    assert GENESIS | {Phase.DELETE} == LIFE_BOUNDS


@pytest.mark.parametrize(
    ("event_type", "phase"),
    [
        ("compute.instance.create.start", Phase.CREATE),
        ("instance.create.start", Phase.CREATE),
        ("image.create", Phase.CREATE),
        ("identity.user.created", Phase.CREATE),
        # a build that ends after a delete revives nothing, and so one that fails
        ("compute.instance.create.end", Phase.END),
        ("compute.instance.create.error", Phase.ERROR),
        ("compute.instance.resize.prep.start", Phase.START),
        ("compute.instance.delete.start", Phase.START),
        ("compute.instance.exists", Phase.EXISTS),
        ("volume.resize.end", Phase.END),
        ("instance.rebuild.error", Phase.ERROR),
        ("compute.instance.delete.end", Phase.DELETE),
        ("image.delete", Phase.DELETE),
        ("identity.project.deleted", Phase.DELETE),
        ("compute.instance.delete.error", Phase.ERROR),
        # none of these is a death or a birth
        ("compute.instance.soft_delete.start", Phase.START),
        ("compute.instance.soft_delete.end", Phase.END),
        ("compute.instance.undelete.end", Phase.END),
        ("compute.instance.recreate.start", Phase.START),
        ("compute.instance.restore.start", Phase.START),
        ("compute.instance.restore.end", Phase.END),
        ("compute.instance.create_ip.end", Phase.END),
        ("compute.instance.delete_ip.end", Phase.END),
        ("compute.instance.delete.samples", Phase.UPDATE),
        ("compute.instance.update", Phase.UPDATE),
        ("compute.instance.exists.verified", Phase.UPDATE),
        ("volume.retype", Phase.UPDATE),
        ("volume.soft_delete", Phase.UPDATE),
        ("identity.user.disabled", Phase.UPDATE),
        ("compute.instance.Delete.End", Phase.UPDATE),
        ("create", Phase.UPDATE),
        ("delete.end", Phase.END),
        ("", Phase.UPDATE),
        ("a\nb.delete.end", Phase.DELETE),
    ],
)
def test_an_event_type_tells_its_phase(event_type: str, phase: Phase) -> None:
    assert default_phase(event_type) is phase


# Both views of a message


def both_views(message: dict[str, Any]) -> dict[str, Any]:
    return Notification("a.b", None, None, message.get("payload"), message).both_views()


FLAT = {
    "message_id": "m",
    "timestamp": "t",
    "event_type": "a.b",
    "_context_tenant": "blue",
    "_context_roles": [],
    "payload": {},
}
ENDPOINT = {
    "metadata": {"message_id": "m", "timestamp": "t"},
    "event_type": "a.b",
    "ctxt": {"tenant": "blue", "roles": []},
    "payload": {},
}


def test_a_message_in_either_view_has_the_names_of_both() -> None:
    assert both_views(FLAT) == both_views(ENDPOINT) == {**FLAT, **ENDPOINT}


@pytest.mark.parametrize("message", [FLAT, ENDPOINT])
def test_the_message_itself_stays_as_it_came(message: dict[str, Any]) -> None:
    before = msgspec.json.encode(message)
    both_views(message)
    assert msgspec.json.encode(message) == before


@pytest.mark.parametrize(
    ("message", "name", "value"),
    [
        ({}, "ctxt", {}),
        ({}, "metadata", {}),
        ({"ctxt": None, "_context_tenant": "blue"}, "ctxt", {"tenant": "blue"}),
        ({"ctxt": "text"}, "ctxt", {}),
        ({"ctxt": {"tenant": "blue"}, "_context_tenant": "red"}, "_context_tenant", "red"),
        ({"ctxt": {"": 1}}, "_context_", 1),
        ({"metadata": None, "timestamp": "t"}, "metadata", {"timestamp": "t"}),
        ({"metadata": ["x"], "message_id": "m"}, "metadata", {"message_id": "m"}),
        ({"metadata": {"timestamp": "t", "x": 1}, "timestamp": "own"}, "timestamp", "own"),
        ({"metadata": {"timestamp": "t", "x": 1}, "timestamp": "own"}, "metadata", {"timestamp": "t", "x": 1}),
        # the envelope takes the time from where it is told, and so must a path to it
        ({"metadata": {"timestamp": "t"}, "timestamp": None}, "timestamp", "t"),
        ({"metadata": {"timestamp": None}, "timestamp": "t"}, "metadata", {"timestamp": "t"}),
    ],
)
def test_names_that_the_message_has_stay_and_others_are_added(message: Any, name: str, value: Any) -> None:
    assert both_views(message)[name] == value
