"""A source of messages for tests: a queue in memory that keeps a broker's promises, and notes what it is told."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from itertools import count
from time import sleep

from timeline.consumers.source import Source
from timeline.model import Message


class Waiting(Source):
    """Messages that wait, and come again unless they are acknowledged."""

    def __init__(self, messages: Iterable[bytes], *, ahead: int | None = None, at_once: int = 1_000) -> None:
        self.waiting = deque(messages)
        self.taken: deque[tuple[int, bytes]] = deque()
        self.acknowledged: list[bytes] = []
        self.heard: list[str] = []
        """What it was told, in order: ``take 3``, ``acknowledge 3``, ``give back 2``, ``close``."""
        self._ahead = ahead
        self._at_once = at_once
        self._tags = count(1)
        self._tag = 0
        self._connection = 1

    @property
    def ahead(self) -> int | None:
        return self._ahead

    @property
    def mark(self) -> object:
        return self._connection, self._tag

    def take(self, most: int, most_bytes: int, within: float) -> list[Message] | None:
        if self._ahead is not None:
            most = min(most, self._ahead - len(self.taken))
        messages: list[Message] = []
        while self.waiting and len(messages) < min(most, self._at_once):
            self._tag = next(self._tags)
            data = self.waiting.popleft()
            self.taken.append((self._tag, data))
            messages.append(Message(data, "nova/notifications.info"))
        if messages:
            self.heard.append(f"take {len(messages)}")
        else:
            sleep(min(within, 0.001))  # as long as a broker would have us wait, but quicker
        return messages

    def tick(self) -> None:
        pass

    def acknowledge(self, mark: object) -> bool:
        assert isinstance(mark, tuple)
        connection, tag = mark
        if connection != self._connection:
            return False
        before = len(self.acknowledged)
        while self.taken and self.taken[0][0] <= tag:
            self.acknowledged.append(self.taken.popleft()[1])
        self.heard.append(f"acknowledge {len(self.acknowledged) - before}")
        return True

    def give_back(self) -> None:
        self.heard.append(f"give back {len(self.taken)}")
        self.waiting.extendleft(data for _, data in reversed(self.taken))
        self.taken.clear()
        self._connection += 1

    def is_empty(self) -> bool:
        return not self.waiting

    def close(self) -> None:
        self.heard.append("close")
        if self.taken:
            self.give_back()
