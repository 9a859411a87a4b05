"""HBase with its Thrift gateway, both from Maven. An option is a property of its site file: ``NAME=VALUE``.

A table costs it a second, so a place is only a prefix that no table has yet.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4
from xml.sax.saxutils import escape

from tests.servers.installing import Artifact, Fetched, from_debian, from_maven, program
from tests.servers.mongodb import JAVA
from tests.servers.processes import free_port
from tests.servers.server import Server

_MASTER, _GATEWAY = "master", "gateway"
_MEMORY = {_MASTER: "2g", _GATEWAY: "256m"}
_MAIN = {
    _MASTER: ["org.apache.hadoop.hbase.master.HMaster", "start"],
    _GATEWAY: ["org.apache.hadoop.hbase.thrift.ThriftServer", "start", "--bind", "127.0.0.1", "-p"],
}
_ALL = ["*:*"]
# What a server on one machine never loads is left out: half of the jars. Their own choice among loggers wins over the
# one below, and then nothing is logged at all.
_NEVER_LOADED = """
    org.slf4j:slf4j-reload4j
    org.apache.hadoop:hadoop-distcp org.apache.hadoop:hadoop-hdfs
    org.apache.hadoop:hadoop-mapreduce-client-app org.apache.hadoop:hadoop-mapreduce-client-common
    org.apache.hadoop:hadoop-mapreduce-client-jobclient org.apache.hadoop:hadoop-mapreduce-client-shuffle
    org.apache.hadoop:hadoop-yarn-api org.apache.hadoop:hadoop-yarn-client org.apache.hadoop:hadoop-yarn-common
    org.apache.hadoop:hadoop-yarn-server-common org.apache.hadoop:hadoop-yarn-registry
    org.apache.directory.server:* org.apache.curator:curator-recipes org.apache.curator:curator-framework
    org.apache.curator:curator-client com.nimbusds:nimbus-jose-jwt net.java.dev.jets3t:jets3t org.glassfish.web:*
    org.glassfish:javax.el javax.servlet.jsp:* com.squareup.okhttp:okhttp com.sun.jersey:* com.sun.jersey.contribs:*
    com.google.inject:* com.google.inject.extensions:* org.fusesource.leveldbjni:* org.mortbay.jetty:jetty
    org.mortbay.jetty:jetty-sslengine io.netty:* com.jcraft:jsch org.apache.avro:avro org.apache.httpcomponents:*
    com.fasterxml.jackson.core:* org.apache.hbase.thirdparty:hbase-shaded-jersey
""".split()
_ARTIFACTS = [
    Artifact("org.apache.hbase:hbase-server:2.6.1", _NEVER_LOADED),
    Artifact("org.apache.hbase:hbase-thrift:2.6.1", _ALL),
    Artifact("org.apache.thrift:libthrift:0.14.1", _ALL),
    Artifact("org.apache.hadoop:hadoop-hdfs-client:2.10.2", _ALL),
    Artifact("org.codehaus.jackson:jackson-core-asl:1.9.13", _ALL),
    Artifact("org.codehaus.jackson:jackson-mapper-asl:1.9.13", _ALL),
    Artifact("ch.qos.reload4j:reload4j:1.2.18.3", _ALL),
    Artifact("javax.servlet:servlet-api:2.5", _ALL),
    Artifact("org.slf4j:slf4j-simple:1.7.36"),
]
_OPENED = "io nio lang lang.reflect util util.concurrent"
# Hadoop is older than this Java: these parts of it have to be open to it.
_JAVA = [
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",  # it starts in half the time, and no test runs for so long that this is lost again
    "-XX:-UsePerfData",
    "-Xms64m",
    "-Djava.net.preferIPv4Stack=true",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.apache.hbase.thirdparty.io.netty.tryReflectionSetAccessible=true",
    "--add-modules=jdk.unsupported",
    *(f"--add-opens=java.base/java.{name}=ALL-UNNAMED" for name in _OPENED.split()),
    *(f"--add-opens=java.base/{name}=ALL-UNNAMED" for name in ("sun.nio.ch", "jdk.internal.ref")),
    *(f"--add-exports=java.base/{name}=ALL-UNNAMED" for name in ("jdk.internal.misc", "sun.net.dns", "sun.net.util")),
    "--add-exports=java.security.jgss/sun.security.krb5=ALL-UNNAMED",
]


class Hbase(Server):
    """Master, region server and ZooKeeper are one process, the gateway is another: ``master`` and ``gateway``."""

    name = "hbase"
    parts = (_MASTER, _GATEWAY)

    def __init__(self, *options: str, **how: Any) -> None:
        self._port = free_port()
        self._inner_ports = {
            name: free_port() for name in ("zookeeper.property.clientPort", "master.port", "regionserver.port")
        }
        super().__init__(*options, **how)

    @classmethod
    def lacks(cls) -> str | None:
        if program("java") is None:
            return "java"
        return None if _fetched().is_there() else f"what is kept in {_fetched().folder}"

    @classmethod
    def install(cls) -> None:
        from_debian(JAVA, lambda: all(map(program, ("java", "mvn"))))
        _fetched().make(lambda folder: from_maven(_ARTIFACTS, folder))

    @classmethod
    @contextmanager
    def place(cls, url: str, *, ours: bool) -> Iterator[str]:
        given = urlsplit(url)
        prefix = f"{given.path.strip('/') or 'timeline'}_{uuid4().hex[:16]}"
        try:
            yield given._replace(path=f"/{prefix}").geturl()
        finally:
            if not ours:
                _drop_tables(given.hostname or "127.0.0.1", given.port or 9090, prefix)

    @property
    def url(self) -> str:
        return f"hbase://127.0.0.1:{self._port}/timeline"

    def make(self) -> None:
        for name in ("conf", "data", "tmp"):
            (self.folder / name).mkdir()
        _write_properties(self.folder / "conf" / "hbase-site.xml", self._site())
        # The two hooks that stop master and region server may run in the wrong order, and then wait for each other
        # until this is over. It is read from this file alone.
        _write_properties(self.folder / "conf" / "core-site.xml", {"hadoop.service.shutdown.timeout": "1s"})

    def command(self, part: str) -> Sequence[str]:
        java = [program("java") or "java", *_JAVA, f"-Djava.io.tmpdir={self.folder}/tmp", f"-Xmx{_MEMORY[part]}"]
        words = _MAIN[part] + ([str(self._port)] if part == _GATEWAY else [])
        return [*java, "-cp", f"{self.folder}/conf:{_fetched().folder}/jars/*", *words]

    def ask(self) -> None:
        import happybase

        with closing(happybase.Connection("127.0.0.1", self._port, timeout=10_000)) as connection:
            connection.tables()

    def _site(self) -> dict[str, str]:
        said = {
            "hbase.rootdir": f"file://{self.folder}/data/hbase",
            "hbase.tmp.dir": f"{self.folder}/tmp",
            "hbase.cluster.distributed": "false",
            "hbase.wal.provider": "filesystem",
            "hbase.unsafe.stream.capability.enforce": "false",
            "hbase.zookeeper.quorum": "127.0.0.1",
            "hbase.zookeeper.property.clientPortAddress": "127.0.0.1",
            "hbase.zookeeper.property.dataDir": f"{self.folder}/data/zookeeper",
            **{f"hbase.{name}": str(port) for name, port in self._inner_ports.items()},
            **{f"hbase.{name}.info.port": "-1" for name in ("master", "regionserver", "thrift")},
            **{f"hbase.{name}.ipc.address": "127.0.0.1" for name in ("master", "regionserver")},
            "hbase.master.hostname": "localhost",
            "hbase.unsafe.regionserver.hostname": "localhost",
            "hbase.regionserver.handler.count": "10",
            # Left alone, the master waits three seconds for the first word of its region server.
            "hbase.regionserver.msginterval": "300",
            "hbase.master.wait.on.regionservers.maxtostart": "1",
            # Tests make many tables that hold little: 2 MB for each region that was ever written to are too much.
            "hbase.hregion.memstore.mslab.enabled": "false",
        }
        return said | dict(option.split("=", 1) for option in self.options)


def _fetched() -> Fetched:
    return Fetched(Hbase.name, _ARTIFACTS)


def _write_properties(file: Path, properties: dict[str, str]) -> None:
    said = (
        f"<property><name>{escape(name)}</name><value>{escape(value)}</value></property>\n"
        for name, value in properties.items()
    )
    file.write_text(f"<configuration>\n{''.join(said)}</configuration>\n", "utf-8")


def _drop_tables(host: str, port: int, prefix: str) -> None:
    import happybase

    with closing(happybase.Connection(host, port, timeout=60_000)) as connection:
        for table in connection.tables():
            if table.startswith(prefix.encode()):
                connection.delete_table(table, disable=True)
