"""Finding the resource that a person means: by ``TYPE/ID``, by a bare ``ID``, and the near ones where there is none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby, islice

from timeline.drivers.contract import Driver
from timeline.errors import AmbiguousResource, ResourceNotFound
from timeline.model import Event, Resource, Scope

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


def near(driver: Driver, text: str) -> tuple[str, ...]:
    """Resources whose id is near a text, or a name that they have or had, the nearest first: for one who mistyped."""
    from difflib import get_close_matches  # imported late: only where a person mistyped

    kind, slash, identity = text.partition("/")
    wanted = (identity if slash and driver.resources(Scope(type=kind), limit=1) else text).casefold()
    by_id: dict[str, list[str]] = {}
    for resource in islice(_all(driver), SEARCHED):
        by_id.setdefault(resource.id.casefold(), []).append(f"{resource}")
    by_name: dict[str, list[str]] = {}
    events = driver.events(Scope(), last_per_body=True)
    for resource, of_resource in islice(groupby(events, key=lambda event: event.resource), SEARCHED):
        names = list(dict.fromkeys(_names(of_resource)))
        for name in names:
            named = "named" if name == names[-1] else "once named"
            by_name.setdefault(name.casefold(), []).append(f"{resource} ({named} {name})")
    beginning = [each for each in by_id if len(wanted) > 3 and each.startswith(wanted)]
    found = list(by_name.get(wanted, ()))
    found += [near for each in (*beginning, *get_close_matches(wanted, by_id, n=SUGGESTED)) for near in by_id[each]]
    found += [near for each in get_close_matches(wanted, by_name, n=SUGGESTED) for near in by_name[each]]
    return tuple(dict.fromkeys(found))[:SUGGESTED]


def _names(events: Iterable[Event]) -> Iterator[str]:
    """The names that events tell, in their order."""
    for event in events:
        if b'"name":' in event.body.data:
            name = event.body.fields().get("name")
            if isinstance(name, str) and name:
                yield name


def _all(driver: Driver) -> Iterator[Resource]:
    after = None
    while page := driver.resources(Scope(), after=after):
        yield from page
        after = page[-1]


def _within(source: str | None) -> str:
    return f" in the source {source!r}" if source is not None else ""
