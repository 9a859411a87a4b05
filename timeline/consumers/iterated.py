"""A source that is an iterable: files, or what a program has in memory. Nobody hears what is acknowledged."""

from __future__ import annotations

from collections.abc import Iterable

from timeline.consumers.source import Source
from timeline.errors import TimelineError
from timeline.model import Message


class Iterated(Source):
    """The messages of an iterable, once. Where it raises one of our errors, what came before it is taken first."""

    def __init__(self, messages: Iterable[Message]) -> None:
        self._messages = iter(messages)
        self._error: TimelineError | None = None

    @property
    def ahead(self) -> None:
        return None

    @property
    def mark(self) -> None:
        return None

    def take(self, most: int, most_bytes: int, within: float) -> list[Message] | None:
        if self._error is not None:
            raise self._error
        taken: list[Message] = []
        size = 0
        try:
            for message in self._messages:
                taken.append(message)
                size += len(message.data)
                if len(taken) >= most or size >= most_bytes:
                    break
        except TimelineError as error:
            if not taken:
                raise
            self._error = error
        return taken or None

    def tick(self) -> None:
        pass

    def acknowledge(self, mark: object) -> bool:
        return True

    def give_back(self) -> None:
        pass

    def is_empty(self) -> bool:
        return False

    def close(self) -> None:
        pass
