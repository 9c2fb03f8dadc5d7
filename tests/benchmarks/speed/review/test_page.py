import json
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="needs `pip install 'hgld[review]'`")
pytest.importorskip("playwright", reason="needs playwright: pip install playwright")

from hgld.benchmarks.speed.review import page
from hgld.benchmarks.speed.review.page import HURRIED, PACED, main, summarize_times


def test_times_are_told_with_median_and_95th_percentile() -> None:
    told = summarize_times([float(number) for number in range(100, 0, -1)])
    assert told == {"times": 100, "median_ms": 50.5, "p95_ms": 96.0, "most_ms": 100.0}
    assert summarize_times([3.0]) == {"times": 1, "median_ms": 3.0, "p95_ms": 3.0, "most_ms": 3.0}


def test_a_slow_page_is_over_the_bar(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    slow = {"all": {"median_ms": 101.0, "p95_ms": 99.0}}
    fast = {"all": {"median_ms": 99.0, "p95_ms": 99.5}}
    results = {"chromium": "1", PACED: slow, HURRIED: fast}
    monkeypatch.setattr(page, "measure_page", lambda *_: dict(results))
    out = tmp_path / "page.json"
    with pytest.raises(SystemExit):
        main(["--out", str(out), "--build", str(tmp_path)])
    report = json.loads(out.read_text(encoding="utf-8"))
    assert report["bars"] == {
        f"median_ms: {PACED}": {"got": 101.0, "at_most": 100.0},
        f"p95_ms: {PACED}": {"got": 99.0, "at_most": 100.0},
        f"median_ms: {HURRIED}": {"got": 99.0, "at_most": 100.0},
        f"p95_ms: {HURRIED}": {"got": 99.5, "at_most": 100.0},
    }
    assert f"over the bar: median_ms: {PACED}" in capsys.readouterr().err
