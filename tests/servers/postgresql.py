"""PostgreSQL, from Debian's package. An option is one more setting: ``max_connections=5``."""

from __future__ import annotations

import re
import signal
from collections.abc import Sequence
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Any

from tests.servers.databases import DATABASE, fresh_database
from tests.servers.installing import from_debian, program, run
from tests.servers.processes import free_port
from tests.servers.server import Server

_USER = "timeline"
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "max_connections": "400",
    "shared_buffers": "64MB",
    "timezone": "Asia/Kolkata",  # an hour that is no hour of UTC: it must not matter
}
_QUICK = {"fsync": "off", "full_page_writes": "off"}
_DATABASE_EXISTS = "42P04"


class Postgresql(Server):
    """A cluster with one database. Its user has every right, and no password."""

    name = "postgresql"
    user = "postgres"
    # Who is connected is not waited for; and at the end nothing is written, but shared memory is given back.
    stops_by = signal.SIGINT
    ends_by = signal.SIGQUIT

    def __init__(self, *options: str, **how: Any) -> None:
        self._port = free_port()
        super().__init__(*options, **how)

    @classmethod
    def lacks(cls) -> str | None:
        return None if _programs() else "initdb and postgres"

    @classmethod
    def install(cls) -> None:
        from_debian(["postgresql"], lambda: _programs() is not None)

    @classmethod
    def place(cls, url: str, *, ours: bool) -> AbstractContextManager[str]:
        return fresh_database(url, drop="DROP DATABASE {} WITH (FORCE)")

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://{_USER}@127.0.0.1:{self._port}/{DATABASE}"

    def make(self) -> None:
        words = ["--username", _USER, "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
        run([f"{_programs()}/initdb", "-D", self._data, *words], user=self.runs_as())

    def command(self, part: str) -> Sequence[str]:
        settings = [f"{name}={value}" for name, value in (_SETTINGS if self.durable else _SETTINGS | _QUICK).items()]
        said = [word for setting in [*settings, *self.options] for word in ("-c", setting)]
        return [f"{_programs()}/postgres", "-D", self._data, "-p", str(self._port), "-k", str(self.folder), *said]

    def ask(self) -> None:
        import psycopg

        there = f"host=127.0.0.1 port={self._port} user={_USER} connect_timeout=5"
        with closing(psycopg.connect(f"{there} dbname=postgres", autocommit=True)) as connection:
            try:
                connection.execute(f"CREATE DATABASE {DATABASE}")
            except psycopg.Error as error:
                if error.sqlstate != _DATABASE_EXISTS:
                    raise

    @property
    def _data(self) -> str:
        return str(self.folder / "data")


def _programs() -> Path | None:
    """The folder of its programs: the newest that Debian has put there, or that of the search path."""
    versions = [
        folder for folder in Path("/usr/lib/postgresql").glob("*/bin") if re.fullmatch("[0-9]+", folder.parent.name)
    ]
    for folder in sorted(versions, key=lambda folder: int(folder.parent.name), reverse=True):
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    found = program("initdb")
    return Path(found).parent if found and program("postgres") else None
