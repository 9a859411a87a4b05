"""Messages that a program or a file has, stored to the end; and quarantined ones, read again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from timeline import clock, envelope, masking
from timeline.consumers.iterated import Iterated
from timeline.definitions import Definitions
from timeline.drivers.contract import Driver
from timeline.engine.counts import Counts
from timeline.engine.loop import Loop
from timeline.engine.storing import Storing
from timeline.errors import NotificationError
from timeline.model import Event, Message, Outcome, Quarantined, limits

Notifications = Iterable[Message | bytes | str | Mapping[str, Any]]
"""Messages, in whatever form a program has them."""


def ingest(
    driver: Driver,
    definitions: Definitions,
    notifications: Notifications,
    *,
    batch: int,
    progress: Callable[[Counts], None] | None = None,
) -> Counts:
    """Store what messages say, ``batch`` of them in a transaction, and tell what became of them.

    ``progress`` is called with the counts so far after each commit. Where the iterable raises one of our errors, what
    came before it is stored first. Raises :class:`~timeline.errors.StoreError`, and what the iterable raises.
    """
    source = Iterated(map(message_of, notifications))
    return Loop(source, Storing(driver, definitions), batch=batch, patient=False, progress=progress).run()


def retry(driver: Driver, definitions: Definitions, records: Iterable[Quarantined]) -> Counts:
    """Read quarantined messages again, and settle those that can be read now.

    Raises :class:`~timeline.errors.StoreError`.
    """
    counts = Counts()
    for record in records:
        recorded_at = clock.now()
        try:
            events, unreadable = _read_again(definitions, record, recorded_at)
        except NotificationError:
            counts += Counts(notifications=1, quarantined=1)
            continue
        if events is None:
            driver.settle(record.id, Outcome.OUT_OF_SCOPE, recorded_at)
            counts += Counts(notifications=1, out_of_scope=1)
            continue
        appended = driver.append(events)
        driver.settle(record.id, Outcome.STORED, recorded_at)
        counts += Counts(
            notifications=1,
            in_scope=1,
            events=appended.events,
            bodies=appended.bodies,
            duplicates=appended.duplicates,
            unreadable_fields=unreadable,
        )
    return counts


def message_of(item: Message | bytes | str | Mapping[str, Any]) -> Message:
    """A message, whatever form it is given in. What cannot be spelled in JSON becomes a message that cannot be read."""
    if isinstance(item, Message):
        return item
    if isinstance(item, bytes):
        return Message(item)
    if not isinstance(item, str):
        try:
            item = json.dumps(item, ensure_ascii=False)
        except (TypeError, ValueError, RecursionError):
            item = repr(item)
    return Message(item.encode(errors="surrogatepass"))


def _read_again(definitions: Definitions, record: Quarantined, recorded_at: int) -> tuple[list[Event] | None, int]:
    if record.size > limits.NOTIFICATION_BYTES:
        raise NotificationError("notification-too-long", "only the beginning of the message was kept")
    reading = definitions.events(envelope.read(record.data), recorded_at)
    if reading is None:
        return None, 0
    for event in reading[0]:
        if masking.MASK.encode() in event.body.data or masking.MASK in event.resource.id + event.resource.source:
            # it would not be the event that the message itself gives
            raise NotificationError("masked", "a field was masked when the message was quarantined")
    return reading
