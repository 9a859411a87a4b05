"""Resources, bodies and events, and the one order of events.

There are millions of them and none can be part of a cycle, so the garbage collector is spared them (``gc=False``).
"""

from __future__ import annotations

from hashlib import sha256

import msgspec

from timeline.errors import StoreCorrupt
from timeline.model.canonical import Json, canonical
from timeline.model.phase import Phase


class Resource(msgspec.Struct, frozen=True, order=True, kw_only=True, gc=False):
    """What a timeline is about. Compared by ``(type, source, id)``, by code point: no case folding, no padding."""

    type: str
    source: str = ""
    """The region or deployment; most sites have one and leave it empty."""
    id: str

    def __str__(self) -> str:
        return f"{self.type}/{self.id}"


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """A choice of resources: those of a type, of a source, with an id; ``None`` means any."""

    type: str | None = None
    source: str | None = None
    id: str | None = None

    def __contains__(self, resource: Resource) -> bool:
        return (
            self.type in (None, resource.type)
            and self.source in (None, resource.source)
            and self.id in (None, resource.id)
        )


class _Content(msgspec.Struct, frozen=True):
    f: dict[str, Json]
    v: int


class _Spoken(msgspec.Struct, frozen=True):
    f: dict[str, msgspec.Raw]
    v: int


_decode_content = msgspec.json.Decoder(_Content).decode
_decode_spoken = msgspec.json.Decoder(_Spoken).decode


class Body(msgspec.Struct, frozen=True, gc=False):
    """What a message said of a resource: canonical bytes of ``{"f": {field: value}, "v": version}``, and their SHA-256.

    Stored once per distinct content; opaque to drivers.
    """

    data: bytes
    digest: bytes

    @classmethod
    def of(cls, fields: dict[str, Json], version: int = 0) -> Body:
        """The body that says ``fields``, by a definition of this version."""
        return cls.read(canonical({"f": fields, "v": version}))

    @classmethod
    def read(cls, data: bytes) -> Body:
        """The body whose canonical bytes are given."""
        return cls(data, sha256(data).digest())

    @property
    def version(self) -> int:
        """The version of the definition that read the message. Raises :class:`StoreCorrupt`."""
        # "v" is the last key of canonical bytes, so its digits stand between the last colon and the last brace
        try:
            return int(self.data[self.data.rindex(b":") + 1 : -1])
        except ValueError as error:
            raise self._corrupt(error) from error

    def fields(self) -> dict[str, Json]:
        """The fields spoken of, decoded. Raises :class:`StoreCorrupt`."""
        try:
            return _decode_content(self.data).f
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise self._corrupt(error) from error

    def spoken(self) -> dict[str, msgspec.Raw]:
        """The fields spoken of, each value still its canonical bytes. Raises :class:`StoreCorrupt`."""
        try:
            return _decode_spoken(self.data).f
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise self._corrupt(error) from error

    def _corrupt(self, error: Exception) -> StoreCorrupt:
        return StoreCorrupt(f"the body {self.digest.hex()} in the store is no canonical body: {error!s:.200}")


class Event(msgspec.Struct, frozen=True, gc=False):
    """What one notification says about one resource.

    The key is ``(resource, occurred_at, phase, body)``; the rest is provenance, of the first delivery that was stored:
    evidence, never part of the timeline.
    """

    resource: Resource
    occurred_at: int
    """When it happened: microseconds since 1970 UTC."""
    phase: Phase
    body: Body
    recorded_at: int
    """When we learned it: microseconds since 1970 UTC."""
    event_type: str
    message_id: str | None = None

    @property
    def key(self) -> tuple[Resource, int, Phase, bytes]:
        """What makes it this event: two with the same key are one."""
        return (self.resource, self.occurred_at, self.phase, self.body.digest)


def order(event: Event) -> tuple[int, int, int, bytes]:
    """The one order of a resource's events: ``(occurred_at, phase, definition version, body digest)``."""
    return (event.occurred_at, event.phase, event.body.version, event.body.digest)
