"""Messages that nobody should have to read: broken, lying, far too large, or meant to do harm."""

from __future__ import annotations

import json
from collections.abc import Iterator
from random import Random
from typing import Any

from tests.bus.nova import notification

_GOOD = json.loads(notification(1))

CURATED: list[bytes] = [
    b"",
    b" ",
    b"\x00",
    b"\xff\xfe\x00",
    b"\xef\xbb\xbf{}",
    b"{",
    b"}",
    b"null",
    b"0",
    b'""',
    b"[]",
    b"{}",
    b"[[[]]]",
    b"NaN",
    b"Infinity",
    b'{"event_type": null}',
    b'{"event_type": ""}',
    b'{"event_type": ["compute.instance.update"]}',
    b'{"event_type": "compute.instance.update"}',
    b'{"event_type": "compute.instance.update", "timestamp": "yesterday", "payload": {"instance_id": "i"}}',
    b'{"event_type": "compute.instance.update", "timestamp": "2026-03-01", "payload": null}',
    b'{"event_type": "compute.instance.update", "timestamp": "2026-03-01", "payload": "text"}',
    b'{"event_type": "compute.instance.update", "timestamp": "9999-12-31T23:59:60Z", "payload": {"instance_id": "i"}}',
    b'{"oslo.version": "2.0"}',
    b'{"oslo.version": "3.0", "oslo.message": "{}"}',
    b'{"oslo.version": "2.0", "oslo.message": "{"}',
    b'{"oslo.version": "2.0", "oslo.message": "\\"\\\\\\"{}\\\\\\"\\""}',
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b'{"event_type": "compute.instance.update", "n": 1' + b"0" * 5_000 + b"}",
    b'{"event_type": "compute.instance.update", "n": 1e400}',
    b'{"event_type": "\\ud800"}',
    b'{"event_type": "a", "event_type": "b", "event_type": "c"}',
    b'{"event_type": "compute.instance.update", "event_type": "' + b"x" * 600 + b'"}',
    b"cos\nsystem\n(S'true'\ntR.",
    b"\x80\x04\x95\x00",
    b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
    b"x" * (5 * 1024 * 1024),
]
"""Each of these has broken something once."""


def _with(**payload: Any) -> bytes:
    return json.dumps({**_GOOD, "payload": {**_GOOD["payload"], **payload}}).encode()


ODD: list[bytes] = [
    _with(instance_id="odd-1", metadata={"__type__": "x", "__value__": "y"}),
    _with(instance_id="odd-2", metadata={"$date": 0, "a.b": 1, "": 2, "py/object": "os.system"}),
    _with(instance_id="odd-3", display_name="'; DROP TABLE event; --"),
    _with(instance_id="odd-4", display_name="\x00\x01\u2028\U0001f600"),
    _with(instance_id="odd-5", memory_mb=2**63, disk_gb=-1, vcpus=10**40),
    _with(instance_id="odd-6", metadata={"k": "v" * 100_000}),
    _with(instance_id="\U0001f600" * 128),
]
"""These look hostile, and can be read: nothing in them means anything to anyone."""


def messages(rng: Random, count: int) -> Iterator[bytes]:
    """So many messages: the curated ones, mutants of good ones, and what a grammar gone mad spells."""
    yield from CURATED
    yield from ODD
    for number in range(count - len(CURATED) - len(ODD)):
        yield _mutated(rng, notification(10_000 + number)) if number % 2 else _spelled(rng, number)


def _mutated(rng: Random, message: bytes) -> bytes:
    """A message in which some bytes are others, are gone, or come twice."""
    data = bytearray(message)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(data))
        match rng.randrange(4):
            case 0:
                data[at] = rng.randrange(256)
            case 1:
                del data[at : at + rng.randint(1, 20)]
            case 2:
                data[at:at] = data[at : at + rng.randint(1, 20)]
            case _:
                data[at:at] = rng.choice([b'"', b"{", b"}", b"\\", b"\x00", b"\xff", b"\n", b",", b"null", b"1e999"])
        data = data or bytearray(b"x")
    return bytes(data)


def _spelled(rng: Random, number: int) -> bytes:
    """A notification of which each part may be anything."""
    said = {**_GOOD, "message_id": f"odd-{number}"}
    for name in rng.sample(sorted(said), rng.randint(1, len(said))):
        said[name] = _anything(rng, 4)
    if rng.random() < 0.3:
        said["payload"] = {**_GOOD["payload"], rng.choice(sorted(_GOOD["payload"])): _anything(rng, 4)}
    if rng.random() < 0.3:
        whole = json.dumps(said)
        said = {"oslo.version": rng.choice(["2.0", "2", "1.0", 2, None]), "oslo.message": rng.choice([whole, said])}
    text = json.dumps(said)
    return json.dumps(text).encode() if rng.random() < 0.1 else text.encode()


def _anything(rng: Random, depth: int) -> Any:
    plain = [None, True, 0, -1, 1.5, 2**70, "", "None", "\x00", "a" * 600, "2026-03-01T12:00:00Z", "compute.instance.x"]
    match rng.randrange(6 if depth else 4):
        case 4:
            return [_anything(rng, depth - 1) for _ in range(rng.randint(0, 4))]
        case 5:
            return {rng.choice(["a", "", "$x", "instance_id", "\x00"]): _anything(rng, depth - 1) for _ in range(3)}
        case _:
            return rng.choice(plain)
