"""Histories that meet what goes wrong, and the comparison of the engine's answers with the oracle's.

A history is a list of events in the order of their delivery, in the oracle's form. It is told by moves, which
Hypothesis chooses or a seeded generator. They are biased, since uniform chance misses the faults: few resources, few
values, small times with ties, A-B-A, confirmations with a late event among them, deletes with what follows them.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import product
from random import Random
from typing import Any, NamedTuple

from hypothesis import settings
from hypothesis import strategies as st

from tests import oracle
from timeline.engine import Engine
from timeline.model import Body, Event, Existence, Phase, Resource, Segment, State
from timeline.replay import Explanation, Timeline

Plain = dict[str, Any]
History = list[Plain]

RESOURCES = (("instance", "a"), ("instance", "a"), ("instance", "a"), ("instance", "A"), ("volume", "a"))
STATEMENTS = (30, 30, 30, 25, 40, 20, 45, 50)
BODIES: tuple[dict[str, Any], ...] = (
    *({"x": 1}, {"x": 2}, {"x": 1}, {"x": 2}, {"x": 1, "y": 1}, {"x": 2, "y": 1}, {"y": 1}, {"y": 2}, {"x": 1, "y": 2}),
    *({"x": None}, {"x": ""}, {"x": 1.0}, {"x": True}, {"x": "1"}, {"y": None}, {}),
    *({"m": {"a": 1, "b": 2}}, {"m": {"a": 1}}, {"m": {"a": 1}, "x": 1}, {"m": {}}, {"y": [1]}, {"y": [1.0]}),
)
WHATS = (
    *("say", "say", "say", "again", "again", "again", "late", "rival", "rival", "reread", "duplicate", "burst"),
    *("create", "restore", "delete", "undelete", "undelete"),
)
GAPS = (0, 0, 0, 1, 1, 1, 2, 2, 3, 5)
LEARNT = 1_000
"""When the first event of a history is recorded: far from when events occur, so that the two times show mixed up."""


def thorough(examples: int) -> settings:
    """How Hypothesis is to search: the same examples in every run, and no clock to fail by."""
    return settings(max_examples=examples, deadline=None, derandomize=True)


class Move(NamedTuple):
    """What happens next. ``back`` and ``other`` mean what each kind of move takes them for."""

    what: str
    resource: tuple[str, str] = ("instance", "a")
    gap: int = 1
    phase: int = 30
    fields: dict[str, Any] = {"x": 1}  # noqa: RUF012 - never changed
    version: int = 0
    back: int = 0
    other: int = 0


def history(moves: Iterable[Move], source: str = "") -> History:
    """The events that moves tell, as they are delivered: two are learnt at each instant."""
    told: History = []
    now = 0

    def tell(move: Move, at: int, phase: int, **said: Any) -> None:
        kind, name = said.pop("resource", move.resource)
        number = len(told)
        content = {"fields": move.fields, "version": move.version, **said}
        told.append(event(at, phase, kind=kind, id=name, source=source, number=number, **content))

    for move in moves:
        now += move.gap
        earlier = told[-1 - move.back % len(told)] if told else event(now, move.phase)
        of_earlier = {
            "resource": (earlier["type"], earlier["id"]) if told else move.resource,
            "fields": earlier["fields"],
            "version": earlier["version"],
        }
        match move.what:
            case "say":
                tell(move, now, move.phase)
            case "late":
                tell(move, now - 1 - move.back, move.phase)
            case "again":  # after something else: A-B-A
                tell(move, now, move.phase, **of_earlier)
            case "duplicate":  # with another message id
                tell(move, earlier["occurred_at"], earlier["phase"], **of_earlier)
            case "rival":
                tell(move, earlier["occurred_at"], earlier["phase"], **{**of_earlier, "fields": move.fields})
            case "reread":
                mended = {**of_earlier, "fields": move.fields, "version": earlier["version"] + 1}
                tell(move, earlier["occurred_at"], earlier["phase"], **mended)
            case "burst":
                for confirmed in (0, 1, 3, 4):
                    tell(move, now + confirmed, (30, 25)[confirmed > 0])
                tell(move, now + move.back % 4, move.phase, fields=BODIES[move.other])
                now += 4
            case "create":
                tell(move, now, 10)
            case "restore":
                tell(move, now, 11)
            case "delete":
                tell(move, now, 90)
            case "undelete":  # what was said before is said again by the delete, by a straggler, or by neither
                if move.gap == 0:  # the delete finds something ambiguous
                    tell(
                        move, earlier["occurred_at"], earlier["phase"], **{**of_earlier, "fields": BODIES[-move.other]}
                    )
                tell(move, now, 90, **(of_earlier if move.other % 2 else {"resource": of_earlier["resource"]}))
                if move.other % 3:
                    tell(move, now + 1, move.phase, **of_earlier)
                revived = {**of_earlier, "fields": of_earlier["fields"] if move.back > 5 else BODIES[move.other]}
                tell(move, now + move.other % 5, (11, 10, 11, 30, 10, 11, 10, 11)[move.back], **revived)
                now += 2
            case _:
                raise AssertionError(f"no move is named {move.what}")
    return told


def histories(max_moves: int = 12) -> st.SearchStrategy[History]:
    """Histories chosen by Hypothesis, which makes a failing one small."""
    moves = st.builds(
        Move,
        what=st.sampled_from(WHATS),
        resource=st.sampled_from(RESOURCES),
        gap=st.sampled_from(GAPS),
        phase=st.sampled_from(STATEMENTS),
        fields=st.sampled_from(BODIES),
        version=st.sampled_from((0, 0, 0, 1)),
        back=st.integers(0, 7),
        other=st.integers(0, len(BODIES) - 1),
    )
    return st.lists(moves, min_size=1, max_size=max_moves).map(history)


def random_history(seed: object, moves: int = 10, source: str = "", at_least: int = 1) -> History:
    """The history of a seed: the same in every process."""
    rng = Random(f"{seed}")
    return history(
        (
            Move(
                what=rng.choice(WHATS),
                resource=rng.choice(RESOURCES),
                gap=rng.choice(GAPS),
                phase=rng.choice(STATEMENTS),
                fields=rng.choice(BODIES),
                version=rng.choice((0, 0, 0, 1)),
                back=rng.randrange(8),
                other=rng.randrange(len(BODIES)),
            )
            for _ in range(rng.randint(at_least, moves))
        ),
        source,
    )


# Between the oracle's form and the model's


def event(
    at: int,
    phase: int,
    *,
    fields: dict[str, Any] | None = None,
    version: int = 0,
    kind: str = "instance",
    id: str = "a",
    source: str = "",
    number: int = 0,
) -> Plain:
    """One event in the oracle's form, the ``number``-th that is delivered."""
    return {
        "type": kind,
        "id": id,
        "source": source,
        "occurred_at": at,
        "phase": int(phase),
        "version": version,
        "fields": fields or {},
        "recorded_at": LEARNT + number // 2,
        "message_id": f"message-{number}",
        "event_type": f"{kind}.{Phase(phase).name.lower()}",
    }


def _saying(phase: Phase) -> Callable[..., Plain]:
    def say(at: int, version: int = 0, **fields: Any) -> Plain:
        return event(at, phase, fields=fields, version=version)

    return say


create, restore, start, exists, update, end, error, repair, delete = map(_saying, Phase)
"""One event of each phase in the oracle's form, as ``update(3, flavor="small")``, all of one resource."""


def model(plain: Plain) -> Event:
    """An event in the oracle's form, as the engine has it."""
    return Event(
        resource=Resource(type=plain["type"], source=plain["source"], id=plain["id"]),
        occurred_at=plain["occurred_at"],
        phase=Phase(plain["phase"]),
        body=Body.of(plain["fields"], plain["version"]),
        recorded_at=plain["recorded_at"],
        event_type=plain["event_type"],
        message_id=plain["message_id"],
    )


def plain_event(found: Event) -> Plain:
    """An event of the engine in the oracle's form."""
    return {
        "type": found.resource.type,
        "id": found.resource.id,
        "source": found.resource.source,
        "occurred_at": found.occurred_at,
        "phase": int(found.phase),
        "version": found.body.version,
        "fields": found.body.fields(),
        "recorded_at": found.recorded_at,
        "message_id": found.message_id,
        "event_type": found.event_type,
    }


def plain_segment(found: Segment) -> Plain:
    """A segment in the oracle's form."""
    born = None if found.born is None else found.born.value
    return {"start": found.start, "end": found.end, "born": born, **plain_state(found)}


def plain_state(found: Segment | State) -> Plain:
    """A state in the oracle's form, but for how the life began, which a state does not tell."""
    return {
        "existence": found.existence.value,
        "life": found.life,
        "fields": dict(found.fields),
        "ambiguous": list(found.ambiguous),
    }


def plain_explanation(found: Explanation) -> Plain:
    """An explanation in the oracle's form."""
    value = {"value": found.value} if found.collected else {}
    return {
        **value,
        "set_by": None if found.set_by is None else plain_event(found.set_by),
        "confirmed_by": found.confirmed_by,
        "last_confirmed": found.last_confirmed,
    }


def line(found: Segment) -> str:
    """A segment as one line that a person reads: span, existence, life, fields, and what is ambiguous."""
    end = "" if found.end is None else found.end
    fields = oracle.canonical(dict(found.fields)).decode()
    marks = f" ambiguous {','.join(found.ambiguous)}" if found.ambiguous else ""
    return f"{found.start}-{end} {found.existence.value} {found.life} {fields}{marks}"


def without_birth(told: Plain) -> Plain:
    """A state of the oracle without how the life began."""
    return {part: value for part, value in told.items() if part != "born"}


def by_resource(told: History) -> dict[tuple[str, str, str], History]:
    """The events of each resource, in the order of their delivery; the resources in theirs."""
    resources = sorted({(each["type"], each["source"], each["id"]) for each in told})
    return {who: [each for each in told if (each["type"], each["source"], each["id"]) == who] for who in resources}


def instants(told: History) -> list[int]:
    """The instants at which answers may change, and those just beside them."""
    return sorted({each["occurred_at"] + beside for each in told for beside in (-1, 0, 1)})


def hours(told: History) -> list[int | None]:
    """Some hours at which to ask what was known: before anything was, amid, at the end, and any."""
    learnt = sorted({each["recorded_at"] for each in told})
    return [learnt[0], learnt[len(learnt) // 2], learnt[-1], None]


# The comparison


def equal(found: object, told: object) -> bool:
    """Whether two answers are the same, by canonical bytes: 1, 1.0 and True are equal to Python."""
    return oracle.canonical(found) == oracle.canonical(told)


def timeline(told: History) -> Timeline:
    """The engine's timeline of the one resource that events speak of, delivered as they stand."""
    events = {each.key: each for each in map(model, reversed(told))}  # of a duplicate, the first delivery stays
    ((kind, source, name),) = by_resource(told)
    return Timeline(Resource(type=kind, source=source, id=name), events.values())


def deliver(engine: Engine, told: History) -> Engine:
    """The engine, after the events were appended to its store one by one."""
    for each in told:
        engine.driver.append([model(each)])
    return engine


def dump(engine: Engine, source: str | None = None) -> list[str]:
    """The oracle's spelling of the stored events, in the engine's order."""
    return [each.decode() for stored in engine.events(source=source) for each in oracle.dump([plain_event(stored)])]


Difference = tuple[str, object, object]
"""What was asked, the engine's answer, and the oracle's."""


def differences(engine: Engine, told: History) -> Iterator[Difference]:
    """Where the engine, to which the history was delivered, is not of the oracle's opinion."""
    for asked, found, right in _answers(engine, told):
        if not equal(found, right):
            yield asked, found, right


def first_difference(make: Callable[[], Engine], seeds: Iterable[object]) -> tuple[object, Difference] | None:
    """The first seed whose history an engine answers wrongly, and where."""
    for seed in seeds:
        told = random_history(seed)
        for difference in differences(deliver(make(), told), told):
            return seed, difference
    return None


def _answers(engine: Engine, told: History) -> Iterator[Difference]:
    source = told[0]["source"]
    everything = by_resource(told)
    for known_before in hours(told):
        known = {who: oracle.known(of_one, known_before) for who, of_one in everything.items()}
        for (kind, _, name), of_one in everything.items():
            yield from _of_resource(engine, (kind, source, name), of_one, known_before)
        for at in instants(told)[:: 3 if known_before is None else 7]:
            found = engine.resources(at=at, source=source, existence=tuple(Existence), as_known_at=known_before)
            right = [
                [kind, name, without_birth(oracle.state(ours, at))] for (kind, _, name), ours in known.items() if ours
            ]
            listed = [[each.resource.type, each.resource.id, plain_state(each)] for each in found]
            yield f"resources at {at} as known at {known_before}", listed, right


def _of_resource(
    engine: Engine, who: tuple[str, str, str], told: History, known_before: int | None
) -> Iterator[Difference]:
    kind, source, name = who
    asked = f"{kind}/{name} as known at {known_before}"
    found = engine.timeline(kind, name, source=source, as_known_at=known_before)
    yield f"timeline of {asked}", list(map(plain_segment, found.segments)), oracle.timeline(told, known_before)
    known = oracle.known(told, known_before)
    for at in instants(told):
        right = oracle.state(known, at)
        state = engine.state(kind, name, at, source=source, as_known_at=known_before)
        yield f"state at {at} of {asked}", plain_state(state), without_birth(right)
        segment = found.at(at)
        yield f"segment at {at} of {asked}", {"born": segment.born, **plain_state(segment)}, right
    if known_before is None:
        for at, field in product(instants(told)[2::4], ("x", "y", "m")):
            explained = plain_explanation(found.explain(at, field))
            yield f"explain {field} at {at} of {asked}", explained, oracle.explain(told, at, field)
