"""Samples that cover time: their periods, what they counted in them, and the segments that are in force there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from timeline.replay.join import asof
from timeline.replay.join.apportion import apportion
from timeline.replay.join.columns import are_numbers, one, require_numbers
from timeline.replay.join.fleet import Array, Fleet
from timeline.replay.join.options import Options
from timeline.replay.join.periods import Previous, deltas, fixed_starts, given_starts, last_instants, parts
from timeline.replay.join.subjects import Found, Rule, check_text, distinct, indices, texts, with_null
from timeline.replay.join.times import Times, microseconds, to_us


class Covered(NamedTuple):
    """The segments in force for samples that cover time."""

    rows: Array
    """int32: rows of the fleet."""
    value: pa.Array | None
    """The values, or the shares of them; ``None`` where they are as they were."""
    samples: Array | None = None
    """int64: which sample each row is a part of; ``None`` where each sample has one row, in turn."""
    start: Array | None = None
    """int64: where a part begins, in microseconds since 1970 UTC; of parts only."""
    end: Array | None = None


class Covering:
    """Finds what samples cover, batch by batch: what was last of each id and meter is remembered."""

    def __init__(self, fleet: Fleet, options: Options, find: Callable[[str], Rule | None] | None) -> None:
        self._fleet = fleet
        self._options = options
        self._find = find
        self._previous = Previous()
        self._series: dict[tuple[str | None, ...], int] = {}

    def of(self, columns: Mapping[str, pa.Array], found: Found, told: Times, row0: int) -> Covered:
        """The segments of a batch, whose columns are given by our words for them; ``row0`` rows came before it."""
        options, timed = self._options, told.valid
        ends = to_us(told.times, told.unit)
        if timed is not None:
            ends = np.where(timed, ends, 0)
        counting = self._counting(columns) if "value" in columns else None
        value = self._value(columns, needed=counting is not None or options.policy == "split")
        starts = ends
        if "start" in columns:
            given = microseconds(columns["start"], options.unit, name=options.name("start"), row0=row0)
            begins = to_us(given.times, given.unit)
            starts = given_starts(begins, given.valid, ends, name=options.name("start"), timed=timed, row0=row0)
        elif options.period is not None:
            starts = fixed_starts(ends, options.period)
        if counting is not None or (starts is ends):
            keys = self._keys(columns)
            if timed is not None:
                keys[~timed] = -1
            counts = np.zeros(len(ends), bool) if counting is None else counting
            before = self._previous.apply(keys, ends, value, row0, counting=counts)
            starts = before.starts if starts is ends else starts
            if value is not None and counting is not None and before.values is not None:
                earlier = before.values.take(pa.array(np.arange(len(value)), mask=~counting))
                change = deltas(value, earlier, name=options.name("value"), row0=row0)
                value = pc.if_else(pa.array(counting), change, value)
        if timed is not None:
            starts = np.where(timed, starts, ends)
        return self._joined(found, starts, ends, timed, value, counting is not None)

    def _value(self, columns: Mapping[str, pa.Array], *, needed: bool) -> pa.Array | None:
        """The values; ``None`` where there are none, or no numbers and none are needed."""
        if "value" not in columns:
            return None
        type = columns["value"].type
        plain = type.value_type if pa.types.is_dictionary(type) or pa.types.is_run_end_encoded(type) else type
        if needed and not pa.types.is_null(plain):
            require_numbers(plain, self._options.name("value"))
        return one(columns["value"]) if are_numbers(plain) or pa.types.is_null(plain) else None

    def _joined(
        self, found: Found, starts: Array, ends: Array, timed: Array | None, value: pa.Array | None, changed: bool
    ) -> Covered:
        new = value if changed else None
        last = last_instants(starts, ends)
        if self._options.policy == "start":
            return Covered(self._located(found, starts, timed), new)
        if self._options.policy == "end":
            return Covered(self._located(found, last, timed), new)
        first_rows, last_rows = self._located(found, starts, timed), self._located(found, last, timed)
        cut = parts(starts, ends, first_rows, last_rows, self._fleet.starts, self._first(found))
        if value is not None:
            new = apportion(value, cut.sample, cut.start, cut.end, name=self._options.name("value"))
        return Covered(cut.row, new, cut.sample, cut.start, cut.end)

    def _located(self, found: Found, instants: Array, timed: Array | None) -> Array:
        fleet = self._fleet
        rows = asof.locate(found.codes, found.groups, instants, "us", fleet.first, fleet.last, fleet.starts)
        for known in (found.valid, timed):
            if known is not None:
                rows[~known] = 0
        return rows

    def _first(self, found: Found) -> Array:
        """The first row of the resource of each sample; 0 where nothing is known of it."""
        first = np.append(self._fleet.first, 0)  # of -1
        groups = np.append(found.groups, np.int32(-1))
        of_sample: Array = first[groups[found.codes]]
        return of_sample

    def _counting(self, columns: Mapping[str, pa.Array]) -> Array | None:
        """Which samples are of meters that count up; ``None`` where none is."""
        wanted, count = self._options.cumulative, len(columns["resource_id"])
        if wanted is True:
            return np.ones(count, bool)
        if wanted is False or "meter" not in columns:
            return None
        codes, values = self._encoded(columns, "meter")
        if wanted is None:
            rules = [None if meter is None or self._find is None else self._find(meter) for meter in values]
            of_meter = np.array([rule is not None and rule.cumulative for rule in rules], bool)
        else:
            of_meter = np.array([meter in wanted for meter in values], bool)
        return of_meter[codes] if of_meter.any() else None

    def _keys(self, columns: Mapping[str, pa.Array]) -> Array:
        """int64: a number for each source, id and meter, the same in every batch; -1 without an id."""
        words = [word for word in ("source", "type", "meter", "resource_id") if word in columns]
        said: list[tuple[str | None, ...]] = [()]
        places = np.zeros(len(columns["resource_id"]), np.int64)
        for word in words:
            codes, values = self._encoded(columns, word)
            used, _, places = distinct(places * len(values) + codes, len(said) * len(values))
            said = [(*said[pair // len(values)], values[pair % len(values)]) for pair in used.tolist()]
        numbers = [-1 if key[-1] is None else self._series.setdefault(key, len(self._series)) for key in said]
        keys: Array = np.array(numbers, np.int64)[places] if len(places) else places
        return keys

    def _encoded(self, columns: Mapping[str, pa.Array], word: str) -> tuple[Array, list[str | None]]:
        """A column of text as codes and what they stand for, the last for null."""
        text = check_text(columns[word], self._options.describe(word))
        encoded = text if pa.types.is_dictionary(text.type) else text.dictionary_encode()
        codes, valid = indices(encoded)
        values = [*texts(encoded.dictionary, self._options.describe(word)), None]
        return with_null(codes, valid, len(values) - 1), values
