"""The memory that a join takes over its input and its output, in a process of its own.

``python -m benchmarks.footprint SEGMENTS SAMPLES`` takes two Arrow files and prints megabytes.
"""

from __future__ import annotations

import sys

import pyarrow as pa

from benchmarks.changes import TYPE
from timeline.replay.join import Join
from timeline.replay.join.fleet import from_segments
from timeline.replay.join.options import Options


def main() -> None:
    """Join, and print the peak less the input, the output, and the interpreter with what it has loaded."""
    segments, samples = sys.argv[1:]
    fleet = from_segments(_read(segments), TYPE)
    loaded = _peak()
    table = _read(samples)
    joined = Join(fleet, table.schema, Options(type=TYPE)).table(table)
    print((_peak() - loaded - joined.nbytes) / 1e6)


def _read(path: str) -> pa.Table:
    with pa.OSFile(path) as file:
        return pa.ipc.open_file(file).read_all()


def _peak() -> int:
    """The most memory so far. Not what getrusage says: that knows the process from which this one was forked too."""
    with open("/proc/self/status") as status:
        return next(1024 * int(line.split()[1]) for line in status if line.startswith("VmHWM"))


if __name__ == "__main__":
    main()
