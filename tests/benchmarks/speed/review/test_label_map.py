import json
from pathlib import Path

import numpy as np
import pytest

from hgld.benchmarks.speed.labels.lists import made_up_classes, made_up_labels
from hgld.benchmarks.speed.review import label_map
from hgld.benchmarks.speed.review.label_map import main, measure_ways
from hgld.labels.scikit_learn import one_thread
from tests.hgld.labels.embedding.test_projection import groups_of

pytest.importorskip("sklearn", reason="needs `pip install 'hgld[cluster]'`")

GENEROUS = 1_000.0


def test_made_up_labels_have_the_super_categories_of_their_nouns() -> None:
    classes = made_up_classes(10_000, 3)
    assert list(classes) == made_up_labels(10_000, 3)
    assert len(set(classes.values())) == 78
    nouns = ("former ", "wooden ")
    former, wooden = ({x.removeprefix(one) for x in classes if x.startswith(one)} for one in nouns)
    assert len(former & wooden) > 100
    assert all(classes[f"former {x}"] == classes[f"wooden {x}"] for x in former & wooden)


def test_what_a_map_keeps_and_moves_is_told_of_each_way() -> None:
    vectors = groups_of(10, 20)
    with one_thread():
        results = measure_ways(vectors, np.arange(200) // 20, 0)
    assert results["no map"] == {"kept": 1, "same": 1}
    assert results["all of them"]["same"] > 0.95
    assert results["quick view"]["same"] < results["all of them"]["same"]
    assert results["and the rest"]["moved"] < results["all of them"]["moved"]
    assert all(one["wall_s"] >= 0 for name, one in results.items() if name != "no map")


@pytest.mark.slow
def test_every_way_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The bars are those of 10,000 labels: how far 300 move depends on the processor's rounding.
    for name in ("MOST_S", "MOST_QUICK_S", "MOST_MOVED"):
        monkeypatch.setattr(label_map, name, GENEROUS)
    main(["--out", str(tmp_path / "map.json"), "--labels", "300"])
    report = json.loads((tmp_path / "map.json").read_text(encoding="utf-8"))
    assert set(report["bars"]) == {"all_of_them_cpu_s", "quick_view_cpu_s", "moved"}
