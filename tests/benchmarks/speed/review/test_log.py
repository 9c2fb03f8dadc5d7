"""A long review, short."""

import json
from collections import Counter
from pathlib import Path

import pytest

from hgld.benchmarks.speed.review import log as review_log
from hgld.review.log.history import active_edits

_SIZES = ["--events", "200", "--rounds", "2", "--appends", "5"]


def test_made_up_reviews_are_the_same_each_time_and_have_switches() -> None:
    events = review_log.made_up_events(2000, 3)
    assert events == review_log.made_up_events(2000, 3)
    assert events != review_log.made_up_events(2000, 4)
    kinds = Counter(event.event for event in events)
    assert kinds.keys() == {"accept", "undo", "redo", "revert", "restore"}
    assert kinds["accept"] / 2000 == pytest.approx(0.9, abs=0.03)
    assert {len(event.classes) for event in events if event.is_edit} == set(range(1, 21))
    assert len(active_edits(events)) < kinds["accept"]


def test_every_way_is_measured(tmp_path: Path) -> None:
    out = tmp_path / "review_log.json"
    review_log.main(["--out", str(out), "--folder", str(tmp_path), *_SIZES])
    report = json.loads(out.read_text(encoding="utf-8"))
    ways = {one["way"]: one for one in report["results"]}
    assert list(ways) == ["open", "append", "append plainly", "sync", "follow", "undo"]
    for one in ways.values():
        assert 0 < one["least_ms"] <= one["median_ms"] <= one["p95_ms"] <= one["most_ms"]
    assert ways["append"]["rounds"] == 5
    assert report["metadata"]["log_mb"] > 0
    assert report["bars"]["open: median_s"]["at_most"] == 2.0
    assert report["bars"]["append: p95_ms"]["at_most"] == 100.0
    assert list(tmp_path.iterdir()) == [out]
