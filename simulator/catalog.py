"""What a fleet is made of: flavors, images, hosts, projects, names, tags."""

from dataclasses import dataclass
from functools import lru_cache
from random import Random

__all__ = [
    "FLAVORS",
    "ROLES",
    "WORDS",
    "Flavor",
    "Project",
    "flavor",
    "host",
    "image",
    "node",
    "project",
    "uuid",
]

ROLES = ("web", "db", "cache", "batch", "ci", "queue", "mail", "träger", "計算")
WORDS = ("daily", "weekly", "", "team-07@example.org", "cc-118", "b000417", "été", "a/b c", "0")

_IMAGES = 8
_RACK_HOSTS = 24
_RACK_INSTANCES = 256
_ZONES = 3
_NEIGHBOURS = 64
_NEIGHBOUR_PROJECTS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Flavor:
    """A size that an instance can have."""

    name: str
    id: str
    number: int
    vcpus: int
    memory_mb: int
    root_gb: int
    ephemeral_gb: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A tenant and the people who work in it."""

    id: str
    name: str
    users: tuple[str, ...]


def _flavors() -> tuple[tuple[Flavor, ...], tuple[int, ...]]:
    rows = (
        # name, public id, number, vcpus, memory, root, ephemeral, weight
        ("m1.tiny", "1", 2, 1, 512, 1, 0, 20),
        ("m1.small", "2", 5, 1, 2048, 20, 0, 30),
        ("m1.medium", "3", 1, 2, 4096, 40, 0, 25),
        ("m1.large", "4", 3, 4, 8192, 80, 0, 15),
        ("m1.xlarge", "5", 4, 8, 16384, 160, 0, 6),
        ("c5.scratch", "c41ff5de-0a1b-4b5c-9ad4-1c1f0f7a3f10", 17, 16, 32768, 80, 200, 4),
    )
    flavors = tuple(
        Flavor(
            name=name,
            id=public,
            number=number,
            vcpus=vcpus,
            memory_mb=memory,
            root_gb=root,
            ephemeral_gb=ephemeral,
        )
        for name, public, number, vcpus, memory, root, ephemeral, _ in rows
    )
    return flavors, tuple(row[-1] for row in rows)


FLAVORS, _WEIGHTS = _flavors()


def flavor(rng: Random, *, other_than: Flavor | None = None) -> Flavor:
    """Draw a flavor, small ones more often."""
    while True:
        drawn: Flavor = rng.choices(FLAVORS, _WEIGHTS)[0]
        if drawn is not other_than:
            return drawn


def uuid(rng: Random) -> str:
    """A version 4 UUID, drawn."""
    digits = f"{rng.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


@lru_cache(maxsize=256)
def _images(seed: int) -> tuple[str, ...]:
    rng = Random(f"{seed}:images")
    return tuple(uuid(rng) for _ in range(_IMAGES))


def image(rng: Random, *, seed: int) -> str:
    """Draw one of the fleet's images."""
    return rng.choice(_images(seed))


@lru_cache(maxsize=256)
def _project(seed: int, number: int) -> Project:
    rng = Random(f"{seed}:project:{number}")
    return Project(
        id=f"{rng.getrandbits(128):032x}",
        name=f"project-{number:03}",
        users=tuple(f"{rng.getrandbits(128):032x}" for _ in range(rng.randint(1, 3))),
    )


def project(rng: Random, *, seed: int, index: int) -> Project:
    """Draw the owner of instance `index`. Neighbours draw from the same few, in a fleet of any size."""
    first = index // _NEIGHBOURS * _NEIGHBOUR_PROJECTS
    return _project(seed, first + rng.randrange(_NEIGHBOUR_PROJECTS))


def host(rng: Random, *, index: int, zone: int, other_than: str | None = None) -> str:
    """Draw a host for instance `index` in its availability zone. Its name has dots, as real ones do."""
    rack = index // _RACK_INSTANCES
    while True:
        number = rng.randrange(zone % _ZONES, _RACK_HOSTS, _ZONES)
        drawn = f"compute-{rack:02}-{number:02}.dc1.example.org"
        if drawn != other_than:
            return drawn


def node(host: str) -> str:
    """The hypervisor of a host."""
    return f"kvm-{host.partition('.')[0].removeprefix('compute-')}"
