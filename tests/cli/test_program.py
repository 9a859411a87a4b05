"""The program itself: where its store is, what its help says, and what it does where nobody listens."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from tests.cli.messages import thing, written
from tests.cli.running import Ran, run, run_process, started
from timeline import __version__
from timeline.cli import program


def test_the_store_is_told_by_option_then_by_variable_then_by_default(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("status").json["store"] == "sqlite:///timeline.db"
    monkeypatch.setenv("TIMELINE_STORE", "sqlite:///other.db")
    assert run("status").sentences[0].startswith("timeline: other.db: no store is there yet")
    assert run("status", "--store", f"sqlite:///{store}").json["store"] == f"sqlite:///{store}"
    monkeypatch.setenv("TIMELINE_STORE", "")
    assert run("status").json["store"] == "sqlite:///timeline.db"


def test_init_says_where_and_doing_it_again_changes_nothing(folder: Path) -> None:
    made = run("init")
    assert made == Ran(0, "sqlite:///timeline.db is ready (schema 0003)\n", "")
    content = (folder / "timeline.db").read_bytes()
    assert run("init") == made
    assert (folder / "timeline.db").read_bytes() == content
    assert (folder / "timeline.db").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", ["a:b@c.db", "with space.db", "e%20f.db", "ü.db", "#.db", "-.db"])
def test_a_store_is_named_as_it_was_given(folder: Path, name: str) -> None:
    url = f"sqlite:///{name}"
    assert run("init", "--store", url).out == f"{url} is ready (schema 0003)\n"
    assert run("status", "--store", url).json["store"] == url
    assert (folder / name).exists()


def test_a_store_whose_name_is_no_text_can_be_used(folder: Path) -> None:
    url = "sqlite:///a\udcff.db"
    assert run("init", "--store", url).out == "sqlite:///a\\udcff.db is ready (schema 0003)\n"
    assert run("status", "--store", url).json["store"] == "sqlite:///a\\udcff.db"


def test_questions_leave_no_file_where_no_store_is(folder: Path) -> None:
    before = sorted(folder.iterdir())
    for command in ("status", "resources", "show x", "history x", "diff x --from now", "explain x y", "export events"):
        ran = run(*command.split())
        assert (ran.code, len(ran.sentences)) == (1, 1), command
        assert "timeline init" in ran.err
    assert run("quarantine", "list").code == run("quarantine", "retry").code == 1
    assert sorted(folder.iterdir()) == before


# Help and names


def commands(group: click.Group = program, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    with click.Context(group) as context:
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            if isinstance(command, click.Group):
                yield from commands(command, (*path, name))
            else:
                yield (*path, name)


@pytest.mark.parametrize("path", [*commands()], ids=" ".join)
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_the_help_of_every_command_ends_in_an_example_of_it(path: tuple[str, ...], option: str) -> None:
    ran = run(*path, option)
    assert (ran.code, ran.err) == (0, "")
    example = ran.out.rstrip("\n").split("\n")[-1]
    assert " ".join(("timeline", *path)) in example
    assert example.startswith("  ")


@pytest.mark.parametrize("path", [*commands()], ids=" ".join)
def test_the_options_of_an_example_are_options_of_the_command(path: tuple[str, ...]) -> None:
    helped = run(*path, "--help").out
    options, _, examples = helped.partition("Options:")[2].rpartition("\n\n")
    for option in re.findall(r"(?<= )--[a-z-]+", examples) if path else ():
        assert option in options


def test_the_version_is_told_also_where_nothing_is_installed() -> None:
    assert run("--version") == run_process("--version") == Ran(0, f"timeline, version {__version__}\n", "")


@pytest.mark.parametrize(
    ("said", "meant"),
    [("shwo", "show"), ("statsu", "status"), ("resource", "resources"), ("quarantined", "quarantine")],
)
def test_a_command_that_is_nearly_one_brings_it_to_mind(said: str, meant: str) -> None:
    ran = run(said)
    assert ran.code == 2
    assert ran.sentences[-1] == f"Error: No such command {said!r}. Did you mean {meant!r}?"


@pytest.mark.parametrize("said", [["zzz"], ["quarantine", "zzz"], ["export"], [], ["show"], ["show", "x", "--zzz"]])
def test_wrong_usage_has_its_exit_code_and_says_nothing_on_standard_output(said: list[str]) -> None:
    ran = run(*said)
    assert (ran.code, ran.out) == (2, "")
    assert ran.sentences[0].startswith("Usage: timeline")


def test_commands_that_are_not_there_yet_are_not_announced() -> None:
    helped = run("--help").out
    for name in ("usage", "audit", "serve"):
        assert name not in helped
        assert run(name).code == 2


@pytest.mark.parametrize("command", ["export events", "resources --format table"])
def test_a_reader_who_has_seen_enough_is_no_error_to_speak_of(store: Path, command: str) -> None:
    minutes = [f"{hour:02}:{minute:02}" for hour in range(24) for minute in range(60)]
    changes = [thing("update", at, size=number) for number, at in enumerate(minutes)]
    others = [thing("create", at, f"{at} {'far more than a pipe holds ' * 5}") for at in minutes]
    run("ingest", written("messages.jsonl", *changes, *others))
    with started(*command.split()) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(10)
        process.stdout.close()
        assert process.wait() in (0, 1)  # Python does not always learn of it
        assert process.stderr.read() == b""


def test_an_answer_that_cannot_be_written_is_told(store: Path) -> None:
    for command in ("status", "status --format table", "--help"):
        ran = run_process(*command.split(), limit="exec > /dev/full")
        assert ran.code == 1
        assert ran.sentences == ["timeline: the answer could not be written: No space left on device"]


@pytest.mark.parametrize("command", ["show t1 --format table", "ingest messages.jsonl"])
def test_a_closed_standard_output_is_nobody_who_listens(store: Path, command: str) -> None:
    run("ingest", written("messages.jsonl", thing("create", "12:00")))
    assert run_process(*command.split(), limit="exec >&-") == Ran(0, "", "")


@pytest.mark.parametrize("command", ["ingest", "definitions try"])
def test_a_closed_standard_input_cannot_be_read(store: Path, command: str) -> None:
    ran = run_process(*command.split(), "-", limit="exec <&-")
    assert (ran.code, ran.out) == (2, "")
    assert ran.sentences[-1] == "Error: standard input is closed, so there is nothing to read from -"
