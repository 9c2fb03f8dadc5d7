import json
from pathlib import Path

import pytest

from hgld.benchmarks.speed.labels import made_up_labels, main


def test_made_up_labels_are_distinct_and_the_same_each_time() -> None:
    labels = made_up_labels(10_000, 3)
    assert len(set(labels)) == 10_000
    assert labels == made_up_labels(10_000, 3)
    assert labels != made_up_labels(10_000, 4)
    with pytest.raises(ValueError, match=r"labels must be at most [\d,]+, got 1,000,000"):
        made_up_labels(1_000_000, 3)


@pytest.mark.slow
def test_every_way_is_measured(tmp_path: Path) -> None:
    main(["--out", str(tmp_path / "labels.json"), "--labels", "120"])
    report = json.loads((tmp_path / "labels.json").read_text(encoding="utf-8"))
    assert list(report["results"]) == [
        *("upstream", "95% of them", "and the rest", "nothing to do", "all of them"),
    ]
    assert all(one["wall_s"] > 0 and one["peak_mb"] > 0 for one in report["results"].values())
