"""The URL of a MongoDB store, taken apart: what to connect with, and what to call it in front of people."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import Any

from pymongo.errors import PyMongoError
from pymongo.uri_parser import parse_uri

from timeline.errors import StoreUrlError

EXAMPLE = "mongodb://user@host:27017/database"

# What pymongo leaves without a bound, or with a long one, would wait for a host that is gone. A URL may say otherwise.
# A connection is given up before the search for a server is, which then tells why.
_BOUNDED = {"serverSelectionTimeoutMS": 10_000, "connectTimeoutMS": 8_000, "socketTimeoutMS": 120_000}
_SRV = "mongodb+srv"
_PARTS = re.compile(
    r"(?P<scheme>mongodb|mongodb\+srv)://(?:(?P<user>[^:@/]*)(?P<password>:[^@/]*)?@)?"
    r"(?P<hosts>[^@/?]+)(?:/(?P<database>[^?@]*))?(?:\?(?P<options>[^@]*))?",
    re.IGNORECASE | re.DOTALL,
)
_NO_NAME = re.compile(r'[\0/\\. "$*<>:|?]')


class MongodbUrl:
    """``mongodb://USER:PASSWORD@HOST:PORT,HOST:PORT/DATABASE?OPTION=VALUE``, or ``mongodb+srv://HOST/DATABASE``.

    Nothing is looked up: the hosts that a name of mongodb+srv stands for are asked for by who connects.
    """

    def __init__(self, url: str) -> None:
        """Raises :class:`~timeline.errors.StoreUrlError`."""
        parts = _PARTS.fullmatch(url)
        if parts is None:
            said = url.rpartition("@")[2].partition("?")[0]  # what stands outside may be a password
            raise StoreUrlError(
                f"...{said!r} is no URL of a store on MongoDB; one looks like {EXAMPLE}, and in a password / ? : @ are "
                "%2F %3F %3A %40"
            )
        hidden = "" if parts["password"] is None else ":***"
        user = "" if parts["user"] is None else f"{parts['user']}{hidden}@"
        self.place = f"{parts['scheme'].lower()}://{user}{parts['hosts']}/{parts['database'] or ''}"
        self.init = f"timeline init --store {shlex.quote(self.place)}"
        self.url = parts["scheme"].lower() + url[len(parts["scheme"]) :]
        if not parts["database"]:
            raise StoreUrlError(f"{self.place} names no database; a URL looks like {EXAMPLE}")
        parsed = self._parsed(parts)
        self.database = str(parsed["database"] or "")
        if (
            not self.database
            or parsed["collection"]
            or _NO_NAME.search(self.database)
            or len(self.database.encode()) > 63
        ):
            raise StoreUrlError(
                f"{self.place}: a database has a name of at most 63 bytes without spaces and without any of "
                '/ \\ . " $ * < > : | ?'
            )
        given = {name.lower() for name in parsed["options"]}
        self.bounds = {name: value for name, value in _BOUNDED.items() if name.lower() not in given}

    def _parsed(self, parts: re.Match[str]) -> Mapping[str, Any]:
        """What pymongo reads, which looks nothing up but the hosts of mongodb+srv: so it is given those as hosts."""
        plain = re.sub(r"^mongodb\+srv", "mongodb", self.url)
        options = parts["options"] or ""
        if parts["scheme"].lower() == _SRV:
            kept = [one for one in options.split("&") if not re.match("srv(maxhosts|servicename)=", one, re.IGNORECASE)]
            plain = plain[: len(plain) - len(options)] + "&".join(kept)
        try:
            return parse_uri(plain)
        except (PyMongoError, ValueError, TypeError, OSError) as error:  # OSError: of a file that an option names
            said = " ".join(str(error).split())
            if parts["password"]:
                said = said.replace(parts["password"], ":***")
            raise StoreUrlError(f"{self.place}: {said}; what may stand after ? is pymongo's") from None
