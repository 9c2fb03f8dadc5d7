"""The rehearsal of the full scrape, small."""

import json
from pathlib import Path

import pytest

from hgld.benchmarks.speed.scraping import rehearsal
from hgld.benchmarks.speed.scraping.local_wikimedia import missing_programs
from hgld.benchmarks.speed.scraping.rehearsal_world import Landmark


@pytest.fixture(autouse=True)
def _programs() -> None:
    if missing := missing_programs():
        pytest.skip(
            f"needs {', '.join(missing)}: see `python -m hgld.benchmarks.speed.scraping.rehearsal`"
        )


def test_a_wrong_row_or_one_that_changed_unseen_is_over_the_bar(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Mistaken(Landmark):
        @property
        def item(self) -> str:
            wrong = self.number == 17 and not self.later
            return "Q17" if wrong else super().item

    monkeypatch.setattr(rehearsal, "Landmark", Mistaken)
    out = tmp_path / "rehearsal.json"
    with pytest.raises(SystemExit, match="1"):
        rehearsal.main(["--out", str(out), "--landmarks", "1500", "--baseline-landmarks", "10"])
    assert "wrong rows, landmarks that the refresh" in capsys.readouterr().err
    bars = json.loads(out.read_text(encoding="utf-8"))["bars"]
    assert bars["wrong rows"]["got"] == 1
    assert bars["landmarks that the refresh took for changed or overlooked"]["got"] == 1
