import json
import shutil
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="needs `pip install 'hgld[review]'`")
pytest.importorskip("playwright", reason="needs playwright: pip install playwright")

from hgld.benchmarks.reviewing.chromium import PROGRAM
from hgld.benchmarks.speed.review import page
from hgld.benchmarks.speed.review.page import ACTIONS, HURRIED, PACED, main, measure_page
from hgld.labels.embedding import stage as embed
from tests.worlds.builders import TrigramEncoder
from tests.worlds.review.lists import write_review_list

GENEROUS_MS = 5_000


@pytest.mark.browser
@pytest.mark.skipif(
    shutil.which(PROGRAM) is None, reason=f"needs {PROGRAM}: apt-get install {PROGRAM}"
)
def test_every_action_is_timed_from_its_key_to_its_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "PAUSES_MS", (1, 2))
    monkeypatch.setattr(embed, "load_encoder", lambda _: TrigramEncoder())
    root = write_review_list(tmp_path / "build", labels=120, clusters=12).root
    results = measure_page(root, tmp_path, len(ACTIONS))
    assert results.pop("chromium")
    assert results["the whole page loaded anew"]["times"] == 10
    for way in (PACED, HURRIED):
        found = results[way]
        assert set(found) == {"all", *ACTIONS}
        assert found["all"]["times"] == len(ACTIONS)
        assert all(one["times"] == 1 for kind, one in found.items() if kind != "all")
        assert 0 < found["all"]["changed_median_ms"] < found["all"]["median_ms"] < GENEROUS_MS


def test_times_are_told_with_median_and_95th_percentile() -> None:
    told = page._told([float(number) for number in range(100, 0, -1)])
    assert told == {"times": 100, "median_ms": 50.5, "p95_ms": 96.0, "most_ms": 100.0}
    assert page._told([3.0]) == {"times": 1, "median_ms": 3.0, "p95_ms": 3.0, "most_ms": 3.0}


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
