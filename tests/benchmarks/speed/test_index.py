import json
from pathlib import Path

import pytest

from hgld.benchmarks.speed.train import index


def test_a_small_run_writes_what_was_measured_and_both_searches_find_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "index.json"
    sizes = ["--pictures", "4", "--rounds", "2", "--items", "3000", "--dimensions", "16"]
    sizes += ["--whole-items", "2000"]
    index.main(["--out", str(out), "--folder", str(tmp_path), "--note", "a test", *sizes])
    report = json.loads(out.read_text(encoding="utf-8"))
    for way in ("plain", "index"):
        rates = report["make"][f"{way}_pictures_per_s"]
        assert len(rates["rounds"]) == 2
        assert 0 < min(rates["rounds"]) <= rates["median"]
    assert report["make"]["again_with_nothing_to_do_s"] > 0
    assert report["search"]["3,000"]["array_mb"] == pytest.approx(3000 * 16 * 4 / 1e6, abs=0.1)
    assert len(report["search"]["3,000"]["in parts"]["seconds"]) == 2
    for way in ("in parts", "loaded whole"):
        assert len(report["search"]["2,000"][way]["seconds"]) == 2
    assert (report["metadata"]["items"], report["metadata"]["note"]) == (3000, "a test")
    assert "again_after_one_change_s" in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["index.json"]
