"""The distribution does its first job from an empty folder, however it came onto the machine.

Slow, for it builds and installs: ``make packaging`` runs it, ``make test`` leaves it out. It needs a way to PyPI.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

pytestmark = pytest.mark.packaging

CHECKOUT = Path(__file__).parents[2]
NO_PART_OF_A_CHECKOUT = shutil.ignore_patterns(
    ".git",
    ".venv",
    ".*_cache",
    ".hypothesis",
    "__pycache__",
    "*.egg-info",
    "*.so",
    "*.db",
    "*.db-*",
    "_build",
    "build",
    "dist",
)
WHERE_AND_WHICH = "import timeline; print(timeline.__file__); print(timeline.__version__)"
EXTENSION = "timeline/replay/join/_asof.abi3.so"
JOIN_TWO_SAMPLES = """
import logging
import sys

import numpy as np

from timeline.replay.join import asof

logging.basicConfig(level=logging.INFO, format="%(name)s says: %(message)s", stream=sys.stdout)
none, ids, groups = np.zeros(1, np.int64), np.zeros(2, np.int32), np.zeros(1, np.int32)
rows = asof.locate(ids, groups, np.array([5, 15]), "us", none + 1, none + 3, np.array([0, 5, 15]))
again = asof.locate(ids, groups, np.array([5, 15]), "us", none + 1, none + 3, np.array([0, 5, 15]))
print(rows.tolist(), again.tolist(), "compiled" if asof.COMPILED else "not compiled")
"""
COMPILED_JOIN = "[1, 2] [1, 2] compiled\n"
NUMPY_JOIN = """\
timeline says: The as-of join runs on NumPy, slower: this install has no compiled timeline.replay.join._asof.
[1, 2] [1, 2] not compiled
"""

needs_a_compiler = pytest.mark.skipif(
    shutil.which(os.environ.get("CC", "cc").split()[0]) is None,
    reason="nothing is compiled without a C compiler: apt-get install gcc libc6-dev",
)


class Built(NamedTuple):
    """What a build makes: the source archive, and the wheel made from that archive."""

    sdist: Path
    wheel: Path


def run(*command: object, cwd: Path, **variables: object) -> str:
    """Run a command with an environment that says nothing of this checkout, and return what it prints."""
    ours = ("TIMELINE_", "PYTHON", "PYTEST_", "VIRTUAL_ENV")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    environment |= {name: str(value) for name, value in variables.items()}
    words = [str(word) for word in command]
    done = subprocess.run(words, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(words)} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def checkout(into: Path) -> Path:
    """Copy what a clone of this tree as it stands would hold, uncommitted work included; git need not be there."""
    try:
        command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
        listed = subprocess.run(command, cwd=CHECKOUT, capture_output=True, check=True, text=True).stdout.split("\0")
    except (FileNotFoundError, subprocess.CalledProcessError):
        listed = []
    if "setup.py" not in listed:  # not a repository, or another one around an unpacked archive
        return Path(shutil.copytree(CHECKOUT, into, ignore=NO_PART_OF_A_CHECKOUT))
    for name in listed:
        if (source := CHECKOUT / name).is_file():
            (into / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, into / name)
    return into


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    folder = tmp_path_factory.mktemp("built")
    tree = checkout(folder / "tree")
    run(sys.executable, "-m", "build", "--outdir", folder, cwd=tree)  # the sdist, then from it the wheel
    (sdist,) = folder.glob("*.tar.gz")
    (wheel,) = folder.glob("*.whl")
    return Built(sdist, wheel)


@pytest.fixture(scope="module")
def python_with_dependencies(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", folder, cwd=folder)
    python = folder / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", built.wheel, cwd=folder)
    run(python, "-m", "pip", "check", cwd=folder)
    run(python, "-m", "pip", "uninstall", "--quiet", "--yes", "resource-timeline", cwd=folder)
    return python


@pytest.fixture
def python(python_with_dependencies: Path, tmp_path: Path) -> Iterator[Path]:
    """An interpreter that has all the dependencies, and the project itself only until the test ends."""
    yield python_with_dependencies
    run(python_with_dependencies, "-m", "pip", "uninstall", "--quiet", "--yes", "resource-timeline", cwd=tmp_path)


@pytest.fixture
def python_with_numpy(python: Path, tmp_path: Path) -> Iterator[Path]:
    """The same, with NumPy until the test ends: what the as-of join needs more than the rest."""
    run(python, "-m", "pip", "install", "--quiet", "numpy", cwd=tmp_path)
    yield python
    run(python, "-m", "pip", "uninstall", "--quiet", "--yes", "numpy", cwd=tmp_path)


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    folder = tmp_path / "empty"
    folder.mkdir()
    return folder


def assert_does_its_first_job(*timeline: object, cwd: Path, **variables: object) -> None:
    run(*timeline, "init", cwd=cwd, **variables)
    assert (cwd / "timeline.db").is_file()
    assert "instance" in run(*timeline, "definitions", "list", cwd=cwd, **variables)


def test_the_wheel_carries_the_package_with_its_data_and_nothing_else(built: Built) -> None:
    with zipfile.ZipFile(built.wheel) as wheel:
        names = set(wheel.namelist())
    assert {"timeline/__init__.py", "timeline/py.typed", "timeline/event_definitions.yaml"} <= names
    revisions = {path.name for path in (CHECKOUT / "migrations").rglob("0*.py")}
    assert revisions
    assert revisions == {Path(name).name for name in names if name.startswith("timeline/migrations/versions/0")}
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"timeline"}
    assert not [name for name in names if "__pycache__" in name or name.endswith((".c", ".h"))]


@needs_a_compiler
def test_the_wheel_carries_the_compiled_join_for_this_and_later_pythons(built: Built) -> None:
    with zipfile.ZipFile(built.wheel) as wheel:
        assert {EXTENSION, "timeline/replay/join/_asof.pyi"} <= set(wheel.namelist())
    assert "-cp311-abi3-" in built.wheel.name
    assert not built.wheel.name.endswith("-any.whl")


def test_the_source_archive_carries_what_a_build_needs_and_what_a_reader_wants(built: Built) -> None:
    with tarfile.open(built.sdist) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    data = {
        path.relative_to(CHECKOUT).as_posix()
        for path in (CHECKOUT / "migrations").rglob("*")
        if path.suffix in {".py", ".mako"}
    }
    texts = {"README.md", "LICENSE", "CHANGELOG.md", "event_definitions.yaml", "timeline/py.typed"}
    code = {path.relative_to(CHECKOUT).as_posix() for path in (CHECKOUT / "timeline").rglob("*.[ch]")}
    assert len(code) == 3
    assert data | texts | code <= names
    assert not [name for name in names if name.endswith(".so")]


def test_the_wheel_works(built: Built, python: Path, empty: Path) -> None:
    run(python, "-m", "pip", "install", "--quiet", "--no-deps", built.wheel, cwd=empty)
    module, version = run(python, "-c", WHERE_AND_WHICH, cwd=empty).split()
    assert Path(module).is_relative_to(python.parents[1])
    assert built.wheel.name.startswith(f"resource_timeline-{version}-")
    assert_does_its_first_job(python.with_name("timeline"), cwd=empty)
    run(python, "-c", "import importlib.util; assert importlib.util.find_spec('numpy') is None", cwd=empty)


@needs_a_compiler
def test_the_wheel_joins_with_the_compiled_kernel(built: Built, python_with_numpy: Path, empty: Path) -> None:
    run(python_with_numpy, "-m", "pip", "install", "--quiet", "--no-deps", built.wheel, cwd=empty)
    assert run(python_with_numpy, "-c", JOIN_TWO_SAMPLES, cwd=empty) == COMPILED_JOIN


def test_an_install_whose_compiler_fails_works_and_joins_on_numpy(
    built: Built, python_with_numpy: Path, empty: Path
) -> None:
    python = python_with_numpy
    run(python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-cache-dir", built.sdist, cwd=empty, CC="false")
    assert Path(run(python, "-c", WHERE_AND_WHICH, cwd=empty).split()[0]).is_relative_to(python.parents[1])
    assert_does_its_first_job(python.with_name("timeline"), cwd=empty)
    assert run(python, "-c", JOIN_TWO_SAMPLES, cwd=empty) == NUMPY_JOIN


def test_an_editable_install_works(python: Path, empty: Path, tmp_path: Path) -> None:
    tree = checkout(tmp_path / "tree")
    run(python, "-m", "pip", "install", "--quiet", "--no-deps", "--editable", tree, cwd=empty)
    assert Path(run(python, "-c", WHERE_AND_WHICH, cwd=empty).split()[0]).is_relative_to(tree)
    assert not (tree / "timeline" / "event_definitions.yaml").exists()
    assert not (tree / "timeline" / "migrations").exists()
    assert_does_its_first_job(python.with_name("timeline"), cwd=empty)


@needs_a_compiler
def test_an_editable_install_compiles_the_join_in_its_place(
    python_with_numpy: Path, empty: Path, tmp_path: Path
) -> None:
    tree = checkout(tmp_path / "tree")
    run(python_with_numpy, "-m", "pip", "install", "--quiet", "--no-deps", "--editable", tree, cwd=empty)
    assert (tree / EXTENSION).is_file()
    assert run(python_with_numpy, "-c", JOIN_TWO_SAMPLES, cwd=empty) == COMPILED_JOIN


def test_an_editable_install_whose_compiler_fails_works(python_with_numpy: Path, empty: Path, tmp_path: Path) -> None:
    tree = checkout(tmp_path / "tree")
    run(python_with_numpy, "-m", "pip", "install", "--quiet", "--no-deps", "--editable", tree, cwd=empty, CC="false")
    assert not (tree / EXTENSION).exists()
    assert run(python_with_numpy, "-c", JOIN_TWO_SAMPLES, cwd=empty) == NUMPY_JOIN


def test_a_bare_checkout_works(python: Path, empty: Path, tmp_path: Path) -> None:
    tree = checkout(tmp_path / "tree")
    assert Path(run(python, "-c", WHERE_AND_WHICH, cwd=empty, PYTHONPATH=tree).split()[0]).is_relative_to(tree)
    assert_does_its_first_job(python, "-m", "timeline", cwd=empty, PYTHONPATH=tree)


def test_a_bare_checkout_joins_on_numpy(python_with_numpy: Path, empty: Path, tmp_path: Path) -> None:
    tree = checkout(tmp_path / "tree")
    assert run(python_with_numpy, "-c", JOIN_TWO_SAMPLES, cwd=empty, PYTHONPATH=tree) == NUMPY_JOIN
