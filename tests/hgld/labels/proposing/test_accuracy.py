"""How often the shipped taxonomy is right of the official labels; docs/labels.md has the figures.

By words only, which needs no encoder; with MiniLM's vectors among the long tests.
"""

from pathlib import Path

import numpy as np

from hgld.labels.proposing.knowledge import Knowledge, ProposalInputs
from hgld.labels.proposing.learning import OpenProposals
from hgld.labels.taxonomy.rows import read_csv_rows
from hgld.tables import CLUSTERS
from tests.hgld.labels.proposing.small_world import WIDTH, words
from tests.worlds.builders import table_of


def test_of_74_official_labels_70_are_proposed_and_of_9_left_out_6_ignored_or_asked_about(
    shared: Path, shipped_lore: Knowledge
) -> None:
    official = read_csv_rows(shared / "labels/supercategory_to_label.csv")
    classes = [
        {"class_qid": f"row {place}", "class_label": row["supercategory"], "landmarks": 1}
        for place, row in enumerate(official)
    ]
    inputs = ProposalInputs(
        classes=table_of(CLUSTERS, classes),
        vectors=np.zeros((len(official), WIDTH), dtype=np.float32),
        words=words(),
        knowledge=shipped_lore,
    )
    pairs = list(zip(official, OpenProposals(inputs, ["wording"]).proposals(), strict=True))
    labelled = [pair for pair in pairs if pair[0]["hierarchical_label"]]
    assert (len(labelled), len(pairs)) == (74, 83)
    assert sum(row["hierarchical_label"] == said.proposed_label for row, said in labelled) >= 70
    side = "natural_or_human_made"
    assert sum(row[side] == said.proposed_natural_or_human_made for row, said in labelled) >= 72
    blank = [said.proposed_action for row, said in pairs if not row["hierarchical_label"]]
    assert sum(action != "accept" for action in blank) >= 6
