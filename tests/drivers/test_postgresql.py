"""PostgreSQL, held to the contract."""

from __future__ import annotations

from tests.drivers.servers import OnAServer
from timeline.drivers.conformance import DriverConformance


class TestPostgresql(OnAServer, DriverConformance):
    server_name = "postgresql"
