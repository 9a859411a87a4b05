"""The tables of a store, and their revision.

``PREFIX_events``
    A row for each body of each resource, a column for each event: see :mod:`timeline.drivers.hbase.codec`.
``PREFIX_bodies``
    A row for each body, by its reference; the column ``d:b`` holds its bytes.
``PREFIX_meta``
    The rest, by the first byte of the key:

    =====  =============================================================================================================
    ``s``  The revision of the schema: ``d:r``.
    ``n``  Counters: ``d:a`` of the appends that were begun, ``d:c`` of the changes that were noted.
    ``o``  A row for each writer: whether its append goes on, and to which resources it adds: ``d:s``, ``d:r``.
    ``p``  A row for each change, the last first: its mark, and the resources to which events were added: ``d:m``,
           ``d:r``.
    ``r``  The resources by their names; ``i`` by their ids. Nothing is in these rows but the key.
    ``k``  The quarantine records by their ids: when each was received, ``d:a``.
    ``a``  The quarantine records by their ages: ``d:b`` the message, ``d:r`` the rest.
    =====  =============================================================================================================

Each has one family, ``d``, which keeps one version. Every append has a number, and the time stamps of its events fall
as the numbers rise: so of two deliveries of an event the first one's cell stays the newest, and nobody looks first.
"""

from __future__ import annotations

import os
import re
from concurrent.futures import ThreadPoolExecutor
from struct import Struct
from time import monotonic, sleep

from timeline.drivers.hbase.codec import FAMILY
from timeline.drivers.hbase.errors import Translated
from timeline.drivers.hbase.gateway import Gateway
from timeline.drivers.hbase.url import HbaseUrl
from timeline.errors import StoreBusy, StoreForeign, StoreNotFound, StoreOutdated, StoreTooNew

REVISION = "0002"
_READ_AS_IT_IS = ("0001",)
"""Older revisions whose rows say less, and are read as they are."""

EVENTS, BODIES, META = TABLES = ("events", "bodies", "meta")

SCHEMA, COUNTERS, WRITERS, CHANGES, RESOURCES, RESOURCES_BY_ID = b"s", b"n", b"o", b"p", b"r", b"i"
QUARANTINE_BY_ID, QUARANTINE_BY_AGE = b"k", b"a"

NOTHING, AGE, BODY, CHANGED, MARK, ROW, STATE = b"d:", b"d:a", b"d:b", b"d:c", b"d:m", b"d:r", b"d:s"
BEGUN = AGE

ONCE = 1
"""The time stamp of what has the same bytes whoever puts it."""

MARK_BYTES = 8
_number = Struct(">Q")
_LAST_NUMBER = 2**63 - 1
_POLL_SECONDS = 0.1


def change_row(number: int) -> bytes:
    """The row of a change: the later, the lower."""
    return CHANGES + _number.pack(_LAST_NUMBER - number)


def change_number(row: bytes) -> int:
    """The number of the change in a row. Raises ``struct.error``."""
    (reversed_number,) = _number.unpack(row[1:])
    return _LAST_NUMBER - int(reversed_number)


def check(gateway: Gateway, url: HbaseUrl) -> None:
    """Raise the error that there is for what is no store with the schema of this program. One round trip if it is."""
    stored = _stored_revision(gateway, url)
    if stored is None:
        _check_families(gateway, url)
        raise StoreNotFound(f"{url.place}: nothing is in there, no store yet; {url.init} makes one")
    if stored < REVISION:
        raise StoreOutdated(
            f"{url.place}: the store has schema {stored}, older than {REVISION}, which this program needs; {url.init} "
            "brings it up to date and keeps all that is in it"
        )


def prepare(url: HbaseUrl, translated: Translated) -> None:
    """Make the tables. Of several processes that do so at the same time, each waits until they are there."""
    with translated:
        gateway = Gateway(url)
        try:
            if META in _check_families(gateway, url):
                _wait_for(gateway, url, META)
                stored = _stored_revision(gateway, url)
                if stored is not None:
                    if len(_check_families(gateway, url)) < len(TABLES):
                        raise StoreForeign(_foreign(url, "tables of ours are missing"))
                    if stored in _READ_AS_IT_IS:
                        gateway.swap(META, SCHEMA, ROW, stored.encode(), REVISION.encode())
                    check(gateway, url)
                    return
            with ThreadPoolExecutor(len(TABLES)) as pool:  # each takes its second
                list(pool.map(lambda table: _create(url, translated, table), TABLES))
            gateway.swap(META, change_row(0), MARK, None, os.urandom(MARK_BYTES))
            gateway.swap(META, SCHEMA, ROW, None, REVISION.encode())
        finally:
            gateway.close()


def _stored_revision(gateway: Gateway, url: HbaseUrl) -> str | None:
    """The revision of the store, not later than ours; ``None`` where it has none. Raises ``StoreNotFound``."""
    cells = gateway.rows(META, [SCHEMA]).get(SCHEMA)
    if cells is None or not set(cells) & {ROW}:
        return None
    stored = cells[ROW].decode("ascii", "replace")
    if not re.fullmatch("[0-9]{4}", stored, re.ASCII):
        raise StoreForeign(_foreign(url, f"its schema has the revision {stored!r:.40}"))
    if stored > REVISION:
        raise StoreTooNew(
            f"{url.place}: the store has schema {stored}, newer than {REVISION}, which is all that this program knows; "
            "install the newer version that made it"
        )
    return stored


def _check_families(gateway: Gateway, url: HbaseUrl) -> set[str]:
    """Which of our tables are there; an error where one has other families than ours."""
    there = set()
    for table in TABLES:
        families = gateway.families(table)
        if families is None:
            continue
        if set(families) != {FAMILY}:
            listed = b", ".join(sorted(families)).decode("utf-8", "replace")
            raise StoreForeign(_foreign(url, f"the table {url.prefix}_{table} has the column families {listed}"))
        if families[FAMILY] != 1:  # a filter would see versions that are passed over without one
            why = f"the table {url.prefix}_{table} keeps {families[FAMILY]} versions of a cell, and not one"
            raise StoreForeign(_foreign(url, why))
        there.add(table)
    return there


def _create(url: HbaseUrl, translated: Translated, table: str) -> None:
    with translated:
        gateway = Gateway(url)
        try:
            if gateway.families(table) is None and gateway.create(table):
                return
            _wait_for(gateway, url, table)
        finally:
            gateway.close()


def _wait_for(gateway: Gateway, url: HbaseUrl, table: str) -> None:
    """Wait until a table can be read, which another process may just be making."""
    until = monotonic() + url.timeout
    while not gateway.is_ready(table):
        if monotonic() > until:
            raise StoreBusy(f"{url.place}: another process makes the table {url.prefix}_{table}; try again")
        sleep(_POLL_SECONDS)


def _foreign(url: HbaseUrl, why: str) -> str:
    return f"{url.place}: this was not made by this program: {why}; choose another prefix for the store"
