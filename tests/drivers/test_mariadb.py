"""MariaDB, held to the contract."""

from __future__ import annotations

from contextlib import closing

import pymysql
import pytest
from sqlalchemy.engine import make_url

from tests.drivers.servers import OnAServer
from tests.servers import place
from timeline import drivers
from timeline.drivers.conformance import DriverConformance
from timeline.drivers.conformance.history import VM, event
from timeline.drivers.conformance.quarantine import record
from timeline.drivers.sql.schema import metadata
from timeline.errors import StoreForeign
from timeline.model import Scope


class TestMariadb(OnAServer, DriverConformance):
    server_name = "mariadb"
    many_answers = 500  # of one that is abandoned the connection is closed: nothing else keeps its rows away


def statements(url: str, *texts: str) -> None:
    given = make_url(url)
    with closing(
        pymysql.connect(host=given.host, port=given.port, user=given.username, database=given.database, autocommit=True)
    ) as connection:
        for text in texts:
            connection.cursor().execute(text)


def test_a_value_that_does_not_fit_is_refused_though_duplicates_pass() -> None:
    """``INSERT IGNORE`` would cut it, and warn."""
    with place("mariadb") as url, closing(drivers.open(url)) as driver:
        driver.prepare()
        driver.append([event(1)])
        statements(url, "ALTER TABLE event MODIFY message_id VARBINARY(3)")
        long = event(2, message_id="longer than three")
        for batch in ([event(1), long], [long], [event(3), long, event(4)]):
            with pytest.raises(StoreForeign, match=r"other columns .*message_id"):
                driver.append(batch)
            assert list(driver.events([VM])) == [event(1)]


@pytest.mark.parametrize("left", [*sorted(metadata.tables), "alembic_version", "body_id_seq"])
def test_making_a_store_goes_on_where_it_was_broken_off(left: str) -> None:
    """MariaDB commits each change of a table by itself."""
    with place("mariadb") as url:
        with closing(drivers.open(url)) as driver:
            driver.prepare()
        names = [*metadata.tables, "resource_id_seq", "body_id_seq", "event_stream_seq", "event_type_id_seq"]
        kinds = {name: "SEQUENCE" if name.endswith("_seq") else "TABLE" for name in names}
        gone = [f"DROP {kinds[name]} `{name}`" for name in names if name != left]
        statements(url, "DELETE FROM alembic_version", *gone)
        with closing(drivers.open(url)) as driver:
            driver.prepare()
            driver.append([event(1)])
            driver.put([record("aa")])
            assert list(driver.events(Scope())) == [event(1)]
            assert list(driver.check()) == []
