"""Builds whose `embed` has finished, for tests of what is made of it."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from hgld.engine.stage import StageReport
from hgld.engine.workspace import Workspace
from hgld.labels.clustering.kmeans import unit_rows
from hgld.tables import CLUSTERS, EMBEDDINGS, LABELS
from tests.worlds.builders import TrigramEncoder, table_of, write_stage

LAKES = {"Q10": ("salt lake", 1), "Q11": ("mountain lake", 1), "Q12": ("glacial lake", 1)}
BRIDGES = {"Q20": ("stone bridge", 2), "Q21": ("rope bridge", 2), "Q22": ("railway bridge", 2)}
TOWERS = {"Q30": ("water tower", 5), "Q31": ("clock tower", 5), "Q32": ("bell tower", 5)}
CLASSES = LAKES | BRIDGES | TOWERS


def write_embedded(
    workspace: Workspace,
    classes: Mapping[str, tuple[str, int]],
    vectors: NDArray[np.float32] | None = None,
) -> StageReport:
    """Writes LABELS and EMBEDDINGS of classes: class_qid to label and landmarks, by Q-id."""
    if vectors is None:
        vectors = TrigramEncoder().encode([label for label, _ in classes.values()])
    labels = [
        {"class_qid": qid, "class_label": label, "label_language": "en", "landmarks": landmarks}
        for qid, (label, landmarks) in classes.items()
    ]
    embeddings = [
        {"class_qid": row["class_qid"], "text": row["class_label"], "embedding": vector}
        for row, vector in zip(labels, vectors, strict=True)
    ]
    tables = ((LABELS, labels), (EMBEDDINGS, embeddings))
    return write_stage(workspace, [(each, table_of(each, rows)) for each, rows in tables])


def ids_in(workspace: Workspace) -> dict[str, int]:
    """Returns the cluster of each class."""
    rows = workspace.read(CLUSTERS).to_pylist()
    return {row["class_qid"]: row["cluster_id"] for row in rows}


def sets_in(workspace: Workspace) -> set[frozenset[str]]:
    """Returns the clusters as sets of classes, whatever their numbers."""
    ids = ids_in(workspace)
    return {frozenset(q for q, i in ids.items() if i == one) for one in set(ids.values())}


def outputs_of(workspace: Workspace) -> dict[str, str]:
    """Returns the digests of what the stage wrote, which are those of its rows."""
    manifest = workspace.manifest("cluster")
    assert manifest is not None
    return manifest.outputs


def unit_vectors(count: int, width: int = 8, seed: int = 0) -> NDArray[np.float32]:
    """Returns random directions."""
    return unit_rows(np.random.default_rng(seed).normal(size=(count, width)))


def blobs(centres: int, each: int) -> NDArray[np.float32]:
    """Returns `each` unit vectors about each of so many orthogonal directions of 16."""
    noise = np.random.default_rng(0).normal(size=(centres * each, 16)) * 0.05
    return unit_rows(np.repeat(np.eye(16)[:centres], each, axis=0) + noise)
