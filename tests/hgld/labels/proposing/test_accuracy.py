"""How often the shipped taxonomy is right of the official labels; docs/labels.md has the figures.

By words alone, which needs no encoder; with MiniLM's vectors among the long tests.
"""

import csv
from pathlib import Path

import numpy as np
import pyarrow as pa

from hgld.labels.proposing.knowledge import Knowledge, ProposalInputs
from hgld.labels.proposing.learning import OpenProposals


def test_of_74_official_labels_70_are_proposed_and_of_9_left_out_6_ignored_or_asked_about(
    shared: Path, shipped_names: pa.Table, shipped_lore: Knowledge
) -> None:
    with (shared / "labels/supercategory_to_label.csv").open(encoding="utf-8", newline="") as file:
        official = list(csv.DictReader(file))
    count = len(official)
    vectors = pa.array(
        list(np.eye(len(shipped_names), 96, dtype=np.float32)), pa.list_(pa.float32())
    )
    inputs = ProposalInputs(
        classes=pa.table(
            {
                "class_qid": [f"row {place}" for place in range(count)],
                "class_label": [row["supercategory"] for row in official],
                "landmarks": [1] * count,
                "cluster_id": range(count),
                "similarity": [1.0] * count,
            }
        ),
        vectors=np.eye(1, 96, 95, dtype=np.float32).repeat(count, axis=0),  # near to no name
        words=shipped_names.append_column("embedding", vectors),
        knowledge=shipped_lore,
    )
    pairs = list(zip(official, OpenProposals(inputs, ["wording"]).proposals(), strict=True))
    labelled = [pair for pair in pairs if pair[0]["hierarchical_label"]]
    right = [row["hierarchical_label"] == said.proposed_label for row, said in labelled]
    sides = [
        row["natural_or_human_made"] == said.proposed_natural_or_human_made
        for row, said in labelled
    ]
    assert (len(labelled), count) == (74, 83)
    assert sum(right) >= 70
    assert sum(sides) >= 72
    blank = [said.proposed_action for row, said in pairs if not row["hierarchical_label"]]
    assert sum(action != "accept" for action in blank) >= 6
