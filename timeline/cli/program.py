"""The program: its commands, loaded when they are called, and what it says and returns when something goes wrong."""

from __future__ import annotations

import gc
import importlib
import io
import logging
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from timeline import __version__
from timeline.cli.options import examples
from timeline.errors import (
    AmbiguousResource,
    BusUrlError,
    ResourceNotFound,
    StoreUrlError,
    TimeError,
    TimelineError,
)

_YOUNG_OBJECTS = 50_000
"""Objects that are made before garbage is collected."""

COULD_NOT, WRONG_USAGE, QUARANTINED, NO_SUCH_RESOURCE = 1, 2, 3, 4
"""Exit codes; 0 is done."""

_COMMANDS = {
    "init": ("storing", "Make a store, or bring an older one up to date."),
    "ingest": ("storing", "Store what notifications in files say."),
    "consume": ("consume", "Store what notifications on a bus say."),
    "status": ("storing", "Tell what a store holds."),
    "resources": ("asking", "List the resources at an instant."),
    "show": ("asking", "Show a resource at an instant."),
    "history": ("asking", "Tell the history of a resource."),
    "diff": ("asking", "Compare a resource at two instants."),
    "explain": ("asking", "Tell why a field has its value."),
    "join": ("join", "Join samples to what was in force at their times."),
    "quarantine": ("quarantine", "Look at messages that could not be read, read them again, or drop them."),
    "definitions": ("definitions", "Look at definitions, and try them out."),
    "export": ("export", "Write out what a store holds."),
    "copy": ("copy", "Copy a store into another, and compare the two."),
    "check": ("check", "Look through a store for what cannot be right."),
}
"""Each command, the module that it is in, and its one line of help: the list of commands loads none of them."""


class Program(click.Group):
    """A group that loads a command when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"timeline.cli.{_COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, f"{cmd_name}_")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in _COMMANDS and not args[0].startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(args[0], _COMMANDS, n=1)
            meant = f" Did you mean {near[0]!r}?" if near else ""
            ctx.fail(f"No such command {args[0]!r}.{meant}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in _COMMANDS.items()])


@click.group(
    cls=Program,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=examples(
        "timeline init",
        "timeline ingest notifications.jsonl",
        "timeline show instance/9f9d01b9-4a9c-4b1e-8a53-3d3a2f3a1b10 --at 2026-03-01T12:00:00Z",
        "timeline join samples.parquet --fields flavor,project_id -o joined.parquet",
    ),
)
@click.version_option(__version__, prog_name="timeline")
def program() -> None:
    """What a cloud resource was, at any instant, from the few events that said so."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the program and exit: 0 done, 1 could not, 2 wrong usage, 3 done but some quarantined, 4 no such resource."""
    # a question lives for a moment: what collecting garbage costs while modules are loaded is never paid back
    gc.set_threshold(_YOUNG_OBJECTS)
    _prepare_streams()
    logging.basicConfig(level=logging.WARNING, format="timeline: %(message)s", stream=sys.stderr)
    try:
        code = program.main(arguments, standalone_mode=False, prog_name="timeline")
        sys.stdout.flush()
    except click.exceptions.Abort as abort:
        _say(str(abort) or "interrupted")
        sys.exit(COULD_NOT)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # the reader has gone: nothing is left to be said, also not when the interpreter flushes at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(COULD_NOT)
    except TimelineError as error:
        _say(str(error))
        sys.exit(_told(error))
    except OSError as error:
        # stores and inputs have errors of ours: what is left is the output
        _say(f"{error.filename or 'the answer could not be written'}: {error.strerror or error}")
        sys.exit(COULD_NOT)
    sys.exit(code if isinstance(code, int) else 0)


def _prepare_streams() -> None:
    """Let any letter pass, also on a screen that has few, and have a closed stream take what it is given."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - as long as the process lives
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _say(text: str) -> None:
    from timeline.reports import formats

    click.echo(f"timeline: {formats.printable(text)}", err=True)


def _told(error: TimelineError) -> int:
    """Name what may have been meant, and return the exit code."""
    from timeline.reports import formats

    meant: tuple[str, ...] = ()
    code = WRONG_USAGE if isinstance(error, (BusUrlError, StoreUrlError, TimeError)) else COULD_NOT
    if isinstance(error, ResourceNotFound):
        meant, code = ("near ones:", *error.suggestions) if error.suggestions else (), NO_SUCH_RESOURCE
    elif isinstance(error, AmbiguousResource):
        meant, code = error.candidates, WRONG_USAGE
    for line in meant:
        click.echo(f"  {formats.printable(line)}", err=True)
    return code
