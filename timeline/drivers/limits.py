"""The limits of the model, held by every driver: what is beyond them is refused before anything is stored.

The engine quarantines what is too long, so its events are within them. Who appends events of another making is told the
same by every store, and none cuts, rounds or folds what it has no room for.
"""

from __future__ import annotations

from collections.abc import Iterable

from timeline import clock
from timeline.errors import StoreError
from timeline.model import Event, Outcome, Resource
from timeline.model.limits import BODY_BYTES, ID_BYTES, NAME_BYTES
from timeline.model.quarantine import NOTE_BYTES

_SURELY_SHORT_ID, _SURELY_SHORT_NAME = ID_BYTES // 4, NAME_BYTES // 4  # whatever the characters


def within_limits(events: Iterable[Event]) -> list[Event]:
    """The events, all of them within the limits.

    Raises :class:`~timeline.errors.StoreError`, which names the first that is not: a time out of the range of
    :mod:`timeline.clock`, text that has no UTF-8 or takes too many bytes of it, a body that is too long.
    """
    given = list(events)
    known: Resource | None = None
    event_types = set()
    for event in given:
        resource = event.resource
        if resource is not known:
            _check_name(event, "type", resource.type)
            _check_name(event, "source", resource.source)
            _check_id(event, "id", resource.id)
            known = resource
        if event.event_type not in event_types:
            _check_id(event, "event type", event.event_type)
            event_types.add(event.event_type)
        if event.message_id is not None:
            _check_id(event, "message id", event.message_id)
        if not (clock.MIN <= event.occurred_at <= clock.MAX and clock.MIN <= event.recorded_at <= clock.MAX):
            raise _refused(event, "its times are not within the years 1 to 9999")
        if len(event.body.data) > BODY_BYTES:
            raise _refused(event, f"its body has {len(event.body.data)} bytes; at most {BODY_BYTES} are stored")
    return given


def kept_note(outcome: Outcome, note: str | None) -> str | None:
    """What is kept of a note: the note of what is dropped, and of all else none.

    Raises :class:`~timeline.errors.StoreError` for one that is too long, or has no UTF-8: it could not be told as JSON.
    """
    if note is None or outcome is not Outcome.DROPPED:
        return None
    try:
        length = len(note.encode())
    except UnicodeEncodeError:
        raise StoreError("the note holds a lone surrogate, which is no character; nothing was settled") from None
    if length > NOTE_BYTES:
        raise StoreError(f"the note has {length} bytes; at most {NOTE_BYTES} are stored; nothing was settled")
    return note


def _check_id(event: Event, what: str, text: str) -> None:
    if len(text) > _SURELY_SHORT_ID or not text.isascii():
        _check(event, what, text, ID_BYTES)


def _check_name(event: Event, what: str, text: str) -> None:
    if len(text) > _SURELY_SHORT_NAME or not text.isascii():
        _check(event, what, text, NAME_BYTES)


def _check(event: Event, what: str, text: str, limit: int) -> None:
    try:
        length = len(text.encode())
    except UnicodeEncodeError:
        raise _refused(event, f"its {what} {text!a:.60} holds a lone surrogate, which is no character") from None
    if length > limit:
        raise _refused(event, f"its {what} has {length} bytes; at most {limit} are stored")


def _refused(event: Event, why: str) -> StoreError:
    resource = f"{event.resource}".encode("ascii", "backslashreplace").decode()
    return StoreError(f"an event of {resource:.80} was refused, and nothing that came with it is stored: {why}")
