"""Proposals of a whole list at once, with no workspace: what the stage and `--labels` call."""

from collections.abc import Sequence

import pyarrow as pa

from hgld.labels.proposing.clusters import cluster_proposals
from hgld.labels.proposing.learning import OpenProposals
from hgld.labels.proposing.material import Material, Ruling
from hgld.labels.proposing.methods.ballot import IGNORE
from hgld.labels.proposing.rows import METHODS, ProposalMethod, proposals_table


def propose(
    material: Material, decided: pa.Table | None = None, methods: Sequence[ProposalMethod] = METHODS
) -> tuple[pa.Table, pa.Table]:
    """Proposes a super-category, a side and an action for each class, and what to do of clusters.

    Args:
        material: the classes and what is known of them.
        decided: rows of DECIDED; None where nobody has decided anything.
        methods: which methods speak.

    Returns:
        PROPOSALS, in the order of the classes, and CLUSTER_PROPOSALS, in the reviewer's order.
    """
    proposals = OpenProposals(material, methods)
    if decided is not None and len(decided):
        proposals.decide(decisions_of(decided))
    rows = proposals.proposals()
    return proposals_table(rows), cluster_proposals(rows)


def decisions_of(decided: pa.Table) -> dict[str, Ruling]:
    """Returns the decisions of a DECIDED table by class."""
    columns = ("class_qid", "action", "hierarchical_label", "natural_or_human_made")
    rows = zip(*(decided[name].to_pylist() for name in columns), strict=True)
    return {
        qid: Ruling(label, side) if action == "assign" else Ruling(IGNORE)
        for qid, action, label, side in rows
    }
