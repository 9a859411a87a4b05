"""What became of notifications, in numbers."""

from __future__ import annotations

import msgspec


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """What became of notifications: the first number is always the sum of the next three."""

    notifications: int = 0
    in_scope: int = 0
    out_of_scope: int = 0
    quarantined: int = 0
    events: int | None = 0
    """Newly stored; ``None`` where the store cannot tell, as are the next two."""
    bodies: int | None = 0
    duplicates: int | None = 0
    """Events that were there."""
    unreadable_fields: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            notifications=self.notifications + other.notifications,
            in_scope=self.in_scope + other.in_scope,
            out_of_scope=self.out_of_scope + other.out_of_scope,
            quarantined=self.quarantined + other.quarantined,
            events=_sum(self.events, other.events),
            bodies=_sum(self.bodies, other.bodies),
            duplicates=_sum(self.duplicates, other.duplicates),
            unreadable_fields=self.unreadable_fields + other.unreadable_fields,
        )


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other
