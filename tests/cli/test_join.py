"""The join of files: whatever format goes in and out, each sample has what its timeline says, and stays as it is."""

from __future__ import annotations

import gzip
import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pyarrow import parquet

import timeline
from tests.cli.fleet import DAY, FIELDS, START, WRITE, Sampled, as_csv, as_lines, as_parquet, read, sampled, table
from tests.cli.running import ROOT, Ran, in_folder, run, run_on_screen, started
from timeline import clock
from timeline.replay.join import asof

COUNTS = ("samples", "rows", "present", "deleted", "unknown", "no_rule", "kernel")


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Sampled:
    return sampled(tmp_path_factory.mktemp("fleet"))


@pytest.fixture(autouse=True)
def here(tmp_path: Path, fleet: Sampled) -> Iterator[Path]:
    with in_folder(tmp_path), pytest.MonkeyPatch.context() as environment:
        environment.setenv("TIMELINE_STORE", fleet.store)
        yield tmp_path


def joined(*arguments: object, out: str = "joined.jsonl", fields: str = ",".join(FIELDS)) -> list[dict[str, Any]]:
    """What is written to OUT."""
    ran = run("join", *arguments, "--fields", fields, "-o", out, "--force")
    assert ran.code == 0, ran
    return read(Path(out))


def expected(fleet: Sampled) -> list[dict[str, Any]]:
    return [row | known for row, known in zip(fleet.rows, fleet.known, strict=True)]


# What is joined


@pytest.mark.parametrize("out", ["joined.parquet", "joined.csv", "joined.jsonl", "joined.json"])
@pytest.mark.parametrize("form", WRITE)
def test_each_sample_has_what_its_timeline_says(fleet: Sampled, here: Path, form: str, out: str) -> None:
    path = WRITE[form](fleet.rows, here / f"samples.{form}")
    assert joined(path, out=out) == expected(fleet)


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_standard_input_goes_to_standard_output(fleet: Sampled, here: Path, form: str) -> None:
    path = WRITE[form](fleet.rows, here / f"samples.{form}")
    ran = run("join", "-", "--fields", "flavor", "--format", form, stdin=path.read_bytes())
    assert ran.code == 0
    Path(f"joined.{form}").write_text(ran.out)
    told = read(Path(f"joined.{form}"))
    assert [row["flavor"] for row in told] == [known["flavor"] for known in fleet.known]
    present, deleted = (sum(row["existence"] == each for row in told) for each in ("present", "deleted"))
    (sentence,) = ran.sentences
    unknown = len(told) - present - deleted
    assert sentence == f"timeline: {len(told):,} samples: {present:,} present, {deleted:,} deleted, {unknown:,} unknown"


def test_parquet_goes_through_a_pipe_when_it_is_whole(fleet: Sampled, here: Path) -> None:
    path = as_parquet(fleet.rows, here / "samples.parquet")
    with started("join", path, "--fields", "flavor", "--format", "parquet") as process:
        out, _ = process.communicate(timeout=60)
    flavors = parquet.read_table(pa.BufferReader(out))["flavor"].to_pylist()
    assert flavors == [known["flavor"] for known in fleet.known]


def test_a_program_that_reads_gets_a_line_of_json_for_each_sample(fleet: Sampled, here: Path) -> None:
    ran = run("join", as_csv(fleet.rows, here / "samples.csv"), "--fields", "flavor,vcpus")
    assert ran.lines[0] == fleet.rows[0] | {
        "timestamp": clock.format(fleet.rows[0]["timestamp"]),
        **{name: fleet.known[0][name] for name in ("existence", "flavor", "vcpus")},
    }
    assert len(ran.lines) == len(fleet.rows)


def test_a_person_who_looks_sees_the_first_samples(fleet: Sampled, here: Path) -> None:
    for form, write in WRITE.items():
        shown = run_on_screen("join", write(fleet.rows[:100], here / f"few.{form}"), "--fields", "flavor", alone=False)
        assert shown.count(" cpu ") == 50, form
        assert "100 samples" in shown
        shown = run_on_screen("join", write(fleet.rows[:101], here / f"more.{form}"), "--fields", "flavor", alone=False)
        assert shown.count(" cpu ") == 50, form
        assert "first 100" in shown
        assert "present, " not in shown


def test_a_narrow_screen_shows_the_columns_that_can_be_read_and_names_the_others(fleet: Sampled, here: Path) -> None:
    samples = as_csv(fleet.rows[:3], here / "samples.csv")
    shown = run_on_screen("join", samples, "--fields", "flavor,vcpus,host,name,state", "--since", alone=False, width=70)
    assert "too narrow for" in shown
    assert "state; --fields names those to be shown" in shown
    assert shown.count(" cpu ") > 0
    wide = run_on_screen("join", samples, "--fields", "flavor,vcpus,host,name,state", "--since", alone=False)
    assert "too narrow" not in wide


def test_files_are_joined_in_their_order(fleet: Sampled, here: Path) -> None:
    for form, write in WRITE.items():
        parts = [write(fleet.rows[at : at + 500], here / f"{at}.{form}") for at in range(0, 1_500, 500)]
        assert joined(*parts, out="joined.csv") == expected(fleet)


def test_columns_may_stand_in_another_order_in_each_file(fleet: Sampled, here: Path) -> None:
    turned = [dict(reversed(row.items())) for row in fleet.rows]
    for form, write in WRITE.items():
        parts = write(fleet.rows[:500], here / f"a.{form}"), write(turned[500:], here / f"b.{form}")
        assert joined(*parts, out="joined.parquet") == expected(fleet)


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_what_is_compressed_is_unpacked(fleet: Sampled, here: Path, form: str) -> None:
    path = WRITE[form](fleet.rows, here / "samples")
    Path(f"samples.{form}.gz").write_bytes(gzip.compress(path.read_bytes()))
    assert joined(f"samples.{form}.gz") == expected(fleet)


@pytest.mark.parametrize("form", WRITE)
def test_the_format_is_told_by_the_first_bytes_where_the_name_does_not(fleet: Sampled, here: Path, form: str) -> None:
    assert joined(WRITE[form](fleet.rows, here / "samples.2026-03")) == expected(fleet)


@pytest.mark.parametrize("form", WRITE)
def test_columns_may_be_called_otherwise(fleet: Sampled, here: Path, form: str) -> None:
    names = {"resource_id": "uuid", "timestamp": "time", "meter": "counter name"}
    renamed = [{names.get(name, name): value for name, value in row.items()} for row in fleet.rows]
    if form == "parquet":
        parquet.write_table(table(fleet.rows).rename_columns(list(renamed[0])), "samples.parquet")
    else:
        path = WRITE[form](fleet.rows, here / f"samples.{form}")
        text = path.read_text()
        for word, name in names.items():
            text = text.replace(word, name)
        path.write_text(text)
    columns = [part for word, name in names.items() for part in ("--column", f"{word}={name}")]
    told = joined(f"samples.{form}", *columns)
    assert [row["flavor"] for row in told] == [known["flavor"] for known in fleet.known]
    assert [row["uuid"] for row in told] == [row["resource_id"] for row in fleet.rows]


@pytest.mark.parametrize(("unit", "parts"), [("s", 1), ("ms", 10**3), ("us", 10**6), ("ns", 10**9)])
@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_times_that_are_numbers_are_in_the_unit(fleet: Sampled, here: Path, form: str, unit: str, parts: int) -> None:
    path = here / f"samples.{form}"
    with timeline.open(fleet.store) as engine:
        ats = [row["timestamp"] // 10**6 for row in fleet.rows]
        known = [
            engine.timeline("instance", row["resource_id"]).at(at * 10**6).fields.get("flavor")
            for row, at in zip(fleet.rows[:200], ats, strict=False)
        ]
    if form == "csv":
        lines = (f"{row['resource_id']},{at * parts}" for row, at in zip(fleet.rows[:200], ats, strict=False))
        path.write_text("\n".join(["resource_id,timestamp", *lines]))
    else:
        rows = zip(fleet.rows[:200], ats, strict=False)
        as_lines([{"resource_id": row["resource_id"], "timestamp": at * parts} for row, at in rows], path)
    ran = run("join", path, "--unit", unit, "--type", "instance", "--fields", "flavor")
    assert [row["flavor"] for row in ran.lines] == known


def test_the_type_may_stand_in_a_column(fleet: Sampled, here: Path) -> None:
    rows = [row | {"meter": "mine", "kind": ("instance", "volume")[n % 2]} for n, row in enumerate(fleet.rows)]
    for form, write in WRITE.items():
        told = joined(write(rows, here / f"samples.{form}"), "--column", "type=kind")
        assert [row["flavor"] for row in told[::2]] == [known["flavor"] for known in fleet.known[::2]]
        assert {row["existence"] for row in told[1::2]} == {"unknown"}


def test_meters_that_no_rule_knows_are_named(fleet: Sampled, here: Path) -> None:
    rows = [row | {"meter": ("mine", "yours", "cpu", "mine")[n % 4]} for n, row in enumerate(fleet.rows)]
    ran = run("join", as_csv(rows, here / "samples.csv"), "--fields", "flavor", "-o", "joined.csv")
    assert tuple(ran.json) == COUNTS
    assert ran.json["no_rule"] == {"mine": 750, "yours": 375}
    assert ran.json["rows"] == ran.json["present"] + ran.json["deleted"] + ran.json["unknown"]
    (sentence,) = ran.sentences
    assert "mine (750), yours (375)" in sentence
    assert "--type" in sentence


def test_an_earlier_answer_is_given_again(fleet: Sampled, here: Path) -> None:
    path = as_csv(fleet.rows, here / "samples.csv")
    told = joined(path, "--as-known-at", "2000-01-01")
    assert {row["existence"] for row in told} == {"unknown"}


def test_null_and_not_collected_are_told_apart_and_since_when(fleet: Sampled, here: Path) -> None:
    with timeline.open(fleet.store) as engine:
        segments = [engine.timeline("instance", row["resource_id"]).at(row["timestamp"]) for row in fleet.rows]
    for form, write in WRITE.items():
        path = write(fleet.rows, here / f"samples.{form}")
        told = joined(path, "--collected", "--since", "--prefix", "its_")
        assert [row["its_flavor_collected"] for row in told] == ["flavor" in each.fields for each in segments]
        since = [None if each.start is None else clock.format(each.start) for each in segments]
        assert [row["its_since"] for row in told] == since


@pytest.mark.parametrize("form", WRITE)
def test_parts_add_up_to_the_whole(fleet: Sampled, here: Path, form: str) -> None:
    rows = [row | {"value": 1_000 + n} for n, row in enumerate(fleet.rows)]
    path = WRITE[form](rows, here / f"samples.{form}")
    if form == "csv":
        path.write_text(path.read_text().replace(".000\n", "\n"))
    told = joined(path, "--policy", "split", "--period", "12h", "--cumulative", "none")
    assert len(told) > len(rows)
    assert [row["row"] for row in told] == sorted(row["row"] for row in told)
    wholes = dict.fromkeys(range(len(rows)), 0)
    for row in told:
        wholes[row["row"]] += row["value"]
    assert list(wholes.values()) == [row["value"] for row in rows]


@pytest.mark.parametrize(("policy", "earlier"), [("start", 3_600 * 10**6), ("end", 1)])
def test_a_period_is_joined_where_it_starts_or_ends(fleet: Sampled, here: Path, policy: str, earlier: int) -> None:
    with timeline.open(fleet.store) as engine:
        timelines = {row["resource_id"]: engine.timeline("instance", row["resource_id"]) for row in fleet.rows}
    known = [timelines[row["resource_id"]].at(row["timestamp"] - earlier).fields.get("flavor") for row in fleet.rows]
    for form, write in WRITE.items():
        told = joined(write(fleet.rows, here / f"samples.{form}"), "--policy", policy, "--period", "3600")
        assert [row["flavor"] for row in told] == known


def test_numpy_joins_where_there_is_no_kernel_and_it_is_said(
    fleet: Sampled, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asof, "COMPILED", False)
    ran = run("join", as_csv(fleet.rows, here / "samples.csv"), "--fields", "flavor", "-o", "joined.parquet")
    assert ran.json["kernel"] == "numpy"
    assert "NumPy" in ran.err
    assert [row["flavor"] for row in read(Path("joined.parquet"))] == [known["flavor"] for known in fleet.known]


# What stays as it is


def test_text_stays_as_it_is_to_the_digit(here: Path, fleet: Sampled) -> None:
    cells = [
        "1.50",
        "007",
        "1e5",
        "+3",
        "",
        '""',
        "NA",
        "null",
        "true",
        "2026-03-01",
        '"a,b"',
        '"a ""b"""',
        '" a "',
        "é",
    ]
    cells += ["123456789012345678901234567890", "0.1000000000000000055511151231257827", '"two\nlines"', "'x'"]
    lines = [f"{fleet.rows[0]['resource_id']},2026-01-02,{cell}" for cell in cells]
    Path("samples.csv").write_text("\n".join(["resource_id,timestamp,value", *lines]) + "\n")
    assert run("join", "samples.csv", "--type", "instance", "--fields", "flavor", "-o", "joined.csv").code == 0
    with timeline.open(fleet.store) as engine:
        told = engine.timeline("instance", fleet.rows[0]["resource_id"]).at("2026-01-02")
    after = [f"{line},{told.existence},{told.fields.get('flavor', '')}" for line in lines]
    assert Path("joined.csv").read_text() == "\n".join(["resource_id,timestamp,value,existence,flavor", *after]) + "\n"


def test_a_value_of_csv_that_is_a_number_is_one_in_json_to_the_digit(here: Path) -> None:
    Path("samples.csv").write_text("resource_id,timestamp,value,note\na,2026-01-02,1.50,007\nb,2026-01-02,x,\n")
    ran = run("join", "samples.csv", "--type", "instance", "--fields", "flavor")
    assert ran.out.splitlines() == [
        '{"resource_id":"a","timestamp":"2026-01-02","value":1.50,"note":"007","existence":"unknown","flavor":null}',
        '{"resource_id":"b","timestamp":"2026-01-02","value":"x","note":null,"existence":"unknown","flavor":null}',
    ]


def test_lines_keep_what_others_do_not_say(here: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"resource_id": "a", "timestamp": 0, "value": 2**70, "tags": {"b": [1, None]}},
        {"resource_id": "b", "timestamp": "2026-01-02", "value": "1.50", "more": True},
    ]
    as_lines(rows, here / "samples.jsonl")
    ran = run("join", "samples.jsonl", "--type", "instance", "--fields", "flavor")
    assert ran.lines == [row | {"existence": "unknown", "flavor": None} for row in rows]


def test_columns_of_parquet_keep_their_types(here: Path) -> None:
    given = pa.table(
        {
            "resource_id": pa.array(["a", None, ""], pa.large_string()),
            "timestamp": pa.array([0, None, 1], pa.timestamp("ns")),
            "value": pa.array([None, 1, 2], pa.decimal128(10, 2)),
            "tags": pa.array([["x"], [], None], pa.list_(pa.string())),
            "host": pa.array(["h", "h", None]).dictionary_encode(),
            "flag": [True, None, False],
            "small": pa.array([1, 2, None], pa.int16()),
            "day": pa.array([1, None, 3], pa.date32()),
        }
    )
    parquet.write_table(given, "samples.parquet")
    joined("samples.parquet", "--type", "instance", out="joined.parquet")
    told = parquet.read_table("joined.parquet").select(given.column_names)
    same = told.cast(given.schema.set(0, pa.field("resource_id", pa.large_string())))
    assert same.equals(given)
    assert told.schema.names == given.schema.names


def test_an_empty_file_gives_an_empty_one(here: Path, fleet: Sampled) -> None:
    parquet.write_table(table(fleet.rows).slice(0, 0), "none.parquet")
    Path("none.csv").write_text("resource_id,meter,timestamp\n")
    Path("none.jsonl").write_text("")
    for form in WRITE:
        assert joined(f"none.{form}", out=f"joined.{form}") == []
    assert "flavor" in parquet.read_schema("joined.parquet").names


# What is left behind


def test_a_file_that_is_there_is_replaced_where_that_is_asked_for(fleet: Sampled, here: Path) -> None:
    path = as_csv(fleet.rows, here / "samples.csv")
    Path("real.csv").write_text("old")
    Path("joined.csv").symlink_to("real.csv")
    assert joined(path, out="joined.csv") == expected(fleet)
    assert Path("joined.csv").is_symlink()
    assert read(Path("real.csv")) == expected(fleet)
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(Path("real.csv").stat().st_mode) == 0o666 & ~umask


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGKILL])
@pytest.mark.parametrize("out", ["joined.parquet", "joined.csv", "joined.jsonl"])
@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_who_is_stopped_leaves_nothing_that_looks_whole(
    fleet: Sampled, here: Path, form: str, out: str, sent: signal.Signals
) -> None:
    text = WRITE[form](fleet.rows, here / f"samples.{form}").read_bytes()
    header, _, rows = text.partition(b"\n") if form == "csv" else (b"", b"", text)
    with started("join", "-", "--fields", "flavor", "-o", out) as process:
        assert process.stdin is not None
        # it is at work when it has taken more than fits into the pipe
        process.stdin.write(header + b"\n" + rows * 40)
        process.stdin.flush()
        process.send_signal(sent)
        _, said = process.communicate(timeout=60)
    assert process.returncode == (-sent if sent is signal.SIGKILL else 1)
    left = {path.name for path in here.iterdir()} - {f"samples.{form}"}
    if sent is signal.SIGKILL:
        assert not Path(out).exists()
        assert len(left) <= 1
    else:
        assert left == set()
        assert said.decode() == f"timeline: interrupted; {out} was not written\n"
        assert b"Traceback" not in said


def test_a_full_disk_leaves_nothing(fleet: Sampled, here: Path) -> None:
    path = as_csv(fleet.rows * 40, here / "samples.csv")
    for out in ("joined.parquet", "joined.csv"):
        with started("join", path, "-o", out, limit="ulimit -f 100") as process:
            _, said = process.communicate(timeout=60)
        assert process.returncode == 1
        assert said.decode() == f"timeline: {out}: File too large\n"
    assert [each.name for each in here.iterdir()] == ["samples.csv"]


# Greater than memory


_PEAK = """
import sys
from timeline.cli import main
try:
    main(sys.argv[1:])
finally:
    (peak,) = (line for line in open("/proc/self/status") if line.startswith("VmHWM:"))
    print(peak.split()[1], file=sys.stderr)
"""


def peak(*arguments: object) -> int:
    """The bytes that a process of the program had at most."""
    process = subprocess.run(
        [sys.executable, "-c", _PEAK, "join", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=True,
    )
    return int(process.stderr) * 1024


@pytest.mark.parametrize("group", [50_000, 1_500_000])
def test_memory_is_bounded_however_long_a_file_is(fleet: Sampled, here: Path, group: int) -> None:
    count, part = 1_500_000, 250_000
    schema = table(fleet.rows[:1]).schema.append(pa.field("note", pa.string()))
    ids = pa.array([row["resource_id"] for row in fleet.rows])
    with parquet.ParquetWriter("samples.parquet", schema) as writer:
        parts = []
        for first in range(0, count, part):
            numbers = np.arange(first, first + part)
            notes = pc.binary_join_element_wise(pa.array(numbers).cast(pa.string()), "x" * 250, "")
            columns = {
                "resource_id": ids.take(pa.array(numbers % len(ids))),
                "meter": pa.repeat("cpu", part),
                "timestamp": pa.array(START + numbers * (6 * DAY // count), pa.timestamp("us", "UTC")),
                "value": pa.array(numbers / 7),
                "note": notes,
            }
            parts.append(pa.table(columns, schema=schema))
            if first + part == count or group <= part:
                writer.write_table(pa.concat_tables(parts), row_group_size=group)
                parts = []
    as_parquet(fleet.rows[:1], here / "one.parquet")
    options = ("--memory", "250MB", "--fields", ",".join(FIELDS))
    least = peak("one.parquet", "-o", "one.out.parquet", *options)
    most = peak("samples.parquet", "-o", "joined.parquet", *options)
    assert parquet.read_metadata("joined.parquet").num_rows == count
    # the notes alone are longer
    assert most - least < 1.2 * 250_000_000


def test_many_samples_are_joined_as_few_are(fleet: Sampled, here: Path) -> None:
    rows = as_parquet(fleet.rows * 40, here / "samples.parquet", group=7_000)
    joined(rows, "--memory", "250MB", out="joined.parquet")
    told = parquet.read_table("joined.parquet")
    for name in ("existence", "flavor", "vcpus", "name"):
        assert told[name].to_pylist() == [known[name] for known in fleet.known] * 40
    assert (
        told.select(["resource_id", "value"])
        .cast(pa.schema([("resource_id", pa.string()), ("value", pa.float64())]))
        .equals(table(fleet.rows * 40).select(["resource_id", "value"]))
    )


def test_a_screen_shows_how_far_it_is(fleet: Sampled, here: Path) -> None:
    path = as_parquet(fleet.rows, here / "samples.parquet")
    shown = run_on_screen("join", path, "--fields", "flavor", "-o", "joined.parquet", alone=False)
    assert "1,500 samples" in shown
    assert "kernel" in shown


def test_json_is_a_list(fleet: Sampled, here: Path) -> None:
    ran: Ran = run("join", as_csv(fleet.rows[:3], here / "s.csv"), "--fields", "flavor", "--format", "json")
    assert [row["resource_id"] for row in json.loads(ran.out)] == [row["resource_id"] for row in fleet.rows[:3]]
