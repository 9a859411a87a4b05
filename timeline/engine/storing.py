"""Messages in, events or quarantine records out: what becomes of a batch, in the store."""

from __future__ import annotations

import logging
from collections import Counter
from hashlib import sha256
from itertools import chain
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple

from timeline import clock, envelope, masking
from timeline.definitions import Definitions
from timeline.drivers.contract import Appended, Driver
from timeline.engine.counts import Counts
from timeline.errors import NotificationError, StoreError
from timeline.model import Event, Message, Notification, Quarantined, limits

if TYPE_CHECKING:
    from timeline.metrics import Metrics

_log = logging.getLogger(__name__)


class Storing:
    """Stores batches of messages: each message ends in scope, out of scope, or quarantined with its reason."""

    def __init__(self, driver: Driver, definitions: Definitions, metrics: Metrics | None = None) -> None:
        self._driver = driver
        self._definitions = definitions
        self._metrics = metrics

    def store(self, messages: list[Message]) -> Counts:
        """Store what a batch of messages says, and tell what became of them; durable when it returns.

        What cannot be read is put into quarantine first, then all events are appended, in one transaction. Where the
        store refuses just some of them, these are found and quarantined, as they would be refused for ever. Raises
        :class:`~timeline.errors.StoreError` where the store cannot be used: some may be stored, and doing it again is
        right.
        """
        began = perf_counter()
        # read as late as can be, so that what is recorded at an instant is committed soon after it
        recorded_at = clock.now()
        readings: list[_Reading] = []
        refused: list[Quarantined] = []
        out_of_scope = 0
        for message in messages:
            notification = None
            try:
                notification = read(message)
                reading = self._definitions.events(notification, recorded_at)
            except NotificationError as error:
                refused.append(quarantined(message, notification, error, recorded_at))
            except Exception as error:  # noqa: BLE001 - a defect of ours, and one message must not stop all others
                _log.exception("a message of %s could not be read for a defect of this program", message.origin)
                defect = NotificationError("defect", f"this program failed: {type(error).__name__}; please report it")
                refused.append(quarantined(message, notification, defect, recorded_at))
            else:
                if reading is None:
                    out_of_scope += 1
                else:
                    readings.append(_Reading(message, *reading))
        if refused:
            self._driver.put(refused)
        counts = Counts(notifications=len(messages), out_of_scope=out_of_scope, quarantined=len(refused))
        if readings:
            stored, not_stored = self._append(readings, recorded_at)
            counts += stored
            refused += not_stored
        if self._metrics is not None:
            self._measure(self._metrics, counts, refused, readings, recorded_at, perf_counter() - began)
        return counts

    def _append(self, readings: list[_Reading], recorded_at: int) -> tuple[Counts, list[Quarantined]]:
        """Append the events of these, and find those that the store refuses."""
        try:
            return _counted(readings, self._driver.append(chain.from_iterable(each.events for each in readings))), []
        except StoreError as error:
            if type(error) is not StoreError:
                raise  # those have names that concern the store, and no message
            if len(readings) > 1:
                half = len(readings) // 2
                one, other = (self._append(part, recorded_at) for part in (readings[:half], readings[half:]))
                return one[0] + other[0], one[1] + other[1]
        (reading,) = readings
        try:
            return _counted(readings, self._driver.append(reading.events)), []
        except StoreError as error:
            if type(error) is not StoreError:
                raise
            refusal = NotificationError("store-refused", f"the store refuses what the message says: {error}")
        record = quarantined(reading.message, read(reading.message), refusal, recorded_at)
        self._driver.put([record])
        return Counts(quarantined=1), [record]

    @staticmethod
    def _measure(
        metrics: Metrics,
        counts: Counts,
        refused: list[Quarantined],
        readings: list[_Reading],
        recorded_at: int,
        seconds: float,
    ) -> None:
        metrics.committed(
            in_scope=counts.in_scope,
            out_of_scope=counts.out_of_scope,
            quarantined=Counter(record.reason for record in refused),
            events=counts.events,
            bodies=counts.bodies,
            duplicates=counts.duplicates,
            unreadable_fields=counts.unreadable_fields,
            seconds=seconds,
            lags=[recorded_at - event.occurred_at for reading in readings for event in reading.events],
        )


class _Reading(NamedTuple):
    """A message, and what it says. The notification itself is not kept: a batch of them is much for a while."""

    message: Message
    events: list[Event]
    unreadable: int


def read(message: Message) -> Notification:
    """The notification that a message holds. Raises :class:`NotificationError`, also for one that is too long."""
    if message.size is not None or len(message.data) > limits.NOTIFICATION_BYTES:
        size = len(message.data) if message.size is None else message.size
        detail = f"the message has {size} bytes; at most {limits.NOTIFICATION_BYTES} are read"
        raise NotificationError("notification-too-long", detail)
    return envelope.read(message.data)


def quarantined(
    message: Message, notification: Notification | None, error: NotificationError, received_at: int
) -> Quarantined:
    """The record of a message that could not be read, for this reason."""
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
        place=error.place,
    )


def _counted(readings: list[_Reading], appended: Appended) -> Counts:
    return Counts(
        in_scope=len(readings),
        events=appended.events,
        bodies=appended.bodies,
        duplicates=appended.duplicates,
        unreadable_fields=sum(reading.unreadable for reading in readings),
    )
