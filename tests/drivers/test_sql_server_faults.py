"""What can be wrong with PostgreSQL and MariaDB: one sentence each, nothing lost, and work goes on when it is over."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from secrets import token_hex

import msgspec
import pytest
from sqlalchemy import NullPool, create_engine, make_url

from tests.servers import Server, ServerFailed, own, place
from tests.servers.processes import free_port
from timeline import drivers
from timeline.drivers import Appended, Driver
from timeline.drivers.conformance.history import VM, event, number
from timeline.drivers.conformance.quarantine import record
from timeline.drivers.conformance.refusing import CALLS
from timeline.drivers.sql.postgresql import EXAMPLE, Postgresql
from timeline.drivers.sql.server_url import ServerUrl
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
)
from timeline.model import Event, Scope, limits

NAMES = ["postgresql", "mariadb"]
every_call = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)

SHORT_LOCK = {"postgresql": "options=-c%20lock_timeout=300ms", "mariadb": "timeout=1"}
SHORT_WAIT = {"postgresql": "connect_timeout=2", "mariadb": "timeout=1"}
TLS = {"postgresql": "sslmode=require", "mariadb": "ssl=true"}


EVERY_RIGHT = {
    "postgresql": [
        "GRANT ALL ON ALL TABLES IN SCHEMA public TO plain",
        "GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO plain",
    ],
    "mariadb": ["GRANT ALL ON timeline.* TO plain"],
}


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    said: str = request.param
    return said


@pytest.fixture
def url(name: str) -> Iterator[str]:
    with place(name) as url:
        yield url


@pytest.fixture
def server(name: str) -> Iterator[Server]:
    with own(name) as server:
        yield server


def do(url: str, *statements: str) -> None:
    engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


@contextmanager
def store(url: str) -> Iterator[Driver]:
    with closing(drivers.open(url)) as driver:
        driver.prepare()
        yield driver


def as_user(url: str, user: str) -> str:
    return make_url(url).set(username=user).render_as_string(hide_password=False)


class TestNotThere:
    def test_a_server_that_is_down_is_told_by_every_call_and_prepare(self, name: str) -> None:
        schemes = {"postgresql": "postgresql+psycopg", "mariadb": "mariadb+pymysql"}
        url = f"{schemes[name]}://user:secret@127.0.0.1:{free_port()}/db"
        with closing(drivers.open(url)) as driver:
            for call in [*CALLS.values(), lambda driver: driver.prepare()]:
                with pytest.raises(
                    StoreUnavailable, match=r"user:\*\*\*@127.*the server cannot be reached: "
                ) as raised:
                    call(driver)
                assert "secret" not in str(raised.value)
                assert "\n" not in str(raised.value)

    def test_a_host_that_never_answers_is_waited_for_no_longer_than_it_was_said(self, name: str) -> None:
        schemes = {"postgresql": "postgresql+psycopg", "mariadb": "mariadb+pymysql"}
        with socket.create_server(("127.0.0.1", 0)) as silent:
            url = f"{schemes[name]}://user@127.0.0.1:{silent.getsockname()[1]}/db?{SHORT_WAIT[name]}"
            with closing(drivers.open(url)) as driver, pytest.raises(StoreUnavailable):
                driver.version()

    @every_call
    def test_a_database_that_is_not_there_is_not_made(self, call: Callable[[Driver], object], url: str) -> None:
        elsewhere = make_url(url).set(database="nobody_made_it").render_as_string(hide_password=False)
        with closing(drivers.open(elsewhere)) as driver, pytest.raises(StoreNotFound, match="no such database"):
            call(driver)

    def test_a_user_whom_the_server_does_not_know_is_denied(self, url: str) -> None:
        with (
            closing(drivers.open(as_user(url, "nobody"))) as driver,
            pytest.raises(StoreDenied, match="let this user in"),
        ):
            driver.version()

    def test_tls_that_was_asked_for_and_is_not_had_is_no_connection(self, name: str, url: str) -> None:
        with (
            closing(drivers.open(f"{url}?{TLS[name]}")) as driver,
            pytest.raises(StoreDenied, match=r"does not support SSL|SSL is required|server doesn't support SSL"),
        ):
            driver.version()

    def test_a_server_that_takes_no_more_connections_says_so_and_work_goes_on(self, name: str, server: Server) -> None:
        limited = {
            "postgresql": "CREATE ROLE few SUPERUSER LOGIN",
            "mariadb": "CREATE USER few WITH MAX_USER_CONNECTIONS 1",
        }
        more = {
            "postgresql": "ALTER ROLE few NOSUPERUSER CONNECTION LIMIT 1; GRANT pg_read_all_data TO few",
            "mariadb": "GRANT ALL ON timeline.* TO few",
        }
        with store(server.url) as driver:
            driver.append([event(at, of=number(at)) for at in range(2_000)])
            do(server.url, limited[name], *more[name].split("; "))
            with closing(drivers.open(as_user(server.url, "few"))) as few:
                assert len(few.resources(Scope())) == 1_000
                answer = few.events(Scope())
                with pytest.raises(StoreUnavailable, match="takes no more connections"):
                    next(answer)  # it needs a second one
                assert len(few.resources(Scope())) == 1_000

    def test_a_server_that_has_no_room_for_anybody_says_so_and_work_goes_on(self, name: str) -> None:
        few = {
            "postgresql": ["max_connections=6", "superuser_reserved_connections=3"],
            "mariadb": ["--max-connections=10"],
        }
        makes = {"postgresql": "CREATE ROLE plain LOGIN", "mariadb": "CREATE USER plain"}
        with own(name, *few[name]) as server, store(server.url):
            do(server.url, makes[name], *EVERY_RIGHT[name])
            others = [drivers.open(as_user(server.url, "plain")) for _ in range(12)]
            try:
                with pytest.raises(StoreUnavailable, match="takes no more connections"):
                    deque(other.append([event(1)]) for other in others)
                others.pop(0).close()
                with closing(drivers.open(as_user(server.url, "plain"))) as late:
                    assert late.append([event(1), event(2)]) == Appended(events=1, bodies=0, duplicates=1)
            finally:
                for other in others:
                    other.close()


class TestSchema:
    @every_call
    def test_a_store_that_was_never_made_names_the_command(self, call: Callable[[Driver], object], url: str) -> None:
        with (
            closing(drivers.open(url)) as driver,
            pytest.raises(StoreNotFound, match="no store yet; timeline init --store"),
        ):
            call(driver)

    @pytest.mark.parametrize(
        ("revision", "error", "said"),
        [
            ("0001", StoreOutdated, "older than"),
            ("9999", StoreTooNew, "newer than"),
            ("abcdef", StoreForeign, "not made by this program"),
        ],
    )
    def test_another_revision_is_told(self, revision: str, error: type[StoreError], said: str, url: str) -> None:
        with store(url) as driver:
            driver.append([event(1)])
        do(url, f"UPDATE alembic_version SET version_num = '{revision}'")
        with closing(drivers.open(url)) as driver, pytest.raises(error, match=said):
            list(driver.events([VM]))

    def test_tables_of_others_are_left_alone(self, url: str) -> None:
        do(url, "CREATE TABLE event (id INTEGER)")
        with closing(drivers.open(url)) as driver:
            for call in (lambda: driver.prepare(), lambda: driver.append([event(1)]), lambda: driver.summary()):
                with pytest.raises(StoreForeign, match="other tables"):
                    call()

    def test_a_table_of_ours_with_other_columns_is_told(self, url: str) -> None:
        with store(url):
            pass
        do(url, "DROP TABLE event", "CREATE TABLE event (stream INTEGER, happened INTEGER)")
        with closing(drivers.open(url)) as driver:
            for call in (
                lambda: driver.append([event(1)]),
                lambda: list(driver.events([VM])),
                lambda: driver.summary(),
            ):
                with pytest.raises(StoreForeign, match="other columns"):
                    call()


class TestRights:
    def test_a_database_that_is_read_only_is_read_and_not_written(self, name: str, server: Server) -> None:
        with store(server.url) as driver:
            driver.append([event(1)])
            if name == "postgresql":
                do(server.url, "ALTER DATABASE timeline SET default_transaction_read_only = on")
            else:
                do(server.url, "CREATE USER reader", "GRANT ALL ON timeline.* TO reader", "SET GLOBAL read_only = 1")
            with closing(drivers.open(server.url if name == "postgresql" else as_user(server.url, "reader"))) as reader:
                assert list(reader.events([VM])) == [event(1)]
                for write in (lambda: reader.append([event(2)]), lambda: reader.put([record("aa")])):
                    with pytest.raises(StoreReadOnly, match="read only"):
                        write()
                assert list(reader.events([VM])) == [event(1)]

    def test_what_a_user_may_not_do_is_denied(self, name: str, server: Server) -> None:
        with store(server.url) as driver:
            driver.append([event(1)])
            user = "CREATE ROLE reader LOGIN" if name == "postgresql" else "CREATE USER reader"
            every = "ALL TABLES IN SCHEMA public" if name == "postgresql" else "timeline.*"
            do(server.url, user, f"GRANT SELECT ON {every} TO reader")
            with closing(drivers.open(as_user(server.url, "reader"))) as reader:
                assert list(reader.events([VM])) == [event(1)]
                with pytest.raises(StoreDenied, match="may not do that"):
                    reader.append([event(2)])


class TestInTheWay:
    def test_who_holds_what_is_needed_is_waited_for_no_longer_than_it_was_said(self, name: str, url: str) -> None:
        with store(url) as driver:
            driver.append([event(1)])
            engine = create_engine(url, poolclass=NullPool)
            with engine.connect() as other, closing(drivers.open(f"{url}?{SHORT_LOCK[name]}")) as hasty:
                other.exec_driver_sql("UPDATE writer SET changes = changes")
                if name == "postgresql":
                    other.exec_driver_sql("LOCK TABLE event")
                else:
                    other.exec_driver_sql("SELECT * FROM event FOR UPDATE")
                with pytest.raises(StoreBusy, match="for longer than we wait"):
                    hasty.append([event(1), event(2)])
                other.rollback()
                assert hasty.append([event(1), event(2)]) == Appended(events=1, bodies=0, duplicates=1)

    def test_a_server_that_waits_no_longer_for_a_statement_is_busy(self, name: str, server: Server) -> None:
        patience = {
            "postgresql": "ALTER DATABASE timeline SET statement_timeout = '300ms'",
            "mariadb": "SET GLOBAL max_statement_time = 0.3",
        }
        with store(server.url) as driver:
            driver.append([event(1)])
            engine = create_engine(server.url, poolclass=NullPool)
            with engine.connect() as other:
                other.exec_driver_sql("UPDATE writer SET changes = changes")
                other.exec_driver_sql("SELECT * FROM event FOR UPDATE" if name == "mariadb" else "LOCK TABLE event")
                do(server.url, patience[name])
                with closing(drivers.open(server.url)) as hasty:
                    with pytest.raises(StoreBusy, match="for longer than we wait"):
                        hasty.append([event(1), event(2)])
                    other.rollback()
                    assert hasty.append([event(1), event(2)]).events == 1

    def test_a_table_that_another_holds_whole_is_waited_for_no_longer_than_a_row(self, name: str, url: str) -> None:
        with store(url) as driver:
            driver.append([event(1)])
            engine = create_engine(url, poolclass=NullPool)
            with engine.connect() as other, closing(drivers.open(f"{url}?{SHORT_LOCK[name]}")) as hasty:
                other.exec_driver_sql("LOCK TABLES event WRITE" if name == "mariadb" else "LOCK TABLE event")
                for call in (lambda: hasty.append([event(2)]), lambda: list(hasty.events(Scope()))):
                    with pytest.raises(StoreBusy, match="for longer than we wait"):
                        call()
                other.exec_driver_sql("UNLOCK TABLES" if name == "mariadb" else "ROLLBACK")
                hasty.append([event(2)])
                assert list(hasty.events(Scope())) == [event(1), event(2)]

    def test_another_option_does_not_take_away_how_long_postgresql_waits_for_a_lock(self) -> None:
        with place("postgresql") as url:
            options = "?options=-c%20search_path%3Dpg_temp%2Cpublic"
            database = Postgresql(ServerUrl(url + options, EXAMPLE))
            with closing(database.connect(writing=True)) as connection:
                cursor = connection.cursor()
                said = []
                for setting in ("lock_timeout", "search_path"):
                    cursor.execute(f"SHOW {setting}")
                    said += cursor.fetchall()
            assert said == [("30s",), ("pg_temp,public",)]

    def test_a_schema_that_is_not_there_is_not_made(self) -> None:
        with place("postgresql") as url:
            elsewhere = drivers.open(f"{url}?options=-csearch_path%3Dmetering")
            with closing(elsewhere), pytest.raises(StoreNotFound, match="CREATE SCHEMA"):
                elsewhere.prepare()
            do(url, "CREATE SCHEMA metering")
            with store(f"{url}?options=-csearch_path%3Dmetering") as driver:
                driver.append([event(1)])
                assert list(driver.check()) == []
            with closing(drivers.open(url)) as driver, pytest.raises(StoreNotFound):
                driver.version()

    def test_a_server_that_ends_who_is_idle_is_unavailable_to_an_answer_that_is_not_read_on(self) -> None:
        with own("postgresql", "idle_in_transaction_session_timeout=100ms") as server, store(server.url) as driver:
            history = [event(at, of=number(at)) for at in range(3_000)]
            driver.append(history)
            answer = driver.events(Scope())
            seen = [next(answer)]
            while among_the_connected(server.url, "idle in transaction"):
                pass
            with pytest.raises(StoreUnavailable, match="went away in the midst"):
                seen.extend(answer)
            assert list(driver.events(Scope())) == history

    def test_a_server_that_is_stopped_in_its_tracks_is_waited_for_no_longer_than_it_was_said(self) -> None:
        with own("mariadb") as server, store(f"{server.url}?timeout=0.5") as driver:
            driver.append([event(1)])
            os.kill(server.pid, signal.SIGSTOP)
            try:
                with pytest.raises(StoreUnavailable):
                    driver.append([event(2)])
            finally:
                os.kill(server.pid, signal.SIGCONT)
            driver.append([event(2)])
            assert list(driver.events(Scope())) == [event(1), event(2)]

    def test_an_answer_that_is_not_read_on_for_longer_than_the_server_would_wait_goes_on(self) -> None:
        with own("mariadb", "--net-write-timeout=1") as server, store(server.url) as driver:
            history = [event(at, "x" * 20_000 + str(at), of=number(at)) for at in range(1_000)]
            for first in range(0, len(history), 200):
                driver.append(history[first : first + 200])
            answer = driver.events(Scope(), until=1_000, last_per_body=True)
            seen = [next(answer)]
            engine = create_engine(server.url, poolclass=NullPool)
            with engine.connect() as other:
                waited = "SELECT MAX(time_ms) FROM information_schema.processlist WHERE state = 'Writing to net'"
                while (other.exec_driver_sql(waited).scalar_one() or 10_000) < 3_000:
                    pass
            seen.extend(answer)
            assert seen == history

    def test_a_server_that_takes_too_little_at_a_time_says_so_before_anything_is_sent(self) -> None:
        with own("mariadb", "--max-allowed-packet=1M") as server, store(server.url) as driver:
            for write in (lambda: driver.append([event(1)]), lambda: driver.put([record("aa")])):
                with pytest.raises(StoreError, match="SET GLOBAL max_allowed_packet = 16777216"):
                    write()
            assert list(driver.events(Scope())) == []
            do(server.url, "SET GLOBAL max_allowed_packet = 16777216")
            most = msgspec.structs.replace(record("aa"), data=b"\0" * limits.NOTIFICATION_BYTES)
            assert driver.put([most, record("bb")]) == 2
            assert list(driver.list()) == [most, record("bb")]

    def test_whatever_else_the_server_makes_tables_of_ours_have_transactions(self) -> None:
        strange = [
            "--default-storage-engine=MyISAM",
            "--sql-mode=",
            "--autocommit=0",
            "--transaction-isolation=SERIALIZABLE",
        ]
        with own("mariadb", *strange) as server, store(server.url) as driver:
            driver.append([event(1)])
            do(server.url, "ALTER TABLE event MODIFY message_id VARBINARY(3)")
            with pytest.raises(StoreForeign):
                driver.append([event(2, of=number(2)), event(3, message_id="longer than three")])
            assert list(driver.events(Scope())) == [event(1)]
            assert driver.summary().resources == 1


def among_the_connected(url: str, state: str) -> bool:
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        states = connection.exec_driver_sql("SELECT state FROM pg_stat_activity WHERE application_name = 'timeline'")
        return any(found == state for (found,) in states)


def fill(driver: Driver, stored: list[Event]) -> None:
    """Append what cannot be compressed until there is no room; what was acknowledged is added to ``stored``."""
    for at in range(200):
        batch = [event(at, token_hex(25_000), of=number(n)) for n in range(20)]
        driver.append(batch)
        stored += batch


def goes_on(server: Server) -> None:
    """Wait until it answers again. PostgreSQL ends by itself where its log has no room, or is about to."""
    try:
        server.start()
    except ServerFailed:
        server.start()


class TestGone:
    def test_a_server_that_goes_in_the_midst_of_an_answer_is_told(self, server: Server) -> None:
        with store(server.url) as driver:
            for first in range(0, 30_000, 2_000):
                driver.append([event(at, of=number(at)) for at in range(first, first + 2_000)])
            answer = driver.events(Scope())
            next(answer)
            server.kill()
            with pytest.raises(StoreUnavailable):
                list(answer)
            with pytest.raises(StoreUnavailable):
                driver.append([event(1)])
            server.start()
            driver.append([event(1)])
            assert len(list(driver.events(Scope()))) == 30_001

    @pytest.mark.skipif(os.geteuid() != 0, reason="only the superuser can mount a small disk")
    def test_a_disk_that_is_full_is_told_and_what_was_acknowledged_is_safe(self, name: str, tmp_path: Path) -> None:
        size = {"postgresql": "96m", "mariadb": "64m"}[name]
        options = {
            "postgresql": ["max_wal_size=32MB", "min_wal_size=32MB"],
            "mariadb": ["--innodb-log-file-size=4M", "--innodb-data-file-path=ibdata1:12M:autoextend"],
        }
        disk = Path("/tmp") / f"timeline-disk-{os.getpid()}-{name}"
        disk.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=777", "tmpfs", disk], check=True)
        try:
            with own(name, *options[name], folder=disk) as server, store(server.url) as driver:
                stored: list[Event] = []
                with pytest.raises((StoreFull, StoreUnavailable)):
                    fill(driver, stored)
                assert stored
                subprocess.run(["mount", "-o", "remount,size=400m", disk], check=True)
                goes_on(server)
                with suppress(StoreUnavailable):  # of the connections that were open
                    driver.version()
                found = set(driver.events(Scope()))
                assert [one for one in stored if one not in found] == []
                driver.append([event(1_000)])
                assert list(driver.events([VM])) == [event(1_000)]
        finally:
            subprocess.run(["umount", "-l", disk], check=True)
            disk.rmdir()
