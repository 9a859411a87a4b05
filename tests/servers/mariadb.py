"""MariaDB, from Debian's package. An option is one of the server's own: ``--max-connections=5``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

from tests.servers.databases import DATABASE, fresh_database
from tests.servers.installing import from_debian, program, run
from tests.servers.processes import free_port
from tests.servers.server import Server

_BASE = "/usr"
# small files to begin with: a log of 96 MB is not for a small disk
_FILES = ["--innodb-log-file-size=16M"]
_SETTINGS = [
    "--bind-address=127.0.0.1",
    "--max-connections=400",
    "--innodb-buffer-pool-size=128M",
    "--skip-log-bin",
    "--default-time-zone=+05:30",  # an hour that is no hour of UTC: it must not matter
]
_QUICK = ["--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=OFF"]


class Mariadb(Server):
    """A server with one database. Its root has no password."""

    name = "mariadb"

    def __init__(self, *options: str, **how: Any) -> None:
        self._port = free_port()
        super().__init__(*options, **how)

    @classmethod
    def lacks(cls) -> str | None:
        needed = "mariadbd", "mariadb-install-db", "my_print_defaults"
        missing = [name for name in needed if program(name) is None]
        return " and ".join(missing) or None

    @classmethod
    def install(cls) -> None:
        # not mariadb-server, which brings a service, and would start it; of the client, what makes the first tables
        from_debian(["mariadb-server-core", "mariadb-client-core"], lambda: cls.lacks() is None)

    @classmethod
    def place(cls, url: str, *, ours: bool) -> AbstractContextManager[str]:
        return fresh_database(url, drop="DROP DATABASE {}")

    @property
    def url(self) -> str:
        return f"mariadb+pymysql://root@127.0.0.1:{self._port}/{DATABASE}"

    def make(self) -> None:
        words = ["--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"]
        run([program("mariadb-install-db") or "mariadb-install-db", *self._where, *_FILES, *words])

    def command(self, part: str) -> Sequence[str]:
        settings = _SETTINGS if self.durable else _SETTINGS + _QUICK
        own = [f"--port={self._port}", f"--socket={self.folder}/socket", f"--pid-file={self.folder}/pid"]
        own += [f"--lc-messages-dir={_BASE}/share/mysql", f"--log-error={self.log(part)}"]
        return [program("mariadbd") or "mariadbd", *self._where, *_FILES, *own, *settings, *self.options]

    def ask(self) -> None:
        import pymysql

        with pymysql.connect(host="127.0.0.1", port=self._port, user="root", connect_timeout=5) as connection:
            connection.cursor().execute(f"CREATE DATABASE IF NOT EXISTS {DATABASE}")

    @property
    def _where(self) -> list[str]:
        # It refuses the superuser, unless told that this is meant.
        user = ["--user=root"] if os.geteuid() == 0 else []
        # One that starts removes the temporary tables that it finds, though they be another's: each has its own place.
        where = [f"--datadir={self.folder}/data", f"--tmpdir={self.folder}"]
        return ["--no-defaults", f"--basedir={_BASE}", *where, *user]
