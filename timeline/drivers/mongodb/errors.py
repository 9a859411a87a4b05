"""The errors of MongoDB and of pymongo, in sentences."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from bson.errors import BSONError
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    ConfigurationError,
    ConnectionFailure,
    InvalidOperation,
    NetworkTimeout,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
    WTimeoutError,
)

from timeline.drivers.mongodb.keys import Unreadable
from timeline.drivers.mongodb.url import MongodbUrl
from timeline.errors import (
    StoreBusy,
    StoreCorrupt,
    StoreDenied,
    StoreError,
    StoreFull,
    StoreReadOnly,
    StoreUnavailable,
    StoreUrlError,
)

DUPLICATE = 11000
"""The code of a document whose key is there. No other is taken for it."""
CURSOR_GONE = 43
"""The code of a cursor that the server has forgotten, such as of an answer that nobody went on with for long."""

_DENIED = {13, 18, 31, 33, 8000}
_GOING_DOWN = {91, 11600, 11602}
_NO_PRIMARY = {189, 10107, 11602, 13435, 13436, 10058}
_NOT_CONFIRMED = {64, 79, 100}
_FULL = {12501, 14031}
_HELD = {24, 46, 50, 112, 262}
_WRITES_BLOCKED = {371}
_NO_TLS = re.compile(r"SSL|TLS|certificate", re.IGNORECASE)
_FULL_SAID = re.compile(r"no space left|out of disk|disk( is|) full|SQLITE_FULL", re.IGNORECASE)
_READ_ONLY_SAID = re.compile(r"read[- ]?only", re.IGNORECASE)


class ConnectionLost(StoreUnavailable):
    """The connection broke in the midst. Of a write that was under way nobody knows."""


class Translated:
    """A context within which MongoDB's errors become ours: one sentence, with the database and the way out."""

    def __init__(self, url: MongodbUrl) -> None:
        self._place = url.place

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if isinstance(error, PyMongoError):
            raise self.translation(error) from error
        if isinstance(error, BSONError | Unreadable):
            raise StoreCorrupt(
                f"{self._place}: a document cannot be read ({_one_line(error)}); restore it from a backup"
            ) from error

    def translation(self, error: PyMongoError) -> StoreError:
        """What an error means."""
        place, said = self._place, _one_line(error)
        if isinstance(error, BulkWriteError):
            return self._of_bulk(error.details or {}, said)
        if isinstance(error, WTimeoutError):
            return self._of_code(64, said)
        if isinstance(error, OperationFailure):
            return self._of_code(error.code or 0, said)
        if isinstance(error, ConnectionFailure):
            return self._of_connection(error, said)
        if isinstance(error, ConfigurationError):
            return StoreUrlError(f"{place}: {said}")
        if isinstance(error, InvalidOperation) and "close" in said:
            return StoreError("the store was closed: open it again")
        return StoreError(f"{place}: {said}")

    def _of_connection(self, error: ConnectionFailure, said: str) -> StoreError:
        place = self._place
        if _NO_TLS.search(said):
            return StoreDenied(f"{place}: no connection that is protected as it was asked (tls): {said}")
        if isinstance(error, ServerSelectionTimeoutError):
            return StoreUnavailable(f"{place}: the server cannot be reached, or is none that can be written to: {said}")
        if isinstance(error, NetworkTimeout):
            return ConnectionLost(
                f"{place}: the server did not answer in time ({said}); whether it did what was asked is not known: "
                "do it again"
            )
        if isinstance(error, AutoReconnect):
            return ConnectionLost(
                f"{place}: the server went away in the midst ({said}); what was not acknowledged may be lost: do it "
                "again"
            )
        return StoreUnavailable(f"{place}: the server cannot be reached: {said}")

    def _of_bulk(self, details: Mapping[str, Any], said: str) -> StoreError:
        for one in details.get("writeErrors", []):
            if one.get("code") != DUPLICATE:
                return self._of_code(int(one.get("code") or 0), " ".join(str(one.get("errmsg")).split()))
        for one in details.get("writeConcernErrors", []):
            return self._of_code(int(one.get("code") or 64), " ".join(str(one.get("errmsg")).split()))
        return StoreError(f"{self._place}: the server refuses: {said}")

    def _of_code(self, code: int, said: str) -> StoreError:
        place = self._place
        if code in _DENIED:
            return StoreDenied(f"{place}: the server does not let this user do that ({said}); it needs readWrite there")
        if code in _GOING_DOWN | _NO_PRIMARY:
            return ConnectionLost(f"{place}: the server goes down, or is no primary any more ({said}): do it again")
        if code in _NOT_CONFIRMED:
            return ConnectionLost(
                f"{place}: a majority of the servers did not confirm the write in time ({said}); what was not "
                "acknowledged may be lost: do it again"
            )
        if code == CURSOR_GONE:
            return ConnectionLost(f"{place}: the server has forgotten the answer ({said}): ask again")
        if code in _FULL or _FULL_SAID.search(said):
            return StoreFull(
                f"{place}: no room is left on the server ({said}); what was acknowledged is safe: make room and do it "
                "again"
            )
        if code in _HELD:
            return StoreBusy(f"{place}: others hold what is needed for longer than we wait ({said}); try again")
        if code in _WRITES_BLOCKED or _READ_ONLY_SAID.search(said):
            return StoreReadOnly(f"{place}: the database can be read only ({said})")
        return StoreError(f"{place}: the server refuses ({code}): {said}")


def _one_line(error: Exception) -> str:
    """What an error says, without the description of all servers that pymongo adds."""
    said = " ".join(str(error).split()).partition(", Topology Description:")[0].partition(", full error:")[0]
    return re.sub(r" \(configured timeouts: [^()]*\)", "", said)
