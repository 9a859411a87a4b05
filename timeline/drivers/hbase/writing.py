"""Events stored: bodies first, then the resources, then the events, so that nothing ever names what is not there."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence

from timeline.drivers.hbase.changes import Writer
from timeline.drivers.hbase.codec import id_first, name_of, reference, row_of, salted, value_of
from timeline.drivers.hbase.connections import Connections
from timeline.drivers.hbase.gateway import Gateway, Put
from timeline.drivers.hbase.known import Known
from timeline.drivers.hbase.schema import (
    BEGUN,
    BODIES,
    BODY,
    COUNTERS,
    EVENTS,
    META,
    NOTHING,
    ONCE,
    RESOURCES,
    RESOURCES_BY_ID,
)
from timeline.errors import StoreFull, StoreUnavailable
from timeline.model import Event, Resource

_TOGETHER = 20_000
"""Events that are stored as one append. What names their resources has to go into one cell."""

_NEWEST = 2**40
"""The time stamp of the events of the append before the first. Were it later than now, a site might refuse it."""


class Writing:
    """Stores events."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._process = os.getpid()
        self._writers: list[Writer] = []
        self._bodies = Known()
        self._resources = Known()

    def append(self, events: Sequence[Event]) -> None:
        """As :meth:`timeline.drivers.contract.EventStore.append`."""
        for first in range(0, len(events), _TOGETHER):
            self._append(_Batch(events[first : first + _TOGETHER]))

    def _append(self, batch: _Batch) -> None:
        writer = self._writer()
        number: list[int] = []

        def write(gateway: Gateway) -> None:
            if not number:
                number.append(gateway.count(META, COUNTERS, BEGUN))
                if number[0] >= _NEWEST:
                    raise StoreFull(f"{self._connections.url.place}: {_NEWEST} appends are all that a store can take")
            writer.begin(gateway, batch.names.values())
            bodies = {key: body for key, body in batch.bodies.items() if key not in self._bodies}
            gateway.put(BODIES, [(key, [(BODY, body)]) for key, body in bodies.items()], ONCE)
            self._bodies.add(bodies)
            resources = {name: one for one, name in batch.names.items() if name not in self._resources}
            gateway.put(META, _listed(resources), ONCE)
            self._resources.add(resources)
            # Done again it has the same number, so that what the first attempt may yet do changes nothing
            gateway.put(EVENTS, batch.events, _NEWEST - number[0])
            writer.end(gateway)

        try:
            self._connections.ask(write)
        except BaseException as error:
            self._bodies.clear()  # whatever happened there, nothing is taken for known
            self._resources.clear()
            writer.broke_off(perhaps_going_on=isinstance(error, StoreUnavailable) or not isinstance(error, Exception))
            raise
        finally:
            self._writers.append(writer)

    def _writer(self) -> Writer:
        if self._process != os.getpid():  # forked: the rows are the parent's
            self._process, self._writers = os.getpid(), []
        try:
            return self._writers.pop()
        except IndexError:
            return Writer()


class _Batch:
    """Events as they are put."""

    def __init__(self, events: Iterable[Event]) -> None:
        self.names: dict[Resource, bytes] = {}
        self.bodies: dict[bytes, bytes] = {}
        rows: dict[bytes, dict[bytes, bytes]] = {}
        salted_names: dict[Resource, bytes] = {}
        for event in events:
            resource = event.resource
            salted_name = salted_names.get(resource)
            if salted_name is None:
                name = self.names[resource] = name_of(resource)
                salted_name = salted_names[resource] = salted(name)
            key = reference(event.body)
            if key not in self.bodies:
                self.bodies[key] = event.body.data
            row, column = row_of(event, salted_name, key)
            cells = rows.setdefault(row, {})
            if column not in cells:  # within a call the first given stays
                cells[column] = value_of(event.recorded_at, event.event_type, event.message_id)
        self.events: Collection[Put] = [(row, list(cells.items())) for row, cells in rows.items()]


def _listed(resources: dict[bytes, Resource]) -> list[Put]:
    """The rows by which resources are found: by name, and by id."""
    nothing = [(NOTHING, b"")]
    by_name: list[Put] = [(RESOURCES + name, nothing) for name in resources]
    return by_name + [(RESOURCES_BY_ID + id_first(one), nothing) for one in resources.values()]
