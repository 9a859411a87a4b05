"""P1: from the bytes of a notification to an event with its canonical body and digest, in one process."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from functools import cache, lru_cache
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from benchmarks.measure import Row, alternately
from simulator import Fleet
from timeline import clock, envelope
from timeline.definitions import Definitions
from timeline.model import Body, Event, Phase, Resource, default_phase

COUNT = 20_000

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder(order="sorted").encode
_phase = cache(default_phase)
_time = lru_cache(maxsize=16_384)(clock.normalise)


def by_hand(data: bytes) -> Event:
    """The same event, by a function written for unversioned nova and for nothing else."""
    message = _decode(data)
    payload = message["payload"]
    event_type = message["event_type"]
    fields = {
        "project_id": payload["tenant_id"],
        "user_id": payload["user_id"],
        "name": payload["display_name"],
        "state": payload["state"],
        "created_at": _time(payload["created_at"]) if payload["created_at"] else None,
        "launched_at": _time(payload["launched_at"]) if payload["launched_at"] else None,
        "flavor": payload["instance_type"],
        "flavor_id": payload["instance_flavor_id"],
        "vcpus": payload["vcpus"],
        "memory_mb": payload["memory_mb"],
        "root_gb": payload["root_gb"],
        "ephemeral_gb": payload["ephemeral_gb"],
        "disk_gb": payload["disk_gb"],
        "image_id": payload["image_ref_url"].split("/")[-1] or None,
        "host": payload["host"],
        "node": payload["node"],
        "availability_zone": payload["availability_zone"],
        "architecture": payload["architecture"],
        "os_type": payload["os_type"],
        "metadata": payload["metadata"],
    }
    phase, moment = _phase(event_type), message["timestamp"]
    if event_type == "compute.instance.exists" and payload["deleted_at"]:
        phase, moment = Phase.DELETE, payload["deleted_at"]
    body = _encode({"f": fields, "v": 1})
    return Event(
        Resource(type="instance", source="", id=payload["instance_id"]),
        clock.parse(moment),
        phase,
        Body(body, sha256(body).digest()),
        1,
        event_type,
        message["message_id"],
    )


def rows(ceilometer: str | None) -> Iterator[Row]:
    """P1, beside the function written by hand, and beside Ceilometer where an interpreter that has it is given."""
    fleet = Fleet(instances=200, days=30, changes_per_day=2.0)
    lines = [line for line, _ in zip(fleet.notifications(), range(COUNT), strict=False)]
    definitions = Definitions.load()

    def ours(data: bytes) -> Event:
        read = definitions.events(envelope.read(data), 1)
        assert read is not None
        return read[0][0]

    assert all(ours(line) == by_hand(line) for line in lines)
    mine, hand = alternately(lambda: [ours(line) for line in lines], lambda: [by_hand(line) for line in lines])
    rate, hand_rate = COUNT / mine, COUNT / hand
    yield Row(
        id="P1",
        what="notification bytes -> events, unversioned nova",
        reached=f"{rate:,.0f}/s",
        reach="60 % of a function written by hand",
        beside=f"{hand_rate:,.0f}/s by hand: {rate / hand_rate:.0%}",
        holds=rate >= 0.6 * hand_rate,
    )
    if ceilometer is None:
        return
    with TemporaryDirectory() as folder:
        file = Path(folder, "notifications.jsonl")
        file.write_bytes(b"\n".join(lines[:3_000]) + b"\n")
        peer = Path(__file__).with_name("peer_ceilometer.py")
        run = subprocess.run(
            [ceilometer, str(peer), str(file)], check=True, stdout=subprocess.PIPE, text=True, cwd=folder
        )
    peer_rate = float(run.stdout)
    yield Row(
        id="P1",
        what="the same, beside Ceilometer's converter",
        reached=f"{rate:,.0f}/s",
        reach="10x Ceilometer",
        beside=f"{peer_rate:,.0f}/s Ceilometer: {rate / peer_rate:.1f}x",
        holds=rate >= 10 * peer_rate,
    )
