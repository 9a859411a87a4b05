"""FerretDB on SQLite, a module of Go: a second server of MongoDB's protocol, and a stricter one. It takes no option.

It looks through all documents where the other has an index, so it is for a few thousand of them. Debian 12 has no Go
that is new enough; where another is on the path it is used, and nobody has to have it.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.servers.installing import Fetched, NotInstalled, program, run
from tests.servers.mongodb import MongoProtocol

_GO = (1, 24)
_VERSION = "v1.24.2"
_MODULE = f"module ferretdb\n\ngo 1.24\n\nrequire github.com/FerretDB/FerretDB {_VERSION}\n"
_MAIN = Path(__file__).with_name("ferretdb.go")


class Ferretdb(MongoProtocol):
    """A server without users."""

    name = "ferretdb"
    optional = True

    @classmethod
    def lacks(cls) -> str | None:
        return None if _fetched().is_there() else f"what is kept in {_fetched().folder}"

    @classmethod
    def install(cls) -> None:
        if cls.lacks() is None:
            return
        if not _go_is_there():
            raise NotInstalled(f"this needs Go {_GO[0]}.{_GO[1]} or later on the path: https://go.dev/dl")
        _fetched().make(_fill)

    def make(self) -> None:
        (self.folder / "data").mkdir()

    def command(self, part: str) -> Sequence[str]:
        return [str(_fetched().folder / "ferretdb"), f"127.0.0.1:{self.port}", f"{self.folder}/data"]


def _fetched() -> Fetched:
    return Fetched(Ferretdb.name, _MODULE, _MAIN.read_text("utf-8"))


def _fill(folder: Path) -> None:
    source = folder / "source"
    source.mkdir()
    (source / "go.mod").write_text(_MODULE, "utf-8")
    (source / "go.sum").touch()
    shutil.copy(_MAIN, source / "main.go")
    # go mod tidy would fetch as much again, for tests of theirs
    build = ["build", "-mod=mod", "-trimpath", "-buildvcs=false", "-o", str(folder / "ferretdb"), "."]
    run([program("go") or "go", *build], cwd=source)


def _go_is_there() -> bool:
    go = program("go")
    if go is None:
        return False
    said = subprocess.run([go, "version"], capture_output=True, text=True, check=False).stdout
    version = re.search(r"go(\d+)\.(\d+)", said)
    return version is not None and (int(version[1]), int(version[2])) >= _GO
