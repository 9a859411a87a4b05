"""The URL of a store in HBase, taken apart: where the gateway is, and what the tables are called."""

from __future__ import annotations

import re
import shlex
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from timeline.errors import StoreUrlError

EXAMPLE = "hbase://host:9090/timeline"

_PORT = 9090
_PREFIX = "timeline"
_TIMEOUT = 30.0
_NAME = re.compile(r"(?:[A-Za-z0-9_]+:)?[A-Za-z0-9_][A-Za-z0-9_.-]*", re.ASCII)
_LONGEST_NAME = 200
_OPTIONS = {"timeout": "seconds", "transport": "buffered or framed", "protocol": "binary or compact"}


class HbaseUrl:
    """``hbase://HOST:PORT/PREFIX?timeout=SECONDS&transport=framed&protocol=compact``."""

    def __init__(self, url: str) -> None:
        """Raises :class:`~timeline.errors.StoreUrlError`."""
        try:
            parsed = urlsplit(url)
            port = parsed.port
        except ValueError:
            raise StoreUrlError(f"this is no URL of a store in HBase; one looks like {EXAMPLE}") from None
        self.place = _shown(parsed)
        self.init = f"timeline init --store {shlex.quote(self.place)}"
        if not parsed.hostname:
            raise StoreUrlError(f"{self.place} names no host; a URL looks like {EXAMPLE}")
        if parsed.username is not None or parsed.password is not None:
            raise StoreUrlError(
                f"{self.place}: the Thrift gateway of HBase takes no user and no password; leave them out"
            )
        self.host: str = parsed.hostname
        self.port: int = _PORT if port is None else port
        self.prefix: str = unquote(parsed.path).strip("/") or _PREFIX
        """What the names of the tables begin with; may name a namespace first: ``namespace:prefix``."""
        if not _NAME.fullmatch(self.prefix) or len(self.prefix) > _LONGEST_NAME:
            raise StoreUrlError(
                f"{self.place}: the name of a table in HBase has letters, digits, _, - and . alone, and so has what "
                f"its name begins with; a URL looks like {EXAMPLE}"
            )
        options = self._options(parsed)
        self.timeout: float = self._seconds(options.get("timeout"))
        """Seconds that a connection, and each answer, is waited for."""
        self.transport: str = self._one_of("transport", ("buffered", "framed"), options)
        self.protocol: str = self._one_of("protocol", ("binary", "compact"), options)

    def _options(self, parsed: SplitResult) -> dict[str, str]:
        options: dict[str, str] = {}
        for name, value in parse_qsl(parsed.query, keep_blank_values=True):
            if name not in _OPTIONS:
                known = ", ".join(f"{option}={meaning}" for option, meaning in _OPTIONS.items())
                raise StoreUrlError(f"{self.place}: there is no option {name!r:.40}; there are {known}")
            if name in options:
                raise StoreUrlError(f"{self.place}: the option {name} is given more than once")
            options[name] = value
        return options

    def _seconds(self, given: str | None) -> float:
        if given is None:
            return _TIMEOUT
        try:
            seconds = float(given)
        except ValueError:
            seconds = 0.0
        if not 0.001 <= seconds <= 86_400:
            raise StoreUrlError(f"{self.place}: timeout is a number of seconds above 0, at most a day")
        return seconds

    def _one_of(self, name: str, values: tuple[str, str], options: dict[str, str]) -> str:
        given = options.get(name, values[0])
        if given not in values:
            raise StoreUrlError(f"{self.place}: {name} is {_OPTIONS[name]}")
        return given


def _shown(url: SplitResult) -> str:
    """Without what may be a secret."""
    return f"{url.scheme}://{url.netloc.rpartition('@')[2]}{url.path}"
