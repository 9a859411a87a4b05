"""The errors of PostgreSQL and of psycopg, in sentences."""

from __future__ import annotations

import re
from types import TracebackType

import psycopg
from sqlalchemy.exc import DBAPIError

from timeline.drivers.sql.database import Conflict, ConnectionLost
from timeline.errors import (
    StoreBusy,
    StoreCorrupt,
    StoreDenied,
    StoreError,
    StoreForeign,
    StoreFull,
    StoreNotFound,
    StoreReadOnly,
    StoreUnavailable,
)

_CONFLICTS = {"40001", "40P01"}  # serialization_failure, deadlock_detected
_GOING_DOWN = {"57P01", "57P02", "57P03"}
_TOO_SLOW = {"25P03", "25P04", "57P05"}  # the server ends who is idle, or takes long
_OTHER_COLUMNS = {"42P01", "42703", "42804", "42P10", "22001"}  # no such table, no such column, another type

# libpq hands on what the server says to who is not let in, without a code; the rest of a message may be in any language
_NOT_LET_IN = re.compile(
    r"authentication failed|no password supplied|pg_hba\.conf|role .* does not exist|not permitted to log in"
)
_NO_TLS = re.compile(r"does not support SSL|SSL error|certificate|sslmode|root\.crt")
_NO_ROOM = re.compile(r"too many clients|too many connections|remaining connection slots")


class Translated:
    """A context within which PostgreSQL's errors become ours: one sentence, with the database and the way out."""

    def __init__(self, place: str, init: str, database: str) -> None:
        self._place = place
        self._init = init
        self._database = database

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if isinstance(error, DBAPIError) and error.orig is not None:
            error = error.orig
        if isinstance(error, psycopg.Error):
            raise self._translation(error) from error

    def not_connected(self, error: psycopg.Error) -> StoreError:
        """What the failure of a connection means."""
        place, said = self._place, _one_line(error)
        if f'database "{self._database}" does not exist' in said:
            return StoreNotFound(f"{place}: there is no such database; createdb makes one, and then {self._init}")
        if _NOT_LET_IN.search(said):
            return StoreDenied(f"{place}: the server does not let this user in: {said}")
        if _NO_TLS.search(said):
            return StoreDenied(f"{place}: no connection that is protected as it was asked (sslmode): {said}")
        if _NO_ROOM.search(said):
            return StoreUnavailable(f"{place}: the server takes no more connections: {said}")
        return StoreUnavailable(f"{place}: the server cannot be reached: {said}")

    def _translation(self, error: psycopg.Error) -> StoreError:
        place, said, code = self._place, _one_line(error), error.sqlstate or ""
        if code in _CONFLICTS:
            return Conflict(f"{place}: other writers were in the way again and again; try again: {said}")
        gone = code in _GOING_DOWN or code in _TOO_SLOW or code.startswith("08")
        if gone or (not code and isinstance(error, psycopg.OperationalError)):
            return ConnectionLost(
                f"{place}: the server went away in the midst ({said}); what was not committed is undone: do it again"
            )
        if code == "53300":
            return StoreUnavailable(f"{place}: the server takes no more connections: {said}")
        if code in ("55P03", "57014"):
            return StoreBusy(f"{place}: others hold what is needed for longer than we wait ({said}); try again")
        if code in ("53100", "53200", "54000") or (code.startswith("58") and "space" in said):
            return StoreFull(
                f"{place}: no room is left on the server ({said}); what was committed before is safe: make room and do "
                "it again"
            )
        if code in ("25006", "25001"):
            return StoreReadOnly(f"{place}: the database can be read only, such as a standby ({said})")
        if code == "3F000":
            return StoreNotFound(f"{place}: there is no such schema; CREATE SCHEMA makes one, and then {self._init}")
        if code in ("42501", "28000", "28P01"):
            return StoreDenied(f"{place}: this user may not do that ({said}); who owns the store can GRANT it")
        if code in _OTHER_COLUMNS:
            return StoreForeign(
                f"{place}: a table has the name of one of ours, and other columns ({said}); choose another database or "
                "schema for the store"
            )
        if code in ("XX001", "XX002"):
            return StoreCorrupt(f"{place}: the server says that its files are damaged ({said}); restore a backup")
        return StoreError(f"{place}: the server refuses ({code}): {said}")


def _one_line(error: psycopg.Error) -> str:
    said = error.diag.message_primary or str(error)
    return " ".join(said.split())
