"""Plain Ceilometer definitions give timelines too: what they leave unsaid is read by convention."""

from pathlib import Path
from typing import Any

import pytest

from tests.definitions.reading import AT, definitions, event, notification, refusal
from timeline import clock
from timeline.definitions import Definitions, resource_type
from timeline.errors import DefinitionError
from timeline.model import Phase, Resource

CORPUS = Path(__file__).parents[3] / "shared" / "corpora" / "definitions"

PLAIN = """
    - event_type: compute.instance.*
      traits: &instance_traits
        tenant_id: {fields: payload.tenant_id}
        instance_id: {fields: payload.instance_id}
        service: {fields: publisher_id, plugin: split}
        memory_mb: {type: int, fields: payload.memory_mb}
    - event_type: compute.instance.exists
      traits:
        <<: *instance_traits
        audit_period_beginning: {type: datetime, fields: payload.audit_period_beginning}
        audit_period_ending: {type: datetime, fields: payload.audit_period_ending}
    - event_type: ['volume.*', snapshot.*]
      traits:
        resource_id: payload.volume_id
        volume_id: payload.other_id
        project_id: payload.owner
    - event_type: share.*
      traits: {share_id: payload.share_id}
    - event_type: ['*.odd.*', 'odd.*']
      traits: {resource_id: [payload.a, payload.b]}
    - event_type: constant.*
      traits: {resource_id: 5}
    - event_type: image.*
      traits: {name: payload.name}
"""
CONTEXT = {"_context_request_id": "r", "_context_project_id": "actor's", "_context_user_id": "actor"}


@pytest.mark.parametrize(
    ("event_type", "payload", "resource"),
    [
        ("compute.instance.update", {"instance_id": "1"}, Resource(type="instance", id="1")),
        ("compute.instance.exists", {"instance_id": "1"}, Resource(type="instance", id="1")),
        ("volume.create.end", {"volume_id": "1", "other_id": "2"}, Resource(type="volume", id="1")),
        ("snapshot.create.end", {"volume_id": "1"}, Resource(type="snapshot", id="1")),
        ("share.create.end", {"share_id": "1"}, Resource(type="share", id="1")),
        ("dns.odd.x", {"b": "1"}, Resource(type="odd", id="1")),
        ("odd.x", {"a": "", "b": "1"}, Resource(type="odd", id="1")),
        ("magnum.odd.x", {"a": 1}, Resource(type="odd", id="1")),
        ("mine.odd.x", {"a": 1}, Resource(type="mine", id="1")),
    ],
)
def test_the_resource_is_what_the_event_type_and_the_identifying_trait_name(
    event_type: str, payload: dict[str, Any], resource: Resource
) -> None:
    assert event(definitions(PLAIN), event_type=event_type, payload=payload).resource == resource


@pytest.mark.parametrize(
    ("event_type", "kind"),
    [
        ("compute.instance.create.end", "instance"),
        ("identity.OS-TRUST:trust.created", "OS-TRUST:trust"),
        ("orchestration.stack.create.end", "stack"),
        ("octavia.loadbalancer.update.end", "loadbalancer"),
        ("trove.instance.create", "instance"),
        ("volume.create.end", "volume"),
        ("image.update", "image"),
        ("compute.update", "compute"),
        ("image", "image"),
        ("", ""),
    ],
)
def test_a_resource_type_is_the_word_after_the_name_of_a_service_and_else_the_first(event_type: str, kind: str) -> None:
    assert resource_type(event_type) == kind


@pytest.mark.parametrize("event_type", ["image.update", "constant.x", "nothing.x"])
def test_what_names_no_resource_is_out_of_scope(event_type: str) -> None:
    assert definitions(PLAIN).events(notification(event_type, {"name": "x", "id": "1"}), 0) is None


@pytest.mark.parametrize(
    ("event_type", "reason"),
    [
        (f"compute.{'x' * 65}.odd.x", "unreadable-resource-type"),
        (f"{'é' * 33}.odd.x", "unreadable-resource-type"),
        ("a/b.odd.x", "unreadable-resource-type"),
        (f"{'é' * 32}.odd.x", None),
    ],
)
def test_an_event_type_that_names_no_possible_type_is_refused(event_type: str, reason: str | None) -> None:
    read_by = definitions("- {event_type: '*', traits: {resource_id: payload.id}}")
    if reason is None:
        assert event(read_by, event_type=event_type, payload={"id": "1"}).resource.type == event_type.partition(".")[0]
    else:
        for _ in range(2):
            assert refusal(read_by, event_type=event_type, payload={"id": "1"}).reason == reason


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        ({}, "no-resource-id"),
        ({"instance_id": None}, "no-resource-id"),
        ("text", "payload-not-a-map"),
        (None, "payload-not-a-map"),
    ],
)
def test_a_message_without_the_identifying_value_is_refused(payload: Any, reason: str) -> None:
    assert refusal(definitions(PLAIN), event_type="compute.instance.update", payload=payload).reason == reason


def test_the_default_traits_are_there_unless_the_definition_has_its_own() -> None:
    read_by = definitions(PLAIN)
    own = event(read_by, event_type="volume.x", payload={"volume_id": "1", "owner": "o", "tenant_id": "t"}, **CONTEXT)
    assert own.body.fields() == {"project_id": "o", "tenant_id": "t", "user_id": "actor"}
    by_context = event(read_by, event_type="share.x", payload={"share_id": "1"}, **CONTEXT)
    assert by_context.body.fields() == {"project_id": "actor's", "tenant_id": "actor's", "user_id": "actor"}
    by_endpoint = event(
        read_by,
        event_type="share.x",
        payload={"share_id": "1", "user_id": "u"},
        ctxt={"project_id": "p", "user_id": "x"},
    )
    assert by_endpoint.body.fields() == {"project_id": "p", "tenant_id": "p", "user_id": "u"}


def test_what_belongs_to_the_message_is_volatile_so_that_a_repeat_is_one() -> None:
    read_by = definitions(PLAIN)
    payload = {"instance_id": "1", "tenant_id": "t", "memory_mb": "512"}
    hours = [
        event(
            read_by,
            event_type="compute.instance.exists",
            payload={**payload, "audit_period_beginning": f"2026-03-01 0{hour}:00", "audit_period_ending": AT},
            publisher_id=f"compute.node-{hour}",
            _context_request_id=f"req-{hour}",
        )
        for hour in range(3)
    ]
    assert len({each.body for each in hours}) == 1
    assert hours[0].body.fields() == {"memory_mb": 512, "project_id": "t", "tenant_id": "t"}
    (trial,) = (
        read_by.try_out(notification("compute.instance.exists", payload, publisher_id="compute.node", **CONTEXT)) or ()
    )
    assert trial.volatile == {"instance_id": "1", "request_id": "r", "service": "compute"}


def test_time_and_phase_are_those_of_the_message_and_its_event_type() -> None:
    read_by = definitions(PLAIN)
    for event_type, phase in (
        ("compute.instance.create.start", Phase.CREATE),
        ("compute.instance.delete.end", Phase.DELETE),
        ("compute.instance.exists", Phase.EXISTS),
    ):
        said = event(read_by, event_type=event_type, payload={"instance_id": "1"})
        assert (said.phase, said.occurred_at, said.body.version) == (phase, clock.parse(AT), 0)


# Ceilometer's own files


def theirs(name: str) -> Path:
    if not (CORPUS / name).exists():
        pytest.skip(f"{CORPUS / name} is not there")
    return CORPUS / name


OF_2013 = "ceilometer-2013-12-10-b4f00d34.yaml"
OF_2015 = "ceilometer-2015-03-11-39edc08c.yaml"
OF_2026 = "ceilometer-2026-07-08-2aff3f11.yaml"
INSTANCE = {
    "instance_id": "9f9d01b9",
    "tenant_id": "blue",
    "user_id": "ann",
    "memory_mb": 512,
    "vcpus": "1",
    "state": "active",
    "launched_at": "2012-05-08 20:23:47.985999",
    "deleted_at": "",
    "image_meta": {"org.openstack__1__architecture": "x86_64"},
}


@pytest.mark.parametrize(("name", "count"), [(OF_2013, 2), (OF_2015, 13)])
def test_the_old_files_load_whole_and_mean_what_they_meant(name: str, count: int) -> None:
    read_by = Definitions.load(theirs(name))
    assert len(read_by) == count
    said = event(
        read_by, event_type="compute.instance.update", payload=INSTANCE, publisher_id="compute.node-1.example.com"
    )
    assert said.resource == Resource(type="instance", id="9f9d01b9")
    assert said.body.fields() == {
        "project_id": "blue",
        "tenant_id": "blue",
        "user_id": "ann",
        "host": "node-1.example.com",
        "memory_mb": 512,
        "vcpus": 1,
        "state": "active",
        "os_architecture": "x86_64",
        "launched_at": "2012-05-08T20:23:47.985999Z",
        "deleted_at": None,
    }


@pytest.mark.parametrize(
    ("event_type", "payload", "resource"),
    [
        ("volume.create.end", {"volume_id": "1"}, Resource(type="volume", id="1")),
        ("snapshot.delete.end", {"snapshot_id": "1", "volume_id": "2"}, Resource(type="snapshot", id="1")),
        ("image.update", {"id": "1"}, Resource(type="image", id="1")),
        ("orchestration.stack.create.end", {"stack_identity": "arn:1"}, Resource(type="stack", id="arn:1")),
        ("identity.user.created", {"resource_info": "1"}, Resource(type="user", id="1")),
        ("sahara.cluster.create", {"cluster_id": "1"}, Resource(type="cluster", id="1")),
    ],
)
def test_the_file_of_2015_speaks_of_many_services(event_type: str, payload: Any, resource: Resource) -> None:
    assert event(Definitions.load(theirs(OF_2015)), event_type=event_type, payload=payload).resource == resource


@pytest.mark.xfail(raises=DefinitionError, reason="functions in backticks are not evaluated yet: `split(., 1, 1)`")
def test_the_file_of_2026_loads_whole() -> None:
    assert len(Definitions.load(theirs(OF_2026))) == 47


def test_until_then_the_file_of_2026_is_refused_by_what_is_not_supported_and_its_line() -> None:
    with pytest.raises(DefinitionError, match="a function in backticks") as refused:
        Definitions.load(theirs(OF_2026))
    assert refused.value.line == 17
    assert str(refused.value).startswith(f"{CORPUS / OF_2026}:17: the path 'publisher_id.`split(., 1, 1)`'")
