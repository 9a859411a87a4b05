"""The ground truth: the segments of an instance, from the steps that were decided for it."""

from collections.abc import Iterable

from simulator import catalog, stamps
from simulator.history import State, Step
from simulator.identity import Identity

__all__ = ["segments"]


def segments(who: Identity, steps: Iterable[Step]) -> list[dict[str, object]]:
    """The segments of one instance, oldest first; the last one is open."""
    told: list[dict[str, object]] = []
    before: State | None = None
    for step in steps:
        if step.state is before:
            continue
        before = step.state
        gone = step.state.deleted_at is not None
        fields = {} if gone else _fields(who, step.state)
        existence = "deleted" if gone else "present"
        if told:
            last = told[-1]
            if last["existence"] == existence and last["fields"] == fields:
                continue
            last["end"] = step.at
        told.append(
            {
                "start": step.at,
                "end": None,
                "existence": existence,
                "life": 1,
                "born": "create",
                "ambiguous": [],
                "fields": fields,
            }
        )
    return told


def _fields(who: Identity, state: State) -> dict[str, object]:
    flavor = state.flavor
    return {
        "project_id": who.project.id,
        "user_id": who.user_id,
        "name": state.name,
        "state": state.state,
        "created_at": stamps.canonical(who.created_at),
        "launched_at": stamps.canonical(state.launched_at),
        "flavor": flavor.name,
        "flavor_id": flavor.id,
        "vcpus": flavor.vcpus,
        "memory_mb": flavor.memory_mb,
        "root_gb": flavor.root_gb,
        "ephemeral_gb": flavor.ephemeral_gb,
        "disk_gb": flavor.root_gb + flavor.ephemeral_gb,
        "image_id": who.image_id,
        "host": state.host,
        "node": catalog.node(state.host),
        "availability_zone": who.availability_zone,
        "architecture": who.architecture,
        "os_type": who.os_type,
        "metadata": dict(state.metadata),
    }
