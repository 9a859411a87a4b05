"""What is logged, on standard error: a line of text or of JSON for each record, without what must not be shown.

A log is read by more people than a store. So no message's body and no credential stands in it: of an error that is not
ours its kind and place are told, and not its text, which may quote what was being read.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from math import isfinite
from traceback import walk_tb
from types import TracebackType
from typing import Any, Literal, TextIO

import click

from timeline import clock
from timeline.cli import credentials
from timeline.errors import InputError, NotificationError, StoreError, TimeError, TimelineError
from timeline.reports import formats

Form = Literal["text", "json"]

_QUOTING = (InputError, NotificationError, TimeError)
"""Errors of ours whose text quotes what could not be read."""

_SAID = (TimelineError, OSError, click.ClickException, click.exceptions.Exit, click.exceptions.Abort)
"""What the program says in its own words when it ends by it."""

_KNOWN = frozenset(vars(logging.makeLogRecord({}))) | {"asctime", "message", "taskName"}
_LONGEST = 1_000
"""Characters of a field that are shown."""
_PLACES = 20
"""Places of a traceback that are shown: the last, where it happened."""

_log = logging.getLogger(__name__)

_Raised = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


@contextmanager
def written(form: Form, *, worker: int | None = None, passwords: Iterable[str] = ()) -> Iterator[None]:
    """Within it, logs are written in this form, those of uncaught errors too, and the last of them on the way out.

    ``worker`` is the number of this process, where it is one of several; ``passwords`` are hidden wherever they stand.
    """
    root = logging.getLogger()
    handler = _Handler()
    handler.setFormatter((_Json if form == "json" else _Text)(worker, frozenset(passwords)))
    before, level, ours = root.handlers[:], root.level, logging.getLogger("timeline").level
    hooks = sys.excepthook, sys.unraisablehook, threading.excepthook
    root.handlers[:] = [handler, *(other for other in before if type(other) is not logging.StreamHandler)]
    root.setLevel(logging.WARNING)
    logging.getLogger("timeline").setLevel(logging.INFO)
    logging.captureWarnings(True)
    sys.excepthook = _uncaught
    sys.unraisablehook = lambda unraisable: _uncaught(
        unraisable.exc_type, unraisable.exc_value, unraisable.exc_traceback
    )
    threading.excepthook = lambda thread: _uncaught(thread.exc_type, thread.exc_value, thread.exc_traceback)
    try:
        yield
    except Exception as error:
        if worker is None and isinstance(error, _SAID):
            raise
        # else the interpreter would show all that it says
        _log.critical("the program failed, for a defect of its own; please report it", exc_info=True)
        raise SystemExit(1) from None
    finally:
        sys.excepthook, sys.unraisablehook, threading.excepthook = hooks
        logging.captureWarnings(False)
        root.handlers[:] = before
        root.setLevel(level)
        logging.getLogger("timeline").setLevel(ours)


def _uncaught(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    _log.critical("an error that nobody expected", exc_info=(kind, error or kind(), trace))


class _Handler(logging.StreamHandler[TextIO]):
    """Writes where standard error is now: a line of progress takes it over while it is shown."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        return sys.stderr

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name is the standard library's
        """Say that something could not be said, and not what."""
        with suppress(OSError, ValueError):  # who reads the log may have gone, and work goes on
            self.stream.write(f"timeline: a log record of {record.name} could not be written\n")


class _Formatter(logging.Formatter):
    def __init__(self, worker: int | None, passwords: frozenset[str]) -> None:
        super().__init__()
        self.worker = worker
        self._passwords = passwords

    def masked(self, text: str) -> str:
        return credentials.masked(text, self._passwords)

    def said(self, record: logging.LogRecord) -> str:
        """The message. Of a record of others, values are left out, since they may be what a message said."""
        text = str(record.msg)
        if record.args and record.name.startswith(("timeline", "py.warnings")):
            text %= tuple(map(_shown, record.args)) if isinstance(record.args, tuple) else record.args
        return self.masked(text)

    def errors(self, record: logging.LogRecord) -> list[dict[str, Any]]:
        """The error of a record, and what caused it, each with its kind, its places, and its text where it is ours."""
        if not record.exc_info or record.exc_info[1] is None:
            return []
        error: BaseException | None = record.exc_info[1]
        told: list[dict[str, Any]] = []
        seen: set[int] = set()
        while error is not None and id(error) not in seen:
            seen.add(id(error))
            text = _text(error)
            told.append(
                {"type": _name(type(error))}
                | ({} if text is None else {"message": self.masked(text)})
                | {"places": _places(error.__traceback__)}
            )
            error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        return told


class _Json(_Formatter):
    def format(self, record: logging.LogRecord) -> str:
        told: dict[str, Any] = {
            "time": clock.format(int(record.created * clock.SECOND)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self.said(record),
        }
        if self.worker is not None:
            told["worker"] = self.worker
        if errors := self.errors(record):
            told["errors"] = errors
        for name, value in vars(record).items():
            if name not in _KNOWN:
                told.setdefault(name, self._field(value))
        return json.dumps(told)

    def _field(self, value: object) -> object:
        if value is None or isinstance(value, int) or (isinstance(value, float) and isfinite(value)):
            return value
        value = _shown(value)
        if isinstance(value, Mapping):
            return {self.masked(str(key)): self._field(each) for key, each in value.items()}
        if isinstance(value, (list, tuple, set, frozenset)):
            return [self._field(each) for each in value]
        return self.masked(str(value))[:_LONGEST]


class _Text(_Formatter):
    def format(self, record: logging.LogRecord) -> str:
        who = "timeline" if self.worker is None else f"timeline[{self.worker}]"
        lines = [f"{who}: {formats.printable(self.said(record))}"]
        for error in self.errors(record):
            text = f": {error['message']}" if "message" in error else ""
            lines.append(f"  {error['type']}{formats.printable(text)}")
            lines += (f"    at {place}" for place in error["places"])
        return "\n".join(lines)


def _name(kind: type[BaseException]) -> str:
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _shown(value: object) -> object:
    """A value as it may be shown: of bytes, which may be a body, their number; of an error what :func:`_text` tells."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return f"{len(value)} bytes"
    if isinstance(value, BaseException):
        return _text(value) or _name(type(value))
    return value


def _text(error: BaseException) -> str | None:
    """What an error says, where that is sure to quote no message and no credential."""
    if isinstance(error, OSError):
        return error.strerror
    # a plain StoreError is the store's refusal of what a message says, in the store's words
    if isinstance(error, TimelineError) and not isinstance(error, _QUOTING) and type(error) is not StoreError:
        return str(error)
    return None


def _places(trace: TracebackType | None) -> list[str]:
    """Where an error passed, the innermost last."""
    passed = [f"{frame.f_globals.get('__name__')}:{line} {frame.f_code.co_name}" for frame, line in walk_tb(trace)]
    return passed[-_PLACES:]
