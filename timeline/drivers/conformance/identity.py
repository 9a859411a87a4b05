"""Every text, number and byte comes back as it was given, and makes the difference that it is."""

from __future__ import annotations

from itertools import product

from timeline import clock
from timeline.drivers.conformance.history import VM, event, number
from timeline.drivers.conformance.store import OnAStore
from timeline.model import Body, Event, Json, Phase, Resource, Scope, limits

TEXTS = [
    "a",
    "A",
    "a ",
    " a",
    "a\0",
    "a\0b",
    "\0",
    "a%",
    "a_",
    "a.b",
    ".",
    "$a",
    "$",
    "a/b",
    "a'b",
    'a"b',
    "a\\b",
    "a\nb",
    "a;--",
    "__type__",
    "None",
    "null",
    "0",
    "00",
    "1e0",
    "é",
    "e\u0301",
    "ß",
    "ss",
    "İ",
    "i",
    "K",
    "\N{KELVIN SIGN}",
    "\ufeffa",
    "\uffff",
    "\U00010000",
    "😀",
    "\U0010ffff",
]
"""Texts that some store takes for one another, refuses, cuts, or puts in another order than their code points."""

LONG = ["x" * length for length in (255, 256, 300)] + ["x" * 300 + end for end in "aA"] + ["é" * 256, "x" * 512]

UUID = "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9"
MESSAGE_IDS = [
    None,
    "",
    UUID,
    UUID.upper(),
    UUID.replace("-", ""),
    "0a1b2c3d4-e5f-6071-8293-a4b5c6d7e8f9",
    UUID[:-1] + "g",
    UUID[:-2] + " 9",
    "{" + UUID[1:-1] + "}",
    *(text * length for text in "x\0\1é-" for length in (1, 7, 8, 14, 15, 16, 17, 36)),
    *TEXTS,
    *LONG,
]


class Identity(OnAStore):
    """Nothing is folded, padded, trimmed, cut or rounded."""

    def test_ids_are_told_apart_and_ordered_by_their_bytes(self) -> None:
        texts = TEXTS + LONG
        resources = [Resource(type="instance", source="north", id=text) for text in texts]
        with self.driver() as driver:
            driver.append([event(at, of=resource) for at, resource in enumerate(resources)])
            expected = sorted(resources, key=lambda resource: resource.id.encode())
            assert list(driver.resources(Scope())) == expected
            assert [one.resource for one in driver.events(Scope())] == expected
            for at, resource in enumerate(resources):
                assert [one.occurred_at for one in driver.events([resource])] == [at]
                assert [one.occurred_at for one in driver.events(Scope(id=resource.id))] == [at]

    def test_types_and_sources_are_told_apart_as_ids_are(self) -> None:
        some = ["", "a", "A", "a ", "ab", "b", "a\0", "é", "e\u0301", "x" * limits.NAME_BYTES]
        resources = [Resource(type=type, source=source, id=id) for type, source, id in product(some[1:], some, "ab")]
        with self.driver() as driver:
            driver.append([event(at, of=resource) for at, resource in enumerate(resources)])
            assert list(driver.resources(Scope(), limit=len(resources))) == sorted(resources)
            found = {one.resource: one.occurred_at for one in driver.events(Scope())}
            assert found == {resource: at for at, resource in enumerate(resources)}
            assert [one.resource.id for one in driver.events(Scope(type="a", source="a "))] == ["a", "b"]

    def test_odd_names_are_kept_apart_in_every_combination_and_at_every_length(self) -> None:
        names = [
            "a",
            "a\0",
            "\0a",
            "$a",
            "a.b",
            "ÿ",
            "😀",
            "ÿ" * (limits.NAME_BYTES // 2),
            "😀" * (limits.NAME_BYTES // 4),
        ]
        odd = ["\0", "$", ".", "a", "b.a", "ÿ", "😀", "\0$.ÿ😀"]
        ids = odd + [(one * 512).encode()[:length].decode(errors="ignore") for one in odd for length in (255, 512)]
        resources = [
            Resource(type=type, source=source, id=id)
            for type, source in product(names, ["", *names])
            for id in (ids if type == source or not source else odd[:5])
        ]
        history = [event(at, ["x", "y"][at % 2], of=one) for one in resources for at in (-1, 1)]
        with self.driver() as driver:
            driver.append(history[::-1])
            expected = sorted(resources, key=lambda one: (one.type.encode(), one.source.encode(), one.id.encode()))
            found = list(driver.events(Scope()))
            assert [(one.resource, one.occurred_at) for one in found] == [
                (one, at) for one in expected for at in (-1, 1)
            ]
            assert list(driver.events(Scope(), last_per_body=True, until=0)) == found[::2]
            listed: list[Resource] = []
            while page := driver.resources(Scope(), after=listed[-1] if listed else None, limit=97):
                listed += page
            assert listed == expected
            for type, source in product(names, names):
                own = [one for one in expected if (one.type, one.source) == (type, source)]
                assert list(driver.resources(Scope(type=type, source=source))) == own
            for one in resources[::7]:
                assert [each.occurred_at for each in driver.events([one])] == [-1, 1]
            some = resources[::3]
            assert {each.resource for each in driver.events(some, until=0)} == set(some)

    def test_pages_go_on_after_any_id(self) -> None:
        with self.driver() as driver:
            driver.append([event(1, of=Resource(type="instance", id=text)) for text in TEXTS])
            ids: list[str] = []
            last = None
            while page := driver.resources(Scope(type="instance"), after=last, limit=1):
                last = page[-1]
                ids.append(last.id)
            assert ids == sorted(TEXTS)

    def test_provenance_comes_back_as_it_was_given(self) -> None:
        history = [event(at, message_id=message_id) for at, message_id in enumerate(MESSAGE_IDS)]
        history += [event(-at, event_type=text) for at, text in enumerate(TEXTS + LONG, 1)]
        with self.driver() as driver:
            driver.append(history)
            assert list(driver.events([VM])) == sorted(history, key=lambda one: one.occurred_at)

    def test_times_are_exact_from_the_first_to_the_last(self) -> None:
        times = [clock.MIN, clock.MIN + 1, -clock.SECOND, -1, 0, 1, 999, 1_000, clock.SECOND + 1]
        times += [2**31 * clock.SECOND + 1, 2**53 + 1, clock.MAX - 1, clock.MAX]
        history = [event(at, recorded_at=recorded_at) for at, recorded_at in zip(times, reversed(times), strict=True)]
        with self.driver() as driver:
            driver.append(reversed(history))
            assert list(driver.events([VM])) == history
            for position, at in enumerate(times):
                assert list(driver.events([VM], until=at)) == history[: position + 1]
                assert list(driver.events([VM], known_before=at)) == history[len(times) - position :]
                assert list(driver.events([VM], until=at, last_per_body=True))[-1] == history[position]
            summary = driver.summary()
            assert (summary.first_event, summary.last_event) == (clock.MIN, clock.MAX)
            assert summary.newest_record == clock.MAX

    def test_bodies_come_back_byte_for_byte(self) -> None:
        fields: list[dict[str, Json]] = [
            {},
            {text: text for text in TEXTS},
            {"": {"$x": {"a.b": [None, True, 1, 1.0, "1"]}}},
            {"numbers": [2**63 - 1, 2**63, -(2**63) - 1, 2**64, 10**400, 1e308, 5e-324, 0.1]},
        ]
        bodies = [Body.of(one, version) for one in fields for version in (0, 1, 2**31, 2**63)]
        history = [Event(VM, at, Phase.UPDATE, body, at, "x") for at, body in enumerate(bodies)]
        with self.driver() as driver:
            driver.append(history)
            assert list(driver.events([VM])) == history
            assert sorted(driver.events([VM], last_per_body=True), key=lambda one: one.occurred_at) == history

    def test_a_body_can_be_as_long_as_the_limit(self) -> None:
        room = limits.BODY_BYTES - len(Body.of({"flavor": ""}).data)
        history = [event(at, letter * room) for at, letter in enumerate("xyé"[:2])]
        assert len(history[0].body.data) == limits.BODY_BYTES
        with self.driver() as driver:
            driver.append([*history, event(5, of=number(1))])
            assert list(driver.events(Scope(type="instance", source=""))) == history
            assert list(driver.events([VM], last_per_body=True)) == history

    def test_a_body_is_the_same_whoever_says_it(self) -> None:
        with self.driver() as driver:
            driver.append([event(1, of=number(n), phase=phase) for n in range(3) for phase in Phase])
            assert driver.summary().bodies == 1
            assert {one.body for one in driver.events(Scope())} == {event(1).body}
