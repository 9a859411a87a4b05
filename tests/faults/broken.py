"""Consumers that are broken on purpose, each in one way that consumers of this field have been."""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import Any

import kombu
import msgspec

from tests.faults.parts import SUBSCRIPTION, Parts
from timeline.consumers.amqp import Amqp
from timeline.consumers.amqp.consumer import Mark
from timeline.consumers.source import Source
from timeline.definitions import Definitions
from timeline.engine import Counts
from timeline.engine.loop import Loop
from timeline.engine.storing import Storing
from timeline.errors import StoreError
from timeline.model import Message


class AcknowledgesFirst(Loop):
    """Acknowledges a batch when it is taken, and stores it then."""

    def _submit(self) -> None:
        self._source.acknowledge(self._batch.mark)
        super()._submit()


class KeepsIdsApart(Storing):
    """Commits the ids of messages that it has seen, and then the events: what it has seen it stores no more."""

    def __init__(self, driver: Any, definitions: Definitions) -> None:
        super().__init__(driver, definitions)
        store = getattr(driver, "_inner", driver)
        self._seen: set[bytes] = store.__dict__.setdefault("seen", set())  # they lie in the store, beside the events

    def store(self, messages: list[Message]) -> Counts:
        new = [message for message in messages if message.data not in self._seen]
        self._seen.update(message.data for message in new)
        return super().store(new)


class Swallows(Storing):
    """Takes an error of the store for a message that is of no use."""

    def store(self, messages: list[Message]) -> Counts:
        try:
            return super().store(messages)
        except StoreError:
            return Counts()


class KeepsStaleTags(Amqp):
    """Acknowledges by the tag alone, whichever connection it is of."""

    def acknowledge(self, mark: object) -> bool:
        assert isinstance(mark, Mark)
        return super().acknowledge(mark._replace(connection=self.mark.connection))


class Decodes(Source):
    """Has kombu decode messages, and throws away what that cannot."""

    ahead = 100

    def __init__(self, url: str) -> None:
        self._connection = kombu.Connection(url)
        self._taken: deque[tuple[Any, bytes]] = deque()
        queue = kombu.Queue(SUBSCRIPTION.queue, durable=True)
        self._consumer = kombu.Consumer(
            self._connection.channel(),
            [queue],
            callbacks=[self._decoded],
            on_decode_error=lambda message, error: message.ack(),
            accept=["json"],
            no_ack=False,
        )
        self._consumer.consume()
        self._last: Any = None

    def _decoded(self, body: Any, message: Any) -> None:
        self._taken.append((message, msgspec.json.encode(body, enc_hook=str)))

    @property
    def mark(self) -> object:
        return self._last

    def take(self, most: int, most_bytes: int, within: float) -> list[Message] | None:
        if not self._taken:
            try:
                self._connection.drain_events(timeout=within)
            except TimeoutError:
                return []
        if not self._taken:
            return []
        self._last, data = self._taken.popleft()
        return [Message(data)]

    def tick(self) -> None:
        pass

    def acknowledge(self, mark: object) -> bool:
        mark.ack(multiple=True)  # type: ignore[attr-defined]
        return True

    def give_back(self) -> None:
        self._connection.close()

    def is_empty(self) -> bool:
        return not self._taken

    def close(self) -> None:
        self._connection.close()


ACKNOWLEDGES_FIRST = Parts(loop=AcknowledgesFirst)
KEEPS_IDS_APART = Parts(storing=KeepsIdsApart)
SWALLOWS = Parts(storing=Swallows)
KEEPS_STALE_TAGS = Parts(source=partial(KeepsStaleTags, subscription=SUBSCRIPTION))
DECODES = Parts(source=Decodes)
