"""The classes of a build in one order, with what was proposed of them when it was last run."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from hgld.engine.workspace import Workspace
from hgld.errors import InputError, MissingInputError
from hgld.labels.proposing.proposals import Proposal, proposals_of
from hgld.labels.proposing.stage import vectors_of_build
from hgld.pages.serving.finding import fold_text
from hgld.tables import CLUSTERS, PROPOSALS, TAXONOMY

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewClasses:
    """The classes of a build, as columns."""

    qids: list[str]
    labels: list[str]
    landmarks: "NDArray[np.int64]"
    clusters: list[int]
    vectors: "NDArray[np.float32]"
    """(n, D) at unit norm."""
    is_new: "NDArray[np.bool_]"
    """Whether no earlier taxonomy of the build had it."""
    folded: list[str]
    """Label and Q-id, as a search compares them."""
    row: dict[str, int]
    """class_qid to its place."""

    def __len__(self) -> int:
        """The number of classes."""
        return len(self.qids)


def read_review_classes(workspace: Workspace) -> tuple[ReviewClasses, list[Proposal]]:
    """Reads the classes of a build and what is proposed of them, in one order.

    Raises:
        MissingInputError: no proposals, or none of these clusters.
        InputError: the build has no class.
        DamagedError: a table is not as it was written.
    """
    proposals = proposals_of(workspace.read(PROPOSALS))
    columns = ["class_qid", "class_label", "cluster_id"]
    clusters = workspace.read(CLUSTERS, columns)
    proposed = [(each.class_qid, each.class_label, each.cluster_id) for each in proposals]
    if sorted(proposed) != sorted(zip(*(clusters[name].to_pylist() for name in columns))):  # noqa: B905 - columns of one table
        raise MissingInputError(
            f"{workspace.path(PROPOSALS.path)} is of other clusters than "
            f"{workspace.path(CLUSTERS.path)}; run {workspace.command('propose')} again"
        )
    if not proposals:
        raise InputError(
            f"{workspace.root} has no class to review: no landmark of it is an instance of one"
        )
    qids = [each.class_qid for each in proposals]
    vectors = vectors_of_build(workspace, pa.table({"class_qid": pa.array(qids, pa.string())}))
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    classes = ReviewClasses(
        qids=qids,
        labels=[each.class_label for each in proposals],
        landmarks=np.array([each.landmarks for each in proposals], dtype=np.int64),
        clusters=[each.cluster_id for each in proposals],
        vectors=np.asarray(vectors / np.maximum(norms, 1e-9), dtype=np.float32),
        is_new=_is_new(workspace, qids),
        folded=[fold_text(f"{each.class_label}\n{each.class_qid}") for each in proposals],
        row={qid: row for row, qid in enumerate(qids)},
    )
    return classes, proposals


def _is_new(workspace: Workspace, qids: list[str]) -> "NDArray[np.bool_]":
    try:
        known = set(workspace.read(TAXONOMY, ["class_qid"])["class_qid"].to_pylist())
    except MissingInputError:
        known = set(qids)
    return np.array([qid not in known for qid in qids], dtype=np.bool_)
