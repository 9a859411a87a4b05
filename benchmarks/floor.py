"""The floor of the as-of join: plain C, compiled when it is measured, that finds the row of each sample."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.changes import Array, Changes

_SOURCE = """
#include <stdint.h>

/* Samples of a resource come in order of time: its cursor never goes back. */
void follow(const int32_t *ids, const int64_t *times, int64_t samples, const int64_t *starts, int32_t *next,
            const int32_t *last, int32_t *rows)
{
    for (int64_t i = 0; i < samples; i++) {
        int32_t id = ids[i], row = next[id];
        while (row < last[id] && starts[row] <= times[i])
            row++;
        next[id] = row;
        rows[i] = row - 1;
    }
}

/* Samples come in no order. */
void search(const int32_t *ids, const int64_t *times, int64_t samples, const int64_t *starts, const int32_t *first,
            const int32_t *last, int32_t *rows)
{
    for (int64_t i = 0; i < samples; i++) {
        int32_t low = first[ids[i]], count = last[ids[i]] - low;
        while (count > 1) {
            int32_t half = count / 2;
            low += starts[low + half] <= times[i] ? half : 0;
            count -= half;
        }
        rows[i] = low;
    }
}
"""

Floor = Callable[[Array, Array], Array]
"""From the codes and times of samples to their rows. Each resource must have a row at or before its samples."""


def compiled(folder: Path, changes: Changes) -> tuple[Floor, Floor] | None:
    """The loop with one cursor a resource, and that with a binary search each; ``None`` where no C compiler is."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        return None
    source, library = folder / "floor.c", folder / "floor.so"
    source.write_text(_SOURCE)
    subprocess.run([compiler, "-O3", "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
    loops = ctypes.CDLL(str(library))
    first, last = changes.first.astype(np.int32), changes.last.astype(np.int32)

    def follow(ids: Array, times: Array) -> Array:
        rows = np.empty(len(ids), np.int32)
        next_row = first.copy()
        _call(loops.follow, ids, times, len(ids), changes.starts, next_row, last, rows)
        return rows

    def search(ids: Array, times: Array) -> Array:
        rows = np.empty(len(ids), np.int32)
        _call(loops.search, ids, times, len(ids), changes.starts, first, last, rows)
        return rows

    return follow, search


def _call(loop: Callable[..., object], *arguments: Array | int) -> None:
    loop(*(ctypes.c_int64(each) if isinstance(each, int) else ctypes.c_void_p(each.ctypes.data) for each in arguments))
