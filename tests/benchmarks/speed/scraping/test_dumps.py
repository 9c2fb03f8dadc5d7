"""The scrape from dumps, small."""

import json
from pathlib import Path

import pytest

from hgld.benchmarks.speed.scraping import dumps

_SIZES = ["--rows", "6000", "--landmarks", "300", "--rounds", "1"]


def test_a_scrape_from_dumps_is_measured_beside_its_baselines(tmp_path: Path) -> None:
    out = tmp_path / "dumps.json"
    dumps.main(["--out", str(out), *_SIZES])
    report = json.loads(out.read_text(encoding="utf-8"))
    results = {one["method"]: one for one in report["results"]}
    assert list(results) == ["scrape", "gunzip", "parse", "plain"]
    assert sum(results["scrape"]["result"].values()) == 300
    assert results["scrape"]["result"]["ok"] > 200
    assert results["parse"]["result"] == {"rows": report["metadata"]["sql_rows"]}
    assert results["plain"]["result"]["rows"] > 0
    assert report["bars"]["median_s"] == {"got": results["scrape"]["median_s"], "at_most": 180.0}
    assert report["bars"]["peak_mb"]["at_most"] == 1000.0


def test_too_much_memory_is_an_exit_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(dumps, "MOST_MB", 1.0)
    with pytest.raises(SystemExit, match="1"):
        dumps.main(["--out", str(tmp_path / "dumps.json"), *_SIZES])
    assert "over the bar: peak_mb" in capsys.readouterr().err
