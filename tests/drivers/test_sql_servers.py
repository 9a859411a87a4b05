"""PostgreSQL and MariaDB: the schema, the number of statements, and URLs."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from sqlalchemy import NullPool, create_engine, inspect, make_url, text

from tests.cli.running import run
from tests.servers import Server, own, place
from timeline import drivers
from timeline.drivers.conformance.history import event, number, wanted
from timeline.drivers.sql import mariadb, postgresql
from timeline.drivers.sql.schema import SEQUENCES, metadata
from timeline.errors import StoreDenied, StoreUrlError
from timeline.model import Scope

on_each = pytest.mark.parametrize("name", ["postgresql", "mariadb"])

LOGGED = {
    "postgresql": ["log_statement=all"],
    "mariadb": ["--general-log=1", "--general-log-file=statements.log"],
}


def columns(url: str) -> dict[str, object]:
    """The tables of a database, with their columns, keys and indexes; and its sequences."""
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        looked = inspect(connection)
        tables: dict[str, object] = {
            name: (
                [(column["name"], str(column["type"]), column["nullable"]) for column in looked.get_columns(name)],
                looked.get_pk_constraint(name)["constrained_columns"],
                sorted(
                    (index["name"] or "", index["column_names"], bool(index["unique"]))
                    for index in looked.get_indexes(name)
                ),
            )
            for name in looked.get_table_names()
            if name != "alembic_version"
        }
        return tables | {"sequences": sorted(looked.get_sequence_names())}


@on_each
def test_the_migrations_make_the_tables_that_the_program_uses(name: str) -> None:
    with place(name) as migrated, place(name) as made:
        with closing(drivers.open(migrated)) as driver:
            driver.prepare()
        engine = create_engine(made, poolclass=NullPool)
        metadata.create_all(engine)
        found = columns(migrated)
        assert found == columns(made)
        assert found["sequences"] == sorted(SEQUENCES)


SILENCE = {
    "postgresql": ("SELECT setting FROM pg_settings WHERE name = 'idle_in_transaction_session_timeout'", "30000", "0"),
    "mariadb": ("SELECT @@idle_transaction_timeout", 30, 0),
}


@on_each
def test_a_server_gives_up_who_falls_silent_while_he_writes_and_lets_who_reads_take_breaks(name: str) -> None:
    question, writing, reading = SILENCE[name]
    with place(name) as url:
        database = {"postgresql": postgresql, "mariadb": mariadb}[name].open(url)._database
        for writes, bound in ((True, writing), (False, reading)):
            with closing(database.connect(writing=writes)) as connection, closing(connection.cursor()) as cursor:
                cursor.execute(question)
                assert cursor.fetchone() == (bound,)


@on_each
def test_of_many_who_make_a_store_at_the_same_time_one_does(name: str) -> None:
    def make(url: str) -> None:
        with closing(drivers.open(url)) as driver:
            driver.prepare()
            driver.append([event(1)])

    with place(name) as url, ThreadPoolExecutor(6) as pool:
        list(pool.map(make, [url] * 6))
        with closing(drivers.open(url)) as driver:
            assert list(driver.events(Scope())) == [event(1)]
            assert list(driver.check()) == []


class TestStatements:
    """Their number does not grow with the resources that are asked for."""

    @pytest.fixture(params=["postgresql", "mariadb"])
    def server(self, request: pytest.FixtureRequest) -> Server:
        with own(request.param, *LOGGED[request.param]) as server:
            yield server

    def statements(self, server: Server) -> int:
        """How many the server was given so far, those that begin and end transactions included."""
        if server.name == "postgresql":
            return len(re.findall(rb"LOG:  (?:statement|execute [^:]*): ", server.log("server").read_bytes()))
        said = (server.folder / "data" / "statements.log").read_bytes()
        return len(re.findall(rb"^[^\n]*\t +\d+ Query\t", said, re.MULTILINE))

    def test_a_question_takes_as_few_of_many_resources_as_of_some(self, server: Server) -> None:
        history = [event(at, of=number(n)) for n in range(1_000) for at in (1, 2)]
        with closing(drivers.open(server.url)) as driver:
            driver.prepare()
            driver.append(history)
            list(driver.events([number(n) for n in range(300)], until=1, last_per_body=True))
            assert list(driver.events(Scope())) == wanted(history)
            for most, ask in (
                (2, lambda: driver.resources(Scope())),
                (25, lambda: list(driver.events(Scope()))),
                (30, lambda: list(driver.events(Scope(), until=1, last_per_body=True))),
                (15, lambda: list(driver.events([number(n) for n in range(1_000)], until=1, last_per_body=True))),
                (10, lambda: driver.summary()),
                (8, lambda: driver.changed("0")),  # of one writer
            ):
                before = self.statements(server)
                ask()
                assert 0 < self.statements(server) - before <= most, most

    def test_a_batch_is_stored_in_as_few_whatever_is_new_in_it(self, server: Server) -> None:
        with closing(drivers.open(server.url)) as driver:
            driver.prepare()
            driver.append([event(1)])
            before = self.statements(server)
            driver.append([event(1, n, of=number(n), event_type=f"type.{n}") for n in range(400)])
            assert 0 < self.statements(server) - before <= 20


def believe_nobody_but(user: str, server: Server) -> None:
    """Let PostgreSQL ask everybody else for a password."""
    asked = f"host all {user} 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
    (server.folder / "data" / "pg_hba.conf").write_text(asked)

    def read_at() -> object:
        engine = create_engine(server.url, poolclass=NullPool)
        with engine.connect() as connection:
            return connection.exec_driver_sql("SELECT pg_conf_load_time()").scalar_one()

    before = read_at()
    engine = create_engine(server.url, poolclass=NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql("SELECT pg_reload_conf()")
    while read_at() == before:
        pass


class TestUrl:
    @pytest.mark.parametrize(
        ("url", "said"),
        [
            ("postgresql://", "names no database; a URL looks like postgresql"),
            ("postgresql+psycopg://user:secret@host", r"user:\*\*\*@host names no database"),
            ("postgresql+psycopg://user:secret@host:port/db", "is no URL of a store on a server"),
            ("postgresql+psycopg://user:secret@host/db?secret=1", r"user:\*\*\*@host/db: invalid connection option"),
            ("postgresql+psycopg://user:secret@host/db?sslmode=require&sslmode=disable", "given more than once"),
            ("mariadb+pymysql://user:secret@host", r"user:\*\*\*@host names no database"),
            ("mysql+pymysql://user:secret@host/db?charset=latin1", "charset is no option of MariaDB here; timeout"),
            ("mariadb+pymysql://user:secret@host/db?timeout=soon", "the option timeout cannot be 'soon'"),
            ("mariadb+pymysql://user:secret@host/db?timeout=-1", "the timeout is a number of seconds"),
            ("mariadb+pymysql://user:secret@host/db?ssl=yes", "the option ssl cannot be 'yes'"),
            ("mariadb+pymysql://user:secret@host/db?ssl_key=/key", "ssl_key is the key of a certificate"),
            ("postgresql+psycopg://user:secret@host/db?dbname=other", "the database is the one in the path"),
            ("postgresql+psycopg://user:secret/db", "'postgresql.psycopg:' is no URL of a store on a server"),
            ("mariadb+pymysql://user:p@secret@host/db", "^[.]{3}@host: an @ that belongs to .* is written %40"),
            ("postgresql+psycopg://user:secret@host:0/db", "host:0/db: a port is a number from 1 to 65535"),
            ("mariadb+pymysql://user:secret@host:65536/db", "a port is a number from 1 to 65535"),
            ("mariadb+pymysql://user:secret@a..b/db", "this is no name of a host"),
            ("postgresql+psycopg://user:secret@/db?host=a..b", "this is no name of a host"),
            ("mariadb+pymysql://us\udcffer:secret@host/db", "bytes that are no UTF-8"),
            *(
                (f"{scheme}://{rest}", "the character NUL")
                for scheme in ("postgresql+psycopg", "mariadb+pymysql")
                for rest in ("us%00er@host/db", "user:secret%00@host/db", "user@host/d%00b")
            ),
        ],
    )
    def test_what_is_no_url_of_a_store_is_said_without_its_password(self, url: str, said: str) -> None:
        with pytest.raises(StoreUrlError, match=said) as raised:
            drivers.open(url)
        assert ":secret" not in str(raised.value)

    @on_each
    def test_a_password_is_not_shown_by_any_command(self, name: str) -> None:
        with place(name) as url, closing(drivers.open(url)) as driver:
            driver.prepare()
            given = make_url(url).set(password="secret-word")
            # PostgreSQL does not ask for it here, and to MariaDB it is the wrong one
            said = [
                run(*command, "--store", given.render_as_string(hide_password=False))
                for command in (["status"], ["check"], ["init"], ["show", "instance/1", "--at", "now"])
            ]
            assert [ran for ran in said if "secret-word" in ran.out + ran.err] == []
            assert all(ran.err for ran in said if name == "mariadb")
            assert "secret-word" not in repr(driver)

    @on_each
    def test_any_name_and_password_will_do_and_another_will_not(self, name: str) -> None:
        password = "p@ss/w?rd #%&'\"\\é"
        with own(name) as server:
            given = make_url(server.url)
            engine = create_engine(server.url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
            with engine.connect() as connection:
                quoted = (
                    password.replace("\\", "\\\\").replace("'", "''")
                    if name == "mariadb"
                    else password.replace("'", "''")
                )
                if name == "postgresql":
                    connection.exec_driver_sql(
                        f"CREATE ROLE \"us er@h\" SUPERUSER LOGIN PASSWORD '{quoted}'".replace("%", "%%")
                    )
                else:
                    connection.execute(text(f"CREATE USER 'us er@h'@'%' IDENTIFIED BY '{quoted}'".replace(":", "\\:")))
                    connection.execute(text("GRANT ALL ON timeline.* TO 'us er@h'@'%'"))
            if name == "postgresql":
                believe_nobody_but(given.username or "", server)
            for word, known in ((password, True), ("another-word", False)):
                url = given.set(username="us er@h", password=word).render_as_string(hide_password=False)
                with closing(drivers.open(url)) as driver:
                    if known:
                        driver.prepare()
                        driver.append([event(1)])
                        assert list(driver.events(Scope())) == [event(1)]
                    else:
                        with pytest.raises(StoreDenied, match="does not let this user in") as raised:
                            driver.append([event(1)])
                        assert word not in str(raised.value)
