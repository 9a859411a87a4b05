"""Who an instance is: all that never changes about it."""

from dataclasses import dataclass
from random import Random

from simulator import catalog
from simulator.stamps import SECOND

__all__ = ["Identity", "identity"]

_EARLY = 0.7
"""Share of the fleet that exists nearly from the start; the others come over the next two thirds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What is settled once an instance is asked for."""

    index: int
    id: str
    project: catalog.Project
    user_id: str
    reservation_id: str
    name: str
    hostname: str
    image_id: str
    architecture: str
    os_type: str | None
    zone: int
    address: str
    mac: str
    created_at: int

    @property
    def availability_zone(self) -> str:
        return f"az{self.zone + 1}"


def identity(seed: int, index: int, *, start: int, span: int) -> Identity:
    """Draw instance `index` of the fleet of that seed. Nothing about it depends on the other instances."""
    rng = Random(f"{seed}:{index}")
    owner = catalog.project(rng, seed=seed, index=index)
    role = rng.choice(catalog.ROLES)
    share = rng.random() * (0.02 if rng.random() < _EARLY else 0.67)
    created = start + int(span * share)
    return Identity(
        index=index,
        id=catalog.uuid(rng),
        project=owner,
        user_id=rng.choice(owner.users),
        reservation_id=f"r-{rng.getrandbits(32):08x}",
        name=f"{role}-{index:05}",
        hostname=f"server-{index:05}",
        image_id=catalog.image(rng, seed=seed),
        architecture=rng.choice(("x86_64", "x86_64", "x86_64", "aarch64")),
        os_type=rng.choice(("linux", "linux", "windows", None)),
        zone=rng.randrange(3),
        address=f"10.{rng.randrange(256)}.{rng.randrange(256)}.{rng.randrange(1, 255)}",
        mac="fa:16:3e:" + ":".join(f"{rng.randrange(256):02x}" for _ in range(3)),
        created_at=-(-created // SECOND) * SECOND,
    )
