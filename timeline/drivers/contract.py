"""What every store does, in words and in three abstract classes. A driver implements them and nothing else.

What all drivers owe:

1. *The key is the event.* An event is ``(resource, occurred_at, phase, body)``. Appending one that is there changes
   nothing: the provenance of the first delivery stored stays. Appending is blind, idempotent and needs no order.
2. *Nothing is changed and nothing is taken away.* There is no update and no delete of an event or a body.
3. *Bodies are opaque bytes*, stored once per distinct content, found by their SHA-256.
4. *Bytes decide.* Types, sources and ids are compared by their UTF-8 bytes: no folding, padding, trimming or cutting.
   NUL, ``$``, ``.`` and every other character are characters like any other.
5. *Times are integers* of microseconds, over the whole range of :mod:`timeline.clock`, never a time type of the store.
6. *No clock.* A driver stores the ``recorded_at`` that it is given.
7. *A call that returned is durable.* One that raised has stored nothing, or all; sending it again is always right.
8. *Each answer is one read transaction*: it shows the events of some moment, also while others write.

   A store without transactions keeps less of these two, and its driver says so: while an append goes on, and after one
   that raised, some of its events may be there; and an answer holds every event that was there when it began, but of
   those that came meanwhile any. Any set of whole events is a history, and an event is never there without its body.
9. *Threads may share a driver; a fork may not break it*: the child opens its own connections. Only where the parent was
   in the midst of an answer may the child be refused, in a sentence.
10. *Limits are the model's*: an event beyond one is a :class:`~timeline.errors.StoreError` before anything is stored
    (:func:`timeline.drivers.limits.within_limits`). What is only asked for may be any text: it is not found.
11. *Errors are ours*: every foreign exception becomes a :class:`~timeline.errors.StoreError` in one place, one sentence
    with the place and the way out.

:class:`timeline.drivers.conformance.DriverConformance` holds a driver to all this.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Sequence
from enum import StrEnum

import msgspec

from timeline.model import Event, Outcome, Quarantined, Resource, Scope


class Appended(msgspec.Struct, frozen=True, kw_only=True):
    """What an append did; ``None`` where the store cannot tell without a read."""

    events: int | None
    """Events that were not there before."""
    bodies: int | None
    """Bodies that were not there before."""
    duplicates: int | None
    """Events that were there, or came twice in the same call."""


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What a store holds. Times are microseconds since 1970 UTC, ``None`` where nothing is stored."""

    revision: str | None
    """The revision of the schema; ``None`` for a store without one."""
    resources: int
    events: int
    bodies: int
    first_event: int | None
    """The least occurred_at."""
    last_event: int | None
    """The greatest occurred_at."""
    newest_record: int | None
    """The greatest recorded_at."""
    quarantined: dict[str, int]
    """Unsettled quarantine records, by reason."""
    many_bodies: list[tuple[Resource, int]]
    """Resources with more than :data:`~timeline.model.limits.MANY_BODIES` distinct bodies, the most first."""


class Damage(StrEnum):
    """What kind of thing is wrong in a store: the short words that programs read."""

    BODY_MISSING = "body-missing"
    """An event names a body that is not there."""
    BODY_DAMAGED = "body-damaged"
    """The bytes of a body do not have the SHA-256 by which it is found, or are no canonical body."""
    REFERENCE_MISSING = "reference-missing"
    """A row names anything else that is not there."""
    ROW_DAMAGED = "row-damaged"
    """A row, or the key of one, that cannot be read, or that this program does not write."""
    OUT_OF_ORDER = "out-of-order"
    """Events, resources or records that do not come in their order, or come twice."""
    ANSWERS_DIFFER = "answers-differ"
    """Two ways of asking for the same give two answers."""
    UNREADABLE = "unreadable"
    """A question ended in :class:`~timeline.errors.StoreCorrupt`; what comes after that was not looked at."""
    DATABASE_DAMAGED = "database-damaged"
    """The database itself says that its files are damaged."""


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """Something in a store that cannot be right."""

    damage: Damage
    detail: str
    """What is wrong and where, so that a person finds it. A body is named by its digest in hexadecimal."""
    resource: Resource | None = None
    """The resource whose answers are touched, where it is one and can be told."""


class EventStore(ABC):
    """Events: append them, read them back in order."""

    @abstractmethod
    def prepare(self) -> None:
        """Make the schema, or bring an older one up to date. Only ``timeline init`` calls this: nothing else creates.

        Doing it again changes nothing. Raises :class:`~timeline.errors.StoreForeign` where something else is there, and
        :class:`~timeline.errors.StoreTooNew` where a newer program was.
        """

    @abstractmethod
    def append(self, events: Iterable[Event]) -> Appended:
        """Store events, in one transaction, idempotently; durable when it returns.

        Any order, duplicates included. Of several deliveries of one event the provenance of the first stays: the first
        stored, and within a call the first given.
        """

    @abstractmethod
    def events(
        self,
        which: Scope | Collection[Resource],
        *,
        until: int | None = None,
        known_before: int | None = None,
        last_per_body: bool = False,
    ) -> Iterator[Event]:
        """The events of some resources, lazily: resource by resource, the events of each in the order of the model.

        With a :class:`~timeline.model.Scope` the resources come in their own order ``(type, source, id)``; those of a
        collection may come in any, each once. A resource without events is left out.

        ``until`` keeps those with ``occurred_at <= until``, ``known_before`` those with ``recorded_at < known_before``.
        ``last_per_body`` keeps, of what is left by these two, what decides the state at ``until``: every event whose
        phase is one of :data:`~timeline.model.LIFE_BOUNDS`, and of the others of each distinct body the last by
        ``(occurred_at, phase)``; but of a resource that was restored by then, all: what a restore takes up may have
        been said last when it had no effect, after the delete. A driver may give more where that is cheaper, never
        fewer.

        An iterator that is abandoned holds nothing for longer than it lives.
        """

    @abstractmethod
    def resources(self, scope: Scope, *, after: Resource | None = None, limit: int = 1_000) -> Sequence[Resource]:
        """A page of the resources in a scope, in their order, from the one after ``after``; at most ``limit``."""

    @abstractmethod
    def version(self) -> str:
        """An opaque token: two equal ones mean that no event was added between.

        It may change needlessly, though not by an append that tells that it added nothing; it never fails to change.
        """

    @abstractmethod
    def changed(self, since: str) -> Collection[Resource] | None:
        """The resources to which an event was added since :meth:`version` returned ``since``, by whatever process.

        It may name more, never fewer: an event that was not to be seen when the token was read counts as added since,
        whenever its append began. ``None`` where the store cannot tell, as of a token that is too old, of another
        store, or of this one before a backup was restored: then any resource may have changed.

        Whoever keeps what was read reads the token first and the events after it; and the next time a new token, then
        what has changed since the old one, then the events of those. Events that come meanwhile are read twice, and
        none is missed.
        """

    @abstractmethod
    def summary(self) -> Summary:
        """What the store holds, counted."""

    @abstractmethod
    def close(self) -> None:
        """Give back what was opened. Closing twice is harmless; a closed driver may not be used again."""


class QuarantineStore(ABC):
    """Quarantine: messages that could not be read. A record is settled, never deleted."""

    @abstractmethod
    def put(self, records: Iterable[Quarantined]) -> int | None:
        """Store records, in one transaction, idempotently by their id; durable when it returns.

        A record whose id is there changes nothing, but that a settled one is open again, with the new record's reason,
        detail, place and origin, and without a note. Returns how many are newly open, ``None`` where the store cannot
        tell.
        """

    @abstractmethod
    def list(
        self, *, after: Quarantined | None = None, limit: int = 1_000, settled: bool = False
    ) -> Sequence[Quarantined]:
        """A page of the unsettled records by ``(received_at, id)``, from the one after ``after``; at most ``limit``.

        With ``settled`` those that are settled stand among them, in the same order: so all are listed.
        """

    @abstractmethod
    def find(self, id: str) -> Sequence[Quarantined]:
        """The records whose id begins so, settled ones included, by id: at most two, which tells whether it is one."""

    @abstractmethod
    def settle(self, id: str, outcome: Outcome, at: int, note: str | None = None) -> None:
        """Mark a record as settled, at this instant. Settling twice keeps the first; an unknown id changes nothing.

        The note says why a person dropped the message; it is kept where the outcome is ``DROPPED``, and else passed
        over. One beyond the limit, or that has no UTF-8, is a :class:`~timeline.errors.StoreError` before anything is
        stored (``timeline.drivers.limits.kept_note``).
        """


class CheckedStore(ABC):
    """What is stored, looked through for what cannot be right."""

    @abstractmethod
    def check(self) -> Iterator[Problem]:
        """What is wrong with what is stored, lazily; nothing where all is well. Nothing is changed, whatever is found.

        It looks at all that is stored, also at what no answer comes upon, and at the least tells:

        - a body that an event names and that is not there: :attr:`Damage.BODY_MISSING`;
        - a body whose bytes do not have the SHA-256 by which it is found, computed anew: :attr:`Damage.BODY_DAMAGED`;
        - a row that names anything else that is not there: :attr:`Damage.REFERENCE_MISSING`;
        - a row or a key that cannot be read, does not agree with itself, or that this program does not write, such as a
          phase without a name, a time out of range, text that is no UTF-8: :attr:`Damage.ROW_DAMAGED`.

        Who checks a store does not trust it: what is wrong with one row is a problem and no error, and the next row is
        looked at. Of one kind of problem a driver may tell the first thousand alone.

        No problem is what nothing names, such as a body without events; nor what an append that goes on meanwhile has
        done so far; nor, in a store without transactions, what one that raised has left.

        A store that cannot be used at all raises what every call raises: no store, an older or newer schema, a database
        that cannot be read. Memory does not grow with what is stored.
        """


class Driver(EventStore, QuarantineStore, CheckedStore):
    """A store: what a URL opens."""
