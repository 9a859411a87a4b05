"""Everything that can go wrong, and nothing else.

::

    TimelineError
    ├── TimeError                  a text that is no time
    ├── NotificationError          a message that cannot be read: it goes to quarantine with its reason
    ├── DefinitionError            a definition file that cannot be used
    ├── InputError                 notifications or samples that cannot be read
    ├── BusError                   messages cannot be taken from the bus
    │   ├── BusUrlError            a bus URL that cannot be understood
    │   ├── BusUnavailable         no broker can be reached, or it went away
    │   └── BusDenied              the broker knows us not, or forbids what was asked
    ├── ResourceNotFound           no event speaks of this resource
    ├── AmbiguousResource          an id that several resources have
    ├── PackageMissing             a package that was asked for is not installed
    └── StoreError
        ├── StoreUrlError          a store URL that cannot be understood
        ├── DriverMissing          the package that a driver needs is not installed
        ├── StoreNotFound          no store is there yet
        ├── StoreOutdated          the schema is older than this program
        ├── StoreTooNew            the schema is newer than this program
        ├── StoreForeign           what is there was not made by this program
        ├── StoreUnavailable       the server of the store cannot be reached, or went away
        ├── StoreDenied            the server knows us not, or forbids what was asked
        ├── StoreBusy              another process holds the store
        ├── StoreReadOnly          the store cannot be written
        ├── StoreFull              no room is left
        └── StoreCorrupt           what is stored cannot be right

Each message is one sentence or two: what is wrong, where, and the way out.
"""

from __future__ import annotations


class TimelineError(Exception):
    """The base of every error that this package raises on purpose."""


class TimeError(TimelineError, ValueError):
    """A text (or number) that is no readable time between the years 1 and 9999."""


class NotificationError(TimelineError):
    """A message that cannot be read; ``reason`` is the short word that quarantine counts by.

    ``place`` is where in the message it is wrong: a path, or a byte counted from 0; ``None`` where it is no place.
    """

    def __init__(self, reason: str, detail: str, place: str | None = None) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.place = place


class DefinitionError(TimelineError):
    """A definition file that cannot be used, with the file and line of what is wrong."""

    def __init__(self, message: str, *, file: str | None = None, line: int | None = None) -> None:
        place = "" if file is None else file if line is None else f"{file}:{line}"
        super().__init__(f"{place}: {message}" if place else message)
        self.file = file
        self.line = line


class InputError(TimelineError):
    """A file of notifications that cannot be read, or not to its end; samples that cannot be joined as it was asked.

    ``row`` is the one that the message names, where it names one of all samples: counted from 1.
    """

    def __init__(self, message: str, *, row: int | None = None) -> None:
        super().__init__(message)
        self.row = row


class BusError(TimelineError):
    """Messages cannot be taken from the bus as it was asked."""


class BusUrlError(BusError):
    """A bus URL that cannot be understood."""


class BusUnavailable(BusError):
    """No broker can be reached, or it went away in the midst: try again."""


class BusDenied(BusError):
    """The broker does not accept who asks, or forbids what was asked: credentials, rights, or TLS."""


class ResourceNotFound(TimelineError):
    """No event speaks of this resource; ``suggestions`` are near ones, as ``TYPE/ID`` or with their names."""

    def __init__(self, message: str, suggestions: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.suggestions = suggestions


class AmbiguousResource(TimelineError):
    """An id that several resources have; ``candidates`` name them."""

    def __init__(self, message: str, candidates: tuple[str, ...]) -> None:
        super().__init__(message)
        self.candidates = candidates


class PackageMissing(TimelineError):
    """A package that an answer in columns, or a bus, needs is not installed; the message says how to install it."""


class StoreError(TimelineError):
    """The store could not do what was asked."""


class StoreUrlError(StoreError):
    """A store URL that cannot be understood, or whose scheme no driver knows."""


class DriverMissing(StoreError):
    """The package that a driver needs is not installed; the message says how to install it."""


class StoreNotFound(StoreError):
    """No store is there yet; ``timeline init`` makes one."""


class StoreOutdated(StoreError):
    """The schema of the store is older than this program; ``timeline init`` brings it up to date."""


class StoreTooNew(StoreError):
    """The schema of the store is newer than this program."""


class StoreForeign(StoreError):
    """What is there was not made by this program."""


class StoreUnavailable(StoreError):
    """The server of the store cannot be reached, went away in the midst, or takes no more connections: try again."""


class StoreDenied(StoreError):
    """The server does not accept who asks, or forbids what was asked: credentials, rights, or TLS."""


class StoreBusy(StoreError):
    """Another process holds the store for longer than we wait."""


class StoreReadOnly(StoreError):
    """The store cannot be written."""


class StoreFull(StoreError):
    """No room is left on the store's medium."""


class StoreCorrupt(StoreError):
    """What is stored cannot be right."""
