"""The bar on real vectors: a re-scrape with 5% new labels moves few of the others."""

from pathlib import Path

import numpy as np
import pytest

from hgld.engine.workspace import Workspace
from hgld.labels.clustering.stage import ClusterConfig, run_cluster
from hgld.tables import CLUSTER_CHANGES
from tests.hgld.labels.clustering.builds import ids_in, outputs_of, write_embedded

pytest.importorskip("sklearn", reason="needs `pip install 'hgld[cluster]'`")


def test_with_5_percent_new_labels_95_percent_stay_also_at_another_seed(
    workspace: Workspace, shared: Path
) -> None:
    """By CLIP's text tower here; by MiniLM, at 78 and 150 clusters, among the long tests."""
    with np.load(shared / "clip_vectors" / "clip_text_vectors.npz") as file:
        vectors = file["vectors"][::2].astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    classes = {f"Q{number}": (f"label {number}", 1) for number in range(1, len(vectors) + 1)}
    count = len(classes)
    new = np.zeros(count, dtype=bool)
    new[np.random.default_rng(0).choice(count, round(count * 0.05 / 1.05), replace=False)] = True
    known = {
        qid: one for (qid, one), is_new in zip(classes.items(), new, strict=True) if not is_new
    }
    write_embedded(workspace, known, vectors[~new])
    run_cluster(workspace, ClusterConfig(clusters=40, draws=0, n_init=1))
    before = ids_in(workspace)
    write_embedded(workspace, classes, vectors)
    config = ClusterConfig(clusters=40, draws=0, n_init=1, seed=1)
    run_cluster(workspace, config)
    after = ids_in(workspace)
    kept = sum(after[qid] == one for qid, one in before.items())
    assert kept >= 0.95 * len(before)
    changes = workspace.read(CLUSTER_CHANGES).to_pylist()
    assert sum(row["classes"] for row in changes) == count
    assert sum(row["classes"] for row in changes if row["change"] == "new") == new.sum()
    assert sum(row["classes"] for row in changes if row["change"] == "kept") == kept
    first = outputs_of(workspace)
    run_cluster(Workspace(workspace.root, remakes=True), config)
    assert outputs_of(workspace) == first
