"""The fleets that an engine keeps in memory, and how they are brought up to date."""

from __future__ import annotations

from collections import OrderedDict
from itertools import groupby
from operator import attrgetter
from threading import Lock
from typing import NamedTuple

from timeline.drivers.contract import Driver
from timeline.model import Resource, Scope
from timeline.replay.join.fleet import Fleet
from timeline.replay.join.growing import GrowingFleet

KEPT = 4
"""Fleets that are kept, those that were asked for last."""

Key = tuple[str | None, int | None]
"""The type, ``None`` for all; and ``known_before``."""


class _Held(NamedTuple):
    """A fleet, and the version of the store that it is of."""

    version: str
    growing: GrowingFleet
    fleet: Fleet


class _Kept:
    """What is held for one key; whoever asks for another need not wait while it is read."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.held: _Held | None = None


class Fleets:
    """The segments of resources of a type, or of all: kept while the store's version stands still.

    When it moves, the events of those resources are read again to which one was added.
    """

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._lock = Lock()
        self._kept: OrderedDict[Key, _Kept] = OrderedDict()

    def fleet(self, type: str | None, known_before: int | None) -> Fleet:
        """The fleet as it is in the store now."""
        key = (type, known_before)
        with self._lock:
            kept = self._kept.setdefault(key, _Kept())
            self._kept.move_to_end(key)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        with kept.lock:
            version = self._driver.version()  # before anything is read: what is committed meanwhile is read again
            if kept.held is None or kept.held.version != version:
                before, kept.held = kept.held, None  # where reading fails halfway, it begins anew the next time
                growing = self._refreshed(key, before)
                kept.held = _Held(version, growing, growing.fleet())
            return kept.held.fleet

    def _refreshed(self, key: Key, held: _Held | None) -> GrowingFleet:
        type, known_before = key
        scope = Scope(type=type)
        if held is not None:
            changed = self._driver.changed(held.version)
            of_scope = None if changed is None else [resource for resource in changed if resource in scope]
            # one by one costs more than all at once where most have changed
            if of_scope is not None and 2 * len(of_scope) <= len(held.fleet) and not held.growing.wasteful:
                self._read(held.growing, of_scope, known_before)
                return held.growing
        growing = GrowingFleet()
        self._read(growing, scope, known_before)
        return growing

    def _read(self, growing: GrowingFleet, which: Scope | list[Resource], known_before: int | None) -> None:
        events = self._driver.events(which, known_before=known_before)
        for resource, of_resource in groupby(events, key=attrgetter("resource")):
            growing.put(resource, list(of_resource))
