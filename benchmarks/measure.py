"""Measuring: medians of several runs, since machines are noisy."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import IO, TypeVar

T = TypeVar("T")

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table."""

    id: str
    what: str
    reached: str
    reach: str
    beside: str
    """What was measured beside it in the same run, and the ratio."""
    holds: bool | None = None
    """Whether the goal is reached; ``None`` where there is none."""


def seconds(run: Callable[[], object], repeats: int = 5) -> float:
    """The median time of a call."""
    return median(_timed(run) for _ in range(repeats))


def alternately(one: Callable[[], object], other: Callable[[], object], repeats: int = 5) -> tuple[float, float]:
    """The median times of two calls, made in turn, so that a machine that slows down slows both."""
    pairs = [(_timed(one), _timed(other)) for _ in range(repeats)]
    return median(pair[0] for pair in pairs), median(pair[1] for pair in pairs)


def each(run: Callable[[object], object], arguments: Sequence[object]) -> float:
    """The median time of a call over arguments."""
    return median(_timed(lambda argument=argument: run(argument)) for argument in arguments)  # type: ignore[misc]


def in_turn(*runs: tuple[Callable[[T], object], Sequence[T]]) -> tuple[float, ...]:
    """The median times of several calls over their arguments, one of each in turn; the first tenth warms up."""
    times: list[list[float]] = [[] for _ in runs]
    for arguments in zip(*(given for _, given in runs), strict=True):
        for taken, (run, _), argument in zip(times, runs, arguments, strict=True):
            started = time.perf_counter()
            run(argument)
            taken.append(time.perf_counter() - started)
    return tuple(median(taken[len(taken) // 10 :]) for taken in times)


def abreast(*runs: Callable[[], object], repeats: int = 5) -> tuple[float, ...]:
    """The median times of calls whose answers are large, made in turn; each is gone before the next is made."""
    times: list[list[float]] = [[] for _ in runs]
    for _ in range(repeats):
        for taken, run in zip(times, runs, strict=True):
            started = time.perf_counter()
            answer = run()
            taken.append(time.perf_counter() - started)
            del answer
    return tuple(map(median, times))


def process(arguments: Sequence[str], repeats: int = 9) -> float:
    """The median time of a process of this interpreter, from start to end."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}

    def run() -> None:
        subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL, env=environment)

    run()
    return seconds(run, repeats)


def footprint(
    arguments: Sequence[str], *, stdin: IO[bytes] | None = None, environment: Mapping[str, str] | None = None
) -> tuple[float, float]:
    """The time of a process of this interpreter, and the megabytes that it takes at most.

    A small process starts it: what a process is told to have used counts the one from which it was forked, and this may
    be large.
    """
    run = subprocess.run(
        [sys.executable, "-c", _LAUNCHER, sys.executable, *arguments],
        check=True,
        stdin=stdin,
        stdout=subprocess.PIPE,
        env={**os.environ, **(environment or {}), "PYTHONPATH": str(ROOT)},
    )
    took, peak = map(float, run.stdout.decode().split())
    return took, peak / 1024


_LAUNCHER = """
import resource, subprocess, sys, time
started = time.perf_counter()
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
print(time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def _timed(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started
