"""A process that ingests is killed at any moment, and run again: nothing is lost, doubled or torn."""

from __future__ import annotations

import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from random import Random

from simulator import Fleet
from tests.cli.running import in_folder, run, started

KILLS = 20
FLEET = Fleet(seed=11, instances=28, days=9, late=0.05, duplicated=0.05, reordered=0.05)


def messages() -> Iterator[bytes]:
    """Some 5,000 lines, of which some cannot be read."""
    for number, notification in enumerate(FLEET.notifications()):
        yield notification + b"\n"
        if number % 200 == 0:
            yield b"no notification: %d\n" % number


def killed_within(lines: list[bytes], store: str) -> bool:
    """Whether it was the kill that ended the program, after it had taken these lines but for what is in the pipe."""
    with started("ingest", "-", "--store", store, "--batch", 25) as process:
        assert process.stdin is not None
        process.stdin.write(b"".join(lines))
        process.stdin.flush()
        process.kill()
    return process.returncode == -signal.SIGKILL


def quarantined(store: str) -> set[tuple[str, str, int]]:
    records = run("quarantine", "list", "--store", store).lines
    return {(record["id"], record["origin"], record["size"]) for record in records}


def test_after_any_number_of_kills_the_store_is_that_of_one_clean_run(tmp_path: Path) -> None:
    rng = Random(5)
    lines = [*messages()]
    whole, clean, killed = b"".join(lines), "sqlite:///clean.db", "sqlite:///killed.db"
    with in_folder(tmp_path):
        for store in (clean, killed):
            assert run("init", "--store", store).code == 0
        counts = run("ingest", "-", "--store", clean, stdin=whole).json
        assert counts["notifications"] == len(lines) > 5_000

        held = [0]
        for number in range(KILLS):
            # the later the farther, so that each kill meets messages that are new
            upto = rng.randrange(len(lines) * (number + 1) // KILLS)
            assert killed_within(lines[:upto], killed)
            held.append(run("status", "--store", killed).json["events"])
        assert held == sorted(held)
        assert len(set(held)) > KILLS // 3
        assert held[-1] < counts["events"]

        assert run("ingest", "-", "--store", killed, stdin=whole).code == 3
        for question in ("export events", "resources --existence any --at 2026-01-05"):
            assert run(*question.split(), "--store", killed) == run(*question.split(), "--store", clean)
        assert quarantined(killed) == quarantined(clean)
        again = run("ingest", "-", "--store", killed, stdin=whole).json
        assert (again["events"], again["bodies"], again["duplicates"]) == (0, 0, counts["in_scope"])
        with closing(sqlite3.connect("killed.db")) as database:
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
