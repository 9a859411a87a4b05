"""The URL of a database server, taken apart: what to connect with, and what to call it in front of people."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from timeline.errors import StoreUrlError


class ServerUrl:
    """``scheme://USER:PASSWORD@HOST:PORT/DATABASE?OPTION=VALUE``."""

    def __init__(self, url: str, example: str) -> None:
        """Raises :class:`~timeline.errors.StoreUrlError`; ``example`` shows how such a URL looks."""
        if not _is_text(url, "utf-8"):
            raise StoreUrlError(f"the URL of the store holds bytes that are no UTF-8; one looks like {example}")
        try:
            parsed = make_url(url)
        except (ArgumentError, ValueError):
            # what stands outside may be a password
            said = url.rpartition("@")[2].partition("?")[0] if "@" in url else f"{url.partition(':')[0]}:"
            raise StoreUrlError(f"...{said!r} is no URL of a store on a server; one looks like {example}") from None
        if parsed.host is not None and "@" in parsed.host:
            host = parsed.host.rpartition("@")[2]
            raise StoreUrlError(f"...@{host}: an @ that belongs to a name or a password is written %40 in a URL")
        if not parsed.database:
            raise StoreUrlError(f"{_shown(parsed)} names no database; a URL looks like {example}")
        self.user = parsed.username
        self.password = parsed.password
        self.host = parsed.host
        self.port = parsed.port
        self.database = parsed.database
        self._example = example
        self.place = _shown(parsed)
        self.init = f"timeline init --store {shlex.quote(self.place)}"
        self.options = self._options(parsed.query)
        self._check()

    def _check(self) -> None:
        """What some client would cut, or fail of in its own words."""
        for text in (self.user, self.password, self.host, self.database, *self.options, *self.options.values()):
            if text is not None and "\0" in text:
                raise StoreUrlError(f"{self.place}: nothing in it can hold the character NUL")
        for host in (self.host, self.options.get("host")):
            if host is not None and not _is_text(host, "idna"):
                raise StoreUrlError(f"{self.place}: this is no name of a host; a URL looks like {self._example}")
        if self.port is not None and not 0 < self.port < 65_536:
            raise StoreUrlError(f"{self.place}: a port is a number from 1 to 65535")

    def _options(self, query: Mapping[str, tuple[str, ...] | str]) -> dict[str, str]:
        options: dict[str, str] = {}
        for name, value in query.items():
            if not isinstance(value, str):
                raise StoreUrlError(f"{self.place}: the option {name} is given more than once")
            options[name] = value
        return options


def _is_text(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeError:
        return False
    return True


def _shown(url: URL) -> str:
    """Without the password, and without options: some of them are secrets too."""
    return url.set(query={}).render_as_string(hide_password=True)
