"""What nova's legacy payload says of an instance, part by part, as its notifier spells it."""

from simulator import catalog, stamps
from simulator.history import State, Step
from simulator.identity import Identity

__all__ = ["addresses", "changing", "constant", "context", "spoken"]

_ADMIN = ("9a1c58f0d2be4f6c8f7e0b6d3c21a457", "e07d3f1b5a9c4b628d40c6f2a1937be8")
"""Project and user of the operators, who migrate what is not theirs."""


def constant(who: Identity) -> dict[str, object]:
    """What every message of the instance says alike."""
    return {
        "tenant_id": who.project.id,
        "user_id": who.user_id,
        "instance_id": who.id,
        "reservation_id": who.reservation_id,
        "hostname": who.hostname,
        "architecture": who.architecture,
        "availability_zone": who.availability_zone,
        "cell_name": "",
        "created_at": stamps.database(who.created_at),
        "image_ref_url": f"http://glance.dc1.example.org:9292/images/{who.image_id}",
        "image_meta": {
            "base_image_ref": who.image_id,
            "container_format": "bare",
            "disk_format": "qcow2",
            "min_disk": "1",
            "min_ram": "0",
            "os_distro": "debian",
            "os_version": "12.5",
            "hw_disk_bus": "virtio",
            "hw_qemu_guest_agent": "yes",
        },
        "os_type": who.os_type,
        "kernel_id": "",
        "ramdisk_id": "",
        "access_ip_v4": None,
        "access_ip_v6": None,
    }


def changing(state: State) -> dict[str, object]:
    """What a message says of the state that the instance is in."""
    flavor = state.flavor
    return {
        "display_name": state.name,
        "instance_type": flavor.name,
        "instance_type_id": flavor.number,
        "instance_flavor_id": flavor.id,
        "memory_mb": flavor.memory_mb,
        "disk_gb": flavor.root_gb + flavor.ephemeral_gb,
        "vcpus": flavor.vcpus,
        "root_gb": flavor.root_gb,
        "ephemeral_gb": flavor.ephemeral_gb,
        "host": state.host,
        "node": catalog.node(state.host),
        "launched_at": stamps.payload(state.launched_at),
        "terminated_at": stamps.payload(state.terminated_at),
        "deleted_at": stamps.payload(state.deleted_at),
        "state": state.state,
        "metadata": dict(state.metadata),
    }


def spoken(who: Identity, step: Step, before: State) -> dict[str, object]:
    """What the message of one step says besides; `before` is the state that the step found."""
    said: dict[str, object] = {
        "state_description": step.task,
        "progress": 50 if step.task == "migrating" else "",
        **step.said,
    }
    if step.event == "update":
        said |= {
            "old_state": before.state,
            "old_task_state": None,
            "new_task_state": None,
            "audit_period_beginning": stamps.envelope(step.at - step.at % stamps.HOUR),
            "audit_period_ending": stamps.envelope(step.at),
            "bandwidth": {},
        }
    if step.event == "create.end":
        said |= addresses(who)
    return said


def addresses(who: Identity) -> dict[str, object]:
    """The network addresses, which only some messages carry."""
    return {
        "fixed_ips": [
            {
                "address": who.address,
                "floating_ips": [],
                "label": "private",
                "meta": {},
                "type": "fixed",
                "version": 4,
                "vif_mac": who.mac,
            }
        ]
    }


def context(who: Identity, step: Step | None) -> dict[str, object]:
    """The request context: who acts. It is not always the owner, and nobody where nova audits (no step)."""
    project_id: str | None = None
    user_id: str | None = None
    owner = step is not None and not step.by_admin
    if step is not None:
        project_id, user_id = (who.project.id, who.user_id) if owner else _ADMIN
    return {
        "_context_tenant": project_id,
        "_context_user": user_id,
        "_context_project_id": project_id,
        "_context_user_id": user_id,
        "_context_project_name": who.project.name if owner else None,
        "_context_is_admin": not owner,
        "_context_roles": ["member", "reader"] if owner else ["admin"],
        "_context_read_deleted": "no" if owner else "yes",
        "_context_auth_token": None,
        "_context_service_catalog": [],
        "_context_quota_class": None,
        "_context_remote_address": "10.0.0.9" if step is not None else None,
        "_context_resource_uuid": None,
        "_context_show_deleted": False,
    }
