"""Servers for tests: real ones, installed and started here, or those that a site names.

::

    with place("postgresql") as url:      # an empty place on the server that this run of tests shares
        ...
    with own("postgresql") as server:     # a server for this test alone
        server.kill()
        server.start()

For people: ``python -m tests.servers install | start | stop | status``. What is fetched lies in ``.servers`` in the
checkout, or in the folder that ``TIMELINE_TEST_SERVERS`` names. It takes Linux, and to install, Debian.

A server of one's own is used by ``place`` instead, where one of these names it:

=================================  ===================================  ================================================
``TIMELINE_TEST_POSTGRESQL_URL``   ``postgresql+psycopg://U@H/DB``      U may make databases, and connect to DB
``TIMELINE_TEST_MARIADB_URL``      ``mariadb+pymysql://U:P@H/DB``       U has all rights on databases ``timeline_%``
``TIMELINE_TEST_MONGODB_URL``      ``mongodb://H/DB``                   who connects may make and drop databases
``TIMELINE_TEST_FERRETDB_URL``     the same                             the same
``TIMELINE_TEST_HBASE_URL``        ``hbase://H:9090/PREFIX``            the gateway may make and drop tables
``TIMELINE_TEST_RABBITMQ_URL``     ``amqp://U:P@H/VHOST``               U has all rights on VHOST; ``-n 0``
=================================  ===================================  ================================================

What a test makes there has a random name of its own and is removed afterwards.

A test whose server is absent is skipped, and the run says at its end how many were. With
``TIMELINE_TEST_SERVERS_REQUIRED=1`` it fails.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers import runs
from tests.servers.server import Server, ServerFailed

__all__ = ["NAMES", "REQUIRED", "Server", "ServerFailed", "absence", "own", "place", "variable"]

NAMES = tuple(runs.KINDS)
REQUIRED = "TIMELINE_TEST_SERVERS_REQUIRED"


def variable(name: str) -> str:
    """The variable of the environment that names a server to be used instead of ours."""
    return f"TIMELINE_TEST_{name.upper()}_URL"


def absence(name: str) -> str | None:
    """Why there is no server of this name, with the command that brings it; ``None`` where there is one."""
    lacking = runs.KINDS[name].lacks()
    return None if lacking is None else f"no {name} here, for want of {lacking}: make servers SERVERS={name} brings it"


@contextmanager
def place(name: str) -> Iterator[str]:
    """The URL of a fresh, empty place, removed afterwards: on the server of this run, or on the one that is named.

    Skips the test where there is neither.
    """
    named = os.environ.get(variable(name))
    if not named:
        _skip_without(name)
    with runs.KINDS[name].place(named or runs.shared(name), ours=not named) as url:
        yield url


@contextmanager
def own(name: str, *options: str, folder: Path | None = None) -> Iterator[Server]:
    """A server for this test alone, with an empty place at its ``url``, removed afterwards: to be killed, or limited.

    What it acknowledges outlives a kill. The options are the server's, in the form that its module tells. ``folder`` is
    for its data, such as a small disk; one that runs as another user must reach it. Skips the test where it cannot be
    started here.
    """
    _skip_without(name)
    with runs.started(name, *options, folder=folder) as server:
        yield server


def _skip_without(name: str) -> None:
    absent = absence(name)
    if absent is None:
        return
    import pytest

    if os.environ.get(REQUIRED) == "1" and not runs.KINDS[name].optional:
        pytest.fail(absent, pytrace=False)
    pytest.skip(absent)
