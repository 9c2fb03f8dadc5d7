"""The classes of a build in one order, with what was proposed of them when it was last run."""

from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from hgld.engine.workspace import Workspace
from hgld.errors import InputError, MissingInputError
from hgld.labels.clustering.kmeans import unit_rows
from hgld.labels.proposing.proposals import Proposal, proposals_of
from hgld.labels.proposing.stage import vectors_of_build
from hgld.pages.serving.finding import fold_text
from hgld.tables import CLUSTERS, PROPOSALS, TAXONOMY


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewClasses:
    """The classes of a build, as columns."""

    qids: list[str]
    labels: list[str]
    landmarks: NDArray[np.int64]
    clusters: list[int]
    vectors: NDArray[np.float32]
    """(n, D) at unit norm."""
    is_new: NDArray[np.bool_]
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
    table = workspace.read(PROPOSALS)
    columns = ["class_qid", "class_label", "cluster_id"]
    clusters = workspace.read(CLUSTERS, columns)
    if table.select(columns).sort_by("class_qid") != clusters.sort_by("class_qid"):
        raise MissingInputError(
            f"{workspace.path(PROPOSALS.path)} is of other clusters than "
            f"{workspace.path(CLUSTERS.path)}; run {workspace.command('propose')} again"
        )
    if not len(table):
        raise InputError(
            f"{workspace.root} has no class to review: no landmark of it is an instance of one"
        )
    try:
        known = workspace.read(TAXONOMY, ["class_qid"])["class_qid"]
    except MissingInputError:
        known = table["class_qid"]
    qids, labels, cluster_ids = (table[name].to_pylist() for name in columns)
    classes = ReviewClasses(
        qids=qids,
        labels=labels,
        landmarks=table["landmarks"].to_numpy(),
        clusters=cluster_ids,
        vectors=unit_rows(vectors_of_build(workspace, table)),
        is_new=~pc.is_in(table["class_qid"], value_set=known).to_numpy(),
        folded=[fold_text(f"{label}\n{qid}") for label, qid in zip(labels, qids, strict=True)],
        row={qid: row for row, qid in enumerate(qids)},
    )
    return classes, proposals_of(table)
