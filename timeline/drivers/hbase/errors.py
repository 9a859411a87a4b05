"""The errors of HBase, of its gateway and of the wire, in sentences."""

from __future__ import annotations

import re
from types import TracebackType

import happybase  # noqa: F401 - it makes the next one, the words of the wire
from Hbase_thrift import AlreadyExists, IllegalArgument, IOError  # type: ignore[import-not-found]
from thriftpy2.thrift import TApplicationException
from thriftpy2.transport import TTransportException

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


class ConnectionLost(StoreUnavailable):
    """The connection broke in the midst: nobody knows what of a question was done. A fresh one may be asked again."""


class Refused(StoreError):
    """HBase would not do it, in words of Java; ``said`` holds the first of them."""

    def __init__(self, message: str, said: str) -> None:
        super().__init__(message)
        self.said = said


_WIRE = "thriftpy2"
_EXCEPTION = re.compile(r"(?:[a-z0-9]+\.)+([A-Z]\w*(?:Exception|Error))", re.ASCII)
"""The name of a class of Java."""

_NO_TABLE = re.compile(r"TableNotFound|NamespaceNotFound")
_SCANNER_GONE = re.compile(
    r"UnknownScannerException|LeaseException|OutOfOrderScannerNext|ScannerReset|scanner ID is inv"
)
_NOT_NOW = re.compile(
    r"RegionTooBusy|NotServingRegion|NoServerForRegion|ServerNotRunningYet|RegionServerStopped|RegionServerAborted|"
    r"MasterNotRunning|PleaseHoldException|CallTimeout|CallQueueTooBig|OperationTimeout|SocketTimeout|ConnectException|"
    r"ZooKeeperConnection|[Zz]oo[Kk]eeper GET could not|KeeperException|SessionExpired|RetriesExhausted|"
    r"TableNotEnabled|TableNotDisabled|ConnectionClosed|FailedServer|RpcThrottling|RegionOpening|NotAllMetaRegionsOnline|"
    r"Failed to find location|ConnectionClosing"
)


class Translated:
    """A context within which foreign errors become ours: one sentence, with the gateway and the way out."""

    def __init__(self, place: str, init: str, timeout: float) -> None:
        self._place = place
        self._init = init
        self._timeout = timeout

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        translation: StoreError | None = None
        if isinstance(error, TTransportException | OSError):
            translation = self._of_the_wire(error)
        elif isinstance(error, IOError | IllegalArgument | AlreadyExists | TApplicationException):
            translation = self._of_hbase(error)
        elif type(error).__module__.partition(".")[0] == _WIRE:  # some of its errors have no base in common
            translation = StoreUnavailable(
                f"{self._place}: what answers there does not speak as a Thrift gateway of HBase does "
                f"({type(error).__name__}); see which port it listens at, and the options transport and protocol"
            )
        if translation is not None:
            raise translation from error

    def _of_the_wire(self, error: Exception) -> StoreError:
        place = self._place
        if isinstance(error, TTransportException) and error.type == TTransportException.NOT_OPEN:
            why = _one_line(error.__context__ or error)
            return StoreUnavailable(
                f"{place}: the Thrift gateway cannot be reached ({why}); see that it runs: hbase thrift start"
            )
        if isinstance(error, TimeoutError):
            return StoreUnavailable(
                f"{place}: no answer within {self._timeout:g} s; see that HBase and its gateway are well, or wait "
                "longer with ?timeout=SECONDS; what was being stored may be stored or not: do it again"
            )
        return ConnectionLost(
            f"{place}: the Thrift gateway went away in the midst ({_one_line(error)}); what was being stored may be "
            "stored or not: do it again"
        )

    def _of_hbase(self, error: Exception) -> StoreError:
        place, said = self._place, _one_line(error)
        whole = _message(error)
        if is_no_table(error):
            return StoreNotFound(f"{place}: a table is missing, this is no store yet; {self._init} makes one")
        if "NoSuchColumnFamily" in whole:
            return StoreForeign(
                f"{place}: a table has the name of one of ours, and other column families; choose another prefix for "
                "the store"
            )
        if "AccessDenied" in whole or "AccessControlException" in whole:
            return StoreDenied(
                f"{place}: the user of the gateway may not do that ({said}); who owns the tables can grant it"
            )
        if _SCANNER_GONE.search(whole):
            return ConnectionLost(f"{place}: HBase gave up an answer that was being read ({said}); ask again")
        if "SpaceLimiting" in whole or "No space left" in whole or "QuotaExceeded" in whole:
            return StoreFull(
                f"{place}: no room is left in HBase ({said}); what was acknowledged before is safe: make room and do "
                "it again"
            )
        if "CorruptHFile" in whole or "Checksum" in whole:
            return StoreCorrupt(f"{place}: HBase says that its files are damaged ({said}); restore a backup")
        if "read only" in whole or "read-only" in whole:
            return StoreReadOnly(f"{place}: the tables can be read only ({said})")
        if is_table_there(error):
            return StoreBusy(f"{place}: another process makes the same tables; try again")
        if _NOT_NOW.search(whole):
            return StoreUnavailable(
                f"{place}: the gateway is there, and HBase behind it does not answer ({said}); try again when it does"
            )
        if isinstance(error, TApplicationException):
            return StoreUnavailable(f"{place}: the Thrift gateway failed ({said}); its log says why; try again")
        return Refused(f"{place}: HBase refuses: {said}", said)


def is_no_table(error: BaseException) -> bool:
    """Whether HBase says that there is no such table."""
    return _NO_TABLE.search(_message(error)) is not None


def is_table_there(error: BaseException) -> bool:
    """Whether HBase says that a table is there already, or is just being made."""
    return isinstance(error, AlreadyExists) or "TableExistsException" in _message(error)


def _message(error: BaseException) -> str:
    """What an error says. Of those of Thrift it is bytes, which their own ``str`` cannot do, and a trace of Java."""
    said = getattr(error, "message", None) or str(error)
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    return "\n".join(line for line in text.splitlines() if not line.startswith("\tat "))


def _one_line(error: BaseException) -> str:
    """Its first line, without the packages of Java, and not too long to be read."""
    if not (lines := _message(error).strip().splitlines()):
        return type(error).__name__
    return _EXCEPTION.sub(r"\1", " ".join(lines[0].split()))[:240]
