"""What is asked of files of samples."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

KEYS = ("resource_id", "meter", "type", "source")
"""Our words for the columns that are text, whatever they look like."""

TIMES = ("timestamp", "start")
"""Our words for the columns that hold times."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """How samples are to be read."""

    columns: Mapping[str, str] = {}
    """Our words for columns that are called otherwise in the files, and what they are called there."""
    as_text: bool = False
    """Whether the columns of CSV that are not asked about stay the text that they are, to the digit."""
    numbers: tuple[str, ...] = ()
    """Our words for columns whose values are needed as numbers none the less."""
    memory: int = 1 << 30
    """The bytes that a process may grow by while it reads, joins and writes. A batch is a small part of it."""
    added: int = 0
    """The bytes that a row gets besides when it is joined."""

    def name(self, word: str) -> str:
        """The name of a column in the files."""
        return self.columns.get(word, word)

    def names(self, words: tuple[str, ...]) -> list[str]:
        """The names of columns in the files."""
        return [self.name(word) for word in words]
