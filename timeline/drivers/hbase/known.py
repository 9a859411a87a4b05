"""Keys that are known to be in a store, so that nobody puts or looks for them again."""

from __future__ import annotations

from collections.abc import Iterable

_ROOM = 100_000


class Known:
    """As many of the latest keys as there is room for."""

    def __init__(self, room: int = _ROOM) -> None:
        self._room = room // 2
        self._new: set[bytes] = set()
        self._old: set[bytes] = set()

    def __contains__(self, key: bytes) -> bool:
        return key in self._new or key in self._old

    def add(self, keys: Iterable[bytes]) -> None:
        """Remember keys."""
        self._new.update(keys)
        if len(self._new) > self._room:
            self._old, self._new = self._new, set()

    def clear(self) -> None:
        """Remember nothing."""
        self._new, self._old = set(), set()
