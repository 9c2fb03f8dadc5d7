"""How often the shipped taxonomy is right of the official labels; docs/labels.md has the figures.

By words alone, which needs no encoder; with MiniLM's vectors among the long tests.
"""

import csv
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from hgld.labels.proposing.calibration import shipped_calibration
from hgld.labels.proposing.inputs import ProposalInputs
from hgld.labels.proposing.knowledge import Knowledge
from hgld.labels.proposing.learning import OpenProposals
from hgld.labels.proposing.rows import Proposal

Official = list[dict[str, str]]


@pytest.fixture(scope="module")
def official(shared: Path) -> Official:
    with (shared / "labels/supercategory_to_label.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def proposals(
    official: Official, shipped_names: pa.Table, shipped_lore: Knowledge
) -> list[Proposal]:
    count = len(official)
    vectors = np.eye(len(shipped_names), 96, dtype=np.float32)
    told = pa.array(list(vectors), pa.list_(pa.float32()))
    inputs = ProposalInputs(
        classes=pa.table(
            {
                "class_qid": [f"row {place}" for place in range(count)],
                "class_label": [row["supercategory"] for row in official],
                "landmarks": pa.array([1] * count, pa.int64()),
                "cluster_id": pa.array(range(count), pa.int32()),
                "similarity": pa.array([1.0] * count, pa.float32()),
            }
        ),
        vectors=np.eye(1, 96, 95, dtype=np.float32).repeat(count, axis=0),  # near to no name
        words=shipped_names.append_column("embedding", told),
        knowledge=shipped_lore,
        calibration=shipped_calibration(),
    )
    return OpenProposals(inputs, ["wording"]).proposals()


def test_of_74_official_labels_70_are_proposed(
    official: Official, proposals: list[Proposal]
) -> None:
    pairs = [
        pair for pair in zip(official, proposals, strict=True) if pair[0]["hierarchical_label"]
    ]
    assert len(pairs) == 74
    right = [row["hierarchical_label"] == said.proposed_label for row, said in pairs]
    assert sum(right) >= 70
    of_side = [
        row["natural_or_human_made"] == said.proposed_natural_or_human_made for row, said in pairs
    ]
    assert sum(of_side) >= 72


def test_of_9_texts_officially_left_out_6_are_ignored_or_asked_about(
    official: Official, proposals: list[Proposal]
) -> None:
    blank = [
        said.proposed_action
        for row, said in zip(official, proposals, strict=True)
        if not row["hierarchical_label"]
    ]
    assert len(blank) == 9
    assert sum(action != "accept" for action in blank) >= 6
