"""Servers for tests, by hand: install, start, stop, and tell which are there."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from tests.servers import NAMES, absence, tools, variable
from tests.servers.installing import NotInstalled, kept
from tests.servers.records import Record, locked
from tests.servers.runs import KINDS, end_stale
from tests.servers.server import ServerFailed


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.servers", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for command, told in (("install", "install these, or all"), ("stop", "stop those that start has started, or all")):
        commands.add_parser(command, help=told).add_argument("names", nargs="*", metavar="NAME", choices=[*NAMES, []])
    start = commands.add_parser("start", help="start one, and say how tests are told to use it; its data go with it")
    start.add_argument("names", nargs=1, metavar="NAME", choices=NAMES)
    commands.add_parser("status", help="tell which are installed, and which run")
    given = parser.parse_args(arguments)
    if given.command == "status":
        return _status()
    return {"install": _install, "start": _start, "stop": _stop}[given.command](given.names or NAMES)


def _install(names: Sequence[str]) -> int:
    code = 0
    for name in names:
        kind = KINDS[name]
        try:
            with locked("install"):
                kind.install()
        except NotInstalled as error:
            print(f"{name}: {error}", file=sys.stderr)
            # one that nobody has to have fails only where it was asked for by name
            code = code or int(not kind.optional or len(names) < len(NAMES))
        else:
            print(f"{name}: installed")
    if len(names) == len(NAMES):
        try:
            with locked("install"):
                tools.install()
        except NotInstalled as error:
            print(f"tools: {error}", file=sys.stderr)
            code = 1
    return code


def _start(names: Sequence[str]) -> int:
    [name] = names
    if (absent := absence(name)) is not None:
        print(absent, file=sys.stderr)
        return 1
    end_stale()
    server = KINDS[name](durable=True)
    try:
        server.start()
    except ServerFailed as error:
        server.remove()
        print(error, file=sys.stderr)
        return 1
    print(f"export {variable(name)}={server.url}")
    return 0


def _stop(names: Sequence[str]) -> int:
    end_stale()
    for record in Record.all():
        if record.owner is None and record.name in names:
            record.end()
            print(f"{record.name}: stopped, {record.url}")
    return 0


def _status() -> int:
    print(f"fetched into {kept()}")
    for name in NAMES:
        print(absence(name) or f"{name}: installed")
        for record in Record.all():
            if record.name == name:
                whose = "by hand" if record.owner is None else f"of the run of process {record.owner.pid}"
                print(f"    {'runs' if record.runs() else 'has ended'}, {whose}: {record.url}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
