"""The shipped definitions: real notifications in, promised fields out, whatever vocabulary the service spoke."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from timeline import clock, envelope
from timeline.definitions import Definitions
from timeline.errors import NotificationError
from timeline.model import Event, Notification, default_phase

GOLDEN = sorted((Path(__file__).parent / "notifications").glob("*.json"))
CORPORA = Path(__file__).parents[3] / "shared" / "corpora"
SHIPPED = Definitions.load()


CASES = [(file.stem, case) for file in GOLDEN for case in json.loads(file.read_text())]


def read(message: Any) -> Notification:
    return envelope.read(json.dumps(message).encode())


def told(event: Event) -> dict[str, Any]:
    return {
        "resource": str(event.resource),
        "phase": event.phase.name.lower(),
        "occurred_at": clock.format(event.occurred_at),
        "fields": event.body.fields(),
    }


# Golden in, golden out


@pytest.mark.parametrize("case", [case for _, case in CASES], ids=[f"{name}: {case['it']}" for name, case in CASES])
def test_a_notification_says_this(case: dict[str, Any]) -> None:
    notification = read(case["message"])
    if "reason" in case:
        with pytest.raises(NotificationError) as refused:
            SHIPPED.events(notification, 0)
        assert refused.value.reason == case["reason"]
        return
    reading = SHIPPED.events(notification, 0)
    if case["events"] is None:
        assert reading is None
        return
    assert reading is not None
    events, unreadable = reading
    assert [told(event) for event in events] == case["events"]
    assert unreadable == 0
    assert {event.message_id for event in events} == {notification.message_id}


def golden(file: str, it: str) -> Notification:
    return read(next(case["message"] for name, case in CASES if (name, case["it"]) == (file, it)))


def body(notification: Notification) -> bytes:
    reading = SHIPPED.events(notification, 0)
    assert reading is not None
    return reading[0][0].body.data


def test_both_vocabularies_of_nova_say_the_same_of_one_instance_byte_for_byte() -> None:
    legacy = golden("nova", "an audit of the legacy kind: the state when it was made")
    versioned = golden("nova", "an audit of the versioned kind says what the legacy one says")
    assert body(legacy) == body(versioned)


# Two audits of what has not changed are one body


LATER = {
    # what a later audit of an unchanged resource has otherwise
    "audit_period_beginning": "2026-03-09 23:00:00",
    "audit_period_ending": "2026-03-10 00:00:00",
    "bandwidth": {"public": {"bw_in": 5}},
    "progress": 50,
    "state_description": "powering-off",
    "task_state": "powering-off",
    "updated_at": "2026-03-10T00:00:00Z",
    "request_id": "req-later",
    "revision_number": 9,
    "audit_period": {"nova_object.data": {"audit_period_ending": "2026-03-10T00:00:00Z"}},
    "action_initiator_user": "another",
}


def later(part: Any) -> Any:
    if isinstance(part, dict):
        return {name: LATER.get(name, later(inner)) for name, inner in part.items()}
    return part


@pytest.mark.parametrize(
    ("name", "it"),
    [
        ("nova", "an audit of the legacy kind: the state when it was made"),
        ("nova", "an audit of the versioned kind says what the legacy one says"),
        ("cinder", "an audit speaks of the hour in which it was made"),
        ("cinder", "an audit of a snapshot"),
        ("cinder", "a backup is being made"),
        ("glance", "an image is active"),
        ("neutron", "an audit of a network"),
        ("neutron", "a port is changed"),
    ],
)
def test_two_audits_of_an_unchanged_resource_have_one_body(name: str, it: str) -> None:
    first = golden(name, it).message
    second = later({**first, "event_type": golden(name, it).event_type})
    second.update(timestamp="2026-03-10 00:00:01", message_id="later", publisher_id="another.host", _unique_id="later")
    second.update({key: "later" for key in first if key.startswith("_context_")})
    second.update({"ctxt": {"request_id": "later"}} if "ctxt" in first else {})
    assert second != first
    assert body(read(second)) == body(read(first))


# The promised fields


COMMON = {"project_id", "user_id", "name", "state", "created_at"}
INSTANCE = set(
    "flavor flavor_id vcpus memory_mb root_gb ephemeral_gb disk_gb image_id host node availability_zone launched_at"
    " architecture os_type metadata".split()
)
VOLUME = set("size_gb volume_type host availability_zone snapshot_id attachments metadata".split())
IMAGE = set("size_bytes disk_format container_format visibility min_disk min_ram properties".split())
PROMISED = {
    "instance": COMMON | INSTANCE,
    "volume": COMMON | VOLUME,
    "snapshot": COMMON | {"size_gb", "availability_zone", "volume_id", "metadata"},
    "backup": COMMON | {"size_gb", "host", "availability_zone", "volume_id", "snapshot_id"},
    # glance tells a project as the owner, neutron too, and neither tells a user
    "image": COMMON - {"user_id"} | IMAGE,
    "network": COMMON - {"user_id"} | {"admin_state_up"},
    "subnet": COMMON - {"user_id", "state"} | {"network_id", "cidr"},
    "port": COMMON - {"user_id"}
    | set("network_id admin_state_up device_id device_owner fixed_ips mac_address".split()),
    "router": COMMON - {"user_id"} | {"admin_state_up"},
    "floatingip": COMMON - {"user_id", "name"} | {"network_id", "floating_ip_address", "port_id", "router_id"},
}


def test_every_type_is_promised_fields_and_every_promise_has_its_type() -> None:
    types = {definition.resource.type for definition in SHIPPED if definition.resource is not None}
    assert types == set(PROMISED)
    assert all(definition.resource is not None and definition.version >= 1 for definition in SHIPPED)


@pytest.mark.parametrize("definition", list(SHIPPED), ids=lambda definition: " ".join(definition.included))
def test_a_definition_has_the_promised_fields_of_its_type(definition: Any) -> None:
    fields = set(definition.fields)
    deletes_alone = all(glob.endswith(".delete.end") for glob in definition.included)
    assert fields >= PROMISED[definition.resource.type] or (deletes_alone and not fields)


@pytest.mark.parametrize("definition", list(SHIPPED), ids=lambda definition: " ".join(definition.included))
def test_what_belongs_to_the_message_is_no_field(definition: Any) -> None:
    volatile = {"service", "request_id", "progress", "task", "audit_period_beginning", "audit_period_ending"}
    assert not volatile & set(definition.fields)
    assert {trait.name for trait in definition.traits if trait.volatile} <= volatile


@pytest.mark.parametrize("kind", sorted(PROMISED))
def test_each_type_has_one_genesis_at_least_and_one_end(kind: str) -> None:
    events = [event for _, case in CASES for event in case.get("events") or ()]
    bounds = {event["phase"] for event in events if event["resource"].startswith(f"{kind}/")}
    assert {"create", "delete"} <= bounds


# Where the corpora are there


def rows(name: str) -> Iterator[tuple[Notification, dict[str, Any]]]:
    expected = (CORPORA / "expected" / f"{name}.events.jsonl").read_text().splitlines()
    for line, expectation in zip((CORPORA / f"{name}.jsonl").read_text().splitlines(), expected, strict=True):
        row = json.loads(line)
        raw = row["raw"]
        if "event_type" in raw:
            # what upstream left out, in the view that the row is in
            identity = {key: row[key] for key in ("message_id", "timestamp")}
            raw = {**identity, **(raw.get("metadata") or {}), **raw}
        yield envelope.read(json.dumps(raw).encode()), json.loads(expectation)


needs_corpora = pytest.mark.skipif(not CORPORA.exists(), reason=f"{CORPORA} is not there")
NAMES = sorted(file.stem for file in CORPORA.glob("*.jsonl"))


@needs_corpora
@pytest.mark.parametrize("name", NAMES)
def test_a_notification_of_the_corpora_ends_in_events_out_of_scope_or_refused(name: str) -> None:
    for notification, _ in rows(name):
        try:
            reading = SHIPPED.events(notification, 0)
        except NotificationError as error:
            reasons = {"no-resource-id", "unreadable-time"}
            readable = error.reason in reasons
        else:
            readable = reading is None or (len(reading[0]) > 0 and reading[1] == 0)
        assert readable, notification


TEXT, DATETIME = 1, 4
SAME = {
    # our field: Ceilometer's trait
    "name": "display_name",
    "state": "state",
    "flavor": "instance_type",
    "flavor_id": "instance_flavor_id",
    "vcpus": "vcpus",
    "memory_mb": "memory_mb",
    "disk_gb": "disk_gb",
    "root_gb": "root_gb",
    "ephemeral_gb": "ephemeral_gb",
    "launched_at": "launched_at",
    "availability_zone": "availability_zone",
    "project_id": "tenant_id",
    "user_id": "user_id",
}


@needs_corpora
def test_what_ceilometer_reads_of_an_instance_is_what_is_read_here() -> None:
    compared = 0
    for notification, expectation in (pair for name in NAMES for pair in rows(name)):
        traits = {trait: (kind, value) for trait, kind, value in expectation.get("traits", ())}
        reading = None
        if notification.event_type.startswith("compute.instance.") and "resource_id" in traits:
            reading = SHIPPED.events(notification, 0)
        for event in reading[0] if reading is not None else ():
            assert event.resource.id == traits["resource_id"][1]
            if event.phase is default_phase(event.event_type):
                assert event.occurred_at == clock.parse(expectation["generated"])
            fields = event.body.fields()
            for field, trait in SAME.items():
                kind, value = traits.get(trait, (TEXT, None))
                said = fields.get(field)
                # without an owner Ceilometer takes the actor; and not all of its traits are in all of its definitions
                if value is None or (said is None and trait in ("tenant_id", "user_id")):
                    continue
                expected = clock.normalise(value) if kind == DATETIME else value
                assert (said[:255] if kind == TEXT else said) == expected, (field, notification)
                compared += 1
    assert compared > 2_000
