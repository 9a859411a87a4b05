"""Finding the resource that a person means: by ``TYPE/ID``, by a bare ``ID``, and the near ones where there is none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from itertools import islice

from timeline.drivers.contract import Driver
from timeline.errors import AmbiguousResource, ResourceNotFound
from timeline.model import Resource, Scope, State

SEARCHED = 20_000
"""Resources that are looked through for near ones, at most."""

SUGGESTED = 5
"""Near ones that are suggested, at most."""


def find(driver: Driver, text: str, source: str | None) -> Resource:
    """The one resource that ``TYPE/ID`` or a bare ``ID`` means.

    The text is cut at the first slash where what stands before it is a type that the store knows. Raises
    :class:`ResourceNotFound` (without suggestions) and :class:`AmbiguousResource`.
    """
    found = []
    kind, slash, identity = text.partition("/")
    if slash and driver.resources(Scope(type=kind), limit=1):
        found = list(driver.resources(Scope(type=kind, id=identity, source=source), limit=SUGGESTED + 1))
    else:
        found = list(driver.resources(Scope(id=text, source=source), limit=SUGGESTED + 1))
    if not found:
        raise ResourceNotFound(f"no event speaks of {text!r}{_within(source)}")
    if len(found) > 1:
        candidates = tuple(f"{each}" + (f" --source {each.source}" if each.source else "") for each in found)
        raise AmbiguousResource(f"{text!r} is the id of several resources", candidates)
    return found[0]


def near(driver: Driver, text: str, states: Iterable[State]) -> tuple[str, ...]:
    """Resources whose id or name is near a text, the nearest first, for a person who mistyped."""
    kind, slash, identity = text.partition("/")
    wanted = (identity if slash and driver.resources(Scope(type=kind), limit=1) else text).casefold()
    by_id: dict[str, str] = {}
    for resource in islice(_all(driver), SEARCHED):
        by_id.setdefault(resource.id.casefold(), f"{resource}")
    by_name: dict[str, list[str]] = {}
    for state in islice(states, SEARCHED):
        name = state.fields.get("name")
        if isinstance(name, str) and name:
            by_name.setdefault(name.casefold(), []).append(f"{state.resource} (named {name})")
    near_ones = list(by_name.get(wanted, ()))
    near_ones += [by_id[each] for each in by_id if len(wanted) > 3 and each.startswith(wanted)][:SUGGESTED]
    near_ones += [by_id[each] for each in get_close_matches(wanted, by_id, n=SUGGESTED)]
    for name in get_close_matches(wanted, by_name, n=SUGGESTED):
        near_ones += by_name[name]
    return tuple(dict.fromkeys(near_ones))[:SUGGESTED]


def _all(driver: Driver) -> Iterator[Resource]:
    after = None
    while page := driver.resources(Scope(), after=after):
        yield from page
        after = page[-1]


def _within(source: str | None) -> str:
    return f" in the source {source!r}" if source is not None else ""
