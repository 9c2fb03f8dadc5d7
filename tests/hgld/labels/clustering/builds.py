"""Builds whose `embed` has finished, for tests of what is made of it."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hgld.engine.stage import StageReport
from hgld.engine.workspace import Workspace
from hgld.tables import CENTRES, CLUSTER_CHANGES, CLUSTERS, EMBEDDINGS, LABELS
from tests.worlds.builders import TrigramEncoder, table_of, write_stage

LAKES = {
    f"Q{10 + n}": (f"{word} lake", 1) for n, word in enumerate(("salt", "mountain", "glacial"))
}
BRIDGES = {
    f"Q{20 + n}": (f"{word} bridge", 2) for n, word in enumerate(("stone", "rope", "railway"))
}
TOWERS = {f"Q{30 + n}": (f"{word} tower", 5) for n, word in enumerate(("water", "clock", "bell"))}
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
    embeddings = pa.table(
        {
            "class_qid": pa.array(list(classes), pa.string()),
            "text": pa.array([label for label, _ in classes.values()], pa.string()),
            "embedding": pa.array(list(vectors), pa.list_(pa.float32())),
        }
    )
    tables = [(LABELS, table_of(LABELS, labels)), (EMBEDDINGS, embeddings)]
    return write_stage(workspace, tables)


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
    for dataset in (CLUSTERS, CENTRES, CLUSTER_CHANGES):
        workspace.finished(dataset)
    manifest = workspace.manifest("cluster")
    assert manifest is not None
    return manifest.outputs


def unit_vectors(count: int, width: int = 8, seed: int = 0) -> NDArray[np.float32]:
    """Returns random directions."""
    vectors = np.random.default_rng(seed).normal(size=(count, width))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)


def blobs(centres: int, each: int, spread: float = 0.05, seed: int = 0) -> NDArray[np.float32]:
    """Returns `each` unit vectors about each of so many orthogonal directions of 16."""
    noise = np.random.default_rng(seed).normal(size=(centres * each, 16)) * spread
    vectors = np.repeat(np.eye(16)[:centres], each, axis=0) + noise
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)
