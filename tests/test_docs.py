"""What README and docs show is what happens: their snippets are run, and what is shown of the output is compared.

A page is read from its top: files with a caption are written, sessions are typed at a screen, Python is run, and the
text that follows is what it prints. ``...`` stands for what differs from run to run.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import os
import pty
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from timeline import errors
from timeline.definitions import Definitions, schema
from timeline.definitions.plugins import PLUGINS
from timeline.definitions.traits import TYPES
from timeline.model import Phase

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.rst"))]

_FENCED = re.compile(r"^```(?P<language>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_BLOCK = re.compile(
    r"^(?P<indent> *)\.\. code-block:: (?P<language>\w+)\n(?:(?P=indent)   :caption: (?P<file>\S+)\n)?\n"
    r"(?P<text>(?:(?:(?P=indent)   .*)?\n)+)",
    re.MULTILINE,
)
_NOT_RUN = ("none", "sh")
"""What is only looked at: diagrams and help, and commands that set up a machine."""


class Snippet(NamedTuple):
    """A piece of a page: what is typed, printed or written."""

    place: str
    language: str
    file: str | None
    text: str


def snippets(page: Path) -> Iterator[Snippet]:
    text = page.read_text("utf-8")
    for match in (_FENCED if page.suffix == ".md" else _BLOCK).finditer(text):
        place = f"{page.relative_to(ROOT)}:{text.count(chr(10), 0, match.start()) + 1}"
        found = match.groupdict()
        yield Snippet(place, found["language"], found.get("file"), textwrap.dedent(found["text"]).strip("\n") + "\n")


class Reader:
    """Does what a page says, in an empty folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "empty"
        self._folder.mkdir()
        self._names: dict[str, Any] = {}
        self._status = 0
        commands = folder / "bin"
        commands.mkdir()
        (commands / "timeline").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m timeline "$@"\n')
        (commands / "timeline").chmod(0o755)
        ours = {name: value for name, value in os.environ.items() if not name.startswith(("TIMELINE_", "FORCE_"))}
        self._environment = ours | {
            "PATH": f"{commands}{os.pathsep}{ours.get('PATH', os.defpath)}",
            "PYTHONPATH": str(ROOT),
            "PYTHONIOENCODING": "utf-8",
            "TERM": "dumb",  # no colours
            "COLUMNS": "130",
            "LINES": "50",
        }

    def follow(self, page: Path) -> None:
        (self._folder / "examples").symlink_to(ROOT / "examples")
        printed = None
        for snippet in snippets(page):
            if printed and snippet.language != "text":
                pytest.fail(f"before {snippet.place} this is printed and not shown:\n{printed}")
            if snippet.file is not None:
                (self._folder / snippet.file).write_text(snippet.text, "utf-8")
            elif snippet.language == "console":
                self._type(snippet)
            elif snippet.language == "python":
                printed = self._run(snippet)
                continue
            elif snippet.language == "text":
                compare(snippet.place, snippet.text, printed or "")
            elif snippet.language == "yaml":
                Definitions.read(snippet.text, snippet.place)
            elif snippet.language not in _NOT_RUN:
                pytest.fail(f"{snippet.place}: nobody knows what to do with {snippet.language}")
            printed = None
        assert not printed, f"at the end of {page.name} this is printed and not shown:\n{printed}"
        assert self._status == 0, f"the end of {page.name} hides that the exit code is {self._status}"

    def _type(self, snippet: Snippet) -> None:
        _, *parts = re.split(r"^\$ ", snippet.text, flags=re.MULTILINE)
        for part in parts:
            command, _, shown = part.partition("\n")
            while command.endswith("\\"):
                line, _, shown = shown.partition("\n")
                command += f"\n{line}"
            if command != "echo $?":
                assert self._status == 0, f"{snippet.place}: the page hides that the exit code is {self._status}"
            compare(f"{snippet.place}: {command}", shown, self.typed(command))

    def typed(self, command: str) -> str:
        """What a person sees who types a command at a screen."""
        screen, end = pty.openpty()
        with subprocess.Popen(
            ["sh", "-c", f"(exit {self._status})\n{command}"],
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=end,
            stderr=subprocess.PIPE,  # apart, for a progress bar on a screen would be seen here
        ) as process:
            os.close(end)
            seen = b""
            with contextlib.suppress(OSError), open(screen, "rb", buffering=0) as shown:  # Linux ends it by an error
                while piece := shown.read(4096):
                    seen += piece
            assert process.stderr is not None
            seen += process.stderr.read()
        self._status = process.returncode
        return seen.decode().replace("\r\n", "\n")

    def _run(self, snippet: Snippet) -> str:
        code = compile("\n" * int(snippet.place.rpartition(":")[2]) + snippet.text, snippet.place, "exec")
        with contextlib.redirect_stdout(io.StringIO()) as printed, contextlib.chdir(self._folder):
            exec(code, self._names)
        return printed.getvalue()


def compare(place: str, shown: str, real: str) -> None:
    shown, real = ("\n".join(line.rstrip() for line in text.split("\n")).strip("\n") for text in (shown, real))
    if not re.fullmatch(".*".join(map(re.escape, shown.split("..."))), real):
        pytest.fail(f"{place} shows\n\n{shown}\n\nand this happens\n\n{real}")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_shows_is_what_happens(page: Path, tmp_path: Path) -> None:
    Reader(tmp_path).follow(page)


def test_the_demo_ends_with_the_reason_and_with_a_join(tmp_path: Path) -> None:
    shown = Reader(tmp_path).typed(f"sh {ROOT}/examples/demo.sh")
    reason, joined = shown[shown.index("$ timeline explain") :].split("$ timeline join")
    assert "compute.instance.finish_resize.end" in reason
    flavors = {line.split()[2]: line.split()[5] for line in joined.splitlines() if line.startswith(" ecc8543c")}
    assert flavors == {"2026-03-01T10:00:00Z": "m1.medium", "2026-03-01T11:00:00Z": "m1.large"}
    assert "10 samples: 8 present, 1 deleted, 1 unknown" in joined


def test_every_word_of_the_definition_language_is_described() -> None:
    parameters = [name for plugin in PLUGINS.values() for name in inspect.signature(plugin).parameters]
    keys = {*schema._FILE, *schema._DEFINITION, *schema._RESOURCE, *schema._PHASE_RULE, *schema._TRAIT}
    keys |= {*schema._SAMPLE_RULE}
    words = {*keys, *PLUGINS, *parameters, *TYPES, *(phase.name.lower() for phase in Phase)}
    page = (ROOT / "docs" / "definitions.rst").read_text("utf-8")
    assert sorted(word for word in words if f"``{word}``" not in page) == []


def test_every_error_is_described() -> None:
    page = (ROOT / "docs" / "operations.rst").read_text("utf-8")
    named = {name for name, value in vars(errors).items() if isinstance(value, type)}
    assert sorted(name for name in named if f"``{name}``" not in page and f"``timeline.{name}``" not in page) == []


def test_every_page_has_its_place_in_the_contents() -> None:
    contents = (ROOT / "docs" / "index.rst").read_text("utf-8")
    assert [page.stem for page in PAGES[1:] if page.stem != "index" and f"   {page.stem}\n" not in contents] == []
