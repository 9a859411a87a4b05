"""RabbitMQ, from Debian's package. An option is one more line of its configuration: ``heartbeat = 5``.

A node is known by its name to a daemon, epmd, and each of ours has one of its own: the daemon that a node starts for
itself stays when the node is gone, and holds the names of nodes that were killed.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from tests.servers.installing import from_debian, program
from tests.servers.processes import free_port
from tests.servers.records import Record
from tests.servers.server import Server, ServerFailed

_NODE = "timeline@localhost"
_EPMD_PORT = "epmd-port"
_IDLE = "+sbwt none +sbwtdcpu none +sbwtdio none"
"""A node that has nothing to do does nothing: it would spin for a while, and tests have few processors."""
_SETTINGS = [
    "disk_free_limit.absolute = 1MB",  # it stops publishers where less is left, and a small disk has never more
    "vm_memory_high_watermark.absolute = 1GB",
    "collect_statistics_interval = 60000",
    "num_acceptors.tcp = 2",
]


class Rabbitmq(Server):
    """A node with one virtual host, whose user ``guest`` has every right."""

    name = "rabbitmq"
    parts = ("epmd", "server")

    def __init__(self, *options: str, **how: Any) -> None:
        self._port, self._node_port, self._epmd_port = free_port(), free_port(), free_port()
        super().__init__(*options, **how)

    @classmethod
    def lacks(cls) -> str | None:
        return None if _programs() and program("epmd") and program("erl_call") else "rabbitmq-server"

    @classmethod
    def install(cls) -> None:
        # Debian would start it as a service: a policy that says no to that is left as it is
        from_debian(["rabbitmq-server"], lambda: cls.lacks() is None)

    @classmethod
    @contextmanager
    def place(cls, url: str, *, ours: bool) -> Iterator[str]:
        if not ours:  # only who runs it can make virtual hosts: this one is used as it is
            yield url
            return
        folder = next(record.folder for record in Record.all() if record.url == url)
        name = f"timeline-{uuid4().hex[:16]}"
        host, user = f'<<"{name}">>', '<<"guest">>'
        rights = ",".join([user, host, *['<<".*">>'] * 3, user])
        _do(folder, f"rabbit_vhost:add({host}, {user}), rabbit_auth_backend_internal:set_permissions({rights}).")
        try:
            yield urlsplit(url)._replace(path=f"/{name}").geturl()
        finally:
            _do(folder, f"rabbit_vhost:delete({host}, {user}).")

    @property
    def pid(self) -> int:
        return self.processes["server"].pid

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self._port}/"

    def make(self) -> None:
        (self.folder / "plugins").write_text("[].", "utf-8")
        (self.folder / _EPMD_PORT).write_text(str(self._epmd_port), "utf-8")
        (self.folder / "rabbitmq.conf").write_text("\n".join([*_SETTINGS, *self.options, ""]), "utf-8")

    def command(self, part: str) -> Sequence[str]:
        if part == "epmd":
            return [program("epmd") or "epmd", "-port", str(self._epmd_port), "-address", "127.0.0.1"]
        said = {
            "HOME": self.folder,
            "ERL_EPMD_PORT": self._epmd_port,
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": _NODE,
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": self._port,
            "RABBITMQ_DIST_PORT": self._node_port,
            "RABBITMQ_MNESIA_BASE": self.folder / "data",
            "RABBITMQ_LOG_BASE": self.folder / "logs",
            "RABBITMQ_CONFIG_FILE": self.folder / "rabbitmq.conf",
            "RABBITMQ_ENABLED_PLUGINS_FILE": self.folder / "plugins",
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            # so the script becomes the node, and does not stay as its parent: a signal reaches the node
            "RABBITMQ_ALLOW_INPUT": 1,
            "RABBITMQ_SERVER_START_ARGS": f"-noinput -start_epmd false {_IDLE}",
        }
        return ["env", *(f"{name}={value}" for name, value in said.items()), f"{_programs()}/rabbitmq-server"]

    def ask(self) -> None:
        import amqp

        with amqp.Connection(f"127.0.0.1:{self._port}", connect_timeout=5) as connection:
            connection.channel()


def _programs() -> Path | None:
    """The folder of its programs: those that the search path has change the user, and look for no other node."""
    found = sorted(Path("/usr/lib/rabbitmq/lib").glob("rabbitmq_server-*/sbin/rabbitmq-server"))
    return found[-1].parent if found else None


def _do(folder: Path, said: str) -> None:
    """Have the node of this folder evaluate an expression of Erlang."""
    cookie = (folder / ".erlang.cookie").read_text("utf-8").strip()
    epmd = (folder / _EPMD_PORT).read_text("utf-8")
    ran = subprocess.run(
        [program("erl_call") or "erl_call", "-name", _NODE, "-c", cookie, "-timeout", "60", "-e"],
        input=f"{said}\n".encode(),
        capture_output=True,
        env={"ERL_EPMD_PORT": epmd, "HOME": str(folder)},
    )
    if ran.returncode or not ran.stdout.startswith(b"{ok,"):
        raise ServerFailed(f"rabbitmq: {said} went wrong: {(ran.stdout + ran.stderr).decode('utf-8', 'replace')}")
