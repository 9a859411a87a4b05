"""What every source of messages does, in words and in an abstract class."""

from __future__ import annotations

from abc import ABC, abstractmethod

from timeline.model import Message


class Source(ABC):
    """Where messages come from, and where they are acknowledged. One thread uses it.

    A message is taken, stored, and acknowledged. What was taken and never acknowledged is delivered again, to whoever
    takes then: so a source may be left at any moment, and nothing is lost. Messages are acknowledged in the order in
    which they were taken, up to a :attr:`mark`.
    """

    @property
    @abstractmethod
    def ahead(self) -> int | None:
        """How many messages may be taken and not acknowledged: more are not delivered. ``None`` is without bound."""

    @property
    @abstractmethod
    def mark(self) -> object:
        """The place up to which messages were taken."""

    @abstractmethod
    def take(self, most: int, most_bytes: int, within: float) -> list[Message] | None:
        """The next messages: at most ``most`` of them, and no more once they have ``most_bytes`` together.

        Waits for the first up to ``within`` seconds, and not for more of them: an empty list means that none came, and
        ``None`` that none will ever come. A source that is cut off comes back by itself, with growing pauses.

        Raises :class:`~timeline.errors.TimelineError` where there is no way to go on, and where it was never reached.
        """

    @abstractmethod
    def tick(self) -> None:
        """Show whoever delivers that we are alive. To be called about once a second while nothing is taken."""

    @abstractmethod
    def acknowledge(self, mark: object) -> bool:
        """Tell that all that was taken up to this mark is durable.

        Whether it was told: not where the mark is of an earlier connection, as what was taken then is delivered again.
        """

    @abstractmethod
    def give_back(self) -> None:
        """Give back what was taken and not acknowledged. Nothing is delivered until the next :meth:`take`."""

    @abstractmethod
    def is_empty(self) -> bool:
        """Whether nothing waits to be delivered, as far as can be told."""

    @abstractmethod
    def close(self) -> None:
        """Give back what was opened, and what was not acknowledged. Closing twice is harmless."""
