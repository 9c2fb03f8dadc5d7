import csv
from pathlib import Path

import pytest

from tests.hgld.labels.fills.worlds import PLACES, WATERS


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    """Churches, lakes, and names without a label."""
    rows = [["category", "hierarchical_label", "natural_or_human_made"]]
    rows += [[f"Category:{place}_Church", "church", "human-made"] for place in PLACES[:60]]
    rows += [[f"Category:Lake_{place}", "lake", "natural"] for place in WATERS[:60]]
    rows += [[f"Category:{place}", "", ""] for place in PLACES[60:80]]
    path = tmp_path / "labelled.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    return path
