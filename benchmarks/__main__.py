"""``make bench``: all benchmarks, one table. ``python -m benchmarks [NAME...] [--long] [--ceilometer PYTHON]``."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.table import Table

from benchmarks import bus, conversion, joining, processes, reading, resting, servers, storing, streaming, windows
from benchmarks.measure import Row


def main() -> None:
    """Run the benchmarks that are named, all unless told, and print what was reached beside floors and peers."""
    parser = argparse.ArgumentParser(description="Measure the engine beside floors and peers.")
    parser.add_argument(
        "names",
        nargs="*",
        help="conversion, storing, reading, processes, joining, windows, streaming, resting, servers, bus",
    )
    parser.add_argument(
        "--ceilometer",
        metavar="PYTHON",
        default=os.environ.get("BENCH_CEILOMETER"),
        help="an interpreter that has Ceilometer installed, to measure beside (or BENCH_CEILOMETER)",
    )
    parser.add_argument(
        "--long", action="store_true", help="ten times as many samples and messages: all that the goals name"
    )
    options = parser.parse_args()
    benchmarks: dict[str, Callable[[], Iterator[Row]]] = {
        "conversion": lambda: conversion.rows(options.ceilometer),
        "storing": storing.rows,
        "reading": reading.rows,
        "processes": processes.rows,
        "joining": joining.rows,
        "windows": windows.rows,
        "streaming": lambda: streaming.rows(streaming.LONG if options.long else streaming.SAMPLES),
        "resting": resting.rows,
        "servers": servers.rows,
        "bus": lambda: bus.rows(options.long),
    }
    unknown = set(options.names) - benchmarks.keys()
    if unknown:
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    table = Table(
        "", "what", "reached", "reach", "beside, in the same run", "", title="Benchmarks", title_justify="left"
    )
    console = Console()
    for name in options.names or benchmarks:
        with console.status(f"measuring: {name}"):
            for row in benchmarks[name]():
                mark = "" if row.holds is None else "yes" if row.holds else "NO"
                table.add_row(row.id, row.what, row.reached, row.reach, row.beside, mark)
    console.print(table)


if __name__ == "__main__":
    main()
