"""The URL of a bus: what is read out of it, and what of it is shown."""

from __future__ import annotations

import pytest

from timeline.consumers.amqp.url import Broker, brokers
from timeline.errors import BusUrlError


def broker(
    host: str = "h", port: int = 5672, user: str = "guest", password: str = "guest", vhost: str = "/", tls: bool = False
) -> Broker:
    return Broker(host=host, port=port, user=user, password=password, vhost=vhost, tls=tls)


@pytest.mark.parametrize(
    ("url", "meant"),
    [
        ("amqp://h", [broker()]),
        ("amqp://h/", [broker()]),
        ("amqp://h//", [broker()]),
        ("amqp://h/%2F", [broker()]),
        ("amqp://h/cloud", [broker(vhost="cloud")]),
        ("amqp://h/a%2Fb", [broker(vhost="a/b")]),
        ("amqps://h", [broker(port=5671, tls=True)]),
        ("AMQP://h:1", [broker(port=1)]),
        ("rabbit://u:p@h:5673/v", [broker(port=5673, user="u", password="p", vhost="v")]),
        ("amqp://u:p%40%2F%3A@h", [broker(user="u", password="p@/:")]),
        ("amqp://u@h", [broker(user="u", password="")]),
        ("amqp://[::1]:5673", [broker(host="::1", port=5673)]),
        ("amqp://u:p@a:1,b:2/v", [broker("a", 1, "u", "p", "v"), broker("b", 2, "u", "p", "v")]),
        ("amqp://u:p@a,w:q@b", [broker("a", 5672, "u", "p"), broker("b", 5672, "w", "q")]),
    ],
)
def test_a_url_names_hosts_credentials_and_a_virtual_host(url: str, meant: list[Broker]) -> None:
    assert brokers(url) == meant


@pytest.mark.parametrize(
    "url",
    [
        "",
        "h",
        "http://u:s3cret@h",
        "amqp://",
        "amqp://u:s3cret@",
        "amqp://u:s3cret@h:x",
        "amqp://u:s3cret@h:70000",
        "amqp://u:s3cret@[::1",
        "amqp://u:s3#cret@h",
        "amqp://u:s3cret@h/v?heartbeat=5",
        "amqp://u:s3/cret@h",
        "amqp://a,,b",
    ],
)
def test_what_is_no_url_is_refused_with_an_example_and_without_the_password(url: str) -> None:
    with pytest.raises(BusUrlError) as refused:
        brokers(url)
    assert "amqp://USER:PASSWORD@HOST:5672/VHOST" in str(refused.value)
    assert "s3" not in str(refused.value)
    assert "cret" not in str(refused.value)


@pytest.mark.parametrize("url", ["amqp://u:s3cret@h/v", "amqps://u:s3cret@[::1]"])
def test_a_broker_is_shown_without_its_password(url: str) -> None:
    (one,) = brokers(url)
    assert "s3cret" not in f"{one} {one!r}"
    assert str(one).startswith(url.partition(":")[0] + "://u@")
