"""What can be wrong with a MongoDB server, its schema or its URL: one sentence each, and nothing lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pymongo
import pytest
from pymongo.database import Database

from tests.drivers.mongodb_pretence import Document, a_store, answering, breaking_off, silent
from tests.servers import own, place
from tests.servers.processes import free_port
from timeline import drivers
from timeline.drivers import Appended, Driver
from timeline.drivers.conformance.history import VM, event, number, wanted
from timeline.drivers.conformance.quarantine import record
from timeline.drivers.conformance.refusing import CALLS
from timeline.errors import (
    StoreBusy,
    StoreDenied,
    StoreError,
    StoreForeign,
    StoreFull,
    StoreNotFound,
    StoreOutdated,
    StoreReadOnly,
    StoreTooNew,
    StoreUnavailable,
    StoreUrlError,
)
from timeline.model import Outcome, Scope

Documents = Database[dict[str, Any]]
every_call = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)


@pytest.fixture
def url() -> Iterator[str]:
    with place("mongodb") as url:
        yield url


@pytest.fixture
def database(url: str) -> Iterator[Documents]:
    with pymongo.MongoClient[dict[str, Any]](url) as client:
        yield client.get_default_database()


class TestUrl:
    @pytest.mark.parametrize(
        ("url", "said"),
        [
            ("mongodb:", "is no URL of a store on MongoDB; one looks like mongodb://user@host:27017/database"),
            ("mongodb://", "is no URL of a store on MongoDB"),
            ("mongodb://user:secret@host", r"user:\*\*\*@host/ names no database"),
            ("mongodb://host/?tls=true", "names no database"),
            ("mongodb://host/a.b", "a database has a name of at most 63 bytes"),
            ("mongodb://host/" + "x" * 64, "a database has a name of at most 63 bytes"),
            ("mongodb://host:99999/db", "Port must be an integer"),
            ("mongodb://user:secret@host/db?sslmode=require", "Unknown option: sslmode.* may stand after .* pymongo's"),
            ("mongodb://user:secret@host/db?serverSelectionTimeoutMS=soon", "must be an integer"),
            ("mongodb://user:se%ZZcret@host/db", "must be escaped"),
            ("mongodb+srv://user:secret@host/db?sslmode=require", "Unknown option: sslmode"),
            ("mongodb://user:sec/ret@host/db", "'host/db' is no URL of a store on MongoDB.* in a password / "),
            ("mongodb://user:sec?ret@host/db", r"user:\*\*\*@host/db: "),
            ("mongodb://user:sec:ret@host/db", "must be escaped|is no URL"),
            ("mongodb://user:sec@ret@host/db", "'host/db' is no URL of a store on MongoDB"),
        ],
    )
    def test_what_is_no_url_of_a_store_is_said_without_its_password(self, url: str, said: str) -> None:
        with pytest.raises(StoreUrlError, match=said) as raised:
            drivers.open(url)
        assert "secret" not in str(raised.value)
        assert "ret@" not in str(raised.value)
        assert "sec" not in str(raised.value)

    @pytest.mark.parametrize(
        "url",
        [
            "mongodb://a,b:27018,[::1]/db?replicaSet=rs0&w=0&readPreference=secondary&authSource=admin",
            "MONGODB://user:p%40ss@host/db?tls=true",
            "mongodb+srv://user:secret@host.example/db?srvServiceName=x&retryWrites=false",
        ],
    )
    def test_opening_looks_nothing_up(self, url: str) -> None:
        drivers.open(url).close()


class TestServerAway:
    @every_call
    def test_a_server_that_is_down_is_named_without_the_password(self, call: Callable[[Driver], object]) -> None:
        port = free_port()
        away = f"mongodb://user:secret@127.0.0.1:{port}/timeline?serverSelectionTimeoutMS=100"
        with (
            closing(drivers.open(away)) as driver,
            pytest.raises(StoreUnavailable, match="cannot be reached") as raised,
        ):
            call(driver)
        assert f"mongodb://user:***@127.0.0.1:{port}/timeline: " in str(raised.value)
        assert "secret" not in str(raised.value)
        assert "Topology" not in str(raised.value)

    def test_a_server_that_never_answers_is_waited_for_so_long_and_no_longer(self) -> None:
        with silent() as url, closing(drivers.open(f"{url}?serverSelectionTimeoutMS=200")) as driver:
            with pytest.raises(StoreUnavailable, match="cannot be reached"):
                driver.version()
            with pytest.raises(StoreUnavailable, match="cannot be reached"):
                driver.append([event(1)])

    def test_a_name_that_stands_for_no_host_is_a_server_away(self) -> None:
        with (
            closing(drivers.open("mongodb://nowhere.invalid/db?serverSelectionTimeoutMS=100")) as driver,
            pytest.raises(StoreUnavailable, match=r"nowhere\.invalid/db: the server cannot be reached"),
        ):
            driver.version()

    def test_a_name_of_srv_that_nobody_knows_is_an_error_of_ours(self) -> None:
        with (
            closing(drivers.open("mongodb+srv://nowhere.invalid/db?serverSelectionTimeoutMS=100")) as driver,
            pytest.raises(StoreError, match=r"mongodb\+srv://nowhere\.invalid/db: "),
        ):
            driver.version()

    def test_an_answer_goes_on_when_the_server_was_killed_and_started_in_the_midst_of_it(self) -> None:
        history = [event(at) for at in range(5_200)]  # more than come at a time
        with own("mongodb") as server, closing(drivers.open(server.url)) as driver:
            driver.prepare()
            driver.append(history)
            answer = driver.events(Scope())
            seen = [next(answer)]
            server.kill()
            server.start()
            seen += answer
            assert seen == history


class TestBrokenOff:
    """The server did what was asked, and the reply was lost."""

    @pytest.mark.parametrize(
        ("command", "collection"),
        [
            ("insert", "appends"),
            ("insert", "bodies"),
            ("insert", "resources"),
            ("insert", "streams"),
            ("insert", "events"),
            ("insert", "changes"),
            ("delete", "appends"),
        ],
    )
    def test_an_append_is_done_again_and_tells_no_counts_that_it_does_not_know(
        self, url: str, command: str, collection: str
    ) -> None:
        with closing(drivers.open(url)) as reader, breaking_off(url, command, collection) as broken:
            reader.prepare()
            reader.append([event(0)])
            token = reader.version()
            with closing(drivers.open(broken)) as driver:
                history = [event(1), event(2, "large", of=number(1))]
                told = driver.append(history)
            assert told == Appended(events=None, bodies=None, duplicates=None)
            assert list(reader.events(Scope())) == wanted([event(0), *history])
            assert set(reader.changed(token) or ()) == {VM, number(1)}

    @pytest.mark.parametrize("collection", ["schema", "changes", "events", "bodies"])
    def test_a_read_is_done_again(self, url: str, collection: str) -> None:
        with closing(drivers.open(url)) as driver, breaking_off(url, "find", collection) as broken:
            driver.prepare()
            driver.append([event(1)])
            with closing(drivers.open(broken)) as reader:
                assert reader.version() == driver.version()
                assert list(reader.events([VM])) == [event(1)]

    @pytest.mark.parametrize(("command", "newly"), [("insert", None), ("update", None)])
    def test_records_are_put_and_settled_again(self, url: str, command: str, newly: int | None) -> None:
        with closing(drivers.open(url)) as driver, breaking_off(url, command, "quarantine") as broken:
            driver.prepare()
            driver.put([record("bb")])
            driver.settle("bb", Outcome.STORED, 1)
            with closing(drivers.open(broken)) as writer:
                assert writer.put([record("aa"), record("bb")]) == newly
                writer.settle("aa", Outcome.STORED, 2)
            assert [one.id for one in driver.list()] == ["bb"]


class TestRefusals:
    """What a server says, by its code."""

    @pytest.mark.parametrize(
        ("code", "said", "error"),
        [
            (13, "not authorized on timeline to execute command", StoreDenied),
            (18, "Authentication failed.", StoreDenied),
            (91, "The server is in quiesce mode and will shut down", StoreUnavailable),
            (10107, "not primary", StoreUnavailable),
            (11600, "interrupted at shutdown", StoreUnavailable),
            (50, "operation exceeded time limit", StoreBusy),
            (14031, "Can't get the disk stats", StoreFull),
            (8, "insert failed: No space left on device", StoreFull),
            (371, "User writes blocked", StoreReadOnly),
            (2, "cannot do that", StoreError),
        ],
    )
    def test_a_command_that_is_refused_is_an_error_of_its_kind(
        self, code: int, said: str, error: type[StoreError]
    ) -> None:
        def answer(name: str, command: Document) -> Document:
            return {"ok": 0.0, "code": code, "errmsg": said} if name == "insert" else a_store(name, command)

        with answering(answer) as url, closing(drivers.open(url)) as driver:
            with pytest.raises(error, match=r"127\.0\.0\.1:[0-9]+/timeline: ") as raised:
                driver.append([event(1)])
            assert type(raised.value) is error or error is StoreUnavailable
            assert said in str(raised.value)

    def test_who_is_not_let_in_is_told_so(self) -> None:
        def answer(name: str, command: Document) -> Document:
            assert name == "saslStart"
            return {"ok": 0.0, "code": 18, "errmsg": "Authentication failed."}

        with answering(answer) as url:
            named = url.replace("//", "//user:secret@")
            with (
                closing(drivers.open(f"{named}&authSource=admin&authMechanism=SCRAM-SHA-256")) as driver,
                pytest.raises(StoreDenied, match="does not let this user do that") as raised,
            ):
                driver.version()
        assert "secret" not in str(raised.value)

    def test_tls_that_the_server_does_not_have_is_not_done_without(self, url: str) -> None:
        with (
            closing(drivers.open(f"{url}?tls=true&connectTimeoutMS=200&serverSelectionTimeoutMS=1000")) as driver,
            pytest.raises(StoreDenied, match="no connection that is protected as it was asked"),
        ):
            driver.append([event(1)])

    @pytest.mark.parametrize("code", [64, 100])
    def test_what_a_majority_did_not_confirm_is_not_acknowledged(self, code: int) -> None:
        def answer(name: str, command: Document) -> Document:
            missing = {"writeConcernError": {"code": code, "errmsg": "waiting for replication timed out"}}
            return a_store(name, command) | (missing if command.get(name) == "events" and name == "insert" else {})

        with (
            answering(answer) as url,
            closing(drivers.open(url)) as driver,
            pytest.raises(StoreUnavailable, match="a majority of the servers did not confirm"),
        ):
            driver.append([event(1)])

    def test_a_document_that_is_refused_for_another_reason_than_being_there_is_an_error(self) -> None:
        def answer(name: str, command: Document) -> Document:
            if name == "insert" and command[name] == "events":
                errors = [{"index": 0, "code": 121, "errmsg": "Document failed validation"}]
                return {"ok": 1.0, "n": 0, "writeErrors": errors}
            return a_store(name, command)

        with (
            answering(answer) as url,
            closing(drivers.open(url)) as driver,
            pytest.raises(StoreError, match=r"refuses \(121\): Document failed validation"),
        ):
            driver.append([event(1)])

    def test_writes_wait_for_a_majority_and_reads_ask_the_primary_whatever_the_url_says(self) -> None:
        sent: list[Document] = []

        def answer(name: str, command: Document) -> Document:
            sent.append(command)
            return a_store(name, command)

        with answering(answer) as url, closing(drivers.open(f"{url}&w=0&readPreference=secondary")) as driver:
            driver.append([event(1)])
            driver.put([record("aa")])
            driver.settle("aa", Outcome.STORED, 1)
        inserts = [one for one in sent if "insert" in one or "update" in one]
        assert len(inserts) == 8
        assert all(one["writeConcern"] == {"w": "majority", "j": True, "wtimeout": 60_000} for one in inserts)
        assert {one.get("$readPreference", {}).get("mode", "primary") for one in sent} <= {
            "primary",
            "primaryPreferred",
        }


class TestSchema:
    @every_call
    def test_opening_and_asking_makes_nothing(
        self, url: str, database: Documents, call: Callable[[Driver], object]
    ) -> None:
        with (
            closing(drivers.open(url)) as driver,
            pytest.raises(StoreNotFound, match=r"no store yet; timeline init --store mongodb://.* makes one"),
        ):
            call(driver)
        assert database.list_collection_names() == []

    def test_a_store_that_was_removed_under_a_driver_is_not_made_again_by_it(
        self, url: str, database: Documents
    ) -> None:
        with closing(drivers.open(url)) as driver:
            driver.prepare()
            driver.append([event(1)])
            database.client.drop_database(database.name)
            with pytest.raises(StoreNotFound, match="no store yet"):
                driver.append([event(2)])
            with pytest.raises(StoreNotFound, match="no store yet"):
                driver.version()
        assert database.list_collection_names() == []

    @pytest.mark.parametrize(
        ("revision", "error", "said"),
        [
            ("0000", StoreOutdated, "older than 0002, which this program needs; timeline init"),
            ("0003", StoreTooNew, "newer than 0002, which is all that this program knows"),
            ("new", StoreForeign, "its schema has the revision 'new'"),
            (1, StoreForeign, "its schema has the revision 1"),
        ],
    )
    def test_another_revision_is_told_from_ours(
        self, url: str, database: Documents, revision: object, error: type[StoreError], said: str
    ) -> None:
        with closing(drivers.open(url)) as driver:
            driver.prepare()
        database["schema"].update_one({}, {"$set": {"revision": revision}})
        with closing(drivers.open(url)) as driver:
            with pytest.raises(error, match=said):
                driver.append([event(1)])
            if error is not StoreOutdated:
                with pytest.raises(error, match=said):
                    driver.prepare()

    def test_a_store_from_before_records_had_notes_is_brought_up_to_date(self, url: str, database: Documents) -> None:
        with closing(drivers.open(url)) as driver:
            driver.prepare()
            driver.put([record("aa", place=None), record("bb", 1, place=None)])
            driver.settle("bb", Outcome.STORED, 2)
            listed = driver.list(settled=True)
        database["quarantine"].update_many({}, {"$unset": {"place": "", "note": ""}})
        database["schema"].update_one({}, {"$set": {"revision": "0001"}})
        with closing(drivers.open(url)) as driver:
            with pytest.raises(StoreOutdated, match="schema 0001, older than 0002"):
                driver.list()
            driver.prepare()
            assert driver.list(settled=True) == listed
            driver.settle("aa", Outcome.DROPPED, 3, "noise")
            driver.put([record("bb", 4, place="timestamp")])
            assert [one.note for one in driver.find("aa")] == ["noise"]
            assert driver.list() == [record("bb", 1, place="timestamp")]
            assert list(driver.check()) == []

    @pytest.mark.parametrize(
        ("collection", "said"),
        [
            ("meter", r"it holds other collections \(meter\)"),
            ("events", "it holds a collection events with other documents than ours"),
            ("schema", "it holds a collection schema with other documents than ours"),
        ],
    )
    def test_a_database_with_other_things_is_left_alone(
        self, url: str, database: Documents, collection: str, said: str
    ) -> None:
        database[collection].insert_one({"x": 1})
        with closing(drivers.open(url)) as driver:
            with pytest.raises(StoreForeign, match=f"{said}; choose another database"):
                driver.prepare()
            with pytest.raises((StoreForeign, StoreNotFound)):
                driver.append([event(1)])
        assert database.list_collection_names() == [collection]
        assert database[collection].count_documents({}) == 1

    def test_preparing_that_broke_off_is_gone_on_with(self, url: str, database: Documents) -> None:
        database["schema"].insert_one({"_id": "timeline", "revision": "0001", "made": False})
        database.create_collection("events")
        with closing(drivers.open(url)) as driver:
            with pytest.raises(StoreNotFound, match="timeline init"):
                driver.version()
            driver.prepare()
            driver.append([event(1)])
            assert list(driver.events([VM])) == [event(1)]

    def test_a_missing_index_is_told_and_made_by_prepare(self, url: str, database: Documents) -> None:
        with closing(drivers.open(url)) as driver:
            driver.prepare()
        database["quarantine"].drop_index("by_age")
        with closing(drivers.open(url)) as driver:
            with pytest.raises(
                StoreOutdated, match="index by_age of the collection quarantine is missing; timeline init"
            ):
                driver.list()
            driver.prepare()
            assert list(driver.list()) == []

    def test_an_index_of_another_making_is_told(self, url: str, database: Documents) -> None:
        with closing(drivers.open(url)) as driver:
            driver.prepare()
        database["resources"].drop_index("by_id")
        database["resources"].create_index([("type", 1)], name="by_id")
        with (
            closing(drivers.open(url)) as driver,
            pytest.raises(StoreForeign, match="by_id of the collection resources has another key than ours"),
        ):
            driver.version()

    def test_a_missing_collection_is_told(self, url: str, database: Documents) -> None:
        with closing(drivers.open(url)) as driver:
            driver.prepare()
        database["bodies"].drop()
        with (
            closing(drivers.open(url)) as driver,
            pytest.raises(StoreForeign, match=r"collections of ours are missing \(bodies\)"),
        ):
            next(driver.events(Scope()))
