"""A small table of rows, and settings by which a part takes a moment."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hgld.benchmarks.robustness import heat, networks, results, segmentation, self_labelling
from hgld.benchmarks.robustness.networks import ClassifierSettings, HeadSettings
from hgld.benchmarks.robustness.rows import RowTable, table_of_columns

COUNTS = {"train": (24, 8), "index": (12, 4), "query": (12, 3)}
"""Groups, and rows of each."""


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """One small setting in the place of each grid."""
    head = HeadSettings(layers=1, hidden_units=8, epochs=2, learning_rate=3e-3)
    monkeypatch.setattr(networks, "CLASSIFIERS", (ClassifierSettings(0.5, 3),))
    monkeypatch.setattr(networks, "HEADS", (head, head))
    monkeypatch.setattr(self_labelling, "SHARES", (0.5,))
    monkeypatch.setattr(self_labelling, "_HEAD", head)
    monkeypatch.setattr(results, "DRAWS", 10)
    for name in ("GAUSSIANS", "LOGITS", "SPREADS"):
        small = getattr(heat, name)._replace(steps=2, epochs=2, width=8)
        monkeypatch.setattr(heat, name, small)
    monkeypatch.setattr(segmentation, "STEPS", 3)


@pytest.fixture
def columns() -> dict[str, NDArray[Any]]:
    """Rows of all splits and a far set: two groups a label, those of a group near one another."""
    return made_columns()


@pytest.fixture
def table(columns: dict[str, NDArray[Any]]) -> RowTable:
    """The same as a table."""
    return table_of_columns(columns, "made", "a test")


def made_columns() -> dict[str, NDArray[Any]]:
    """Returns the same, of another array each time."""
    random = np.random.default_rng(0)
    centres = np.random.default_rng(1).normal(size=(6, 8))
    parts: list[dict[str, Any]] = []
    for split, (groups, rows) in COUNTS.items():
        own = np.repeat(np.arange(groups), rows)
        labels = own * 6 // groups
        of_group = np.random.default_rng(2).normal(size=(groups, 8))
        features = centres[labels] + 0.7 * of_group[own] + 0.6 * random.normal(size=(len(own), 8))
        space = "train" if split == "train" else "index"
        texts = {
            "label": [f"class {one}" for one in labels],
            "group": [f"{space} {one}" for one in own],
        }
        parts.append({"embedding": features, **texts, "split": [split] * len(own)})
    far: dict[str, Any] = dict.fromkeys(("label", "group"), [None] * 20)
    parts.append({**far, "embedding": 3 * random.normal(size=(20, 8)), "split": ["photos"] * 20})
    kinds = {"embedding": np.float32, "label": object, "group": object, "split": str}
    found = {
        name: np.concatenate([np.array(one[name], kind) for one in parts])
        for name, kind in kinds.items()
    }
    return {**found, "std": np.abs(found["embedding"])}
