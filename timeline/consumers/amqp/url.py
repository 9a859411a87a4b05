"""The URL of a bus: ``amqp://user:password@host:5672/vhost``; with TLS ``amqps://``."""

from __future__ import annotations

from typing import NoReturn
from urllib.parse import unquote, urlsplit

import msgspec

from timeline.errors import BusUrlError

_PORTS = {"amqp": 5672, "amqps": 5671}
_OTHER_SCHEMES = {"rabbit": "amqp", "pyamqp": "amqp", "kombu": "amqp"}
"""By which services name the same thing: what stands in a ``transport_url`` can be given as it is."""
_GUEST = "guest"


class Broker(msgspec.Struct, frozen=True, kw_only=True):
    """One node of a broker, and who asks."""

    host: str
    port: int
    user: str
    password: str
    vhost: str
    tls: bool

    def __str__(self) -> str:
        """As it may be shown: without the password."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'amqps' if self.tls else 'amqp'}://{self.user}@{host}:{self.port}/{self.vhost}"

    def __repr__(self) -> str:
        return f"<Broker {self}>"


def brokers(url: str) -> list[Broker]:
    """The nodes that a URL names: one, or several with commas between ``user:password@host:port``.

    The path is the virtual host: none and ``/`` are the one that is called ``/``, as is ``//`` and ``/%2F``. A node
    without user and password has those of the node before it. Raises :class:`~timeline.errors.BusUrlError`, which
    shows nothing of the password.
    """
    scheme, separator, rest = url.partition("://")
    scheme = _OTHER_SCHEMES.get(scheme.lower(), scheme.lower())
    if not separator or scheme not in _PORTS:
        _refuse(f"it begins with {scheme}://, not with amqp:// or amqps://" if separator else "it has no amqp://")
    if "?" in rest or "#" in rest:
        _refuse("nothing may follow the virtual host; a ?, # or / in a password is written %3F, %23, %2F")
    nodes, _, path = rest.partition("/")
    vhost = unquote(path) or "/"
    found: list[Broker] = []
    user, password = _GUEST, _GUEST
    for node in nodes.split(","):
        try:
            parts = urlsplit(f"//{node}")
            port = parts.port or _PORTS[scheme]
        except ValueError:
            _refuse("the port is no number up to 65535, or the address has brackets that do not match")
        if not parts.hostname:
            _refuse("it names no host")
        if parts.username is not None:
            user, password = unquote(parts.username), unquote(parts.password or "")
        found.append(
            Broker(host=parts.hostname, port=port, user=user, password=password, vhost=vhost, tls=scheme == "amqps")
        )
    return found


def _refuse(why: str) -> NoReturn:
    raise BusUrlError(f"this is no URL of a bus: {why}; one is amqp://USER:PASSWORD@HOST:5672/VHOST")
