"""What a store holds, counted: one pass over the events, and one over the keys of the bodies."""

from __future__ import annotations

from collections import Counter
from itertools import groupby

from timeline.drivers.contract import Summary
from timeline.drivers.hbase import paging
from timeline.drivers.hbase.codec import REFERENCE_BYTES, named, read_column, read_since_first, split_row
from timeline.drivers.hbase.connections import Connections
from timeline.drivers.hbase.quarantine import Quarantine
from timeline.drivers.hbase.schema import BODIES, EVENTS, REVISION
from timeline.model import Resource, limits

_FIRST, _LAST = b"\0", b"\xff"
_ROWS, _KEYS = 400, 5_000
_KEYS_ONLY = b"FirstKeyOnlyFilter() AND KeyOnlyFilter()"


class Contents:
    """Counts what a store holds."""

    def __init__(self, connections: Connections, quarantine: Quarantine) -> None:
        self._connections = connections
        self._quarantine = quarantine

    def summary(self) -> Summary:
        """As :meth:`timeline.drivers.contract.EventStore.summary`."""
        events = resources = 0
        first = last = newest = None
        many: list[tuple[Resource, int]] = []
        rows = paging.rows(self._connections, EVENTS, _FIRST, _LAST, first=_ROWS, most=_ROWS)
        for name, of_resource in groupby(rows, key=lambda row: split_row(row[0])[0]):
            references = set()
            for row, cells in of_resource:
                references.add(split_row(row)[1][1 : 1 + REFERENCE_BYTES])
                events += len(cells)
                times = [read_column(column)[0] for column in cells]
                recorded = max(read_since_first(value[:8]) for value in cells.values())
                first = min(times) if first is None else min(first, *times)
                last = max(times) if last is None else max(last, *times)
                newest = recorded if newest is None else max(newest, recorded)
            resources += 1
            if len(references) > limits.MANY_BODIES:
                many.append((named(name), len(references)))
        bodies = paging.rows(
            self._connections, BODIES, b"", _LAST * 34, filter=_KEYS_ONLY, whole=True, first=_KEYS, most=_KEYS
        )
        return Summary(
            revision=REVISION,
            resources=resources,
            events=events,
            bodies=sum(1 for _ in bodies),
            first_event=first,
            last_event=last,
            newest_record=newest,
            quarantined=dict(sorted(Counter(self._quarantine.open_reasons()).items())),
            many_bodies=sorted(many, key=lambda pair: (-pair[1], pair[0])),
        )
