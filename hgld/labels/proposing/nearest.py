"""What is proposed to the reviewer of a cluster: a label, and natural or human-made."""

from typing import TYPE_CHECKING

import pyarrow as pa

from hgld.tables import qid_number

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def propose_sides(
    centres: "NDArray[np.float32]", examples: "NDArray[np.float32]", sides: list[str]
) -> list[str]:
    """Proposes `natural` or `human-made` for each cluster: what the most similar example is.

    Args:
        centres: float32 (K, D), unit norm.
        examples: float32 (E, D), unit norm, E > 0.
        sides: of each example, `natural` or `human-made`.

    Returns:
        K sides. On the 74 texts with a published label, MiniLM with the default prompt gets 70
        right.
    """
    return [sides[int(nearest)] for nearest in (centres @ examples.T).argmax(axis=1)]


def propose_labels(clusters: pa.Table) -> list[str]:
    """Proposes each cluster's label: the class with the largest landmarks x similarity.

    Args:
        clusters: the columns class_qid, class_label, landmarks, cluster_id and similarity.

    Returns:
        A label for each cluster id from 0; equals go to the smaller Q-id.
    """
    best: dict[int, tuple[float, int, str]] = {}
    for row in clusters.to_pylist():
        weight = -row["landmarks"] * row["similarity"]
        candidate = (weight, qid_number(row["class_qid"]), row["class_label"])
        best[row["cluster_id"]] = min(candidate, best.get(row["cluster_id"], candidate))
    return [best[cluster_id][2] for cluster_id in sorted(best)]
