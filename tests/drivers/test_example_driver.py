"""The driver of the docs: found by its entry point, and held to the contract like ours."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from timeline import drivers
from timeline.drivers import Driver
from timeline.drivers.conformance import DriverConformance
from timeline.drivers.conformance.history import VM, event
from timeline.drivers.conformance.quarantine import record
from timeline.drivers.contract import Damage
from timeline.errors import StoreCorrupt, StoreError, StoreForeign, StoreNotFound, StoreReadOnly

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(autouse=True, scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The example as a distribution that is installed: on the path, with its entry point."""
    site = tmp_path_factory.mktemp("site")
    information = site / "journal_store-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: journal-store\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text("[timeline.drivers]\njournal = journal:open\n")
    with pytest.MonkeyPatch.context() as environment:
        environment.syspath_prepend(EXAMPLES)
        environment.syspath_prepend(site)
        yield
    sys.modules.pop("journal", None)


class TestJournal(DriverConformance):
    @contextmanager
    def store(self) -> Iterator[Callable[[], Driver]]:
        with TemporaryDirectory() as folder:
            yield lambda: drivers.open(f"journal:{folder}/timeline.journal")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "timeline.journal"


@pytest.fixture
def journal(path: Path) -> Iterator[Driver]:
    with closing(drivers.open(f"journal:{path}")) as driver:
        driver.prepare()
        driver.append([event(1), event(2, "large")])
        driver.put([record("aa")])
        yield driver


def test_a_line_without_an_end_is_not_read_and_cut_off_by_the_next_writer(journal: Driver, path: Path) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"events": [[')
    assert [one.occurred_at for one in journal.events([VM])] == [1, 2]
    assert list(journal.check()) == []
    journal.append([event(3)])
    assert path.read_bytes().startswith(whole + b'{"events": [[{"type"')
    assert [one.occurred_at for one in journal.events([VM])] == [1, 2, 3]


def test_a_body_is_stored_once(journal: Driver, path: Path) -> None:
    size = path.stat().st_size
    large = "x" * 10_000
    journal.append([event(at, large) for at in range(10)])
    journal.append([event(at, large) for at in range(10, 20)])
    assert path.stat().st_size < size + 20_000


@pytest.mark.parametrize(
    ("old", "new", "damage"),
    [
        (rb'"put"', rb'"pu', Damage.ROW_DAMAGED),
        (rb'"bodies"', rb'"corpses"', Damage.BODY_MISSING),
        (rb'"bodies": \{"....', rb'"bodies": {"beef', Damage.BODY_DAMAGED),
    ],
)
def test_damage_is_found_line_by_line(journal: Driver, path: Path, old: bytes, new: bytes, damage: Damage) -> None:
    assert list(journal.check()) == []
    path.write_bytes(re.sub(old, new, path.read_bytes(), count=1))
    with closing(drivers.open(f"journal:{path}")) as again:
        assert damage in {problem.damage for problem in again.check()}


def test_what_cannot_be_read_is_an_error_of_ours(journal: Driver, path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b'"put"', b'"pu'))
    with closing(drivers.open(f"journal:{path}")) as again, pytest.raises(StoreCorrupt, match="a line cannot be read"):
        again.version()


def test_another_file_is_left_alone(path: Path) -> None:
    path.write_text("precious")
    with closing(drivers.open(f"journal:{path}")) as driver:
        for call in (driver.version, driver.prepare):
            with pytest.raises(StoreForeign, match="was not made by this program"):
                call()
    assert path.read_text() == "precious"


def test_errors_of_the_system_are_sentences_with_the_way_out(tmp_path: Path) -> None:
    with closing(drivers.open(f"journal:{tmp_path}/no/such")) as driver:
        for call in (driver.version, driver.prepare):
            with pytest.raises(StoreNotFound, match="timeline init makes a store"):
                call()
    with closing(drivers.open(f"journal:{tmp_path}")) as driver, pytest.raises(StoreError, match="choose another"):
        driver.prepare()


@pytest.mark.skipif("os.geteuid() == 0", reason="root may write anything")
def test_a_file_that_cannot_be_written_can_be_read(journal: Driver, path: Path) -> None:
    path.chmod(0o400)
    assert len(list(journal.events([VM]))) == 2
    with pytest.raises(StoreReadOnly):
        journal.append([event(3)])
