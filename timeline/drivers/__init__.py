"""Stores, chosen by URL. The driver of a scheme is loaded when a URL names it, and not before."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from timeline.drivers.contract import Appended, Driver, EventStore, QuarantineStore, Summary
from timeline.errors import DriverMissing, StoreError, StoreUrlError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["Appended", "Driver", "EventStore", "QuarantineStore", "Summary", "open", "schemes"]

_GROUP = "timeline.drivers"
_DISTRIBUTION = "resource-timeline"
_OURS = {
    "hbase": "timeline.drivers.hbase:open [hbase]",
    "mariadb+pymysql": "timeline.drivers.sql.mariadb:open [mariadb]",
    "memory": "timeline.drivers.memory:open",
    "mongodb": "timeline.drivers.mongodb:open [mongodb]",
    "mongodb+srv": "timeline.drivers.mongodb:open [mongodb]",
    "mysql+pymysql": "timeline.drivers.sql.mariadb:open [mariadb]",
    "postgresql": "timeline.drivers.sql.postgresql:open [postgresql]",
    "postgresql+psycopg": "timeline.drivers.sql.postgresql:open [postgresql]",
    "sqlite": "timeline.drivers.sql.sqlite:open",
}
_SCHEME = re.compile(r"^(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*):")


def open(url: str) -> Driver:
    """The driver of the store at a URL. Nothing is made, and nothing looked at: that is for the driver's first call.

    A driver whose store was never made can do one thing: :meth:`~timeline.drivers.contract.EventStore.prepare`. Each
    other call raises :class:`~timeline.errors.StoreNotFound`.

    Other distributions bring drivers by entry points in the group ``timeline.drivers``: the name is the scheme, the
    value a callable that makes a driver of a URL.

    Raises :class:`~timeline.errors.StoreUrlError` and :class:`~timeline.errors.DriverMissing`.

    >>> open("memory:").summary().events
    0
    """
    match = _SCHEME.match(url)
    if match is None:
        said = url.rpartition("@")[2].partition("?")[0]  # what stands outside may be a password
        raise StoreUrlError(
            f"{said!r} is no store URL: one begins with {_listed(schemes())}; a file of this name is sqlite:///{said}"
        )
    scheme = match["scheme"].lower()
    entry = _entry_point(scheme)
    try:
        opened = entry.load()
    except ModuleNotFoundError as error:
        raise DriverMissing(_how_to_install(scheme, entry, error)) from error
    except (ImportError, AttributeError) as error:
        raise StoreError(f"the driver of {scheme}: cannot be loaded from {entry.value}: {error}") from error
    driver: Driver = opened(url)
    return driver


def schemes() -> list[str]:
    """The schemes of the URLs that can be opened, sorted."""
    from importlib.metadata import entry_points

    return sorted({*_OURS, *(entry.name for entry in entry_points(group=_GROUP))})


def _entry_point(scheme: str) -> EntryPoint:
    # imported late: a program that opens no store need not wait for it
    from importlib.metadata import EntryPoint, entry_points

    if scheme in _OURS:
        return EntryPoint(scheme, _OURS[scheme], _GROUP)
    for entry in entry_points(group=_GROUP, name=scheme):
        return entry
    from difflib import get_close_matches

    known = schemes()
    near = get_close_matches(scheme, known, n=1)
    meant = f"; is {near[0]}: meant?" if near else ""
    raise StoreUrlError(f"no driver knows store URLs that begin with {scheme}: (known: {_listed(known)}){meant}")


def _how_to_install(scheme: str, entry: EntryPoint, error: ModuleNotFoundError) -> str:
    missing = (error.name or "a package").partition(".")[0]
    if entry.extras:
        distribution = entry.dist.name if entry.dist is not None else _DISTRIBUTION
        command = f"pip install '{distribution}[{','.join(entry.extras)}]'"
    else:
        command = f"pip install {missing}"
    return f"the driver of {scheme}: needs {missing}, which is not installed: {command}"


def _listed(names: list[str]) -> str:
    return ", ".join(f"{name}:" for name in names)
