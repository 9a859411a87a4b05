"""The run loop: messages in, events or quarantine records out, a batch at a time."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from hashlib import sha256
from typing import Any

from timeline import clock, envelope, masking
from timeline.definitions import Definitions
from timeline.drivers.contract import Driver
from timeline.engine.counts import Counts
from timeline.errors import NotificationError, TimelineError
from timeline.model import Event, Message, Notification, Outcome, Quarantined, limits

BATCH_BYTES = 8 * 1024 * 1024
"""Messages are stored before they take more memory than this together."""


Source = Iterable[Message | bytes | str | Mapping[str, Any]]
"""Where messages come from."""


def ingest(
    driver: Driver,
    definitions: Definitions,
    source: Source,
    *,
    batch: int,
    progress: Callable[[Counts], None] | None = None,
) -> Counts:
    """Store what messages say, ``batch`` of them in a transaction, and tell what became of them.

    ``progress`` is called with the counts so far after each commit. Where the source raises one of our errors, what
    came before it is stored first. Raises :class:`~timeline.errors.StoreError`, and what the source raises.
    """
    counts = Counts()
    for messages in _batches(source, batch):
        counts += _store(driver, definitions, messages)
        if progress is not None:
            progress(counts)
    return counts


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


def read(message: Message) -> Notification:
    """The notification that a message holds. Raises :class:`NotificationError`, also for one that is too long."""
    if message.size is not None or len(message.data) > limits.NOTIFICATION_BYTES:
        size = len(message.data) if message.size is None else message.size
        detail = f"the message has {size} bytes; at most {limits.NOTIFICATION_BYTES} are read"
        raise NotificationError("notification-too-long", detail)
    return envelope.read(message.data)


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


def _batches(source: Source, batch: int) -> Iterator[list[Message]]:
    messages: list[Message] = []
    size = 0
    iterator = iter(source)
    while True:
        try:
            message = message_of(next(iterator))
        except StopIteration:
            break
        except TimelineError:
            if messages:
                yield messages
            raise
        messages.append(message)
        size += len(message.data)
        if len(messages) >= batch or size >= BATCH_BYTES:
            yield messages
            messages, size = [], 0
    if messages:
        yield messages


def _store(driver: Driver, definitions: Definitions, messages: list[Message]) -> Counts:
    # read as late as can be, so that what is recorded at an instant is committed soon after it
    recorded_at = clock.now()
    events: list[Event] = []
    refused: list[Quarantined] = []
    out_of_scope = unreadable = 0
    for message in messages:
        notification = None
        try:
            notification = read(message)
            reading = definitions.events(notification, recorded_at)
        except NotificationError as error:
            refused.append(_quarantined(message, notification, error, recorded_at))
            continue
        if reading is None:
            out_of_scope += 1
        else:
            events += reading[0]
            unreadable += reading[1]
    if refused:
        driver.put(refused)
    counts = Counts(
        notifications=len(messages),
        in_scope=len(messages) - out_of_scope - len(refused),
        out_of_scope=out_of_scope,
        quarantined=len(refused),
        unreadable_fields=unreadable,
    )
    if not events:
        return counts
    appended = driver.append(events)
    return counts + Counts(events=appended.events, bodies=appended.bodies, duplicates=appended.duplicates)


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


def _quarantined(
    message: Message, notification: Notification | None, error: NotificationError, received_at: int
) -> Quarantined:
    size = len(message.data) if message.size is None else message.size
    kept = message.data if size <= limits.NOTIFICATION_BYTES else message.data[: limits.KEPT_BYTES]
    return Quarantined(
        id=(message.digest or sha256(message.data).digest()).hex(),
        reason=error.reason,
        detail=masking.mask(error.detail.encode()).decode(),  # it may quote what could not be read
        origin=message.origin,
        received_at=received_at,
        event_type=None if notification is None else notification.event_type,
        message_id=None if notification is None else notification.message_id,
        size=size,
        data=masking.mask(kept),
    )
