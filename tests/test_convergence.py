"""No order, duplicate, batch or process changes a dump or a timeline, and nothing that comes changes what was known."""

import io
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import chain, permutations
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests import histories, oracle
from tests.histories import (
    History,
    Plain,
    by_resource,
    equal,
    instants,
    model,
    plain_segment,
    plain_state,
    random_history,
    without_birth,
)
from timeline import clock, drivers
from timeline.definitions import Definitions
from timeline.drivers.memory import MemoryDriver
from timeline.engine import Engine
from timeline.model import Existence, Phase
from timeline.reports import formats, shapes

ROOT = Path(__file__).parent.parent
NOON = clock.parse("2026-03-01T12:00:00Z")
VERSIONS = range(12)

NOVA = """
- event_type: ['compute.instance.*', '!compute.instance.exists']
  resource: &instance {type: instance, id: payload.instance_id, source: publisher_id}
  traits: &traits
    flavor: payload.instance_type
    host: payload.host
    metadata: {fields: payload.metadata, type: value}
    request_id: {fields: _context_request_id, volatile: true}
- event_type: compute.instance.exists
  resource: *instance
  phase: {phase: delete, when: payload.deleted_at, occurred_at: payload.deleted_at}
  traits: *traits
- event_type: compute.instance.restore.end
  resource: *instance
  phase: restore
  traits: *traits
"""
TOLD = """
- event_type: {kind}.{version}.told
  version: {version}
  resource: {{type: {kind}, id: payload.id, source: payload.region}}
  phase: [{phases}]
  traits:
    x: {{fields: payload.said.x, type: value}}
    y: {{fields: payload.said.y, type: value}}
    m: {{fields: payload.said.m, type: value}}
"""
PHASES = ", ".join(f"{{phase: {each.name.lower()}, when: payload.phase, is: {each}}}" for each in Phase)
DEFINITIONS = NOVA + "".join(
    TOLD.format(kind=kind, version=version, phases=PHASES) for kind in ("instance", "volume") for version in VERSIONS
)


# Notifications


def notification(event_type: str, at: int, payload: dict[str, Any], message_id: str, region: str = "") -> Plain:
    return {
        "event_type": event_type,
        "message_id": message_id,
        "timestamp": clock.format(at),
        "publisher_id": region,
        "priority": "INFO",
        "_context_request_id": f"req-{message_id}",
        "payload": payload,
    }


def telling(event: Plain, message_id: str | None = None) -> Plain:
    """A notification that the definitions read as this event."""
    assert event["version"] in VERSIONS
    payload = {"id": event["id"], "region": event["source"], "phase": event["phase"], "said": event["fields"]}
    event_type = f"{event['type']}.{event['version']}.told"
    return notification(event_type, event["occurred_at"], payload, message_id or event["message_id"])


def nova(minute: int, operation: str, phase: Phase, deleted: int | None = None, **said: Any) -> tuple[Plain, Plain]:
    """A notification of nova as one would be, and the event that it should be."""
    at = NOON + minute * 60_000_000
    payload: Plain = {"instance_id": "9f9d", "state": "active", "deleted_at": "", **said}
    fields = {"flavor" if name == "instance_type" else name: value for name, value in said.items()}
    told_at = at
    if deleted is not None:
        at = NOON + deleted * 60_000_000
        payload["deleted_at"] = clock.format(at)
    message_id = f"{operation} at {minute}"
    return (
        notification(f"compute.instance.{operation}", told_at, payload, message_id, "nova"),
        histories.event(at, phase, fields=fields, id="9f9d", source="nova"),
    )


SMALL: Plain = {"instance_type": "m1.small"}
LARGE: Plain = {"instance_type": "m1.large"}

DAYS = {
    "a late change in a run of audits": [
        nova(1, "create.start", Phase.CREATE, **SMALL, host="a"),
        nova(3, "exists", Phase.EXISTS, **SMALL, host="a"),
        nova(4, "exists", Phase.EXISTS, **SMALL, host="a"),
        nova(2, "finish_resize.end", Phase.END, **LARGE, host="b"),
        nova(3, "exists", Phase.EXISTS, **SMALL, host="a"),
    ],
    "a straggler and a failed build after the delete": [
        nova(1, "create.start", Phase.CREATE, **SMALL),
        nova(3, "delete.end", Phase.DELETE, **SMALL),
        nova(4, "update", Phase.UPDATE, **LARGE),
        nova(5, "create.error", Phase.ERROR, **SMALL),
        nova(2, "create.end", Phase.END, host="a"),
    ],
    "a delete that only an audit tells": [
        nova(1, "create.end", Phase.END, **SMALL),
        nova(9, "exists", Phase.DELETE, deleted=3, **SMALL),
        nova(10, "exists", Phase.DELETE, deleted=3, **SMALL),
        nova(2, "update", Phase.UPDATE, metadata={"a": "1"}),
        nova(4, "update", Phase.UPDATE, metadata={}),
    ],
    "a delete that is undone": [
        nova(1, "update", Phase.UPDATE, **SMALL),
        nova(2, "delete.end", Phase.DELETE, **SMALL),
        nova(3, "update", Phase.UPDATE, **SMALL),
        nova(4, "restore.end", Phase.RESTORE, host="c"),
        nova(5, "exists", Phase.EXISTS, **LARGE),
    ],
    "one instant": [
        nova(1, "update", Phase.UPDATE, **SMALL, host="a"),
        nova(1, "update", Phase.UPDATE, **LARGE, host="a"),
        nova(1, "resize.start", Phase.START, **SMALL, host="b"),
        nova(1, "power_on.start", Phase.START, **SMALL, host="c"),
        nova(1, "suspend.end", Phase.END, host="a"),
    ],
    "three lives": [
        nova(1, "create.start", Phase.CREATE, **SMALL, host="a"),
        nova(2, "delete.end", Phase.DELETE),
        nova(3, "create.start", Phase.CREATE, **LARGE),
        nova(4, "delete.end", Phase.DELETE),
        nova(5, "restore.end", Phase.RESTORE, metadata={"b": "2"}),
    ],
    "tags that come and go": [
        nova(1, "update", Phase.UPDATE, metadata={"a": "1", "b": "2"}),
        nova(2, "update", Phase.UPDATE, metadata={"a": "1"}),
        nova(3, "update", Phase.UPDATE, metadata=None),
        nova(4, "update", Phase.UPDATE, metadata={"a": "1"}),
        nova(2, "exists", Phase.EXISTS, metadata={}),
    ],
}


# Stores


@pytest.fixture(scope="module")
def definitions(tmp_path_factory: pytest.TempPathFactory) -> Definitions:
    path = tmp_path_factory.mktemp("definitions") / "told.yaml"
    path.write_text(DEFINITIONS)
    return Definitions.load(path)


Store = Callable[[], Engine]
"""Makes an engine on a store of its own."""


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path, definitions: Definitions) -> Iterator[Store]:
    made: list[Engine] = []
    prepared = None if request.param == "memory" else prepare(tmp_path / "prepared.db")

    def make() -> Engine:
        if prepared is None:
            return Engine(MemoryDriver(), definitions)
        path = tmp_path / f"{len(made)}.db"
        shutil.copy(prepared, path)
        made.append(Engine(drivers.open(f"sqlite:///{path}"), definitions))
        return made[-1]

    yield make
    for engine in made:
        engine.close()


def prepare(path: Path) -> Path:
    driver = drivers.open(f"sqlite:///{path}")
    driver.prepare()
    driver.close()
    return path


def exported(engine: Engine, **asked: Any) -> bytes:
    """What `timeline export events` writes."""
    stream = io.BytesIO()
    formats.write_list((shapes.event(each, provenance=False) for each in engine.events(**asked)), stream, lines=True)
    return stream.getvalue()


def lives(engine: Engine, told: History, **asked: Any) -> list[list[Plain]]:
    """The timelines of all resources of a history."""
    found = (engine.timeline(kind, name, source=source, **asked) for kind, source, name in by_resource(told))
    return [list(map(plain_segment, each.segments)) for each in found]


def right_lives(told: History) -> list[list[Plain]]:
    return [oracle.timeline(of_one) for of_one in by_resource(told).values()]


def states(engine: Engine, told: History) -> list[Plain]:
    """The states of all resources of a history at every instant at which one may change."""
    every = ((*who, at) for who in by_resource(told) for at in instants(told))
    return [plain_state(engine.state(kind, name, at, source=source)) for kind, source, name, at in every]


def right_states(told: History) -> list[Plain]:
    return [without_birth(oracle.at(of_one, at)) for of_one in by_resource(told).values() for at in instants(told)]


def redelivered(told: History, rng: Random) -> list[Plain]:
    """The notifications of a history in any order, some of them again, as they were or with an id of their own."""
    sent = [telling(each) for each in told]
    sent += [telling(each) for each in told if rng.random() < 0.2]
    sent += [telling(each, f"again {number}") for number, each in enumerate(told) if rng.random() < 0.2]
    rng.shuffle(sent)
    return sent


# Invariant 1


@pytest.mark.parametrize("day", DAYS)
def test_every_order_of_a_hard_day_gives_the_same_dump_and_timeline(day: str, store: Store) -> None:
    told = [event for _, event in DAYS[day]]
    dumps = set()
    for sent in permutations(message for message, _ in DAYS[day]):
        engine = store()
        counts = engine.ingest([*sent, {**sent[0], "message_id": "again"}], batch=2)
        assert (counts.notifications, counts.in_scope, counts.events) == (6, 6, len(oracle.stored(told)))
        dumps.add(exported(engine))
        assert histories.dump(engine) == [each.decode() for each in oracle.dump(told)]
        assert equal(lives(engine, told), right_lives(told))
        assert equal(states(engine, told), right_states(told))
        engine.close()
    assert len(dumps) == 1


@pytest.mark.parametrize("part", range(4))
def test_random_histories_converge_in_memory(part: int, definitions: Definitions) -> None:
    for seed in range(part, 2_000, 4):
        told, rng = random_history(f"told {seed}"), Random(f"sent {seed}")
        engine, other = Engine(MemoryDriver(), definitions), Engine(MemoryDriver(), definitions)
        engine.ingest(map(telling, told))
        other.ingest(redelivered(told, rng), batch=rng.randint(1, 5))
        assert exported(engine) == exported(other)
        assert histories.dump(other) == [each.decode() for each in oracle.dump(told)]
        assert equal(lives(other, told), right_lives(told))


def test_random_histories_converge_in_sqlite_with_two_writers_taking_turns(
    tmp_path: Path, definitions: Definitions
) -> None:
    url = f"sqlite:///{prepare(tmp_path / 'timeline.db')}"
    one, other = Engine(drivers.open(url), definitions), Engine(drivers.open(url), definitions)
    alone = Engine(MemoryDriver(), definitions)
    for seed in range(300):
        told, rng = random_history(f"turns {seed}", source=f"{seed}"), Random(f"turns {seed}")
        alone.ingest(map(telling, told))
        sent = redelivered(told, rng)
        while sent:
            size = rng.randint(1, 6)
            rng.choice((one, other)).ingest(sent[:size], batch=3)
            del sent[:size]
        assert equal(lives(rng.choice((one, other)), told), right_lives(told))
    assert exported(one) == exported(other) == exported(alone)
    for engine in (one, other):
        engine.close()


WRITER = """
import json
import sys
import timeline
url, definitions = sys.argv[1:]
with timeline.open(url, definitions=definitions) as engine:
    for line in sys.stdin:
        print(engine.ingest(json.loads(line)).in_scope, flush=True)
"""


@pytest.mark.parametrize("seed", range(3))
def test_two_long_lived_processes_that_write_at_once_converge(
    seed: int, tmp_path: Path, definitions: Definitions
) -> None:
    rng = Random(f"processes {seed}")
    told = [random_history(f"process {seed} {number}", moves=20, source=f"{number}") for number in range(50)]
    sent = redelivered(list(chain.from_iterable(told)), rng)
    url, file = f"sqlite:///{prepare(tmp_path / 'timeline.db')}", tmp_path / "definitions.yaml"
    file.write_text(DEFINITIONS)
    program = [sys.executable, "-c", WRITER, url, str(file)]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "cwd": ROOT}
    with subprocess.Popen(program, **pipes) as one, subprocess.Popen(program, **pipes) as other:
        # what overlaps is sent to both; each round they commit at once
        halves = {one: sent[: len(sent) * 3 // 5], other: sent[len(sent) * 2 // 5 :][::-1]}
        while any(halves.values()):
            sizes = {writer: min(rng.randint(1, 8), len(half)) for writer, half in halves.items()}
            for writer, half in halves.items():
                print(json.dumps(half[: sizes[writer]]), file=writer.stdin, flush=True)
                del half[: sizes[writer]]
            assert [writer.stdout.readline() for writer in sizes] == [f"{size}\n" for size in sizes.values()]
    assert one.returncode == other.returncode == 0
    alone = Engine(MemoryDriver(), definitions)
    alone.ingest(map(telling, chain.from_iterable(told)))
    export = [sys.executable, "-m", "timeline", "export", "events", "--store", url]
    assert subprocess.run(export, cwd=ROOT, capture_output=True, check=True).stdout == exported(alone)
    with Engine(drivers.open(url)) as engine:
        for each in told:
            assert equal(lives(engine, each), right_lives(each))


# Invariant 10


def answers(engine: Engine, told: History, known_before: int | None) -> bytes:
    asked: dict[str, Any] = {"as_known_at": known_before}
    at = instants(told)[:: max(1, len(told) // 3)]
    straight = [
        plain_state(engine.state(kind, name, each, source=source, **asked))
        for kind, source, name in by_resource(told)
        for each in at
    ]
    fleet = [
        [f"{each.resource}", plain_state(each)]
        for instant in at
        for each in engine.resources(at=instant, source=told[0]["source"], existence=tuple(Existence), **asked)
    ]
    dump = exported(engine, source=told[0]["source"], **asked).decode()
    return oracle.canonical([lives(engine, told, **asked), straight, fleet, dump])


def test_what_was_answered_as_known_at_an_instant_is_answered_ever_after(store: Store) -> None:
    engine = store()
    for seed in range(60):
        told = random_history(f"known {seed}", source=f"{seed}")
        pinned: dict[int, bytes] = {}
        for each in told:
            if each["recorded_at"] not in pinned:
                # what is known now is what was recorded before now
                pinned[each["recorded_at"]] = answers(engine, told, None)
            engine.driver.append([model(each)])
        assert {hour: answers(engine, told, hour) for hour in pinned} == pinned
        assert answers(engine, told, max(pinned) + 1) == answers(engine, told, None)


def test_a_redelivery_does_not_change_when_an_event_was_learnt(store: Store) -> None:
    engine = store()
    first = histories.event(1, Phase.UPDATE, fields={"x": 1})
    engine.driver.append([model(first)])
    engine.driver.append([model({**first, "recorded_at": first["recorded_at"] - 500, "message_id": "another"})])
    engine.driver.append([model({**first, "recorded_at": first["recorded_at"] + 500})])
    for hour, existence in ((0, "unknown"), (1, "present")):
        asked = engine.state("instance", "a", 1, as_known_at=first["recorded_at"] + hour)
        assert asked.existence == existence
