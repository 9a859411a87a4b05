"""The reference of the command line is made of the commands' own help, and each of these ends in an example."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import click
import pytest

SCRIPT = Path(__file__).parents[1] / "docs" / "generate_cli.py"
_spec = importlib.util.spec_from_file_location("generate_cli", SCRIPT)
assert _spec is not None
assert _spec.loader is not None
generate_cli = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(generate_cli)

COMMANDS = list(generate_cli.contexts())


def test_the_reference_is_up_to_date() -> None:
    written = generate_cli.PAGE.read_text("utf-8")
    assert written == generate_cli.page(), "docs/cli.rst is stale; this writes it anew: python docs/generate_cli.py"


@pytest.mark.parametrize("context", COMMANDS, ids=lambda context: context.command_path)
def test_the_help_of_a_command_begins_with_a_sentence_and_ends_in_an_example(context: click.Context) -> None:
    command = context.command
    assert command.help
    assert command.help.split("\n\n")[0].endswith(".")
    assert command.epilog
    assert f"{context.command_path} " in f"{context.get_help().splitlines()[-1]} "


def test_every_option_says_what_it_is_for() -> None:
    options = [param for context in COMMANDS for param in context.command.params if isinstance(param, click.Option)]
    assert [option.name for option in options if not option.help] == []
