"""The errors of MariaDB and of PyMySQL, in sentences."""

from __future__ import annotations

import ssl
from types import TracebackType

import pymysql
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

# Names of these codes: https://mariadb.com/docs/server/reference/error-codes
_CONFLICTS = {1213, 1020}  # deadlock; the record has changed since it was read
_LOST = {0, 1053, 1080, 1152, 1158, 1159, 1160, 1161, 1184, 1317, 1927, 2006, 2013, 2014, 2055}
_TOO_LONG = {1205, 1969}  # waited for a lock, or at work, for longer than may be
_NO_ROOM = {1040, 1203, 1226}  # too many connections: of all, of the user, of what the user may have
_NOT_LET_IN = {1044, 1045, 1130, 1251, 1698, 2026, 2059, 3159}
_FORBIDDEN = {1142, 1143, 1227, 1370}
_FULL = {3, 28, 1021, 1041, 1114}
_READ_ONLY = {1290, 1792, 1836}
_OTHER_COLUMNS = {1054, 1136, 1146, 1264, 1265, 1364, 1366, 1406, 4081, 4091, 4092}
_DAMAGED = {126, 127, 145, 1033, 1034, 1035, 1194, 1195, 1712, 1877, 1932}


class Translated:
    """A context within which MariaDB's errors become ours: one sentence, with the database and the way out."""

    def __init__(self, place: str, init: str, timeout: float) -> None:
        self._place = place
        self._init = init
        self._timeout = timeout

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if isinstance(error, DBAPIError) and error.orig is not None:
            error = error.orig
        if isinstance(error, pymysql.err.MySQLError):
            raise self._translation(error) from error
        if isinstance(error, OSError) and not isinstance(error, FileNotFoundError):
            raise self._lost(str(error)) from error

    def not_connected(self, error: pymysql.err.MySQLError) -> StoreError:
        """What the failure of a connection means."""
        place, (code, said) = self._place, _code(error)
        if code == 1049:
            return StoreNotFound(
                f"{place}: there is no such database; CREATE DATABASE makes one, and then {self._init}"
            )
        if code in _NOT_LET_IN or isinstance(error.__cause__, ssl.SSLError) or "SSL" in said:
            return StoreDenied(f"{place}: the server does not let this user in, or not as it was asked: {said}")
        if code in _NO_ROOM:
            return StoreUnavailable(f"{place}: the server takes no more connections: {said}")
        return StoreUnavailable(f"{place}: the server cannot be reached: {said}")

    def _translation(self, error: pymysql.err.MySQLError) -> StoreError:
        place, (code, said) = self._place, _code(error)
        if code in _CONFLICTS:
            return Conflict(f"{place}: other writers were in the way again and again; try again: {said}")
        if code in _LOST:
            return self._lost(said)
        if code in _TOO_LONG:
            return StoreBusy(f"{place}: others hold what is needed for longer than we wait ({said}); try again")
        if code in _NO_ROOM:
            return StoreUnavailable(f"{place}: the server takes no more connections: {said}")
        if code in _FULL or (code == 1030 and "28" in said):
            return StoreFull(
                f"{place}: no room is left on the server ({said}); what was committed before is safe: make room and do "
                "it again"
            )
        if code in _READ_ONLY:
            return StoreReadOnly(f"{place}: the server can be read only, such as a replica ({said})")
        if code in _FORBIDDEN or code in _NOT_LET_IN:
            return StoreDenied(f"{place}: this user may not do that ({said}); who owns the store can GRANT it")
        if code in _OTHER_COLUMNS:
            return StoreForeign(
                f"{place}: a table has the name of one of ours, and other columns ({said}); choose another database "
                "for the store"
            )
        if code in _DAMAGED:
            return StoreCorrupt(f"{place}: the server says that its files are damaged ({said}); restore a backup")
        return StoreError(f"{place}: the server refuses ({code}): {said}")

    def _lost(self, said: str) -> StoreError:
        return ConnectionLost(
            f"{self._place}: the server went away in the midst, or does not answer ({said}); what was not committed is "
            "undone: do it again"
        )


def _code(error: pymysql.err.MySQLError) -> tuple[int, str]:
    code, said = (*error.args, "", "")[:2]
    return (code, str(said)) if isinstance(code, int) else (0, str(error))
