"""TLS to a broker: it is verified unless told otherwise, and whoever is not the one that was named is refused."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import kombu
import pytest

from tests.servers import own
from tests.servers.processes import free_port
from timeline.consumers.amqp import Amqp, Subscription, Tls
from timeline.errors import BusDenied, BusUnavailable

SUBSCRIPTION = Subscription(exchanges=("nova",), topics=("notifications",), priorities=("info",))


class Secured(NamedTuple):
    """A broker that takes TLS at one port, and only from who has a certificate at another."""

    port: int
    folder: Path

    def url(self, host: str = "localhost") -> str:
        return f"amqps://guest:guest@{host}:{self.port}/"

    def file(self, name: str) -> str:
        return str(self.folder / name)


def openssl(folder: Path, *words: str) -> None:
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)


def authority(folder: Path, name: str) -> None:
    subject = ["-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.pem"]
    openssl(folder, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject)


def certificate(folder: Path, name: str, host: str, *, days: int = 2) -> None:
    asked = ["-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={host}", "-keyout", f"{name}.key", "-out", "request"]
    openssl(folder, "req", *asked)
    (folder / "names").write_text(f"subjectAltName=DNS:{host}\n")
    signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "names"]
    openssl(folder, "x509", "-req", "-in", "request", "-out", f"{name}.pem", "-days", str(days), *signed)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("tls")
    authority(made, "ca")
    authority(made, "another-ca")
    certificate(made, "server", "localhost")
    certificate(made, "client", "timeline")
    made.parent.parent.chmod(0o755)
    return made


@pytest.fixture(scope="module")
def broker(folder: Path) -> Iterator[Secured]:
    port = free_port()
    options = [
        f"listeners.ssl.default = 127.0.0.1:{port}",
        f"ssl_options.cacertfile = {folder}/ca.pem",
        f"ssl_options.certfile = {folder}/server.pem",
        f"ssl_options.keyfile = {folder}/server.key",
        "ssl_options.verify = verify_peer",
        "ssl_options.fail_if_no_peer_cert = false",
    ]
    with own("rabbitmq", *options) as server:
        with kombu.Connection(server.url) as connection:
            kombu.Exchange("nova", "topic", durable=False)(connection.channel()).declare()
        yield Secured(port, folder)


def connect(url: str, tls: Tls) -> None:
    source = Amqp(url, SUBSCRIPTION, tls=tls, heartbeat=5.0)
    try:
        assert source.take(0, 0, 0.0) == []
        assert source.is_empty()
    finally:
        source.close()


def test_a_broker_is_accepted_by_the_authority_that_signed_it_and_by_its_name(broker: Secured) -> None:
    connect(broker.url(), Tls(ca_file=broker.file("ca.pem")))


def test_a_certificate_of_ours_is_shown(broker: Secured) -> None:
    tls = Tls(ca_file=broker.file("ca.pem"), cert_file=broker.file("client.pem"), key_file=broker.file("client.key"))
    connect(broker.url(), tls)


@pytest.mark.parametrize(
    ("host", "authorities", "said"),
    [
        ("localhost", "another-ca.pem", "certificate"),
        ("localhost", None, "certificate"),
        ("127.0.0.1", "ca.pem", "127.0.0.1"),
    ],
    ids=["another authority", "the authorities of the system", "another name"],
)
def test_a_broker_that_cannot_be_verified_is_refused(
    broker: Secured, host: str, authorities: str | None, said: str
) -> None:
    with pytest.raises(BusDenied, match=said):
        connect(broker.url(host), Tls(ca_file=authorities and broker.file(authorities)))


def test_only_who_asks_for_it_by_name_is_not_told_who_answers(
    broker: Secured, caplog: pytest.LogCaptureFixture
) -> None:
    connect(broker.url("127.0.0.1"), Tls(verify=False))
    assert "not verified" in caplog.text


def test_an_expired_certificate_is_refused(folder: Path) -> None:
    certificate(folder, "expired", "localhost", days=-1)
    port = free_port()
    program = ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-quiet"]
    with subprocess.Popen([*program, "-cert", "expired.pem", "-key", "expired.key"], cwd=folder) as server:
        try:
            with pytest.raises(BusDenied, match="expired"):
                connect_once_it_listens(f"amqps://guest:guest@localhost:{port}/", Tls(ca_file=str(folder / "ca.pem")))
        finally:
            server.kill()


def connect_once_it_listens(url: str, tls: Tls) -> None:
    for _ in range(1_000):
        with contextlib.suppress(BusUnavailable):
            connect(url, tls)
            return
    raise AssertionError("nobody listens")


@pytest.mark.parametrize("file", ["ca_file", "cert_file", "key_file"])
def test_a_file_that_cannot_be_used_is_named(folder: Path, file: str) -> None:
    (folder / "nonsense.pem").write_text("nonsense")
    files = {"cert_file": str(folder / "client.pem"), "key_file": str(folder / "client.key")}
    with pytest.raises(BusDenied, match=r"nonsense\.pem"):
        Amqp("amqps://localhost/", tls=Tls(**{**files, file: str(folder / "nonsense.pem")}))
