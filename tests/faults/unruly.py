"""A queue in memory that does the worst that a broker may do: any order, and everything again at any time."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

from timeline.consumers.source import Source
from timeline.model import Message


class Unruly(Source):
    """Messages that come in shuffled windows, and of which any may come again, however often.

    After each acknowledgement a message comes again with probability ``again``, as where the publisher did not hear
    that it was taken and sent it anew. With probability ``cut`` the connection is lost before the acknowledgement is
    heard: what was taken goes back to any place in the queue, and the mark is of an earlier connection.
    """

    def __init__(
        self, messages: Iterable[bytes], rng: Random, *, window: int = 12, again: float = 0.3, cut: float = 0.1
    ) -> None:
        self._waiting = list(messages)
        self._rng = rng
        self._window = window
        self._again = again
        self._cut = cut
        self._held: list[bytes] = []
        self._forgotten = 0
        """Of those held, how many were acknowledged: marks count from the first of a connection."""
        self._connection = 0
        self.redelivered = 0

    @property
    def ahead(self) -> int:
        return self._window

    @property
    def mark(self) -> object:
        return self._connection, self._forgotten + len(self._held)

    def take(self, most: int, most_bytes: int, within: float) -> list[Message] | None:
        taken = []
        for _ in range(self._rng.randint(1, min(most, self._window))):
            if not self._waiting or len(self._held) >= self._window:
                break
            self._held.append(self._waiting.pop(self._rng.randrange(min(len(self._waiting), self._window))))
            taken.append(Message(self._held[-1], "nova/notifications.info"))
        return taken

    def tick(self) -> None:
        pass

    def acknowledge(self, mark: object) -> bool:
        assert isinstance(mark, tuple)
        connection, place = mark
        if connection == self._connection and self._rng.random() < self._cut:
            self.give_back()
        if connection != self._connection:
            return False
        heard, self._held = self._held[: place - self._forgotten], self._held[place - self._forgotten :]
        self._forgotten = place
        self._wait([message for message in heard if self._rng.random() < self._again])
        return True

    def give_back(self) -> None:
        self._wait(self._held)
        self._held = []
        self._forgotten = 0
        self._connection += 1

    def is_empty(self) -> bool:
        return not self._waiting

    def close(self) -> None:
        self.give_back()

    def _wait(self, messages: list[bytes]) -> None:
        self.redelivered += len(messages)
        for message in messages:
            self._waiting.insert(self._rng.randint(0, min(len(self._waiting), 2 * self._window)), message)
