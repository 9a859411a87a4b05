"""Bodies, read by their references."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from timeline.drivers.hbase.codec import most_bytes
from timeline.drivers.hbase.connections import Connections
from timeline.drivers.hbase.gateway import Cells, Gateway
from timeline.drivers.hbase.schema import BODIES, BODY
from timeline.model import Body

_TOGETHER, _TOGETHER_BYTES = 500, 8 * 1024 * 1024
"""Bodies that are read in one call, and how many bytes they may have together."""


def read_bodies(connections: Connections, references: Iterable[bytes]) -> dict[bytes, Body]:
    """Bodies by their references; those that are not there are left out."""
    found: dict[bytes, Body] = {}
    for some in _in_calls(references):
        rows = connections.ask(partial(_read, some))
        found |= {key: Body(cells[BODY], key[:-1]) for key, cells in rows.items()}
    return found


def _in_calls(references: Iterable[bytes]) -> Iterator[list[bytes]]:
    """References, so many together as one call can bear the bodies of."""
    some: list[bytes] = []
    held = 0
    for one in sorted(references):
        if some and (held + most_bytes(one) > _TOGETHER_BYTES or len(some) == _TOGETHER):
            yield some
            some, held = [], 0
        some.append(one)
        held += most_bytes(one)
    if some:
        yield some


def _read(references: list[bytes], gateway: Gateway) -> dict[bytes, Cells]:
    return gateway.rows(BODIES, references, [BODY])
