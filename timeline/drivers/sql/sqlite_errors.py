"""The errors of SQLite, in sentences."""

from __future__ import annotations

import os
import sqlite3
from types import TracebackType

from sqlalchemy.exc import DBAPIError

from timeline.errors import (
    StoreBusy,
    StoreCorrupt,
    StoreError,
    StoreForeign,
    StoreFull,
    StoreNotFound,
    StoreReadOnly,
)

# A write beyond `ulimit -f` or a quota is an I/O error to SQLite; only a full medium is "full" to it.
_FULL = {sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_IOERR_TRUNCATE}
_CUT = {sqlite3.SQLITE_IOERR_SHORT_READ, sqlite3.SQLITE_IOERR_CORRUPTFS}


def is_busy(error: sqlite3.Error) -> bool:
    """Whether the error says that another connection holds a lock."""
    return _primary(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def is_forbidden(error: sqlite3.Error) -> bool:
    """Whether the error says that a file may not be opened or made as it was asked."""
    return _primary(error) in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM)


class Translated:
    """A context within which SQLite's errors become ours: one sentence, with the file and the way out."""

    def __init__(self, place: str, path: str, timeout: float) -> None:
        self._place = place
        self._path = path
        self._timeout = timeout

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if isinstance(error, DBAPIError) and error.orig is not None:
            error = error.orig
        if isinstance(error, sqlite3.Error):
            raise self._translation(error) from error

    def _translation(self, error: sqlite3.Error) -> StoreError:
        place, primary = self._place, _primary(error)
        code = getattr(error, "sqlite_errorcode", None)
        if is_busy(error):
            return StoreBusy(
                f"{place}: another process holds the store for longer than the {self._timeout:g} s that we wait; "
                "try again when it is done, or wait longer: ?timeout=SECONDS at the end of the URL"
            )
        if primary == sqlite3.SQLITE_FULL or code in _FULL:
            return StoreFull(
                f"{place}: no room is left to write (a full medium, a quota or a limit on the size of files); "
                "what was committed before is safe: make room and do it again"
            )
        if primary in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH):
            return StoreReadOnly(
                f"{place}: the store cannot be written: its file, one of the two beside it (-wal, -shm), its folder or "
                "the medium does not allow it"
            )
        if primary in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT) or code in _CUT:
            return StoreCorrupt(
                f"{place}: this is no SQLite database, or a damaged one ({error}); if it was a store, "
                "restore it from a backup, or save what can be read with: sqlite3 FILE .recover"
            )
        if primary == sqlite3.SQLITE_CANTOPEN:
            if not os.path.exists(self._path):
                return StoreNotFound(f"{place}: the store is gone since it was opened")
            return StoreError(f"{place}: the store, or the log beside it, cannot be opened; may this user write there?")
        if primary in (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH):
            return StoreForeign(f"{place}: the tables are not as this program makes them ({error})")
        return StoreError(f"{place}: SQLite failed: {error}")


def _primary(error: sqlite3.Error) -> int | None:
    code: int | None = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF
