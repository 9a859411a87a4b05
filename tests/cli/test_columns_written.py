"""Where rows in columns go, and where they cannot: screens, pipes, full disks, and commands that have none."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import pty
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pyarrow
import pytest
from pyarrow import parquet

from tests.cli.messages import thing, written
from tests.cli.running import Ran, run, run_on_screen, run_process, started
from timeline.errors import StoreCorrupt
from timeline.model import Body, Event, Phase, Resource
from timeline.reports import parquet as parquet_report
from timeline.reports.rows import events

OTHERS = (
    ("ingest", "messages.jsonl"),
    ("status",),
    ("show", "thing/t1"),
    ("diff", "thing/t1", "--from", "2026-03-01"),
    ("explain", "thing/t1", "size"),
    ("quarantine", "show", ""),
    ("quarantine", "retry"),
    ("definitions", "try", "messages.jsonl"),
)
"""The commands that print something else."""


@pytest.mark.usefixtures("history")
@pytest.mark.parametrize("command", ["resources", "export events"])
def test_parquet_is_refused_on_a_screen(command: str) -> None:
    ours, screen = pty.openpty()
    ran = run_process(*command.split(), "--format", "parquet", limit=f"exec > {os.ttyname(screen)}")
    assert ran.code == 2
    assert "parquet is no text for a screen" in ran.sentences[-1]
    os.close(screen)
    with contextlib.suppress(OSError):  # nothing was written
        assert os.read(ours, 1) == b""
    os.close(ours)


def test_csv_on_a_screen_has_a_line_for_each_row_and_nothing_that_the_screen_obeys(store: Path) -> None:
    run("ingest", written("messages.jsonl", thing("create", "12:00", name="\x1b[31m\nred\x07")))
    header = "type,source,id,existence,name"
    assert run("resources", "--format", "csv").out == f'{header}\nthing,"",t1,present,"\x1b[31m\nred\x07"\n'
    assert run_on_screen("resources", "--format", "csv").split("\n") == [
        header,
        'thing,"",t1,present,"\\x1b[31m\\nred\\x07"',
        "",
    ]


@pytest.mark.usefixtures("history")
@pytest.mark.parametrize("package", ["pyarrow", "numpy"])
def test_without_the_package_parquet_says_how_to_install_it_and_csv_is_as_ever(
    package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run("resources", "--format", "csv")
    monkeypatch.setitem(sys.modules, package, None)
    assert run("resources", "--format", "parquet") == Ran(
        1,
        "",
        f"timeline: --format parquet needs {package}, which is not installed: pip install 'resource-timeline[arrow]'\n",
    )
    assert run("resources", "--format", "csv") == whole


@pytest.mark.usefixtures("history")
@pytest.mark.parametrize("command", OTHERS, ids=lambda command: " ".join(command[:2]))
@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_what_is_not_told_in_rows_refuses_them_by_name(command: tuple[str, ...], form: str) -> None:
    ran = run(*command, "--format", form)
    assert (ran.code, ran.out) == (2, "")
    assert ran.sentences[-1] == (
        f"Error: Invalid value for '--format': {form} is for answers in rows, which this command does not give: "
        "table, json, jsonl"
    )


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_reader_who_has_seen_enough_of_the_rows_is_no_error_to_speak_of(store: Path, form: str) -> None:
    minutes = [f"{hour:02}:{minute:02}" for hour in range(24) for minute in range(60)]
    noise = {at: hashlib.shake_128(at.encode()).hexdigest(100) for at in minutes}  # far more than a pipe holds
    run("ingest", written("messages.jsonl", *(thing("create", at, f"{at} {noise[at]}") for at in minutes)))
    with started("export", "events", "--format", form) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(3)
        process.stdout.close()
        assert process.wait() in (0, 1)  # Python does not always learn of it
        assert process.stderr.read() == b""


@pytest.mark.usefixtures("history")
@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_rows_that_cannot_be_written_are_told(form: str) -> None:
    ran = run_process("resources", "--format", form, limit="exec > /dev/full")
    assert (ran.code, len(ran.sentences)) == (1, 1)
    assert "No space left on device" in ran.err


@pytest.mark.usefixtures("history")
def test_a_parquet_file_that_could_not_be_written_to_its_end_is_none() -> None:
    with closing(sqlite3.connect("timeline.db")) as damaged:
        damaged.execute("UPDATE body SET data = x'00' WHERE id = (SELECT max(id) FROM body)")
        damaged.commit()
    ran = run_process("export", "events", "--format", "parquet", limit="exec > rows.parquet")
    assert (ran.code, len(ran.sentences)) == (1, 1)
    with pytest.raises(pyarrow.ArrowInvalid):
        parquet.read_table("rows.parquet")


def test_nor_is_one_of_which_some_groups_were_written(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> Iterator[Event]:
        body = Body.of({"size": 1})
        for number in range(5):
            resource = Resource(type="thing", id=f"t{number}")
            yield Event(resource, number, Phase.UPDATE, body, recorded_at=0, event_type="thing.update")
        raise StoreCorrupt("no more can be read")

    monkeypatch.setattr(parquet_report, "GROUP_ROWS", 2)
    out = io.BytesIO()
    with pytest.raises(StoreCorrupt):
        parquet_report.write(events(provenance=False), broken(), out)
    assert len(out.getvalue()) > 100
    with pytest.raises(pyarrow.ArrowInvalid):
        parquet.read_table(io.BytesIO(out.getvalue()))
