"""A server of MongoDB's protocol, in Java: mongo-java-server, from Maven. An option is one of Java's: ``-Xmx64m``.

MongoDB itself is in no registry that all may use. Who has one names it in ``TIMELINE_TEST_MONGODB_URL``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from tests.servers.installing import Artifact, Fetched, from_debian, from_maven, program, run
from tests.servers.processes import free_port
from tests.servers.server import Server

JAVA = ["openjdk-17-jdk-headless", "maven"]
_ARTIFACTS = [
    Artifact("de.bwaldvogel:mongo-java-server:1.47.0"),
    Artifact("de.bwaldvogel:mongo-java-server-h2-backend:1.47.0"),
    Artifact("org.slf4j:slf4j-simple:2.0.17"),
]
_MAIN = Path(__file__).with_name("MongodbServer.java")


class MongoProtocol(Server):
    """Whatever speaks it: places, and how it is asked."""

    def __init__(self, *options: str, **how: Any) -> None:
        self.port = free_port()
        super().__init__(*options, **how)

    @classmethod
    @contextmanager
    def place(cls, url: str, *, ours: bool) -> Iterator[str]:
        import pymongo

        name = f"timeline_{uuid4().hex[:16]}"
        fresh = urlsplit(url)._replace(path=f"/{name}").geturl()
        try:
            yield fresh
        finally:
            with pymongo.MongoClient[dict[str, Any]](url) as client:
                client.drop_database(name)

    @property
    def url(self) -> str:
        return f"mongodb://127.0.0.1:{self.port}/timeline"

    def ask(self) -> None:
        import pymongo

        with pymongo.MongoClient[dict[str, Any]](self.url, serverSelectionTimeoutMS=500) as client:
            client["timeline"].command("ping")


class Mongodb(MongoProtocol):
    """A server without users."""

    name = "mongodb"

    @classmethod
    def lacks(cls) -> str | None:
        if program("java") is None:
            return "java"
        return None if _fetched().is_there() else f"what is kept in {_fetched().folder}"

    @classmethod
    def install(cls) -> None:
        from_debian(JAVA, lambda: all(map(program, ("java", "javac", "mvn"))))
        _fetched().make(_fill)

    def make(self) -> None:
        pass

    def command(self, part: str) -> Sequence[str]:
        folder = _fetched().folder
        quietly = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
        java = [program("java") or "java", "-Xmx1g", "-XX:-UsePerfData", quietly, *self.options]
        file = [f"{self.folder}/store"] if self.durable else []
        return [*java, "-cp", f"{folder / 'classes'}:{folder / 'jars'}/*", _MAIN.stem, str(self.port), *file]


def _fetched() -> Fetched:
    return Fetched(Mongodb.name, _ARTIFACTS, _MAIN.read_text("utf-8"))


def _fill(folder: Path) -> None:
    from_maven(_ARTIFACTS, folder)
    run([program("javac") or "javac", "-cp", f"{folder / 'jars'}/*", "-d", str(folder / "classes"), str(_MAIN)])
