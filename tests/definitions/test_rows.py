"""The fields of one map are read together; that is faster, and says what each trait says by itself."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.definitions.reading import definitions, notification
from timeline.definitions.plugins import MISSING
from timeline.model import Body, canonical

READ_BY = definitions("""
    - event_type: a.b
      resource: {type: thing, id: message_id}
      traits:
        text: payload.a
        empty: {fields: payload.a, empty_as_null: true}
        whole: {fields: payload.b, type: int}
        decimal: {fields: payload.b, type: float}
        time: {fields: payload.c, type: datetime}
        value: {fields: payload.c, type: value}
        piece: {fields: payload.d, plugin: {name: split, parameters: {segment: 1}}}
        mapped: {fields: payload.d, type: value, plugin: {name: map, parameters: {values: {x.y: null, true: 1.5}}}}
        deep: payload.e.f.g
        deeper: {fields: payload.e.f.h, type: float}
        top: publisher_id
        alone: {fields: payload.i.j, type: value}
        either: {fields: [payload.a, payload.b], type: int}
        hidden: {fields: payload.a, volatile: true}
""")
VALUES = (
    st.none()
    | st.booleans()
    | st.sampled_from(["", "None", "x.y", "12", "1.5", "2026-03-01", "\x00", "x" * 300, -0.0, 1e16, 1.5, 10**30, 1, 12])
    | st.lists(st.sampled_from([1, 1.5, None]), max_size=2)
    | st.dictionaries(st.sampled_from("fgh"), st.sampled_from([1, 0.5, "", None]), max_size=2)
)
DEEP = VALUES | st.dictionaries(
    st.sampled_from("fj"), VALUES | st.dictionaries(st.sampled_from("gh"), VALUES, max_size=2), max_size=2
)
PAYLOADS = (
    VALUES
    | st.dictionaries(st.sampled_from("abcd"), VALUES, max_size=4)
    | st.fixed_dictionaries(dict.fromkeys("abcd", VALUES), optional={"e": DEEP, "i": DEEP})
)


def said_one_by_one(message: dict[str, Any]) -> tuple[dict[str, Any], set[str]]:
    said, unreadable = {}, set()
    for trait in next(iter(READ_BY)).traits:
        try:
            value = trait.read(message)
        except ValueError:
            unreadable.add(trait.name)
            continue
        if value is not MISSING and not trait.volatile:
            said[trait.name] = value
    return said, unreadable - {"hidden"}


@settings(deadline=None)
@given(PAYLOADS, st.sampled_from([{}, {"publisher_id": "p"}, {"publisher_id": None}]))
def test_fields_read_together_are_what_each_trait_says(payload: Any, members: dict[str, Any]) -> None:
    given_as = notification(payload=payload, **members)
    reading = READ_BY.events(given_as, 0)
    assert reading is not None
    (event,), unreadable = reading
    said, unreadable_alone = said_one_by_one(given_as.both_views())
    assert event.body.data == canonical({"f": said, "v": 0})
    assert event.body == Body.read(event.body.data)
    assert unreadable == len(unreadable_alone)


@settings(deadline=None)
@given(st.lists(PAYLOADS, max_size=5))
def test_what_was_read_before_does_not_matter(payloads: list[Any]) -> None:
    first = [READ_BY.events(notification(payload=payload), 0) for payload in payloads]
    again = [READ_BY.events(notification(payload=payload), 0) for payload in payloads[::-1]]
    assert first == again[::-1]
