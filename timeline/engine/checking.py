"""A store looked through: by its driver, row by row, and by the questions that anybody asks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from itertools import groupby, islice
from operator import attrgetter

from timeline import masking
from timeline.drivers.contract import Damage, Driver, Problem
from timeline.errors import StoreCorrupt
from timeline.model import Body, Event, Quarantined, Resource, Scope, canonical, order

_MOST = 1_000
"""Resources that two answers tell otherwise which are named."""
_TOLD = 1_000
"""Events after which progress is told."""
_RECORDS = 8
"""Quarantine records that are held at once: each may be as long as a notification."""

_resource = attrgetter("resource")


class Check:
    """One look through a store. It changes nothing, and holds no more than the events of one resource."""

    def __init__(self, driver: Driver, progress: Callable[[int], None] | None = None) -> None:
        """``progress`` is called with the number of events looked at."""
        self._driver = driver
        self._progress = progress or (lambda events: None)
        self.events = 0
        """Events that were looked at so far."""
        self.resources = 0
        self.records = 0
        """Quarantine records, settled ones included."""

    def problems(self) -> Iterator[Problem]:
        """What is wrong, as it is found.

        Raises :class:`~timeline.errors.StoreError` where the store cannot be used at all.
        """
        driver = self._driver
        ended = set[str]()
        for problems in (driver.check(), self._events(), self._records()):
            try:
                yield from problems
            except StoreCorrupt as error:
                # a file that is damaged all over ends each of them with the same words
                if str(error) not in ended:
                    yield Problem(damage=Damage.UNREADABLE, detail=str(error))
                ended.add(str(error))

    def _events(self) -> Iterator[Problem]:
        """Events in order, each once, of bodies that are canonical; the same resources and numbers however asked."""
        version = self._driver.version()
        astray: list[Problem] = []
        listed = self._listed()
        following = next(listed, None)
        last: Resource | None = None
        for resource, events in groupby(self._driver.events(Scope()), key=_resource):
            self.resources += 1
            if last is not None and not last < resource:
                yield _out_of_order(f"it comes after {last}, and belongs before it", resource)
            last = resource
            while following is not None and following < resource:
                astray.append(_differ("it is listed, and no events come with those of all resources", following))
                following = next(listed, None)
            if following == resource:
                following = next(listed, None)
            else:
                astray.append(_differ("its events come with those of all resources, and it is not listed", resource))
            del astray[_MOST:]
            yield from self._of_one(resource, events)
        if following is not None:
            remaining = [following, *islice(listed, _MOST)]
            astray += [
                _differ("it is listed, and no events come with those of all resources", one) for one in remaining
            ]
        summary = self._driver.summary()
        if self._driver.version() != version:
            return  # what was added meanwhile may be in one answer and not in the other
        yield from astray[:_MOST]
        for name, counted, told in (
            ("events", self.events, summary.events),
            ("resources", self.resources, summary.resources),
        ):
            if counted != told:
                yield _differ(f"the store counts {told} {name}, and gives {counted}")

    def _of_one(self, resource: Resource, events: Iterable[Event]) -> Iterator[Problem]:
        before: Event | None = None
        known: set[bytes] = set()
        for event in events:
            self.events += 1
            if self.events % _TOLD == 0:
                self._progress(self.events)
            if event.body.digest not in known:
                known.add(event.body.digest)
                wrong = _wrong_with(event.body)
                if wrong:
                    detail = f"the body {event.body.digest.hex()} {wrong}"
                    yield Problem(damage=Damage.BODY_DAMAGED, detail=detail, resource=resource)
                    continue  # neither can its version be told, which decides the order
            if before is not None and not order(before) < order(event):
                again = before.key == event.key
                yield _out_of_order(f"its events do not come {'once' if again else 'in order'}", resource)
            before = event

    def _records(self) -> Iterator[Problem]:
        last: Quarantined | None = None
        open_records = 0
        for record in self._all_records():
            self.records += 1
            open_records += record.outcome is None
            if last is not None and not (last.received_at, last.id) < (record.received_at, record.id):
                yield _out_of_order(f"the quarantine record {record.id} comes after {last.id}, and belongs before it")
            last = record
            whole = record.size == len(record.data) and masking.MASK.encode() not in record.data
            if whole and sha256(record.data).hexdigest() != record.id:
                detail = f"the quarantine record {record.id} has other bytes than its id says"
                yield Problem(damage=Damage.ROW_DAMAGED, detail=detail)

    def _listed(self) -> Iterator[Resource]:
        after = None
        while page := self._driver.resources(Scope(), after=after):
            yield from page
            after = page[-1]

    def _all_records(self) -> Iterator[Quarantined]:
        after = None
        while page := self._driver.list(after=after, limit=_RECORDS, settled=True):
            yield from page
            after = page[-1]


def _wrong_with(body: Body) -> str:
    if sha256(body.data).digest() != body.digest:
        return "has other bytes than its digest says"
    try:
        if canonical({"f": body.fields(), "v": body.version}) == body.data:
            return ""
    except StoreCorrupt:
        pass
    return "is no canonical body"


def _out_of_order(detail: str, resource: Resource | None = None) -> Problem:
    return Problem(damage=Damage.OUT_OF_ORDER, detail=detail, resource=resource)


def _differ(detail: str, resource: Resource | None = None) -> Problem:
    return Problem(damage=Damage.ANSWERS_DIFFER, detail=detail, resource=resource)
