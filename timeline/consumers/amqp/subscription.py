"""What is subscribed to on a bus, and how the broker is known."""

from __future__ import annotations

import msgspec

EXCHANGES = (
    "openstack",  # of every service that names none of its own, as cinder does
    "aodh",
    "ceilometer",
    "central",  # designate's, where it is told nothing else
    "cinder",
    "designate",
    "dns",
    "glance",
    "heat",
    "ironic",
    "keystone",
    "magnum",
    "manila",
    "neutron",
    "nova",
    "octavia",
    "swift",
    "trove",
    "zaqar",
)
"""The exchanges that OpenStack's services publish to unless they are told otherwise."""

TOPICS = ("notifications", "versioned_notifications", "ironic_versioned_notifications")
"""The topics of notifications: unversioned ones, nova's versioned ones, ironic's."""

PRIORITIES = ("audit", "critical", "debug", "error", "info", "warn")
"""The priorities of notifications. ``sample`` is left out: what comes by it are samples."""


class Subscription(msgspec.Struct, frozen=True, kw_only=True):
    """Which messages are wanted, and the queue in which they wait. Consumers that name the same queue share them."""

    exchanges: tuple[str, ...] = EXCHANGES
    topics: tuple[str, ...] = TOPICS
    priorities: tuple[str, ...] = PRIORITIES
    queue: str = "timeline"
    durable: bool = True
    """Whether a queue that is made outlives the broker."""
    quorum: bool = False
    """Whether a queue that is made is replicated: these are always durable."""
    exchanges_durable: bool = False
    """Whether exchanges that are made outlive the broker. A service refuses one that is not as it would make it."""
    passive: bool = False
    """Whether the queue has to be there: nothing is made, and nothing is bound."""

    def routing_keys(self) -> list[str]:
        """What is bound, on each exchange: ``notifications.info``."""
        return [f"{topic}.{priority}" for topic in self.topics for priority in self.priorities]


class Tls(msgspec.Struct, frozen=True, kw_only=True):
    """How the broker is verified, and shown who we are. Files are in PEM."""

    ca_file: str | None = None
    """The authorities that are trusted; unless given, those of the system."""
    cert_file: str | None = None
    key_file: str | None = None
    verify: bool = True
    """Whether the broker has to prove that it is the one that was named."""
