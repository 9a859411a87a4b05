"""PostgreSQL and MariaDB: what the pages of the two say of rights and of TLS is what the servers do."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from sqlalchemy import NullPool, create_engine, make_url
from sqlalchemy.exc import DBAPIError

from tests.servers import Server, own
from tests.servers.postgresql import Postgresql
from timeline import drivers
from timeline.drivers import Driver
from timeline.drivers.conformance.history import VM, event, number, wanted
from timeline.drivers.conformance.quarantine import record
from timeline.drivers.sql.schema import metadata
from timeline.errors import StoreDenied, StoreReadOnly
from timeline.model import Outcome, Scope

DOCS = Path(__file__).parents[2] / "docs"
NAMES = ["postgresql", "mariadb"]
_BLOCK = re.compile(r"^\.\. code-block:: none\n\n((?:(?:   .*)?\n)+)", re.MULTILINE)

READS: dict[str, Callable[[Driver], object]] = {
    "events": lambda driver: list(driver.events(Scope())),
    "events of one": lambda driver: list(driver.events([VM], until=5, last_per_body=True)),
    "resources": lambda driver: driver.resources(Scope()),
    "changed": lambda driver: (driver.version(), driver.changed("0")),
    "summary": lambda driver: driver.summary(),
    "quarantine": lambda driver: (driver.list(settled=True), driver.find("a")),
    "check": lambda driver: list(driver.check()),
}
WRITES: dict[str, Callable[[Driver], object]] = {
    "append": lambda driver: driver.append([event(7)]),
    "put": lambda driver: driver.put([record("cc")]),
    "settle": lambda driver: driver.settle("aa", Outcome.STORED, 1),
}


def do(url: str, *statements: str) -> None:
    engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement.replace("%", "%%"))


def said_by_the_page(name: str) -> tuple[list[str], list[str]]:
    """The statements that it has an operator run, before the store is made and after."""
    before, after = (
        [statement for statement in re.split(r";\s*", block) if statement.strip()]
        for block in _BLOCK.findall((DOCS / f"{name}.rst").read_text("utf-8"))
    )
    return before, after


class AsThePageSays:
    """A store that was set up as its page says, by users with the names that it gives them."""

    def __init__(self, server: Server) -> None:
        self._url = make_url(server.url)
        before, after = said_by_the_page(server.name)
        self.as_admin(*(one for one in before if "CREATE DATABASE" not in one))
        if server.name == "postgresql":  # it has a database already, of another owner
            self.as_admin("ALTER DATABASE timeline OWNER TO timeline_owner")
        with closing(self.as_user("owner")) as owner:
            owner.prepare()
        self.as_admin(*after)

    def url_of(self, user: str | None) -> str:
        # MariaDB's page shows where a password stands
        asked = {"username": f"timeline_{user}", "password": "..." if "mariadb" in self._url.drivername else None}
        return self._url.set(**(asked if user else {})).render_as_string(hide_password=False)

    def as_user(self, user: str) -> Driver:
        return drivers.open(self.url_of(user))

    def quoted(self, table: str) -> str:
        return self._url.get_dialect()().identifier_preparer.quote(table)

    def as_admin(self, *statements: str) -> None:
        do(self.url_of(None), *statements)


@pytest.fixture(params=NAMES)
def page(request: pytest.FixtureRequest) -> Iterator[AsThePageSays]:
    with own(request.param) as server:
        yield AsThePageSays(server)


def test_the_rights_of_the_page_are_enough_and_no_more_than_that(page: AsThePageSays) -> None:
    with closing(page.as_user("ingest")) as ingest, closing(page.as_user("reader")) as reader:
        history = [event(at, at, of=number(at % 3), event_type=f"type.{at}") for at in range(6)]
        ingest.append(history)
        ingest.append([event(1), event(1)])
        ingest.put([record("aa"), record("bb")])
        ingest.settle("bb", Outcome.STORED, 9)
        ingest.put([record("bb", reason="not-utf-8")])
        for user in (ingest, reader):
            for name, read in READS.items():
                assert read(user) is not None, name
        stored = wanted([*history, event(1)])
        assert list(reader.events(Scope())) == stored
        assert list(reader.check()) == []
        assert [one.id for one in reader.list()] == ["aa", "bb"]
        for write in WRITES.values():
            with pytest.raises(StoreDenied, match=r"this user may not do that .* GRANT"):
                write(reader)
        assert list(reader.events(Scope())) == stored

    never_deleted = {*metadata.tables, "alembic_version"} - {"change"}
    never_changed = {*metadata.tables} - {"writer", "quarantine"}
    no_changes = [f"DELETE FROM {table}" for table in sorted(never_deleted)]
    for table in sorted(never_changed):
        column = list(metadata.tables[table].c)[-1].name
        no_changes.append(f"UPDATE {page.quoted(table)} SET {column} = {column}")
    no_changes += ["DROP TABLE event", "CREATE TABLE more (id INTEGER)", "ALTER TABLE event ADD COLUMN more INTEGER"]
    for statement in no_changes:
        with pytest.raises(DBAPIError, match=r"denied|must be owner"):
            do(page.url_of("ingest"), statement)


@pytest.mark.parametrize("name", NAMES)
def test_who_may_not_make_tables_is_told_when_making_a_store(name: str) -> None:
    with own(name) as server:
        user = "CREATE ROLE reader LOGIN" if name == "postgresql" else "CREATE USER reader"
        do(server.url, user, *(["GRANT SELECT ON timeline.* TO reader"] if name == "mariadb" else []))
        theirs = make_url(server.url).set(username="reader").render_as_string()
        with closing(drivers.open(theirs)) as driver, pytest.raises(StoreDenied, match="may not do that"):
            driver.prepare()


@pytest.mark.parametrize("name", NAMES)
def test_a_store_is_not_made_where_nothing_can_be_written(name: str) -> None:
    with own(name) as server:
        if name == "postgresql":
            do(server.url, "ALTER DATABASE timeline SET default_transaction_read_only = on")
        else:
            do(server.url, "CREATE USER maker", "GRANT ALL ON timeline.* TO maker", "SET GLOBAL read_only = 1")
        given = make_url(server.url)
        theirs = given if name == "postgresql" else given.set(username="maker")
        with closing(drivers.open(theirs.render_as_string())) as driver:
            with pytest.raises(StoreReadOnly, match="read only"):
                driver.prepare()
            if name == "postgresql":
                do(
                    server.url,
                    "BEGIN READ WRITE",
                    "ALTER DATABASE timeline RESET default_transaction_read_only",
                    "COMMIT",
                )
            else:
                do(server.url, "SET GLOBAL read_only = 0")
            driver.prepare()
            driver.append([event(1)])


@pytest.fixture
def certificate() -> Iterator[Path]:
    """The certificate of ``timeline.example``, which nobody has signed but itself; its key lies beside it."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make certificates with")
    with TemporaryDirectory() as folder:
        made = Path(folder) / "certificate"
        name = ["-subj", "/CN=timeline.example", "-addext", "subjectAltName=DNS:timeline.example"]
        key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", f"{folder}/key"]
        openssl = ["openssl", "req", "-x509", *name, *key, "-out", made]
        subprocess.run(openssl, check=True, stderr=subprocess.DEVNULL)
        if os.geteuid() == 0:  # PostgreSQL asks that its key be its own
            Path(folder).chmod(0o755)
            for each in (made, made.parent / "key"):
                shutil.chown(each, Postgresql.user or "root")
        yield made


@pytest.mark.parametrize("name", NAMES)
def test_a_certificate_is_believed_as_far_as_it_was_asked(name: str, certificate: Path) -> None:
    key = certificate.parent / "key"
    with_tls = {
        "postgresql": ["ssl=on", f"ssl_cert_file={certificate}", f"ssl_key_file={key}"],
        "mariadb": [f"--ssl-cert={certificate}", f"--ssl-key={key}"],
    }
    denied = {
        "postgresql": ["sslmode=verify-full&sslrootcert=/nowhere", f"sslmode=verify-full&sslrootcert={certificate}"],
        "mariadb": ["ssl=true", "ssl_ca=/nowhere", f"ssl_ca={key}", f"ssl_ca={certificate}"],
    }
    let_in = {
        "postgresql": ["sslmode=require", f"sslmode=verify-ca&sslrootcert={certificate}"],
        "mariadb": [f"ssl_ca={certificate}&ssl_verify_identity=false"],
    }
    with own(name, *with_tls[name]) as server:
        if name == "mariadb":
            do(server.url, "SET GLOBAL require_secure_transport = 1")
        for options in let_in[name]:
            with closing(drivers.open(f"{server.url}?{options}")) as driver:
                driver.prepare()
                driver.append([event(1)])
        for options in denied[name]:
            with (
                closing(drivers.open(f"{server.url}?{options}")) as driver,
                pytest.raises(StoreDenied, match="as it was asked"),
            ):
                driver.append([event(2)])
