"""Plain Ceilometer definitions: what they leave unsaid, read by convention.

Such a definition names no resource. Its resource is what its ``resource_id`` trait finds, or that of the type's own
name; the type is in the event type; and every event has Ceilometer's default traits, unless the definition says
otherwise.
"""

from __future__ import annotations

from msgspec import structs

from timeline.definitions.definition import Definition, ResourceRule
from timeline.definitions.paths import PlainPath
from timeline.definitions.traits import TYPES, Trait
from timeline.errors import NotificationError
from timeline.model import limits

_SERVICES = frozenset("baremetal compute dns identity magnum octavia objectstore orchestration sahara trove".split())
"""First words of event types that name a service; the resource type is then the second."""

_VOLATILE = frozenset({"audit_period_beginning", "audit_period_ending", "request_id", "service"})

_DEFAULTS = {
    "service": (("publisher_id",),),
    "request_id": (("ctxt", "request_id"),),
    "project_id": (("payload", "tenant_id"), ("ctxt", "project_id")),
    "user_id": (("payload", "user_id"), ("ctxt", "user_id")),
    "tenant_id": (("payload", "tenant_id"), ("ctxt", "project_id")),
}


def resource_type(event_type: str) -> str:
    """The resource type that an event type names: ``instance`` of ``compute.instance.update``."""
    words = event_type.split(".")
    return words[1] if len(words) > 2 and words[0] in _SERVICES else words[0]


def by_convention(definition: Definition, event_type: str) -> Definition | None:
    """A plain definition with its resource and the default traits; ``None`` where it speaks of no resource.

    Raises :class:`NotificationError` with the reason ``unreadable-resource-type``.
    """
    kind = resource_type(event_type)
    by_name = {trait.name: trait for trait in definition.traits}
    identity = by_name.get("resource_id") or by_name.get(f"{kind}_id")
    if identity is None or not identity.paths or not kind:
        return None
    if "/" in kind or len(kind.encode()) > limits.NAME_BYTES:
        expected = f"a resource type is 1 to {limits.NAME_BYTES} bytes without a slash"
        raise NotificationError(
            "unreadable-resource-type", f"{expected}, and the event type names {kind!r:.80}", "event_type"
        )
    defaults = (
        Trait(
            name=name,
            paths=tuple(PlainPath(".".join(keys), keys) for keys in paths),
            kind=TYPES["text"],
            line=definition.line,
        )
        for name, paths in _DEFAULTS.items()
        if name not in by_name
    )
    traits = tuple(
        structs.replace(trait, volatile=trait.volatile or trait.name in _VOLATILE or trait is identity)
        for trait in (*defaults, *definition.traits)
    )
    return structs.replace(definition, resource=ResourceRule(type=kind, id=identity.paths), traits=traits)
