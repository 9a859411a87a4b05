"""What is new since a token: the log of the appends, written and read.

There are no transactions, so what is told rests on the order in which rows are written and read. An append

1. says in the row of its writer that it goes on, and to which resources it adds,
2. puts bodies, resources and events,
3. takes the next number from a counter, and puts the change of this number: its mark and its resources,
4. says in the row of its writer that it is over.

A token names the last change that is there. It is read after the rows of the writers, and so is what has changed
since: the resources of the later changes, and of the appends that go on. What is seen only after a token was read
belongs to an append that takes its number after that, or never does; so the number is later, or the append still goes
on. And while one does, each token has a part made by chance, so that no two are equal.

A writer that is killed leaves its row as it is. What it was adding to is then named by every answer, more than is
needed and never less, until another writer has seen the row unchanged for an hour. A call that broke off may yet be
done by the gateway: for as long its resources stay named.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from time import monotonic

from timeline.drivers.hbase import paging
from timeline.drivers.hbase.codec import named, pack_names, unpack_names
from timeline.drivers.hbase.connections import Connections
from timeline.drivers.hbase.gateway import Cells, Gateway
from timeline.drivers.hbase.schema import (
    CHANGED,
    CHANGES,
    COUNTERS,
    MARK,
    MARK_BYTES,
    META,
    ONCE,
    ROW,
    STATE,
    WRITERS,
    change_number,
    change_row,
)
from timeline.errors import StoreCorrupt
from timeline.model import Resource

KEPT = 4_096
"""Changes that are answered from. Who was away for longer reads everything again, which costs no more by then."""
_SWEPT = 128
"""Changes that are taken away together when they are twice as old: nobody reads them any more."""

_GOES_ON, _OVER = b"1", b"0"
_TOKEN = re.compile(r"(?P<number>0|[1-9][0-9]{0,17})\.(?P<mark>[0-9a-f]{16})(?:\.[0-9a-f]{16})?", re.ASCII)
_MARKS, _NAMES = 64, 100
"""Rows that are read together: of a few bytes each, and of up to some 50,000 where appends are of many resources."""
_AFTER_CHANGES = bytes((CHANGES[0] + 1,))
_LEFT_SECONDS = 3_600.0
"""After this time a gateway has given up whatever it was doing: its own limit is 20 minutes."""


class Writer:
    """The row of one writer, who does one append at a time."""

    def __init__(self) -> None:
        self._row = WRITERS + os.urandom(MARK_BYTES)
        self._turn = 0
        self._names: set[bytes] = set()
        self._left: dict[bytes, float] = {}
        """What appends that failed were adding to, and until when the gateway may still be at it."""
        self._others: dict[bytes, tuple[bytes, float]] = {}
        """Writers that were in the midst of an append when this one looked: in which, and since when."""

    def begin(self, gateway: Gateway, names: Collection[bytes]) -> None:
        """Say that an append to these resources goes on."""
        self._names = self._left.keys() | names
        self._say(gateway, self._names)

    def end(self, gateway: Gateway) -> None:
        """Note the change, and say that the append is over."""
        number = gateway.count(META, COUNTERS, CHANGED)
        change = [(MARK, os.urandom(MARK_BYTES)), (ROW, pack_names(self._names))]
        gateway.put(META, [(change_row(number), change)], ONCE)
        now = monotonic()
        self._left = {name: until for name, until in self._left.items() if until > now}
        self._say(gateway, self._left)
        self._names = set()
        if number % _SWEPT == 0:
            self._sweep(gateway, number)

    def broke_off(self, *, perhaps_going_on: bool) -> None:
        """Note that the append failed. What it was adding to is named with the next one, and on while it may go on."""
        until = monotonic() + (_LEFT_SECONDS if perhaps_going_on else 0)
        self._left |= dict.fromkeys(self._names, until)
        self._names = set()

    def _say(self, gateway: Gateway, names: Collection[bytes]) -> None:
        self._turn += 1
        state = (_GOES_ON if names else _OVER) + b"%d" % self._turn
        gateway.put(META, [(self._row, [(STATE, state), (ROW, pack_names(names))])], self._turn)

    def _sweep(self, gateway: Gateway, number: int) -> None:
        """Take away what is too old to be asked for, and the rows of writers that are idle or gone.

        A writer that is idle puts its row again when it begins. One that has been in the same append for an hour is
        gone: it would have had an answer or a broken connection, and would begin again.
        """
        oldest = number - 2 * KEPT
        if oldest > 0:
            changes = range(max(0, oldest - _SWEPT), oldest)
            gateway.take_away(META, {change_row(old): [MARK, ROW] for old in changes}, ONCE)
        now = monotonic()
        others: dict[bytes, tuple[bytes, float]] = {}
        start, done = WRITERS, False
        while not done:
            page, done = gateway.page(META, start, CHANGES, _MARKS, whole=True)
            for row, cells in page:
                start = row + b"\0"
                state = cells.get(STATE, b"")
                if row == self._row or not state:
                    continue
                if _goes_on(cells):
                    seen, since = self._others.get(row, (state, now))
                    others[row] = (state, since if seen == state else now)
                    if now - others[row][1] < _LEFT_SECONDS:
                        continue
                    change = [(MARK, os.urandom(MARK_BYTES)), (ROW, cells[ROW])]
                    gateway.put(META, [(change_row(gateway.count(META, COUNTERS, CHANGED)), change)], ONCE)
                gateway.take_away(META, {row: [STATE, ROW]}, int(state[1:]))
        self._others = others


class Changes:
    """The version of a store, and what has changed since."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def version(self) -> str:
        """As :meth:`timeline.drivers.contract.EventStore.version`."""
        goes_on = False
        columns = [STATE, MARK]
        for row, cells in paging.rows(
            self._connections, META, WRITERS, _AFTER_CHANGES, columns=columns, whole=True, first=_MARKS
        ):
            if row.startswith(CHANGES):
                chance = f".{os.urandom(MARK_BYTES).hex()}" if goes_on else ""
                return f"{change_number(row)}.{cells[MARK].hex()}{chance}"
            goes_on |= _goes_on(cells)
        raise StoreCorrupt(
            f"{self._connections.url.place}: the first of all changes is missing from the table "
            f"{self._connections.url.prefix}_{META}; restore it from a backup"
        )

    def changed(self, since: str) -> Collection[Resource] | None:
        """As :meth:`timeline.drivers.contract.EventStore.changed`."""
        token = _TOKEN.fullmatch(since)
        if token is None:
            # whoever asks in vain is told so as by every other question: what if there is no store?
            self._connections.ask(lambda gateway: None)
            return None
        number, names = int(token["number"]), set[bytes]()
        seen = change_row(number)
        last: int | None = None
        for row, cells in paging.rows(
            self._connections, META, WRITERS, seen + b"\0", whole=True, first=_NAMES, most=_NAMES
        ):
            if row == seen:
                return {named(name) for name in names} if cells.get(MARK) == bytes.fromhex(token["mark"]) else None
            if row.startswith(CHANGES):
                last = last or change_number(row)
                if last - number >= KEPT:
                    return None
                names.update(self._names_in(row, cells))
            elif _goes_on(cells):
                names.update(self._names_in(row, cells))
        return None

    def _names_in(self, row: bytes, cells: Cells) -> list[bytes]:
        try:
            return unpack_names(cells[ROW])
        except (KeyError, ValueError) as error:
            place = self._connections.url.place
            raise StoreCorrupt(
                f"{place}: the row {row.hex()} of the table {self._connections.url.prefix}_{META} cannot be read "
                f"({error}); restore it from a backup"
            ) from error


def _goes_on(cells: Cells) -> bool:
    return cells.get(STATE, _OVER).startswith(_GOES_ON)
