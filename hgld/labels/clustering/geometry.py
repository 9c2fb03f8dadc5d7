"""From the classes of a build to the points that are clustered."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from hgld.engine.workspace import Workspace
from hgld.labels.embedding.cache import from_lists
from hgld.tables import EMBEDDINGS, LABELS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# 6 decimals: one text encoded in two batches differs by some 1e-8, and is one vector.
_DECIMALS = 6
_NOTHING = 1e-7
"""Norm of what is left of a difference of equal vectors: rounding, which has no direction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """What is clustered: each distinct vector once, in an order of its own.

    So clusters depend neither on the order of the classes nor on how many share a label.
    """

    vectors: "NDArray[np.float32]"
    """(m, D), unit norm, distinct."""
    row: "NDArray[np.int64]"
    """(n,), the point of each class."""
    mean: "NDArray[np.float64]"
    """(D,), what was taken off each vector."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassVectors:
    """The n classes of a build, n > 0, with their vectors."""

    labels: pa.Table
    """LABELS."""
    vectors: "NDArray[np.float32]"
    """(n, D), unit norm."""
    points: Points

    @property
    def qids(self) -> list[str]:
        """The Q-id of each class."""
        return [str(qid) for qid in self.labels["class_qid"].to_pylist()]


def read_classes(workspace: Workspace) -> ClassVectors | None:
    """Reads what the stage `embed` wrote; None for a build without a class.

    Raises:
        MissingInputError: `embed` has not finished.
    """
    labels = workspace.read(LABELS)
    if not len(labels):
        return None
    # The stage `embed` writes labels and embeddings in one order.
    vectors = from_lists(workspace.read(EMBEDDINGS, ["embedding"])["embedding"])
    return ClassVectors(labels=labels, vectors=vectors, points=points_of(vectors))


def points_of(vectors: "NDArray[np.float32]", *, centre: bool = True) -> Points:
    """Makes points of the vectors of classes.

    Text encoders put all texts into a narrow cone, so that what they have in common outweighs what
    tells them apart. Taking the mean off makes clusters of more equal size, which another seed
    finds again more often. Measured with K-Means, K = 78, five seeds, on 1,392 labels by MiniLM and
    1,703 names by CLIP (`benchmarks/labels/clusters.py`; ARI: agreement of two seeds):

    | vectors | mean | mean cosine | largest cluster | deviation / mean of sizes | ARI |
    |---|---|---|---|---|---|
    | MiniLM | stays | 0.36 | 70 | 0.62 | 0.40 |
    | MiniLM | taken off | 0.00 | 42 | 0.43 | 0.44 |
    | CLIP | stays | 0.75 | 85 | 0.73 | 0.36 |
    | CLIP | taken off | 0.00 | 50 | 0.38 | 0.39 |

    Args:
        vectors: float32 (n, D), unit norm, n > 0; of each class.
        centre: whether the mean of the distinct vectors is taken off, and unit norm restored. False
            is what H-GLDv2 did, to compare with.

    Returns:
        At most n points, sorted. A vector that is the mean itself becomes zero.

    Source:
        Mu and Viswanath, All-but-the-Top: Simple and Effective Postprocessing for Word
        Representations, ICLR 2018.
    """
    import numpy as np

    distinct, text = _distinct(vectors)
    mean = np.zeros(vectors.shape[1])
    if centre:
        mean = distinct.astype(np.float64).mean(axis=0)
    points, row = _distinct(unit_rows(distinct - mean)[text])
    return Points(vectors=points, row=row, mean=mean)


def unit_rows(vectors: "NDArray[np.floating]") -> "NDArray[np.float32]":
    """Returns each row at unit norm, float32; a row of zeros stays."""
    import numpy as np

    exact = np.asarray(vectors, dtype=np.float64)
    norms = np.linalg.norm(exact, axis=1, keepdims=True)
    unit = np.divide(exact, norms, out=np.zeros_like(exact), where=norms > _NOTHING)
    return np.asarray(unit, dtype=np.float32)


def cluster_centres(
    vectors: "NDArray[np.float32]", groups: "NDArray[np.int64]"
) -> "NDArray[np.float32]":
    """Returns the mean vector of each group at unit norm.

    Args:
        vectors: float32 (n, D).
        groups: int64 (n,), numbered from 0 without a gap.

    Returns:
        float32 (K, D). A mean of zero (two opposite vectors) stays zero: nothing is similar to it.
    """
    import numpy as np

    sums = np.zeros((int(groups.max(initial=-1)) + 1, vectors.shape[1]), dtype=np.float64)
    np.add.at(sums, groups, vectors)
    return unit_rows(sums)


def _distinct(
    rows: "NDArray[np.float32]",
) -> "tuple[NDArray[np.float32], NDArray[np.int64]]":
    import numpy as np

    rounded = rows.round(_DECIMALS) + np.float32(0)  # + 0 makes -0.0 equal 0.0 bit by bit
    distinct, row = np.unique(rounded, axis=0, return_inverse=True)
    return distinct, np.asarray(row.reshape(-1), dtype=np.int64)
