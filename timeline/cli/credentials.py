"""Keeps the credentials of URLs out of what is shown."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import unquote

MASK = "***"
"""What stands in the place of a credential."""

_SHORTEST = 6
"""Characters that a password has at least to be looked for in a text: ``guest`` is a word, and the name of a user."""

# Up to the last @ before a space: a password may itself hold an @, and a URL several nodes with a password each
_WITH_PASSWORD = re.compile(r"(?P<user>\b[a-zA-Z][a-zA-Z0-9+.-]*://[^\s:@/]*+):\S*@")
_TOKEN_LIKE = re.compile(
    r"(?P<name>[?&;][\w.-]*?(?:passw|passphrase|secret|token|credential|key)[\w.-]*=)[^&;\s\"']*", re.I
)


def without_password(url: str) -> str:
    """A URL of a store or a bus as it may be shown: without the password that may stand in it."""
    scheme, separator, rest = url.encode(errors="backslashreplace").decode().partition("://")
    if rest.startswith("/"):
        return f"{scheme}{separator}{rest}"  # a file
    credentials, at, place = rest.rpartition("@")
    return _TOKEN_LIKE.sub(rf"\g<name>{MASK}", f"{scheme}{separator}{credentials.partition(':')[0]}{at}{place}")


def passwords(*urls: str | None) -> frozenset[str]:
    """The passwords in URLs, as they are written and as they are meant, but for those too short to be looked for."""
    found: set[str] = set()
    for url in urls:
        rest = (url or "").partition("://")[2]
        for node in rest.split(","):
            written = node.rpartition("@")[0].partition(":")[2]
            found |= {written, unquote(written)}
        found |= {value for said in _TOKEN_LIKE.finditer(rest) for value in _value(said[0])}
    return frozenset(password for password in found if len(password) >= _SHORTEST)


def masked(text: str, passwords: Iterable[str] = ()) -> str:
    """A text without these passwords, and without any that stands in a URL."""
    for password in sorted(passwords, key=len, reverse=True):
        text = text.replace(password, MASK)
    return _TOKEN_LIKE.sub(rf"\g<name>{MASK}", _WITH_PASSWORD.sub(r"\g<user>@", text))


def _value(said: str) -> set[str]:
    value = said.partition("=")[2]
    return {value, unquote(value)}
