"""What cannot be joined: a sentence that names the file, the row and the way out, and nothing is written."""

from __future__ import annotations

import gzip
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from tests.cli.fleet import START, WRITE, Sampled, as_csv, as_lines, as_parquet, read, sampled
from tests.cli.running import in_folder, run
from timeline import clock


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Sampled:
    return sampled(tmp_path_factory.mktemp("fleet"))


@pytest.fixture(autouse=True)
def here(tmp_path: Path, fleet: Sampled) -> Iterator[Path]:
    with in_folder(tmp_path), pytest.MonkeyPatch.context() as environment:
        environment.setenv("TIMELINE_STORE", fleet.store)
        yield tmp_path


def refused(*arguments: object, code: int = 1) -> str:
    """The last line on standard error, of a run that wrote nothing."""
    before = sorted(os.listdir())
    ran = run("join", *arguments)
    assert (ran.code, ran.out) == (code, ""), ran
    assert sorted(os.listdir()) == before
    return ran.sentences[-1].removeprefix("timeline: ").removeprefix("Error: ")


SAMPLE = {"resource_id": "a", "meter": "cpu", "timestamp": START, "value": 1.5}


@pytest.mark.parametrize("form", WRITE)
@pytest.mark.parametrize("word", ["resource_id", "meter", "timestamp"])
def test_a_missing_column_is_named_with_the_file_and_the_way_out(here: Path, form: str, word: str) -> None:
    rows = [{f"the_{name}" if name == word else name: value for name, value in SAMPLE.items()}]
    path = here / f"samples.{form}"
    if form == "parquet":
        parquet.write_table(pa.Table.from_pylist(rows), path)
    elif form == "csv":
        path.write_text(f"{','.join(rows[0])}\na,b,c,1\n")
    else:
        as_lines(rows, path)
    told = refused(path)
    assert told.startswith(f"{path}: there is no column {word!r}; there are ")
    assert ", ".join(rows[0]) in told
    assert f"--column {word}=NAME" in told


CSV = "resource_id,meter,timestamp,value\n"
GOOD = "a,cpu,2026-01-01,1\n"
LINE = b'{"resource_id": "a", "meter": "cpu", "timestamp": "2026-01-01", "value": 1}\n'

BAD: dict[str, tuple[str, bytes, list[str]]] = {
    "an empty CSV file": ("s.csv", b"", ["s.csv: is empty"]),
    "blank lines": ("s.csv", b"\n\n", ["s.csv: is empty"]),
    "a row that is too short": ("s.csv", f"{CSV}{GOOD}a,cpu\n".encode(), ["s.csv, row 3", "expected 4 columns, got 2"]),
    "a row that is too long": ("s.csv", f"{CSV}a,b,c,d,e\n".encode(), ["s.csv, row 2", "expected 4 columns, got 5"]),
    "bad UTF-8": ("s.csv", f"{CSV}{GOOD}".encode() + b"\xff,cpu,2026-01-01,1\n", ["row 3", "'resource_id'", "UTF-8"]),
    "bad UTF-8 in a header": ("s.csv", b"\xff" + CSV.encode(), ["s.csv: the names of the columns are not in UTF-8"]),
    "a column twice": ("s.csv", b"resource_id,timestamp,meter,meter\n", ["s.csv: 2 columns are called 'meter'"]),
    "no time": ("s.csv", f"{CSV}{GOOD}a,cpu,noon,1\n".encode(), ["s.csv: ", "'timestamp'", "row 3", "'noon'"]),
    "a year too late": (
        "s.csv",
        f"{CSV}a,cpu,999999999999999999,1\n".encode(),
        ["s.csv: ", "row 2", "years 1 to 9999"],
    ),
    "a quote that is never closed": ("s.csv", f'{CSV}"a,{GOOD * 9}'.encode(), ["row 2", "expected 4 columns, got 1"]),
    "no JSON": ("s.jsonl", LINE + b"{'a': 1}\n", ["s.jsonl:2: this is no JSON"]),
    "half a line": ("s.jsonl", LINE + LINE[:20], ["s.jsonl:2: this is no JSON"]),
    "NaN": ("s.jsonl", LINE + b'{"value": NaN}\n', ["s.jsonl:2: this is no JSON"]),
    "bad UTF-8 in a line": ("s.jsonl", LINE + b'{"a": "\xff"}\n', ["s.jsonl:2: this is no JSON"]),
    "no object": ("s.jsonl", LINE + b"\n[1]\n", ["s.jsonl:3: a line is to be a JSON object"]),
    "a list": ("s.jsonl", b"[" + LINE + b"]", ["s.jsonl:1: "]),
    "an id that is no text": ("s.jsonl", LINE + LINE.replace(b'"a"', b"7"), ["s.jsonl: row 2", "'resource_id' is 7"]),
    "a time that is none": ("s.jsonl", LINE + LINE.replace(b"2026", b"20x6"), ["s.jsonl: ", "row 2", "'20x6-01-01'"]),
    "a line that is too long": ("s.jsonl", LINE + b'{"a": "' + b"x" * 2**22 + b'"}\n', ["s.jsonl:2: ", "longer than"]),
    "an empty Parquet file": ("s.parquet", b"", ["s.parquet: "]),
    "no Parquet": ("s.parquet", CSV.encode() * 10, ["s.parquet: "]),
    "broken gzip": ("s.csv.gz", gzip.compress(CSV.encode())[:-9], ["s.csv.gz: the file ends too early"]),
    "damaged gzip": ("s.jsonl.gz", gzip.compress(LINE * 99)[:20] + b"\0" * 30, ["s.jsonl.gz: "]),
}


@pytest.mark.parametrize(("name", "content", "words"), BAD.values(), ids=list(BAD))
@pytest.mark.parametrize("out", ["joined.parquet", "joined.csv", "joined.jsonl"])
def test_bad_input_is_told_in_a_sentence(here: Path, name: str, content: bytes, words: list[str], out: str) -> None:
    Path(name).write_bytes(content)
    told = refused(name, "-o", out)
    if name == "s.jsonl" and out != "joined.jsonl":
        words = [word.replace("s.jsonl: row ", "s.jsonl:") if "7" in words[-1] else word for word in words]
    assert [word for word in words if word not in told] == [], told


def test_a_column_that_held_numbers_and_holds_text_is_told_with_the_way_out(here: Path, fleet: Sampled) -> None:
    rows = "".join(f"{row['resource_id']},cpu,{clock.format(row['timestamp'])},1\n" for row in fleet.rows * 40)
    Path("s.csv").write_text(f"{CSV}{rows}a,cpu,2026-01-01,many\n")
    told = refused("s.csv", "-o", "joined.parquet", "--memory", "250MB")
    assert told.startswith("s.csv, row 60002 ")
    assert "'many'" in told
    assert "'value'" in told
    assert run("join", "s.csv", "-o", "joined.csv").code == 0
    as_lines([*(row | {"value": 1} for row in fleet.rows * 10), SAMPLE], here / "s.jsonl")
    told = refused("s.jsonl", "-o", "joined.parquet", "--memory", "250MB")
    assert told.startswith("s.jsonl:15001: 'value' is 1.5, and int64 in the first lines")
    assert run("join", "s.jsonl", "-o", "joined.jsonl").code == 0


def test_a_row_longer_than_memory_allows_is_told(here: Path) -> None:
    Path("s.csv").write_text(f'{CSV}{GOOD}"a,{"x" * 9_000_000}"')
    told = refused("s.csv", "-o", "joined.csv", "--memory", "250MB")
    assert told == "s.csv: a row is too long, or a quote in it is never closed"


@pytest.mark.parametrize("share", [0.99, 0.5, 0.01])
def test_a_parquet_file_that_ends_early_is_told(fleet: Sampled, here: Path, share: float) -> None:
    whole = as_parquet(fleet.rows, here / "whole.parquet").read_bytes()
    Path("s.parquet").write_bytes(whole[: int(len(whole) * share)])
    assert refused("s.parquet", "-o", "joined.parquet").startswith("s.parquet: ")


def test_a_damaged_page_is_told(fleet: Sampled, here: Path) -> None:
    path = as_parquet(fleet.rows, here / "s.parquet", group=10_000)
    whole = path.read_bytes()
    path.write_bytes(whole[:2_000] + b"\xff" * 2_000 + whole[4_000:])
    assert refused(path, "-o", "joined.parquet").startswith(f"{path}: ")


def test_files_that_differ_are_told(fleet: Sampled, here: Path) -> None:
    a, b = as_csv(fleet.rows[:5], here / "a.csv"), here / "b.csv"
    b.write_text("resource_id,meter,timestamp,other\na,cpu,2026-01-01,1\n")
    assert refused(a, b) == f"{b}: there is no column 'value', which {a} has; they are to have the same"
    b.write_text("resource_id,meter,timestamp,value,other\na,cpu,2026-01-01,1,1\n")
    assert refused(a, b) == f"{a}: there is no column 'other', which {b} has; they are to have the same"
    parquet.write_table(pa.table({"resource_id": ["a"], "meter": ["cpu"], "timestamp": [1]}), "a.parquet")
    parquet.write_table(pa.table({"resource_id": ["a"], "meter": ["cpu"], "timestamp": ["x"]}), "b.parquet")
    told = refused("a.parquet", "b.parquet")
    assert told == "b.parquet: the column 'timestamp' holds string, and int64 in a.parquet"
    assert refused(a, "a.parquet") == f"a.parquet: holds Parquet, and {a} CSV; files of one format are joined at once"


def test_the_file_and_row_of_a_bad_time_are_told_among_many(here: Path) -> None:
    for name, count in (("a", 3), ("b", 4)):
        Path(f"{name}.csv").write_text(CSV + GOOD * count + "a,cpu,noon,1\n" * (name == "b"))
    assert refused("a.csv", "b.csv", "-o", "c.csv").startswith("b.csv: column 'timestamp', row 6 (")
    for name, count in (("a", 3), ("b", 4)):
        Path(f"{name}.jsonl").write_bytes(LINE * count + LINE.replace(b"2026", b"x") * (name == "b"))
    assert refused("a.jsonl", "b.jsonl", "-o", "c.jsonl").startswith("b.jsonl: row 5 ")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--fields", "flavour"], "'flavor' may be meant"),
        (["--prefix", ""], ""),
        (["--fields", ","], "a name is missing"),
        (["--column", "when=time"], "'when=time' is not WORD=NAME"),
        (["--column", "timestamp"], "is not WORD=NAME"),
        (["--column", "timestamp=a", "--column", "timestamp=b"], "cannot be two columns"),
        (["--period", "soon"], "'soon' is no span"),
        (["--period", "0"], "'0' is no span"),
        (["--memory", "much"], "'much' is no size"),
        (["--memory", "1MB"], "at least 250MB"),
        (["--cumulative", "all", "--cumulative", "cpu"], "stand for every meter"),
        (["--unit", "h"], "'h' is not one of"),
        (["--store", "sqlite:///nowhere.db"], "timeline init"),
        (["-o", "joined"], "tells no format"),
        (["-o", "joined.csv", "--format", "jsonl"], "says csv"),
        (["-o", "joined.csv", "--format", "table"], "a table is for a screen"),
        (["-o", "no/joined.csv"], "'no' is no folder"),
        (["-o", "samples.csv"], "is one of the files to be read"),
        (["-o", "link.csv", "--force"], "is one of the files to be read"),
        (["-o", "there.csv"], "is there already; --force replaces it"),
        (["-o", "folder.csv"], "is no file that could be replaced"),
        (["-o", "a\0b.csv"], "null"),
    ],
)
def test_wrong_options_are_told_and_nothing_is_written(here: Path, options: list[str], words: str) -> None:
    Path("samples.csv").write_text(CSV + GOOD)
    Path("link.csv").symlink_to("samples.csv")
    Path("there.csv").write_text("mine")
    Path("folder.csv").mkdir()
    if words:
        code = 1 if words in ("'flavor' may be meant", "timeline init") else 2
        assert words in refused("samples.csv", *options, code=code)
    assert Path("there.csv").read_text() == "mine"
    assert Path("samples.csv").read_text() == CSV + GOOD


def test_what_cannot_be_read_is_told_before_anything_is(here: Path) -> None:
    Path("folder").mkdir()
    good = as_lines([SAMPLE], here / "good.jsonl")
    for name, words in (("nowhere.csv", "No such file"), ("folder", "is a folder"), ("/dev/null", "neither a file")):
        told = refused(good, name, "-o", "joined.jsonl")
        assert told.startswith(f"{name}: ")
        assert words in told


def test_parquet_cannot_come_through_a_pipe(fleet: Sampled, here: Path) -> None:
    ran = run("join", "-", stdin=as_parquet(fleet.rows, here / "s.parquet").read_bytes())
    assert ran.code == 1
    assert "<stdin>: Parquet is read from its end" in ran.err


def test_a_column_of_its_own_that_would_be_added_is_told(here: Path) -> None:
    for form, write in WRITE.items():
        told = refused(write([SAMPLE | {"flavor": "x"}], here / f"s.{form}"), "--fields", "flavor")
        assert "'flavor'" in told
        assert "prefix" in told
        done = run("join", f"s.{form}", "--prefix", "its_", "--fields", "flavor", "-o", "joined.jsonl", "--force")
        assert done.code == 0, done
        rows = read(Path("joined.jsonl"))
        assert (rows[0]["flavor"], rows[0]["its_flavor"]) == ("x", None)


def test_what_is_missing_is_told_with_the_way_to_install_it(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    as_lines([SAMPLE], here / "samples.jsonl")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    told = refused("samples.jsonl")
    assert told.endswith("pip install 'resource-timeline[arrow]'")
    assert "pyarrow" in told
