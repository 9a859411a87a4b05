"""MongoDB, held to the contract, and what is its own: keys, finds, and appends that do not come to their end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pymongo
import pytest
from bson.int64 import Int64
from hypothesis import given, strategies
from pymongo.database import Database

from tests.drivers.mongodb_commands import Commands
from tests.drivers.servers import OnAServer
from tests.servers import own, place
from timeline import clock, drivers
from timeline.drivers import Driver
from timeline.drivers.conformance import DriverConformance
from timeline.drivers.conformance.appending import Appending
from timeline.drivers.conformance.history import VM, event, needed, number, wanted
from timeline.drivers.conformance.identity import TEXTS, Identity
from timeline.drivers.conformance.quarantine import Quarantining, record
from timeline.drivers.conformance.refusing import Refusing
from timeline.drivers.conformance.store import Server
from timeline.drivers.contract import Damage
from timeline.drivers.mongodb import keys
from timeline.drivers.mongodb.changes import ABANDONED, TIDIED
from timeline.drivers.mongodb.writing import batches
from timeline.errors import StoreCorrupt
from timeline.model import Phase, Resource, Scope

Documents = Database[dict[str, Any]]


class OnMongodb(OnAServer):
    server_name = "mongodb"
    transactions = False
    many_events = 20_000  # the server of the tests reads all events to find those of a resource
    many_answers = 300

    @contextmanager
    def server(self) -> Iterator[Server]:
        with own(self.server_name) as server:
            url = f"{server.url}?serverSelectionTimeoutMS=500"
            yield Server(lambda: drivers.open(url), server.kill, server.start)


class TestMongodb(OnMongodb, DriverConformance):
    pass


class TestFerretdb(OnAServer, Appending, Identity, Quarantining, Refusing):
    """Another server that speaks the protocol, and refuses more: NUL in text, dots in names, arrays in arrays."""

    server_name = "ferretdb"
    transactions = False


@pytest.fixture
def url() -> Iterator[str]:
    with place("mongodb") as url:
        yield url


@pytest.fixture
def driver(url: str) -> Iterator[Driver]:
    with closing(drivers.open(url)) as driver:
        driver.prepare()
        yield driver


@pytest.fixture
def database(url: str) -> Iterator[Documents]:
    with pymongo.MongoClient[dict[str, Any]](url) as client:
        yield client.get_default_database()


class TestKeys:
    @given(strategies.text(), strategies.text())
    def test_a_spelling_is_printable_and_has_the_order_of_the_bytes(self, one: str, other: str) -> None:
        spelled = keys.spell(one)
        assert spelled.isascii()
        assert spelled.isprintable()
        assert " " not in spelled
        assert keys.read(spelled) == one
        assert (spelled < keys.spell(other)) == (one.encode() < other.encode())

    @given(*[strategies.builds(Resource, type=strategies.text(), source=strategies.text(), id=strategies.text())] * 2)
    def test_keys_of_resources_have_the_order_of_resources(self, one: Resource, other: Resource) -> None:
        assert keys.resource_of(keys.of_resource(one)) == one
        assert (keys.of_resource(one) < keys.of_resource(other)) == (one < other)

    @given(strategies.lists(strategies.integers(clock.MIN, clock.MAX), min_size=2), strategies.sampled_from(TEXTS))
    def test_keys_of_events_lie_under_their_resource_by_stream_and_time(self, times: list[int], id: str) -> None:
        resource = Resource(type="a", source=id, id=id)
        history = [event(at, of=resource, phase=phase) for at in times for phase in (Phase.START, Phase.END)]
        (batch,) = batches([*history, event(0, of=Resource(type="a", source=id, id=id + "\0"))])
        own = keys.under(keys.of_resource(resource))
        under = sorted(key for key in batch.events if own["$gt"] < key < own["$lt"])
        assert [keys.event_of(key)[:2] for key in under] == sorted({(one.occurred_at, one.phase) for one in history})

    @pytest.mark.parametrize("text", ["!", "!0", "!zz", "~ff", "é", "!41", "a b", "~7E"])
    def test_what_is_no_spelling_is_refused(self, text: str) -> None:
        with pytest.raises(keys.Unreadable):
            keys.read(text)


class TestFinds:
    """What is sent to the server, counted: it does not grow with what is stored."""

    def test_the_state_of_a_resource_takes_as_many_finds_however_many_events_it_has(self, url: str) -> None:
        with Commands() as sent, closing(drivers.open(url)) as driver:
            driver.prepare()
            taken = []
            for more in (3_000, 9_000):
                driver.append([event(at, at % 5) for at in range(more)])
                driver.append([event(at, phase=Phase.CREATE) for at in (0, 7, 20_000)])
                sent.clear()
                last = list(driver.events([VM], until=more - 2, last_per_body=True))
                taken.append(len(sent))
                every = [event(at, at % 5) for at in range(more - 1)] + [event(at, phase=Phase.CREATE) for at in (0, 7)]
                assert last == needed(wanted(every))
            # some of its events, its streams, those that bound its life, the last of five bodies, and the bodies
            assert taken == [9, 9], sent

    def test_the_state_of_a_usual_resource_takes_two(self, driver: Driver, url: str) -> None:
        driver.append([event(at, at % 12) for at in range(900)])
        with Commands() as sent, closing(drivers.open(url)) as reader:
            reader.version()
            sent.clear()
            assert len(list(reader.events([VM], until=700, last_per_body=True))) == 12
            assert list(sent) == ["find events", "find bodies"]

    @pytest.mark.parametrize("resources", [20, 400])
    def test_listing_and_reading_a_fleet_ask_nothing_for_each_resource(self, url: str, resources: int) -> None:
        with Commands() as sent, closing(drivers.open(url)) as driver:
            driver.prepare()
            driver.append([event(1, of=number(n)) for n in range(resources)])
            sent.clear()
            assert len(driver.resources(Scope())) == resources
            assert list(sent) == ["find resources", "find events"]
            sent.clear()
            assert len(list(driver.events(Scope(), last_per_body=True))) == resources
            assert list(sent) == ["find events", "find bodies"]
            sent.clear()
            assert len(list(driver.events(Scope(source="north")))) == resources
            assert sorted(sent) == ["find bodies", "find events", "find resources", "find resources"]

    def test_an_append_of_repeats_reads_no_event_and_asks_for_a_stream_once(self, driver: Driver, url: str) -> None:
        driver.append([event(1, of=number(n)) for n in range(50)])
        blind = ["find changes", "insert appends", "insert events", "insert changes", "delete appends"]
        with Commands() as sent, closing(drivers.open(url)) as writer:
            writer.version()
            sent.clear()
            assert writer.append([event(2, of=number(n)) for n in range(50)]).events == 50
            assert sorted(sent) == sorted([*blind, "find streams"])
            sent.clear()
            assert writer.append([event(3, of=number(n)) for n in range(50)]).events == 50
            assert list(sent) == blind

    def test_what_a_writer_knows_to_be_there_it_does_not_believe_of_a_store_made_anew(
        self, url: str, database: Documents
    ) -> None:
        history = [event(at, at % 3, of=number(at % 2)) for at in range(6)]
        with closing(drivers.open(url)) as writer, closing(drivers.open(url)) as maker:
            for turn in range(2):
                maker.prepare()
                maker.append([event(at, of=number(9)) for at in range(3 * turn)])
                writer.append(history[:3])
                assert writer.append(history).events == 3
                assert list(maker.events(Scope(), until=9)) == wanted(
                    [*history, *(event(at, of=number(9)) for at in range(3 * turn))]
                )
                assert list(maker.resources(Scope()))[:2] == [number(0), number(1)]
                database.client.drop_database(database.name)

    def test_no_resource_is_named_in_the_place_of_an_operator(self, driver: Driver) -> None:
        odd = [Resource(type="$where", source="$gt", id=text) for text in ("$ne", '{"$gt": ""}', "$", ".", "a.$b")]
        driver.append([event(1, of=one) for one in odd])
        for one in odd:
            assert [own.resource for own in driver.events([one])] == [one]
            assert list(driver.resources(Scope(id=one.id))) == [one]


class TestAppendsUnderWay:
    """A writer that is killed leaves what says that it began. It is made here by hand."""

    def test_while_one_is_under_way_no_token_equals_another_and_its_resources_have_changed(
        self, driver: Driver, database: Documents
    ) -> None:
        driver.append([event(1)])
        before = driver.version()
        _begun(database, clock.now())
        tokens = [driver.version() for _ in range(3)]
        assert len({before, *tokens}) == 4
        for token in (before, *tokens):
            assert set(driver.changed(token) or ()) == {number(7)}

    def test_sent_again_it_is_found_though_its_events_were_all_there(self, driver: Driver, database: Documents) -> None:
        driver.append([event(1)])
        token = driver.version()
        _begun(database, clock.now())
        driver.append([event(1, of=number(7))])
        for _ in range(2):
            assert driver.append([event(1, of=number(7))]).events == 0
            assert set(driver.changed(token) or ()) == {number(7)}

    def test_after_an_hour_it_is_told_once_and_forgotten(self, driver: Driver, database: Documents) -> None:
        driver.append([event(1)])
        token = driver.version()
        _begun(database, clock.now() - ABANDONED - clock.SECOND)
        for at in range(TIDIED):
            driver.append([event(at, of=number(1))])
        assert set(driver.changed(token) or ()) == {number(1), number(7)}
        assert database["appends"].count_documents({}) == 0
        assert driver.version() == driver.version()
        assert not driver.changed(driver.version())

    def test_one_that_began_lately_is_waited_for(self, driver: Driver, database: Documents) -> None:
        _begun(database, clock.now() - ABANDONED + 600 * clock.SECOND)
        for at in range(TIDIED + 1):
            driver.append([event(at, of=number(1))])
        assert database["appends"].count_documents({}) == 1

    def test_a_resource_left_without_events_is_listed_when_it_has_one(
        self, driver: Driver, database: Documents
    ) -> None:
        driver.append([event(1, of=number(n)) for n in (1, 3)])
        (batch,) = batches([event(5, "never stored", of=number(2))])
        database["resources"].insert_many(list(batch.resources.values()))
        assert list(driver.resources(Scope(), limit=2)) == [number(1), number(3)]
        assert list(driver.resources(Scope(id=number(2).id))) == []
        assert list(driver.events(Scope(id=number(2).id))) == []
        assert driver.summary().resources == 2
        driver.append([event(4, of=number(2))])  # another one than the first was to be
        assert list(driver.resources(Scope(), limit=2)) == [number(1), number(2)]
        assert driver.summary().resources == 3

    def test_changes_that_are_too_old_are_not_known(self, driver: Driver, database: Documents) -> None:
        token = driver.version()
        driver.append([event(1)])
        middle = driver.version()
        database["changes"].delete_many({"_id": {"$lte": Int64(0)}})
        assert driver.changed(token) is None
        assert driver.changed(middle) == []
        driver.append([event(2)])
        database["changes"].update_one({"_id": Int64(1)}, {"$set": {"mark": "0" * 16}})  # of a backup, and then another
        assert driver.changed(middle) is None


class TestCheck:
    def test_what_is_missing_or_damaged_is_told_and_nothing_else(self, driver: Driver, database: Documents) -> None:
        said = ["small", "large", "huge", "tiny", "none"]
        history = [event(at, text, of=number(at)) for at, text in enumerate(said)]
        driver.append(history)
        driver.put([record("aa")])
        assert _damages(driver) == []
        digests = [one.body.digest.hex() for one in history]
        streams = [f"{keys.of_resource(one.resource)} 00{one.body.digest.hex()}" for one in history]
        database["bodies"].delete_one({"_id": digests[0]})
        database["bodies"].update_one({"_id": digests[1]}, {"$set": {"data": b"{}"}})
        database["streams"].delete_one({"_id": streams[2]})
        database["resources"].delete_one({"_id": keys.of_resource(number(3))})
        database["events"].update_one({"_id": {"$gt": streams[4]}}, {"$set": {"recorded_at": "soon"}})
        database["events"].insert_one({"_id": f"{streams[4]}{'f' * 16}31"})
        database["quarantine"].insert_one({"_id": "zz"})
        database["quarantine"].update_one({"_id": {"$ne": "zz"}}, {"$set": {"note": "not dropped"}})
        assert _damages(driver) == sorted(
            [
                (Damage.BODY_MISSING, number(0)),
                (Damage.BODY_DAMAGED, None),
                (Damage.REFERENCE_MISSING, number(2)),
                (Damage.REFERENCE_MISSING, number(3)),
                (Damage.ROW_DAMAGED, number(4)),
                (Damage.ROW_DAMAGED, number(4)),
                (Damage.ROW_DAMAGED, None),
                (Damage.ROW_DAMAGED, None),
            ],
            key=str,
        )

    @pytest.mark.parametrize("key", ["", "x", 7, b"x", "a b c", "!! b c 00" + "0" * 82, "a b c 00" + "0" * 80 + "31"])
    def test_events_of_another_making_are_told_and_no_answer_gives_them(
        self, driver: Driver, database: Documents, key: object
    ) -> None:
        driver.append([event(1)])
        database["events"].insert_one({"_id": key, "recorded_at": 1, "event_type": "x"})
        assert [damage for damage, _ in _damages(driver)] == [Damage.ROW_DAMAGED]
        with pytest.raises(StoreCorrupt, match="restore it from a backup"):
            list(driver.events(Scope()))
        assert list(driver.events([VM])) == [event(1)]

    def test_a_body_with_other_bytes_is_no_answer(self, driver: Driver, database: Documents) -> None:
        driver.append([event(1)])
        database["bodies"].update_one({}, {"$set": {"data": event(1, "another").body.data}})
        with pytest.raises(StoreCorrupt, match="other bytes than its digest says"):
            list(driver.events([VM]))


def _begun(database: Documents, at: int) -> None:
    """An append of an event of one resource that says that it began, and nothing more."""
    began = {"_id": f"killed at {at}", "began": Int64(at), "resources": [keys.of_resource(number(7))]}
    database["appends"].insert_one(began)


def _damages(driver: Driver) -> list[tuple[Damage, Resource | None]]:
    return sorted(((problem.damage, problem.resource) for problem in driver.check()), key=str)
