"""What is clustered, read from a build and checked: classes, their vectors and points."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError
from hgld.labels.clustering.config import ClusterConfig
from hgld.labels.clustering.geometry import Points, points_of
from hgld.labels.clustering.subclass_tree import Ancestors, ancestors_of, superclass_features
from hgld.tables import EMBEDDINGS, SUPERCLASSES

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_NORM_ERROR = 1e-3  # of a unit vector in float32 it is some 1e-7; of half precision 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassVectors:
    """The n classes of a build, n > 0, as the methods need them."""

    labels: pa.Table
    """LABELS."""
    vectors: "NDArray[np.float32]"
    """(n, D), unit norm."""
    points: Points
    ancestors: Ancestors
    """Empty where the settings do not ask for them."""

    @property
    def qids(self) -> list[str]:
        """The Q-id of each class."""
        return [str(qid) for qid in self.labels["class_qid"].to_pylist()]


def class_vectors(workspace: Workspace, labels: pa.Table, config: ClusterConfig) -> ClassVectors:
    """Reads what is clustered; for `one_thread`, as a geometry is measured.

    Args:
        workspace: a build whose `embed` has finished.
        labels: its LABELS, one row or more.
        config: the settings.

    Raises:
        DamagedError: the embeddings are not unit vectors of one width, one for each class.
        MissingInputError: superclasses are asked for, and the scrape has not finished.
    """
    # The embed stage wrote labels and embeddings in one order.
    table = workspace.read(EMBEDDINGS, ["class_qid", "embedding"])
    if not table["class_qid"].equals(labels["class_qid"]):
        raise _damaged(workspace, "has not one row for each class_qid")
    vectors = checked_vectors(workspace, table)
    ancestors: Ancestors = {}
    if config.reads_superclasses:
        ancestors = ancestors_of(workspace.read(SUPERCLASSES), config.superclass_depth)
    share, prior = config.superclass_weight, None
    if share:
        prior = (superclass_features(labels["class_qid"].to_pylist(), ancestors), share)
    points = points_of(
        vectors,
        labels["landmarks"].to_numpy() if config.by_landmarks else None,
        centre=config.centre,
        whiten=config.whiten,
        prior=prior,
    )
    return ClassVectors(labels=labels, vectors=vectors, points=points, ancestors=ancestors)


def checked_vectors(workspace: Workspace, table: pa.Table) -> "NDArray[np.float32]":
    """Returns the vectors of rows of EMBEDDINGS, one or more.

    Args:
        workspace: the build they are of, for the error.
        table: with the column `embedding`.

    Returns:
        float32 (n, D).

    Raises:
        DamagedError: they are not unit vectors of one width.
    """
    import numpy as np

    lists = table["embedding"].combine_chunks()
    width = len(lists[0].as_py())
    flat = lists.flatten().to_numpy(zero_copy_only=False)
    widths = set(lists.value_lengths().to_pylist())
    if widths != {width} or not width:
        raise _damaged(workspace, f"has vectors of {sorted(widths)} numbers, not of one")
    vectors = np.asarray(flat.reshape(-1, width), dtype=np.float32)
    with np.errstate(over="ignore"):
        norms = np.linalg.norm(vectors, axis=1)
    if not (abs(norms - 1) < _NORM_ERROR).all():  # NaN is not below it either
        raise _damaged(workspace, "has vectors that are not of unit norm")
    return vectors


def _damaged(workspace: Workspace, what: str) -> DamagedError:
    path = workspace.path(EMBEDDINGS.path)
    return DamagedError(f"{path} {what}; delete it and run {workspace.command('embed')} again")
