"""P6 to P8: the state of one resource, of one with very many events, and of a whole fleet, at an instant."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import timeline
from benchmarks.fleets import HOUR, INSTANCES, START, simulated, stored
from benchmarks.measure import Row, each, in_turn, seconds
from timeline import clock
from timeline.model import Body, Event, Phase, Resource, Scope

Question = tuple[Resource, int]

_ONE = """
SELECT e.occurred_at, e.phase, b.data
FROM resource r JOIN stream s ON s.resource = r.id JOIN body b ON b.id = s.body JOIN event e ON e.stream = s.id
    AND e.occurred_at = (SELECT max(occurred_at) FROM event WHERE stream = s.id AND occurred_at <= ?)
WHERE r.type = ? AND r.source = ? AND r.name = ?
"""
_FLEET = """
SELECT r.id, s.body,
    (SELECT max(occurred_at) FROM event WHERE stream = s.id AND occurred_at <= ?) AS last
FROM resource r JOIN stream s ON s.resource = r.id WHERE r.type = ? AND last IS NOT NULL
"""


def rows() -> Iterator[Row]:
    """P6, P7 and P8."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        small = stored(folder / "small.db", simulated(INSTANCES // 100).notifications())
        large = stored(folder / "large.db")
        yield from _one(small, large)
        yield from _many_events(folder)
        yield from _whole(large)


def _one(small: Path, large: Path) -> Iterator[Row]:
    with timeline.open(f"sqlite:///{small}") as few, timeline.open(f"sqlite:///{large}") as many:
        database = sqlite3.connect(large)

        def raw(question: Question) -> object:
            resource, at = question
            return database.execute(_ONE, (at, b"instance", b"", resource.id.encode())).fetchall()

        in_large = _questions(many)
        of_small, of_large, plain = in_turn(
            (partial(_ask, few), _questions(few)), (partial(_ask, many), in_large), (raw, in_large)
        )
        database.close()
    yield Row(
        id="P6",
        what="engine.state of one resource at T",
        reached=f"{of_large * 1e3:.3f} ms",
        reach="0.1 ms",
        beside=f"{plain * 1e3:.3f} ms plain sqlite3, rows alone",
        holds=of_large <= 1e-4,
    )
    yield Row(
        id="P6",
        what="the same, fleet grown x100",
        reached=f"x{of_large / of_small:.2f}",
        reach="x1.5",
        beside=f"{of_small * 1e3:.3f} ms with {INSTANCES // 100} instances, {of_large * 1e3:.3f} ms with {INSTANCES:,}",
        holds=of_large <= 1.5 * of_small,
    )


def _questions(engine: timeline.Engine) -> list[Question]:
    chance = random.Random(7)
    resources = list(engine.driver.resources(Scope(type="instance"), limit=INSTANCES))
    return [(chance.choice(resources), START + chance.randrange(30 * HOUR)) for _ in range(3_000)]


def _ask(engine: timeline.Engine, question: Question) -> object:
    resource, at = question
    return engine.state("instance", resource.id, at)


def _many_events(folder: Path) -> Iterator[Row]:
    few = _one_resource(folder / "few.db", 1_000, 20)
    many = _one_resource(folder / "many.db", 100_000, 20)
    distinct = _one_resource(folder / "distinct.db", 100_000, 100_000)
    yield Row(
        id="P7",
        what="engine.state, 100,000 events in 20 bodies",
        reached=f"{many * 1e3:.3f} ms",
        reach="0.4 ms, flat",
        beside=f"{few * 1e3:.3f} ms with 1,000: x{many / few:.2f}; 100,000 distinct bodies: {distinct * 1e3:,.0f} ms",
        holds=many <= 4e-4 and many <= 1.5 * few,
    )


def _one_resource(path: Path, events: int, bodies: int) -> float:
    resource = Resource(type="instance", id="busy")
    said = [Body.of({f"field_{k}": f"value {k} of body {number}" for k in range(20)}, 1) for number in range(bodies)]
    with timeline.open(f"sqlite:///{path}") as engine:
        engine.prepare()
        for first in range(0, events, 1_000):
            engine.driver.append(
                Event(resource, START + number * clock.SECOND, Phase.UPDATE, said[number % bodies], START, "update")
                for number in range(first, first + 1_000)
            )
        at = START + events * clock.SECOND // 2
        asked: list[object] = [at + k * clock.SECOND for k in range(5 if bodies > 1_000 else 300)]
        return each(lambda instant: engine.state("instance", "busy", instant), asked)  # type: ignore[arg-type]


def _whole(path: Path) -> Iterator[Row]:
    at = START + 24 * HOUR
    database = sqlite3.connect(path)
    (events,) = database.execute("SELECT count(*) FROM event").fetchone()
    raw = seconds(lambda: database.execute(_FLEET, (at, b"instance")).fetchall(), 5)
    database.close()
    with timeline.open(f"sqlite:///{path}") as engine:
        scope = Scope(type="instance")
        which = seconds(lambda: _drain(engine.driver.events(scope, until=at, last_per_body=True)), 5)
        decoded = seconds(lambda: _drain(engine.resources("instance", at)), 5)
    yield Row(
        id="P8",
        what=f"{INSTANCES:,} instances, {events:,} events at T: bodies in force",
        reached=f"{which * 1e3:.0f} ms",
        reach="160 ms",
        beside=f"{raw * 1e3:.0f} ms plain sqlite3, ids alone: x{which / raw:.1f}",
        holds=which <= 0.16,
    )
    yield Row(
        id="P8",
        what="the same, every field decoded",
        reached=f"{decoded * 1e3:.0f} ms",
        reach="400 ms",
        beside=f"x{decoded / raw:.1f} of the same",
        holds=decoded <= 0.4,
    )


def _drain(answer: Iterator[object]) -> None:
    for _ in answer:
        pass
