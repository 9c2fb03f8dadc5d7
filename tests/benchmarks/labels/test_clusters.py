import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("sklearn", reason="needs `pip install 'hgld[cluster]'`")

from hgld.benchmarks.labels import clusters
from hgld.labels.clustering.kmeans import unit_rows


class LetterEncoder:
    """A text encoder of no model: which letters a text has."""

    def encode(self, texts: list[str]) -> NDArray[np.float32]:
        vectors = np.array([[text.count(chr(97 + n)) for n in range(26)] for text in texts])
        return unit_rows(vectors.astype(np.float32))


def test_a_small_run_writes_all_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "MiniLmEncoder", LetterEncoder)
    texts = [f"{a} {b}" for a in ("old", "new", "high", "far") for b in ["lake", "fort", "tower"]]
    labels, vectors, out = tmp_path / "labels.csv", tmp_path / "v.npz", tmp_path / "out.json"
    labels.write_text("label\n" + "\n".join(texts), encoding="utf-8")
    np.savez(vectors, vectors=10 * np.random.default_rng(0).normal(1, 0.3, (40, 8)))
    words = f"--labels {labels} --vectors {vectors} --out {out} --clusters 3 5 --seeds 2"
    clusters.main(words.split())
    report = json.loads(out.read_text(encoding="utf-8"))
    assert report["metadata"]["labels"] == 12
    names = [(row["vectors"], row["geometry"]) for row in report["geometry"]]
    assert names == [(v, g) for v in ("MiniLM", "CLIP") for g in ("plain", "centred")]
    assert report["geometry"][2]["mean_cosine"] > 0.8
    assert abs(report["geometry"][3]["mean_cosine"]) < 0.1
    for row, count in zip(report["rescrape"], (3, 5), strict=True):
        assert row["clusters"] == count
        assert 0 < row["cold_kept"]["mean"] <= 1
        assert row["warm_kept"]["mean"] >= 0.8
