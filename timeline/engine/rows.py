"""Samples as dicts joined to the timelines: row by row, with nothing but Python."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from itertools import groupby, islice
from typing import TYPE_CHECKING, Any

from timeline import clock
from timeline.drivers.contract import Driver
from timeline.errors import InputError, TimeError
from timeline.model import Event, Existence, Resource, Segment
from timeline.replay.fold import segments
from timeline.replay.join.options import JoinCounts, Options

if TYPE_CHECKING:
    from timeline.definitions import SampleRule

Row = Mapping[str, Any]

BATCH = 1_000
"""Rows that are taken at once: the resources in them are read from the store together."""

_UNITS = {"s": (1_000_000, 1), "ms": (1_000, 1), "us": (1, 1), "ns": (1, 1_000)}
_UNKNOWN = Segment(start=None, end=None, existence=Existence.UNKNOWN, life=0, born=None, fields={})


class Rows:
    """Joins rows, keeping the segments of the resources that were met."""

    def __init__(
        self,
        driver: Driver,
        options: Options,
        find: Callable[[str], SampleRule | None],
        known_before: int | None,
    ) -> None:
        self._driver = driver
        self._options = options
        self._fields = options.fields
        self._find = find
        self._known_before = known_before
        self._segments: dict[Resource, tuple[list[int], tuple[Segment, ...]]] = {}
        self.counts = JoinCounts(kernel="python")

    def joined(self, rows: Iterable[Row], progress: Callable[[JoinCounts], None] | None) -> Iterator[dict[str, Any]]:
        """The rows with what was in force, in the order in which they came, lazily."""
        remaining = iter(rows)
        while batch := list(islice(remaining, BATCH)):
            first = self.counts.samples + 1
            asked = [self._asked(row, first + place) for place, row in enumerate(batch)]
            self._read({resource for resource, _ in asked if resource is not None} - self._segments.keys())
            done = []
            for place, (row, (resource, at)) in enumerate(zip(batch, asked, strict=True)):
                segment = _UNKNOWN if resource is None or at is None else self._at(resource, at)
                self._count(segment)
                done.append(self._joined(row, segment, first + place))
            if progress is not None:
                progress(self.counts)
            yield from done

    def _asked(self, row: Row, number: int) -> tuple[Resource | None, int | None]:
        if not isinstance(row, Mapping):
            raise InputError(f"row {number} of the samples is no dict but {type(row).__name__}", row=number)
        options = self._options
        needed = ("resource_id", "timestamp")
        for word in needed if options.type or "type" in options.columns else (*needed, "meter"):
            if options.name(word) not in row:
                raise InputError(
                    f"row {number} of the samples has no {options.name(word)!r}; it has {', '.join(map(str, row))}: "
                    f"tell what {word} is called there" + (", or the type of all resources" if word == "meter" else ""),
                    row=number,
                )
        at = self._instant(row[options.name("timestamp")], number)
        return self._resource(row, number), at

    def _resource(self, row: Row, number: int) -> Resource | None:
        options = self._options
        id = self._text(row, "resource_id", number)
        kind = options.type
        if kind is None and "type" in options.columns:
            kind = self._text(row, "type", number)
        source = self._text(row, "source", number) if "source" in options.columns else options.source
        if kind is None:
            meter = self._text(row, "meter", number)
            rule = None if meter is None else self._find(meter)
            if rule is None:
                no_rule = self.counts.no_rule
                no_rule[meter or ""] = no_rule.get(meter or "", 0) + 1
                return None
            kind, id = rule.type, None if id is None else rule.resource_id(id)
        return None if id is None or source is None else Resource(type=kind, source=source, id=id)

    def _text(self, row: Row, word: str, number: int) -> str | None:
        value = row.get(self._options.name(word))
        if value is not None and not isinstance(value, str):
            name = self._options.name(word)
            raise InputError(f"row {number} of the samples: {name!r} is {value!r:.60}, not text", row=number)
        return value

    def _instant(self, value: Any, number: int) -> int | None:
        try:
            if isinstance(value, int) and not isinstance(value, bool):
                times, parts = _UNITS[self._options.unit]
                return clock.instant(value * times // parts)
            return None if value is None else clock.parse(value) if isinstance(value, str) else _moment(value)
        except TimeError as error:
            raise InputError(f"row {number} of the samples: {error}", row=number) from error

    def _read(self, resources: set[Resource]) -> None:
        self._segments.update((resource, ([], ())) for resource in resources)
        if not resources:
            return
        events: Iterator[Event] = self._driver.events(sorted(resources), known_before=self._known_before)
        for resource, of_resource in groupby(events, key=lambda event: event.resource):
            told = segments(list(of_resource))
            self._segments[resource] = [segment.start or 0 for segment in told], told

    def _at(self, resource: Resource, at: int) -> Segment:
        starts, told = self._segments[resource]
        place = bisect_right(starts, at)
        return told[place - 1] if place else _UNKNOWN

    def _joined(self, row: Row, segment: Segment, number: int) -> dict[str, Any]:
        options, fields = self._options, self._fields
        added: dict[str, Any] = {"existence": segment.existence.value}
        if options.since:
            added["since"] = None if segment.start is None else clock.format(segment.start)
        added |= segment.fields if fields is None else {name: segment.fields.get(name) for name in fields}
        if options.collected and fields is not None:
            added |= {f"{name}_collected": name in segment.fields for name in fields}
        joined = dict(row)
        for name, value in added.items():
            if options.prefix + name in row:
                raise InputError(
                    f"row {number} of the samples has {options.prefix + name!r} of its own; "
                    "give a prefix for what is added",
                    row=number,
                )
            joined[options.prefix + name] = value
        return joined

    def _count(self, segment: Segment) -> None:
        self.counts.samples += 1
        self.counts.rows += 1
        if segment.existence is Existence.PRESENT:
            self.counts.present += 1
        elif segment.existence is Existence.DELETED:
            self.counts.deleted += 1
        else:
            self.counts.unknown += 1


def _moment(value: object) -> int:
    if not isinstance(value, datetime):
        raise TimeError(f"{value!r:.60} is no time")
    return clock.instant(value)
