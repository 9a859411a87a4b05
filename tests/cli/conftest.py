"""A folder to work in, with definitions and a store that is ready."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.messages import DEFINITIONS, SMALL, thing, written
from tests.cli.running import in_folder, run


@pytest.fixture(scope="session")
def fresh_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store just made, to be copied: making one takes longer than most tests."""
    with in_folder(tmp_path_factory.mktemp("fresh")) as folder:
        assert run("init").code == 0
    return folder / "timeline.db"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """The working directory: empty but for the definitions of things, which are in force."""
    with in_folder(tmp_path), pytest.MonkeyPatch.context() as environment:
        Path("things.yaml").write_text(DEFINITIONS)
        environment.setenv("TIMELINE_DEFINITIONS", "things.yaml")
        yield tmp_path


@pytest.fixture
def store(folder: Path, fresh_store: Path) -> Path:
    """The file of a store that is ready, in the working directory, where no ``--store`` is needed."""
    return Path(shutil.copy(fresh_store, folder))


@pytest.fixture
def history(store: Path) -> None:
    """One thing: made, grown, confirmed, bared of its tags, deleted; and a message after all that."""
    messages = (
        thing("create", "12:00", **SMALL),
        thing("update", "12:30", size=2),
        thing("exists", "12:45", size=2, name="one"),
        thing("update", "13:00", tags=None, state=""),
        thing("delete", "14:00"),
        thing("update", "14:05", size=3),
        thing("create", "12:00", "t2", name="two"),
    )
    assert run("ingest", written("messages.jsonl", *messages)).code == 0
