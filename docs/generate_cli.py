"""Writes the generated part of docs/cli.rst, the help of every command. Call it so: python docs/generate_cli.py."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path

import click

from timeline.cli import program

PAGE = Path(__file__).with_name("cli.rst")
MARK = ".. What follows is generated from the commands: python docs/generate_cli.py\n"
WIDTH = 100


def contexts(parent: click.Context | None = None) -> Iterator[click.Context]:
    """Every command as it is called, groups before what is in them."""
    context = parent or click.Context(program, info_name="timeline", terminal_width=WIDTH, **program.context_settings)
    yield context
    if isinstance(context.command, click.Group):
        for name in context.command.list_commands(context):
            command = context.command.get_command(context, name)
            assert command is not None, f"{context.command_path} lists {name} and does not have it"
            yield from contexts(click.Context(command, parent=context, info_name=name))


def reference() -> str:
    """The help of every command, as reStructuredText."""
    parts = []
    for context in contexts():
        title = context.command_path
        help_text = textwrap.indent(context.get_help(), "   ", lambda line: not line.isspace())
        parts.append(f"{title}\n{'~' * len(title)}\n\n.. code-block:: none\n\n{help_text}\n")
    return "\n".join(parts)


def page() -> str:
    """The page as it should be: what people wrote, and the reference."""
    written, _, _ = PAGE.read_text("utf-8").partition(MARK)
    return f"{written}{MARK}\n{reference()}"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
