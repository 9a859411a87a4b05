"""The timelines of a fleet as one table: every row is a segment that its timeline has."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import polars
import pytest
from pyarrow import parquet

import timeline
from tests.cli.fleet import DAY, FLEET, START, Sampled, sampled
from tests.cli.running import in_folder, run, run_on_screen
from timeline import clock

FIELDS = ("flavor", "vcpus")
FORMS = ("parquet", "csv", "jsonl", "json")


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Sampled:
    return sampled(tmp_path_factory.mktemp("fleet"))


@pytest.fixture(autouse=True)
def here(tmp_path: Path, fleet: Sampled) -> Iterator[Path]:
    with in_folder(tmp_path), pytest.MonkeyPatch.context() as environment:
        environment.setenv("TIMELINE_STORE", fleet.store)
        yield tmp_path


def exported(form: str, *options: object) -> list[dict[str, Any]]:
    """What is written, in the order of resources: times as text, what is not there as ``None``."""
    out = Path(f"segments.{form}")
    ran = run("export", "segments", "--type", "instance", "--fields", ",".join(FIELDS), "-o", out, *options)
    assert (ran.code, ran.out, ran.err) == (0, "", "")
    if form == "parquet":
        rows = parquet.read_table(out).to_pylist()
        rows = [row | {name: _text(row[name]) for name in ("start", "end")} for row in rows]
    elif form == "csv":
        with out.open(newline="") as file:
            rows = [{name: cell or None for name, cell in row.items()} for row in csv.DictReader(file)]
        rows = [row | {"vcpus": row["vcpus"] and int(row["vcpus"])} for row in rows]
    else:
        rows = json.loads(out.read_text()) if form == "json" else [*map(json.loads, out.read_text().splitlines())]
    return rows


def _text(at: Any) -> str | None:
    return None if at is None else clock.format(clock.instant(at))


def known(fleet: Sampled, start: int | None = None, end: int | None = None) -> list[dict[str, Any]]:
    with timeline.open(fleet.store) as engine:
        return [
            {
                "resource_id": each["id"],
                "start": None if segment.start is None else clock.format(segment.start),
                "end": None if segment.end is None else clock.format(segment.end),
                "existence": segment.existence,
                **{name: segment.fields.get(name) for name in FIELDS},
            }
            for each in sorted(FLEET.truth(), key=lambda each: str(each["id"]))
            for segment in engine.timeline("instance", str(each["id"])).between(start, end)
        ]


@pytest.mark.parametrize("form", FORMS)
def test_each_row_is_a_segment_of_a_timeline(fleet: Sampled, form: str) -> None:
    told, right = exported(form), known(fleet)
    for row in right:
        row["existence"] = str(row["existence"])
    # the table leaves out what is not asked for: neighbours that differ in other fields alone may be one row or two
    assert _merged(told) == _merged(right)
    assert len(told) > 2 * FLEET.instances


@pytest.mark.parametrize("form", FORMS)
def test_a_range_begins_with_what_was_in_force(fleet: Sampled, form: str) -> None:
    start, end = START + 2 * DAY, START + 3 * DAY
    told = exported(form, "--from", clock.format(start), "--to", clock.format(end))
    assert _merged(told) == _merged(known(fleet, start, end))
    assert {row["start"] for row in told if row["start"] is not None} >= {clock.format(start)}
    assert max(row["end"] for row in told) == clock.format(end)


def _merged(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Neighbours that say the same as one."""
    merged: list[dict[str, Any]] = []
    for row in rows:
        same = ("resource_id", "existence", *FIELDS)
        if merged and all(str(merged[-1][name]) == str(row[name]) for name in same):
            merged[-1]["end"] = row["end"]
        else:
            merged.append(row | {"existence": str(row["existence"])})
    return merged


def test_other_engines_read_the_parquet_file(fleet: Sampled) -> None:
    told = exported("parquet")
    rows = duckdb.sql("SELECT resource_id, existence, flavor, vcpus FROM 'segments.parquet'").fetchall()
    right = [(row["resource_id"], row["existence"], row["flavor"], row["vcpus"]) for row in told]
    assert sorted(map(str, rows)) == sorted(map(str, right))
    frame = polars.read_parquet("segments.parquet")
    assert frame.select("resource_id", "existence", "flavor", "vcpus").rows() == right


def test_an_earlier_answer_is_given_again(fleet: Sampled) -> None:
    assert exported("jsonl", "--as-known-at", "2000-01-01") == []


def test_without_a_file_a_program_gets_lines_and_a_person_the_first_rows(fleet: Sampled) -> None:
    lines = run("export", "segments", "--type", "instance", "--fields", "flavor,vcpus").lines
    assert lines == exported("jsonl")
    shown = run_on_screen("export", "segments", "--type", "instance", "--fields", "flavor", alone=False)
    assert "these are the first 100" in shown
    assert shown.count("\n") < 110


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--fields", "flavour"], 1, "'flavor' may be meant"),
        (["--from", "2026-02-01", "--to", "2026-01-01"], 2, "--from is not before --to"),
        (["-o", "segments.xlsx"], 2, "tells no format"),
        (["-o", "there.csv"], 2, "--force replaces it"),
        (["--format", "xlsx"], 2, "'xlsx' is not one of"),
    ],
)
def test_wrong_options_are_told(fleet: Sampled, options: list[str], code: int, words: str) -> None:
    Path("there.csv").write_text("mine")
    ran = run("export", "segments", "--type", "instance", *options)
    assert (ran.code, ran.out) == (code, "")
    assert words in ran.sentences[-1]
    assert Path("there.csv").read_text() == "mine"
    assert sorted(path.name for path in Path.cwd().iterdir()) == ["there.csv"]


def test_a_type_has_to_be_named(fleet: Sampled) -> None:
    ran = run("export", "segments")
    assert ran.code == 2
    assert "--type" in ran.err
