"""Runs the program as a shell would: arguments and bytes in, exit code and what it says out."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pty
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from timeline.cli import main

ROOT = Path(__file__).parents[2]


class Ran(NamedTuple):
    """What came of a run."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, which is one JSON document and nothing else."""
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        """Standard output, of which each line is a JSON document."""
        assert self.out.endswith("\n") or not self.out
        return [json.loads(line) for line in self.out.split("\n")[:-1]]

    @property
    def sentences(self) -> list[str]:
        """The lines of standard error."""
        return self.err.removesuffix("\n").split("\n") if self.err else []


def run(*arguments: object, stdin: bytes = b"") -> Ran:
    """The program in this process, with its output in pipes."""
    given, out, err = io.TextIOWrapper(io.BytesIO(stdin)), _pipe(), _pipe()
    code = _code(arguments, given, out, err)
    return Ran(code, _said(out), _said(err))


def run_on_screen(*arguments: object, alone: bool = True, width: int = 200) -> str:
    """What the program writes on a screen, escape sequences and all; it has to go well.

    Standard output is the screen; unless ``alone``, standard error is it too.
    """
    ours, screen = pty.openpty()
    written = bytearray()

    def read() -> None:
        with contextlib.suppress(OSError):  # what a screen says when its last writer has gone
            while piece := os.read(ours, 65536):
                written.extend(piece)

    reader = threading.Thread(target=read)
    reader.start()
    err = _pipe()
    with open(screen, "w", encoding="utf-8") as out, pytest.MonkeyPatch.context() as environment:
        environment.setenv("COLUMNS", str(width))
        environment.setenv("TERM", "xterm-256color")
        code = _code(arguments, io.TextIOWrapper(io.BytesIO()), out, err if alone else out)
    reader.join()
    os.close(ours)
    assert (code, _said(err)) == (0, "")
    return written.decode().replace("\r\n", "\n")


def run_process(*arguments: object, limit: str = ":", stdin: bytes = b"", **variables: str) -> Ran:
    """The program in a process of its own, perhaps under a limit such as ``ulimit -f 8``."""
    with started(*arguments, limit=limit, **variables) as process:
        out, err = process.communicate(stdin, timeout=60)
    return Ran(process.returncode, out.decode(), err.decode())


def started(*arguments: object, limit: str = ":", **variables: str) -> subprocess.Popen[bytes]:
    """A process of the program that runs, with its three streams in pipes."""
    return subprocess.Popen(
        ["sh", "-c", f'{limit}; exec "$@"', "sh", sys.executable, "-m", "timeline", *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
        preexec_fn=_heed_hangups,
    )


def _heed_hangups() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # where tests run under nohup they are ignored, by all children too


@contextlib.contextmanager
def in_folder(folder: Path) -> Iterator[Path]:
    """Within it a folder is the working directory, and no variable of ours is set."""
    with pytest.MonkeyPatch.context() as environment:
        environment.chdir(folder)
        for name in ("TIMELINE_STORE", "TIMELINE_DEFINITIONS"):
            environment.delenv(name, raising=False)
        yield folder


def _pipe() -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)


def _said(stream: io.TextIOWrapper) -> str:
    stream.flush()
    buffer = stream.buffer
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue().decode()


def _code(arguments: tuple[object, ...], stdin: io.TextIOWrapper, out: Any, err: Any) -> int:
    before = sys.stdin, sys.stdout, sys.stderr
    sys.stdin, sys.stdout, sys.stderr = stdin, out, err
    try:
        main([str(argument) for argument in arguments])
    except SystemExit as exit:
        return int(exit.code or 0)
    finally:
        sys.stdin, sys.stdout, sys.stderr = before
