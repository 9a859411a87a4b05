"""PostgreSQL and MariaDB: the schema, the number of statements, and URLs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy
from sqlalchemy import NullPool, create_engine, inspect, text

from tests.servers import Server, own, place
from timeline import drivers
from timeline.drivers.conformance.history import event, number, wanted
from timeline.drivers.sql.schema import SEQUENCES, metadata
from timeline.errors import StoreUrlError
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
        log = server.log("server") if server.name == "postgresql" else server.folder / "data" / "statements.log"
        return len([line for line in Path(log).read_bytes().splitlines() if b"SELECT" in line or b"FETCH" in line])

    def test_a_question_takes_as_few_of_many_resources_as_of_some(self, server: Server) -> None:
        history = [event(at, of=number(n)) for n in range(1_000) for at in (1, 2)]
        with closing(drivers.open(server.url)) as driver:
            driver.prepare()
            driver.append(history)
            list(driver.events([number(n) for n in range(300)], until=1, last_per_body=True))
            assert list(driver.events(Scope())) == wanted(history)
            for most, ask in (
                (8, lambda: driver.resources(Scope())),
                (30, lambda: list(driver.events(Scope()))),
                (40, lambda: list(driver.events(Scope(), until=1, last_per_body=True))),
                (40, lambda: list(driver.events([number(n) for n in range(1_000)], until=1, last_per_body=True))),
                (40, lambda: driver.summary()),
                (4, lambda: driver.changed("0")),
            ):
                before = self.statements(server)
                ask()
                assert 0 < self.statements(server) - before <= most

    def test_a_batch_is_stored_in_as_few_whatever_is_new_in_it(self, server: Server) -> None:
        with closing(drivers.open(server.url)) as driver:
            driver.prepare()
            driver.append([event(1)])
            before = self.statements(server)
            driver.append([event(1, n, of=number(n), event_type=f"type.{n}") for n in range(400)])
            assert 0 < self.statements(server) - before <= 20


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
        ],
    )
    def test_what_is_no_url_of_a_store_is_said_without_its_password(self, url: str, said: str) -> None:
        with pytest.raises(StoreUrlError, match=said) as raised:
            drivers.open(url)
        assert ":secret" not in str(raised.value)

    @on_each
    def test_any_name_and_password_will_do(self, name: str) -> None:
        password = "p@ss/w?rd #%&'\"\\é"
        with own(name) as server:
            given = sqlalchemy.make_url(server.url)
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
            url = given.set(username="us er@h", password=password).render_as_string(hide_password=False)
            with closing(drivers.open(url)) as driver:
                driver.prepare()
                driver.append([event(1)])
                assert list(driver.events(Scope())) == [event(1)]
