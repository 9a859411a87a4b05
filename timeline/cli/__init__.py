"""The command line: each command is one call of the library and a report of what it answered."""

from timeline.cli.program import main, program

__all__ = ["main", "program"]
