"""Steps of one work that go on at the same time: what one makes waits in a short queue until the next takes it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from threading import Condition, Thread
from types import TracebackType
from typing import Generic, Self, TypeVar

T = TypeVar("T")

_PATIENCE = 5.0
"""Seconds to wait for a thread that is to end. One that waits for a pipe in which nothing comes may never do so."""


class Ahead(Generic[T], Iterator[T]):
    """Makes the items of an iterable in a thread, one ahead of who takes them. To be used in a ``with``.

    What goes wrong in the thread is raised where the next item would be taken. After the ``with`` the thread has
    stopped between two items, and taking one raises StopIteration.
    """

    def __init__(self, items: Iterable[T], *, ahead: int = 1) -> None:
        self._items = items
        self._ahead = ahead
        self._made: deque[T] = deque()
        self._error: BaseException | None = None
        self._ended = False
        self._changed = Condition()
        self._thread = Thread(target=self._make, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._thread.join(_PATIENCE)

    def __next__(self) -> T:
        with self._changed:
            self._changed.wait_for(lambda: self._made or self._ended)
            if self._made:
                item = self._made.popleft()
                self._changed.notify_all()
                return item
            if self._error is not None:
                raise self._error
            raise StopIteration

    def stop(self) -> None:
        """Make no more, and let nobody wait for more."""
        with self._changed:
            self._ended = True
            self._made.clear()
            self._changed.notify_all()

    def _make(self) -> None:
        error: BaseException | None = None
        try:
            for item in self._items:
                with self._changed:
                    self._changed.wait_for(lambda: len(self._made) < self._ahead or self._ended)
                    if self._ended:
                        break
                    self._made.append(item)
                    self._changed.notify_all()
        except BaseException as caught:  # noqa: BLE001 - raised again where the next item is taken
            error = caught
        with self._changed:
            self._error = None if self._ended else error
            self._ended = True
            self._changed.notify_all()
