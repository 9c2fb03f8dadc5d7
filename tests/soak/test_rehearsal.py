"""The rehearsal of the full scrape: thousands of landmarks, killed twice."""

import json
from pathlib import Path

import pytest

from hgld.benchmarks.speed.scraping import rehearsal
from hgld.benchmarks.speed.scraping.local_wikimedia import missing_programs


@pytest.fixture(autouse=True)
def _programs() -> None:
    if missing := missing_programs():
        pytest.skip(
            f"needs {', '.join(missing)}: see `python -m hgld.benchmarks.speed.scraping.rehearsal`"
        )


def test_a_rehearsal_is_killed_twice_and_ends_with_every_row_right(tmp_path: Path) -> None:
    out = tmp_path / "rehearsal.json"
    rehearsal.main(["--out", str(out), "--landmarks", "4500", "--baseline-landmarks", "60"])
    result = json.loads(out.read_text(encoding="utf-8"))
    assert [run["ended"] for run in result["runs"]] == ["killed", "killed", "done", "done", "done"]
    # Of each 100 one is gone, one has no item, one no class; of each 1,000 one is a loop.
    statuses = {"ok": 4360, "no_page": 45, "no_item": 45, "no_p31": 45, "redirect_loop": 5}
    assert result["statuses"] == statuses
    assert result["bars"]["wrong rows"] == {"got": 0, "at_most": 0}
    assert result["changed_landmarks"] == 10
    # 60 titles; the texts and targets of two soft redirects, and the text of one to itself. Two
    # pages are gone, one of them since: alone in its answer, each is asked for once more.
    assert result["baseline"]["requests"] == 60 + 2 + 2 + 1 + 2
    assert result["runs"][3]["requests"] == 0
