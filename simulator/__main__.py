"""Write a simulated fleet's notifications to a file, one JSON object a line, in delivery order.

examples/notifications.jsonl was written by

    python -m simulator --seed 137 --instances 6 --start 2026-03-01 --days 2 --changes-per-day 2 \\
        --audit-hours 6 --deleted 0.35 --late 0.05 --duplicated 0.06 --reordered 0.05 \\
        --out examples/notifications.jsonl
"""

import argparse
import os
import sys
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import islice
from typing import BinaryIO

import msgspec

from simulator.fleet import Fleet
from simulator.wire import ENVELOPES


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m simulator",
        description="Simulate a nova fleet: its notifications, and the truth beside them.",
        epilog="example: python -m simulator --instances 200 --days 30 --late 0.05 --duplicated 0.05"
        " --seed 7 --out notifications.jsonl --truth truth.jsonl",
    )
    ours = Fleet()
    add = parser.add_argument
    add("--seed", type=int, default=ours.seed, help="equal arguments give equal files (%(default)s)")
    add("--instances", type=int, default=ours.instances, help="how many (%(default)s)")
    add("--days", type=float, default=ours.days, help="the span (%(default)s)")
    add("--start", default=ours.start, help="ISO 8601; without a zone it is UTC (%(default)s)")
    add(
        "--changes-per-day",
        type=float,
        default=ours.changes_per_day,
        help="real changes of an instance and day (%(default)s)",
    )
    add("--no-audit", dest="audit", action="store_false", help="no compute.instance.exists")
    add("--audit-hours", type=int, default=ours.audit_hours, help="the audit period (%(default)s)")
    for share, meaning in (
        ("deleted", "share of instances deleted within the span"),
        ("late", "share of messages that arrive minutes to three days late"),
        ("duplicated", "share of messages that arrive a second time"),
        ("reordered", "share of messages that arrive up to 20 seconds late"),
        ("lost", "share of messages that never arrive"),
    ):
        add(f"--{share}", type=float, default=getattr(ours, share), help=f"{meaning} (%(default)s)")
    add("--envelope", choices=ENVELOPES, default="bare", help="how messages travel (%(default)s)")
    add("--limit", type=int, help="stop after so many messages; the truth is of the whole span")
    add("--out", required=True, metavar="FILE", help="where the messages go; - is standard output")
    add("--truth", metavar="FILE", help="where the truth goes, a line an instance; - likewise")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 0 done, 1 could not, 2 wrong usage."""
    parser = _parser()
    options = vars(parser.parse_args(arguments))
    out, truth = options.pop("out"), options.pop("truth")
    envelope, limit = options.pop("envelope"), options.pop("limit")
    if out == truth:
        parser.error("--out and --truth must not be the same")
    if limit is not None and limit < 0:
        parser.error(f"--limit must not be negative: {limit}")
    try:
        fleet = Fleet(**options)
    except ValueError as error:
        parser.error(str(error))
    try:
        _write(out, islice(fleet.notifications(envelope=envelope), limit))
        if truth is not None:
            _write(truth, map(msgspec.json.encode, fleet.truth()))
    except BrokenPipeError:
        # the reader has had enough, as `head` does; nothing may be flushed to it at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 1
    return 0


def _write(path: str, lines: Iterable[bytes]) -> None:
    with _opened(path) as file:
        for line in lines:
            file.write(line)
            file.write(b"\n")
        file.flush()


def _opened(path: str) -> AbstractContextManager[BinaryIO]:
    if path == "-":
        return nullcontext(sys.stdout.buffer)
    return open(path, "wb", buffering=1 << 20)


if __name__ == "__main__":
    sys.exit(main())
