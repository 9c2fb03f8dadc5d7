"""How often the shipped taxonomy is right of the official labels; docs/labels.md has the figures.

By words alone, which needs no encoder; with MiniLM's vectors among the long tests.
"""

from pathlib import Path

import numpy as np
import pyarrow as pa

from hgld.labels.embedding.cache import to_lists
from hgld.labels.proposing.knowledge import Knowledge, ProposalInputs
from hgld.labels.proposing.learning import OpenProposals
from hgld.labels.taxonomy.rows import read_csv_rows
from hgld.tables import CLUSTERS
from tests.worlds.builders import table_of


def test_of_74_official_labels_70_are_proposed_and_of_9_left_out_6_ignored_or_asked_about(
    shared: Path, shipped_names: pa.Table, shipped_lore: Knowledge
) -> None:
    official = read_csv_rows(shared / "labels/supercategory_to_label.csv")
    vectors = np.eye(len(official), 96, 95, dtype=np.float32)
    classes = [
        {"class_qid": f"row {place}", "class_label": row["supercategory"], "landmarks": 1}
        for place, row in enumerate(official)
    ]
    inputs = ProposalInputs(
        classes=table_of(CLUSTERS, classes),
        vectors=vectors[:1].repeat(len(official), axis=0),  # near to no name
        words=shipped_names.append_column(
            "embedding", to_lists(np.eye(len(shipped_names), 96, dtype=np.float32))
        ),
        knowledge=shipped_lore,
    )
    pairs = list(zip(official, OpenProposals(inputs, ["wording"]).proposals(), strict=True))
    labelled = [pair for pair in pairs if pair[0]["hierarchical_label"]]
    right = [row["hierarchical_label"] == said.proposed_label for row, said in labelled]
    sides = [
        row["natural_or_human_made"] == said.proposed_natural_or_human_made
        for row, said in labelled
    ]
    assert (len(labelled), len(pairs)) == (74, 83)
    assert sum(right) >= 70
    assert sum(sides) >= 72
    blank = [said.proposed_action for row, said in pairs if not row["hierarchical_label"]]
    assert sum(action != "accept" for action in blank) >= 6
