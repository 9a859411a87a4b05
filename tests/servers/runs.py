"""The servers of one run of tests: each is started when the first test asks for it, and all end with the run.

A run is a process and those that it starts, such as the workers of pytest-xdist. Should it be killed, the next run
finds its servers and ends them.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers.ferretdb import Ferretdb
from tests.servers.hbase import Hbase
from tests.servers.mariadb import Mariadb
from tests.servers.mongodb import Mongodb
from tests.servers.postgresql import Postgresql
from tests.servers.processes import Process
from tests.servers.rabbitmq import Rabbitmq
from tests.servers.records import Record, locked
from tests.servers.server import Server, ServerFailed

_RUN = "TIMELINE_TEST_SERVERS_RUN"
"""The variable of the environment that names the process with which servers end."""

KINDS: dict[str, type[Server]] = {kind.name: kind for kind in (Postgresql, Mariadb, Mongodb, Hbase, Rabbitmq, Ferretdb)}

_failed: dict[str, ServerFailed] = {}


def begin() -> None:
    """From now on this process is the run: what it and its children start ends with it."""
    os.environ[_RUN] = _said(Process.current())


def end() -> None:
    """End what this run has started, if this process is the run."""
    me = Process.current()
    if os.environ.get(_RUN) != _said(me):
        return
    del os.environ[_RUN]
    for record in Record.all():
        if record.owner == me:
            record.end()


def end_stale() -> None:
    """End what runs that were killed have left."""
    for record in Record.all():
        if record.is_stale():
            record.end()


def shared(name: str) -> str:
    """The URL of the run's server of this kind, which is started if need be. Raises :class:`ServerFailed`."""
    with locked(name):
        owner = _owner()
        for record in Record.all():
            if (record.name, record.shared, record.owner) == (name, True, owner):
                if record.runs():
                    return record.url
                record.end()  # it has crashed: what was in it is nobody's any more
        if name in _failed:  # what failed once would fail for each test, and take its time
            raise _failed[name]
        end_stale()
        server = KINDS[name](durable=False, shared=True, owner=owner)
        try:
            server.start()
        except ServerFailed as error:
            _failed[name] = error
            server.remove()
            raise
        return server.url


@contextmanager
def started(name: str, *options: str, folder: Path | None = None) -> Iterator[Server]:
    """A server for one test alone."""
    end_stale()
    server = KINDS[name](*options, durable=True, owner=_owner(), folder=folder)
    try:
        server.start()
        yield server
    finally:
        server.remove()


def _owner() -> Process:
    said = os.environ.get(_RUN)
    if said:
        pid, since = map(int, said.split(":"))
        run = Process(pid, since)
        if run.runs():
            return run
    begin()
    atexit.register(end)
    return Process.current()


def _said(process: Process) -> str:
    return f"{process.pid}:{process.since}"
