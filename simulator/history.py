"""What happens to an instance, decided here and nowhere else: messages and truth both read these steps."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from random import Random

from simulator import catalog
from simulator.identity import Identity
from simulator.stamps import DAY, SECOND

__all__ = ["State", "Step", "history"]

_WHOLE = 1 / 40
"""Share of the steps that fall on a whole second, where the envelope's time loses its fraction."""

_SWITCHES = {
    # verb: (task while it runs, state after it)
    "suspend": ("suspending", "suspended"),
    "resume": ("resuming", "active"),
    "power_off": ("powering-off", "stopped"),
    "power_on": ("powering-on", "active"),
}

_CHOICES = {
    # state: what may happen next, and how often
    "active": {
        "resize": 18,
        "suspend": 14,
        "power_off": 16,
        "migrate": 14,
        "edit": 24,
        "rename": 14,
    },
    "suspended": {"resume": 70, "edit": 20, "rename": 10},
    "stopped": {"power_on": 70, "edit": 20, "rename": 10},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What may change about an instance. `metadata` is never changed in place."""

    state: str
    name: str
    flavor: catalog.Flavor
    host: str
    metadata: Mapping[str, str]
    launched_at: int | None = None
    terminated_at: int | None = None
    deleted_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A moment that nova speaks of, and the state from then on.

    `event` is the event type without its `compute.instance.`; `said` holds what this message says
    besides the state; `by_admin` tells that an administrator acts and not the owner.
    """

    at: int
    event: str
    state: State
    publisher: str
    task: str = ""
    by_admin: bool = False
    said: Mapping[str, object] = field(default_factory=dict)


class _Course:
    """An instance on its way: the time it is, and the state it is in by now."""

    def __init__(self, who: Identity, rng: Random, state: State) -> None:
        self.who, self.rng, self.state = who, rng, state
        self.at = who.created_at

    def wait(self, shortest: float, longest: float) -> None:
        self.at += int(SECOND * self.rng.uniform(shortest, longest))
        if self.rng.random() < _WHOLE:
            self.at = -(-self.at // SECOND) * SECOND

    def step(
        self,
        event: str,
        *,
        task: str = "",
        publisher: str | None = None,
        by_admin: bool = False,
        said: Mapping[str, object] | None = None,
    ) -> Step:
        return Step(
            at=self.at,
            event=event,
            state=self.state,
            publisher=publisher or self.state.host,
            task=task,
            by_admin=by_admin,
            said=said or {},
        )

    def create(self) -> Iterator[Step]:
        self.wait(0.5, 15)
        yield self.step("create.start", task="scheduling")
        self.wait(5, 90)
        launched = self.at - self.rng.randrange(20_000, 900_000)
        self.state = replace(self.state, state="active", launched_at=launched)
        yield self.step("create.end", said={"message": "Success"})

    def delete(self) -> Iterator[Step]:
        yield self.step("delete.start", task="deleting")
        self.wait(0.1, 2)
        yield self.step("shutdown.start", task="deleting")
        self.wait(0.5, 12)
        yield self.step("shutdown.end", task="deleting")
        terminated = self.at
        self.wait(0.1, 2)
        self.state = replace(self.state, state="deleted", terminated_at=terminated, deleted_at=self.at)
        yield self.step("delete.end")

    def change(self) -> Iterator[Step]:
        choices = _CHOICES[self.state.state]
        chosen = self.rng.choices(list(choices), list(choices.values()))[0]
        if chosen in _SWITCHES:
            return self.switch(chosen)
        return {
            "resize": self.resize,
            "migrate": self.migrate,
            "edit": self.edit,
            "rename": self.rename,
        }[chosen]()

    def switch(self, verb: str) -> Iterator[Step]:
        task, state = _SWITCHES[verb]
        yield self.step(f"{verb}.start", task=task)
        self.wait(1, 25)
        self.state = replace(self.state, state=state)
        yield self.step(f"{verb}.end")

    def resize(self) -> Iterator[Step]:
        rng, before = self.rng, self.state
        flavor = catalog.flavor(rng, other_than=before.flavor)
        there = catalog.host(rng, index=self.who.index, zone=self.who.zone, other_than=before.host)
        yield self.step("resize.prep.start", task="resize_prep", publisher=there)
        self.wait(0.2, 3)
        wanted = {"new_instance_type": flavor.name, "new_instance_type_id": flavor.number}
        yield self.step("resize.prep.end", task="resize_prep", publisher=there, said=wanted)
        self.wait(0.2, 3)
        yield self.step("resize.start", task="resize_migrating")
        self.wait(3, 60)
        yield self.step("resize.end", task="resize_migrated")
        self.wait(0.2, 3)
        yield self.step("finish_resize.start", task="resize_finish", publisher=there)
        self.wait(2, 30)
        # nova counts a resized instance as launched anew
        launched = self.at - rng.randrange(20_000, 900_000)
        self.state = replace(before, state="resized", flavor=flavor, host=there, launched_at=launched)
        yield self.step("finish_resize.end")
        self.wait(20, 900)
        yield self.step("resize.confirm.start")
        self.wait(0.5, 5)
        self.state = replace(self.state, state="active")
        yield self.step("resize.confirm.end")

    def migrate(self) -> Iterator[Step]:
        here = self.state.host
        there = catalog.host(self.rng, index=self.who.index, zone=self.who.zone, other_than=here)
        for event, host, shortest, longest in (
            ("live_migration.pre.start", there, 0.5, 5),
            ("live_migration.pre.end", there, 5, 90),
            ("live_migration._post.start", here, 0.2, 2),
            ("live_migration.post.dest.start", there, 0.5, 4),
        ):
            yield self.step(event, task="migrating", publisher=host, by_admin=True)
            self.wait(shortest, longest)
        self.state = replace(self.state, host=there)
        yield self.step("live_migration.post.dest.end", by_admin=True)
        self.wait(0.2, 2)
        yield self.step("live_migration._post.end", publisher=here, by_admin=True)

    def edit(self) -> Iterator[Step]:
        rng, tags = self.rng, dict(self.state.metadata)
        if len(tags) > 2 and rng.random() < 0.3:
            del tags[rng.choice(list(tags))]
        elif len(tags) < 4 and rng.random() < 0.5:
            tags[f"tag-{rng.randrange(10**6):06}"] = rng.choice(catalog.WORDS)
        else:
            key = rng.choice(list(tags))
            tags[key] = rng.choice([word for word in catalog.WORDS if word != tags[key]])
        self.state = replace(self.state, metadata=tags)
        yield self.step("update")

    def rename(self) -> Iterator[Step]:
        old = self.state.name
        role = self.rng.choice(catalog.ROLES)
        new = f"{role}-{self.who.index:05}-{self.rng.randrange(10**4):04}"
        self.state = replace(self.state, name=new)
        yield self.step("update", said={"old_display_name": old})


def history(who: Identity, *, seed: int, end: int, changes_per_day: float, deleted: float) -> Iterator[Step]:
    """Yield the steps of one instance before `end`, in order, no two at one time.

    Lazily: a long history takes no more memory than a short one. Called again, it tells the same.
    """
    rng = Random(f"{seed}:{who.index}:history")
    for step in _whole_history(who, rng, end, changes_per_day, deleted):
        if step.at >= end:
            return
        yield step


def _whole_history(who: Identity, rng: Random, end: int, changes_per_day: float, deleted: float) -> Iterator[Step]:
    course = _Course(who, rng, _first(who, rng))
    yield from course.create()
    horizon = _deletion(course, end, deleted)
    last = end if horizon is None else horizon
    while changes_per_day > 0:
        course.at += SECOND + int(DAY * rng.expovariate(changes_per_day))
        if course.at >= last:
            break
        before, steps = course.state, list(course.change())
        if horizon is not None and steps[-1].at >= horizon:
            course.state = before  # no time is left for it: it never began
            break
        yield from steps
    if horizon is not None:
        course.at = horizon
        yield from course.delete()


def _first(who: Identity, rng: Random) -> State:
    tags = {"role": who.name.rpartition("-")[0], "owner": f"team-{rng.randrange(40):02}"}
    if rng.random() < 0.7:
        tags["backup"] = rng.choice(catalog.WORDS)
    return State(
        state="building",
        name=who.name,
        flavor=catalog.flavor(rng),
        host=catalog.host(rng, index=who.index, zone=who.zone),
        metadata=tags,
    )


def _deletion(course: _Course, end: int, deleted: float) -> int | None:
    """When the delete begins, if the instance is one of those that are deleted within the span."""
    earliest, latest = course.at + 60 * SECOND, end - 30 * SECOND
    doomed, share = course.rng.random() < deleted, course.rng.random()
    if not doomed or earliest >= latest:
        return None
    return earliest + int((latest - earliest) * share)
