"""Where servers come from: Debian's packages, artifacts of Maven, modules of Go; and where what was fetched is kept."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

VARIABLE = "TIMELINE_TEST_SERVERS"
_STAMP = "installed"


class NotInstalled(Exception):
    """A server cannot be installed here; the message says what to do."""


def kept() -> Path:
    """The folder of what was fetched: ``.servers`` in the checkout, or what ``$TIMELINE_TEST_SERVERS`` names."""
    said = os.environ.get(VARIABLE)
    return Path(said).resolve() if said else Path(__file__).parents[2] / ".servers"


def program(name: str) -> str | None:
    """Where a program lies. Debian keeps those of servers where only the superuser looks for them."""
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/go/bin"])
    return shutil.which(name, path=path)


def from_debian(packages: Sequence[str], there: Callable[[], bool]) -> None:
    """Install packages of Debian, unless what they bring is there. Raises :class:`NotInstalled`."""
    if there():
        return
    command = ["apt-get", "install", "--yes", "--no-install-recommends", *packages]
    if os.geteuid() != 0 or program("apt-get") is None:
        raise NotInstalled(f"this needs the superuser of a Debian: sudo {' '.join(command)}")
    run(["apt-get", "update"])
    run(command, environment={"DEBIAN_FRONTEND": "noninteractive"})
    if not there():
        raise NotInstalled(f"after {' '.join(command)} something is still missing")


def from_maven(artifacts: Iterable[Artifact], folder: Path) -> None:
    """Fetch the jars of these artifacts, and of what they need, into a folder."""
    project = folder / "pom.xml"
    project.write_text(_PROJECT.format("".join(artifact.xml() for artifact in artifacts)), "utf-8")
    jars = f"-DoutputDirectory={folder / 'jars'}"
    maven = program("mvn") or "mvn"
    run([maven, "-B", "-q", "-f", str(project), "dependency:copy-dependencies", "-DincludeScope=runtime", jars])


class Artifact:
    """An artifact of Maven: ``group:name:version``, and what of that which it names is not wanted (``group:name``)."""

    def __init__(self, coordinates: str, without: Sequence[str] = ()) -> None:
        self._coordinates = coordinates
        self._without = without

    def xml(self) -> str:
        """The element of a project that needs it."""
        group, name, version = map(escape, self._coordinates.split(":"))
        exclusions = "".join(f"<exclusion>{_named(*one.split(':'))}</exclusion>" for one in self._without)
        return (
            f"<dependency>{_named(group, name)}<version>{version}</version>"
            f"<exclusions>{exclusions}</exclusions></dependency>\n"
        )

    def __repr__(self) -> str:
        return f"{self._coordinates} without {' '.join(self._without)}"


class Fetched:
    """A folder of what was fetched or built for a server. One made by another recipe does not count."""

    def __init__(self, name: str, *recipe: object) -> None:
        self.name = name
        self._recipe = hashlib.sha256(repr(recipe).encode()).hexdigest()

    @property
    def folder(self) -> Path:
        """Where it lies."""
        return kept() / self.name

    def is_there(self) -> bool:
        """Whether it was made, whole, and by this recipe."""
        try:
            return (self.folder / _STAMP).read_text("utf-8") == self._recipe
        except FileNotFoundError:
            return False

    def make(self, fill: Callable[[Path], None]) -> None:
        """Fill the folder, unless it is there; it appears whole or not at all."""
        if self.is_there():
            return
        part = self.folder.with_suffix(".part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        fill(part)
        (part / _STAMP).write_text(self._recipe, "utf-8")
        shutil.rmtree(self.folder, ignore_errors=True)
        part.rename(self.folder)


def run(
    command: Sequence[str],
    *,
    cwd: Path | None = None,
    user: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> None:
    """Run a command to its end. Raises :class:`NotInstalled` with what it said last, where it went wrong."""
    try:
        ran = subprocess.run(
            command,
            cwd=cwd or "/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
            **({} if user is None else {"user": user, "group": user, "extra_groups": []}),  # type: ignore[call-overload]
        )
    except FileNotFoundError as error:
        raise NotInstalled(f"{command[0]}: there is no such program here") from error
    if ran.returncode:
        said = ran.stdout.decode("utf-8", "replace").strip().splitlines()[-12:]
        raise NotInstalled("\n".join([f"{' '.join(command)} went wrong ({ran.returncode}):", *said]))


def _named(group: str, name: str) -> str:
    return f"<groupId>{group}</groupId><artifactId>{name}</artifactId>"


_PROJECT = """<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>timeline</groupId><artifactId>test-server</artifactId><version>1</version><packaging>pom</packaging>
<dependencies>
{}</dependencies></project>
"""
