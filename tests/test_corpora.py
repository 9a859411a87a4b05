"""Real notifications of every service are taken in whole: none is lost, and twice stores nothing new."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.running import in_folder, run

CORPORA = Path(__file__).parents[2] / "shared" / "corpora"
FILES = sorted(CORPORA.glob("*.jsonl"))

pytestmark = pytest.mark.skipif(not FILES, reason=f"{CORPORA} is not there: the corpora are no part of the repository")


def whole(row: dict[str, Any]) -> dict[str, Any]:
    """The message of a row as it was; where it lacks its identity or its time, those of the row stand in for them."""
    raw: dict[str, Any] = row["raw"]
    if "oslo.message" in raw:
        return raw
    given = {**(raw.get("metadata") or {}), **raw} if isinstance(raw.get("metadata"), dict) else raw
    lacking = (name for name in ("message_id", "timestamp") if given.get(name) is None)
    return {**raw, **{name: row[name] for name in lacking if row[name] is not None}}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_notification_is_in_scope_out_of_scope_or_quarantined(path: Path, tmp_path: Path) -> None:
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    with in_folder(tmp_path):
        Path(path.name).write_text("".join(json.dumps(whole(row)) + "\n" for row in rows))
        assert run("init").code == 0
        first = run("ingest", path.name)
        counts = first.json
        assert first.code == (3 if counts["quarantined"] else 0)
        assert counts["notifications"] == len(rows)
        assert len(rows) == counts["in_scope"] + counts["out_of_scope"] + counts["quarantined"]
        assert counts["quarantined"] == sum(run("status").json["quarantined"].values())

        dump, records = run("export", "events", "--provenance").out, run("quarantine", "list").out
        again = run("ingest", path.name)
        repeated = (counts["events"] or 0) + (counts["duplicates"] or 0)
        assert again.json == counts | {"events": 0, "bodies": 0, "duplicates": repeated}
        assert again.code == first.code
        assert (run("export", "events", "--provenance").out, run("quarantine", "list").out) == (dump, records)

        for line in run("resources", "--existence", "any").lines:
            found = line["resource"]
            named = (f"{found['type']}/{found['id']}", "--source", found["source"])
            assert run("show", *named).json["existence"] == line["existence"]
            assert run("history", *named).json[-1]["end"] is None
