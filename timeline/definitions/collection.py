"""A file of definitions: the last one that is for an event type decides."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Self

import msgspec

from timeline import clock, packaged
from timeline.definitions.convention import by_convention
from timeline.definitions.definition import Definition
from timeline.definitions.extractor import Extractor
from timeline.definitions.plugins import MISSING
from timeline.definitions.reader import read
from timeline.definitions.samples import SampleRules
from timeline.definitions.schema import Schema
from timeline.errors import DefinitionError
from timeline.model import Event, Json, Notification, default_phase

SHIPPED = "event_definitions.yaml"
"""The definition file that comes with the package."""

_REMEMBERED = 10_000
"""Event types whose definition is remembered: they come from outside, so there may be any number."""


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """What one notification would become, for one of the resources that it speaks of."""

    definition: str
    """The place of the definition that decides: ``FILE:LINE``."""
    event: Event
    volatile: Mapping[str, Json]
    """What belongs to the message and not to the resource."""
    unreadable: Mapping[str, str]
    """Fields that could not be read, with the reason."""


class Definitions:
    """Definitions, in the order of their file, and the sample rules beside them."""

    def __init__(self, definitions: tuple[Definition, ...], file: str, samples: SampleRules | None = None) -> None:
        """``samples`` are those that come with the package unless given."""
        self._definitions = definitions
        self._file = file
        self._samples = samples
        self._extractors: dict[str, Extractor | None] = {}

    @classmethod
    def load(cls, path: str | Path | None = None) -> Self:
        """The definitions of a file; of the one that comes with the package unless given.

        Raises :class:`DefinitionError` naming the file, the line and what is wrong there.
        """
        file = packaged.path(SHIPPED) if path is None else Path(path)
        try:
            text = file.read_bytes().decode("utf-8-sig")
        except OSError as error:
            raise DefinitionError(f"cannot be read: {error.strerror}", file=str(file)) from error
        except UnicodeDecodeError as error:
            raise DefinitionError(f"byte {error.start} is not UTF-8", file=str(file)) from error
        return cls.read(text, str(file))

    @classmethod
    def read(cls, text: str, file: str = "<text>") -> Self:
        """The definitions that a YAML text spells. Raises :class:`DefinitionError`.

        Where it has no sample rules those of the shipped file hold, and where it has sample rules alone, the shipped
        definitions.
        """
        document = read(text, file)
        schema = Schema(file)
        events, rules = schema.parts(document)
        samples = None if rules is None else SampleRules(tuple(schema.samples(rules)), file)
        if events is None and samples is not None:
            shipped = cls.load()
            return cls(shipped._definitions, shipped._file, samples)
        definitions = () if events is None or events.value is None else tuple(schema.definitions(events))
        if not definitions:
            line = None if events is None or events is document else events.line
            reason = "there is no definition in it: all notifications would be out of scope"
            raise DefinitionError(reason, file=file, line=line)
        return cls(definitions, file, samples)

    @property
    def samples(self) -> SampleRules:
        """Which resources samples speak of."""
        if self._samples is None:
            # read when they are asked for: a file of definitions alone need not wait for the shipped one
            self._samples = type(self).load().samples
        return self._samples

    def __iter__(self) -> Iterator[Definition]:
        return iter(self._definitions)

    def __len__(self) -> int:
        return len(self._definitions)

    def place(self, definition: Definition) -> str:
        """Where a definition stands: ``FILE:LINE``."""
        return f"{self._file}:{definition.line}"

    def find(self, event_type: str) -> Definition | None:
        """The definition that decides about an event type: the last that matches."""
        return next((each for each in reversed(self._definitions) if each.matches(event_type)), None)

    def events(self, notification: Notification, recorded_at: int) -> tuple[list[Event], int] | None:
        """What a notification says: its events, and how many of its fields could not be read.

        ``None`` where it is out of scope. Raises :class:`NotificationError` where it is in scope and cannot be read.
        """
        extractor = self._extractor(notification.event_type)
        return None if extractor is None else extractor.events(notification, recorded_at)

    def try_out(self, notification: Notification) -> list[Trial] | None:
        """What a notification would become, told in full; ``None`` where it is out of scope.

        Raises :class:`NotificationError`.
        """
        extractor = self._extractor(notification.event_type)
        if extractor is None:
            return None
        events, _ = extractor.events(notification, clock.now())
        message = notification.both_views()
        trials = []
        for event, item in zip(events, extractor.items(notification, message), strict=True):
            _, _, failures = extractor.fields(item)
            volatile = {}
            for trait in extractor.definition.traits:
                if trait.volatile:
                    try:
                        value = trait.read(item)
                    except ValueError:
                        continue
                    if value is not MISSING:
                        volatile[trait.name] = value
            trials.append(
                Trial(
                    definition=self.place(extractor.definition),
                    event=event,
                    volatile=volatile,
                    unreadable={name: str(error) for name, error in failures.items()},
                )
            )
        return trials

    def _extractor(self, event_type: str) -> Extractor | None:
        try:
            return self._extractors[event_type]
        except KeyError:
            pass
        definition = self.find(event_type)
        if definition is not None and definition.resource is None:
            definition = by_convention(definition, event_type)
        extractor = None
        if definition is not None:
            extractor = Extractor(definition, default_phase(event_type), self.place(definition))
        if len(self._extractors) >= _REMEMBERED:
            self._extractors.clear()
        self._extractors[event_type] = extractor
        return extractor
