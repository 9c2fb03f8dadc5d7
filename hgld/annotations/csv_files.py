"""The labels of landmarks in the CSV formats that programs of others read."""

import csv
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa

from hgld.tables.csv_cells import escape_cell

PUBLISHED = "label_to_hierarchical"
"""The format that Google publishes, a file a label space."""
WITH_CLUSTERS = "label_to_subcategory_with_clusters"
"""The format that the training code of the authors of H-GLDv2 reads, and nobody publishes: there
`cluster` is the super-category, and `overall_cluster` is natural or human-made."""

LABEL_FORMATS: Mapping[str, Mapping[str, str]] = {
    PUBLISHED: {
        name: name
        for name in (
            *("landmark_id", "category", "supercategory", "hierarchical_label"),
            "natural_or_human_made",
        )
    },
    WITH_CLUSTERS: {
        "landmark_id": "landmark_id",
        "category": "category",
        "supercategory": "supercategory",
        "cluster": "hierarchical_label",
        "overall_cluster": "natural_or_human_made",
    },
}
"""Format to the columns of its files, each with that of LANDMARK_LABELS it is made of."""


def write_label_csv(path: Path, landmarks: pa.Table, file_format: str) -> None:
    """Writes landmarks with their labels, blank where they have none.

    A text that a spreadsheet would run as a formula gets an apostrophe before it.

    Args:
        path: the file.
        landmarks: rows of LANDMARK_LABELS of one label space.
        file_format: one of `LABEL_FORMATS`.
    """
    columns = LABEL_FORMATS[file_format]
    with path.open("w", encoding="utf-8", newline="") as file:
        sheet = csv.writer(file, lineterminator="\n")
        sheet.writerow(columns)
        values = (
            [
                escape_cell(one) if isinstance(one, str) else one
                for one in landmarks[name].to_pylist()
            ]
            for name in columns.values()
        )
        sheet.writerows(zip(*values, strict=True))
