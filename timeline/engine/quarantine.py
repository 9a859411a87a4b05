"""The quarantine as a person works with it: some of the records, the place that is wrong, records dropped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from fnmatch import fnmatchcase

import msgspec

from timeline import clock, envelope, masking
from timeline.drivers.contract import Driver
from timeline.model import Outcome, Quarantined, limits

_RECORDS = 8
"""Records that are held at once: each may be as long as a notification."""


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """How many records have one reason and one event type."""

    reason: str
    event_type: str | None
    """``None`` where it could not be read."""
    outcome: Outcome | None
    """``None`` of those that are not settled."""
    number: int


def select(
    driver: Driver, *, reasons: Collection[str] = (), event_types: Collection[str] = (), settled: bool = False
) -> Iterator[Quarantined]:
    """The records with one of the reasons and an event type that fits one of the globs, oldest first, lazily.

    Without reasons, or without globs, any. A record without an event type fits no glob. ``settled`` adds the settled
    ones.
    """
    after = None
    while page := driver.list(after=after, limit=_RECORDS, settled=settled):
        for record in page:
            if (not reasons or record.reason in reasons) and (not event_types or _fits(record.event_type, event_types)):
                yield record
        after = page[-1]


def count(records: Iterable[Quarantined]) -> list[Counted]:
    """How many there are of each reason, event type and outcome, the most first."""
    numbers = Counter((record.reason, record.event_type or "", record.outcome or "") for record in records)
    return [
        Counted(
            reason=reason,
            event_type=event_type or None,
            outcome=Outcome(outcome) if outcome else None,
            number=number,
        )
        for (reason, event_type, outcome), number in sorted(numbers.items(), key=lambda item: (-item[1], item[0]))
    ]


def place(record: Quarantined) -> str | None:
    """Where in the message it is wrong, with the text around it where it is a byte; ``None`` where nobody can say.

    Bytes are counted in the message as it came; the text is that of the message as it is kept, with what is masked.
    """
    found, around = envelope.fault(record.data, record.reason) or (None, None)
    where = found if record.place is None else record.place
    return f"{where}: {around}" if around else where


def line(record: Quarantined) -> bytes | None:
    """A message on one line, as a file of notifications holds it; ``None`` where it is no JSON object, or was cut.

    A text that holds an object, of a message that was encoded twice, is one too.
    """
    if record.size > limits.NOTIFICATION_BYTES:
        return None
    try:
        message = msgspec.json.decode(record.data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    if not isinstance(message, (dict, str)):
        return None
    # within JSON a line break is space and no more
    return record.data.replace(b"\n", b" ").replace(b"\r", b" ")


def is_masked(record: Quarantined) -> bool:
    """Whether values of the message were masked when it was quarantined."""
    return masking.MASK.encode() in record.data


def drop(driver: Driver, records: Iterable[Quarantined], because: str) -> int:
    """Settle records as dropped, with a note that says why, and tell how many: those that are settled stay as they are.

    Raises ``ValueError`` where it does not say why, and :class:`~timeline.errors.StoreError`.
    """
    note = because.strip()
    if not note:
        raise ValueError("who drops messages says why: the reason is empty")
    dropped = 0
    for record in records:
        if record.outcome is None:
            driver.settle(record.id, Outcome.DROPPED, clock.now(), note)
            dropped += 1
    return dropped


def reopened(driver: Driver, records: Iterable[Quarantined]) -> Iterator[Quarantined]:
    """Records, those that were dropped open again: who wants them to be read has changed his mind."""
    for record in records:
        if record.outcome is Outcome.DROPPED:
            driver.put([record])
        yield record


def _fits(event_type: str | None, globs: Collection[str]) -> bool:
    return event_type is not None and any(fnmatchcase(event_type, glob) for glob in globs)
