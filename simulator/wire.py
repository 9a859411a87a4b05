"""One instance's messages as bytes: the envelope around nova's payload and context.

In a message what varies stands in front, and behind it what stays the same until the instance changes
again, encoded once and kept: an hourly `exists` costs little more than its ids.
"""

import re
from collections.abc import Mapping
from random import Random

import msgspec

from simulator import payload, stamps
from simulator.history import State, Step
from simulator.identity import Identity

__all__ = ["ENVELOPES", "Writer", "resent"]

ENVELOPES = ("bare", "oslo2", "mixed")
"""How messages travel: with their context beside the payload, the same in oslo's envelope, or by turns
both of these and without a context."""

_SHAPES = ("bare", "oslo2", "contextless")
_IDS = re.compile(rb'(message_id\\?":\\?")[0-9a-f-]{36}(\\?",\\?"_unique_id\\?":\\?")[0-9a-f]{32}')
_LARGE, _SMALL = 268_435_399, 16_777_213
"""An audit's traffic is its time modulo these: any number will do, and to draw one costs more."""

_encode = msgspec.json.Encoder().encode


class Writer:
    """Writes the messages of one instance; their ids are drawn from `rng`."""

    __slots__ = ("_body", "_constant", "_envelope", "_rng", "_state", "_tails", "_who")

    def __init__(self, who: Identity, rng: Random, *, envelope: str) -> None:
        self._who, self._rng, self._envelope = who, rng, envelope
        self._constant = _members(payload.constant(who))
        self._state: State | None = None
        self._body = b""
        self._tails: dict[bool, bytes] = {}

    def step(self, step: Step, before: State) -> bytes:
        """The message of a step; `before` is the state that the step found."""
        self._take(step.state)
        shape = self._shape()
        digits = self._rng.randbytes(48).hex()
        front = _front(digits, step.event, step.publisher, stamps.envelope(step.at))
        context = b""
        if shape != "contextless":
            asked = step.at - 10_000 - int(digits[:4], 16)
            front += _request(digits, stamps.payload(asked))
            context = b"," + _members(payload.context(self._who, step))
        said = _members(payload.spoken(self._who, step, before))
        message = b"".join((front.encode(), b'"payload":{', said, b",", self._body, b"}", context, b"}"))
        return _enveloped(message) if shape == "oslo2" else message

    def exists(self, at: int, state: State, *, beginning: int, ending: int) -> bytes:
        """The audit of a period, made at `at`, where the instance is in that state."""
        self._take(state)
        shape = self._shape()
        with_context = shape != "contextless"
        tail = self._tails.get(with_context) or self._tail(with_context=with_context)
        digits = self._rng.randbytes(48).hex()
        stamp = stamps.envelope(at)
        front = _front(digits, "exists", state.host, stamp)
        if with_context:
            front += _request(digits, stamp.replace(" ", "T"))
        first, last = stamps.minute(beginning // stamps.MINUTE), stamps.minute(ending // stamps.MINUTE)
        front += (
            f'"payload":{{"audit_period_beginning":"{first}:00","audit_period_ending":"{last}:00",'
            f'"bandwidth":{{"private":{{"bw_in":{at % _LARGE},"bw_out":{at % _SMALL}}}}},'
        )
        message = front.encode() + tail
        return _enveloped(message) if shape == "oslo2" else message

    def _shape(self) -> str:
        return self._rng.choice(_SHAPES) if self._envelope == "mixed" else self._envelope

    def _take(self, state: State) -> None:
        if state is not self._state:
            self._state = state
            self._body = self._constant + b"," + _members(payload.changing(state))
            self._tails = {}

    def _tail(self, *, with_context: bool) -> bytes:
        idle = {"state_description": "", "progress": "", **payload.addresses(self._who)}
        context = b"," + _members(payload.context(self._who, None)) if with_context else b""
        tail = b"".join((_members(idle), b",", self._body, b"}", context, b"}"))
        self._tails[with_context] = tail
        return tail


def resent(message: bytes, rng: Random) -> bytes:
    """The message sent once more, as StackTach does: a fresh id, of the message and of the sending."""
    digits = rng.randbytes(32).hex()
    fresh, unique = _uuid(digits), digits[32:]
    return _IDS.sub(lambda found: found[1] + fresh.encode() + found[2] + unique.encode(), message, 1)


def _front(digits: str, event: str, host: str, stamp: str) -> str:
    return (
        f'{{"message_id":"{_uuid(digits)}","_unique_id":"{digits[32:64]}",'
        f'"event_type":"compute.instance.{event}","publisher_id":"compute.{host}",'
        f'"priority":"INFO","timestamp":"{stamp}",'
    )


def _request(digits: str, stamp: str) -> str:
    return f'"_context_request_id":"req-{_uuid(digits[64:])}","_context_timestamp":"{stamp}",'


def _uuid(digits: str) -> str:
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:32]}"


def _members(part: Mapping[str, object]) -> bytes:
    """The members of an object without the braces, to stand beside others."""
    return _encode(part)[1:-1]


def _enveloped(message: bytes) -> bytes:
    return b'{"oslo.version":"2.0","oslo.message":' + _encode(message.decode()) + b"}"
