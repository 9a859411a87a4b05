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
        try:
            parsed = make_url(url)
        except (ArgumentError, ValueError):
            said = url.rpartition("@")[2].partition("?")[0]  # what stands outside may be a password
            raise StoreUrlError(f"...{said!r} is no URL of a store on a server; one looks like {example}") from None
        if not parsed.database:
            raise StoreUrlError(f"{_shown(parsed)} names no database; a URL looks like {example}")
        if "\0" in parsed.database:
            raise StoreUrlError(f"{_shown(parsed)}: a name cannot hold the character NUL")
        self.user = parsed.username
        self.password = parsed.password
        self.host = parsed.host
        self.port = parsed.port
        self.database = parsed.database
        self.place = _shown(parsed)
        self.init = f"timeline init --store {shlex.quote(self.place)}"
        self.options = self._options(parsed.query)

    def _options(self, query: Mapping[str, tuple[str, ...] | str]) -> dict[str, str]:
        options: dict[str, str] = {}
        for name, value in query.items():
            if not isinstance(value, str):
                raise StoreUrlError(f"{self.place}: the option {name} is given more than once")
            options[name] = value
        return options


def _shown(url: URL) -> str:
    """Without the password, and without options: some of them are secrets too."""
    return url.set(query={}).render_as_string(hide_password=True)
