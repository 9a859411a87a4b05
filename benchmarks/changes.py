"""The changes of ten thousand resources, and samples of them: what the joins of P9 and P10 are measured on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from timeline.replay.join.fleet import TIME

Array = np.ndarray[Any, Any]

TYPE = "instance"
RESOURCES = 10_000
CHANGES_EACH = 20
COLUMNS = [f"c{number:02d}" for number in range(15)]

_TEXT = 11
_FEW = 6
_SPAN = 30 * 86_400 * 1_000_000
_START = 1_767_225_600_000_000
"""2026-01-01, in microseconds."""


class Changes:
    """Twenty changes of each resource within thirty days, and what fifteen columns say after each.

    Six columns have 5 values, nine up to 1,000; eleven hold text, four whole numbers.
    """

    def __init__(self) -> None:
        chance = np.random.default_rng(7)
        starts = np.sort(chance.integers(1, _SPAN, (RESOURCES, CHANGES_EACH)), axis=1)
        starts[:, 0] = 0
        if (np.diff(starts, axis=1) == 0).any():
            raise RuntimeError("two changes of one resource at one time: take another seed")
        self.ids = pa.array([f"res-{number:032x}" for number in range(RESOURCES)])
        self.first = np.arange(RESOURCES, dtype=np.int64) * CHANGES_EACH + 1
        self.last = self.first + CHANGES_EACH
        self.starts = np.concatenate(([np.iinfo(np.int64).min], starts.ravel() + _START))
        """When each begins, the rows of a resource side by side. Row 0 belongs to none."""
        self.said = {
            name: _column(number, chance.integers(0, 5 if number < _FEW else 1_000, starts.size))
            for number, name in enumerate(COLUMNS)
        }

    def segments(self) -> pa.Table:
        """The changes as segments, sorted by resource and time."""
        codes = np.repeat(np.arange(RESOURCES, dtype=np.int32), CHANGES_EACH)
        existence = pa.DictionaryArray.from_arrays(np.zeros(len(codes), np.int8), pa.array(["present"]))
        return pa.table(
            {
                "resource_id": pa.DictionaryArray.from_arrays(codes, self.ids),
                "start": pa.array(self.starts[1:]).cast(TIME),
                "existence": existence,
                **self.said,
            }
        )

    def by_time(self) -> tuple[Array, Array, Array]:
        """The codes, times and rows of all changes in order of time: what a peer joins to."""
        order = np.argsort(self.starts[1:], kind="stable")
        return (order // CHANGES_EACH).astype(np.int32), self.starts[1:][order], (order + 1).astype(np.int32)

    def samples(self, count: int) -> tuple[Array, Array]:
        """The codes and times of samples, in order of time; one in a hundred at the very instant of a change."""
        chance = np.random.default_rng(11)
        codes = chance.integers(0, RESOURCES, count, dtype=np.int32)
        times = chance.integers(_START, _START + _SPAN, count)
        change = chance.integers(1, len(self.starts), count // 100)
        codes[: len(change)] = (change - 1) // CHANGES_EACH
        times[: len(change)] = self.starts[change]
        order = np.argsort(times, kind="stable")
        return codes[order], times[order]

    def table(self, codes: Array, times: Array) -> pa.Table:
        """Samples as a table, their ids dictionary-encoded."""
        return pa.table(
            {
                "resource_id": pa.DictionaryArray.from_arrays(codes, self.ids),
                "timestamp": pa.array(times).cast(TIME),
                "value": pa.array(np.random.default_rng(13).random(len(codes))),
            }
        )


def _column(number: int, values: Array) -> pa.Array:
    if number >= _TEXT:
        return pa.array(values)
    dictionary = pa.array([f"value-{number:02d}-{value}" for value in range(int(values.max()) + 1)])
    return pa.DictionaryArray.from_arrays(values.astype(np.int32), dictionary)
