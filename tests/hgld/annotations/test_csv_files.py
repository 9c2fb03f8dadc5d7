import csv
from pathlib import Path

from hgld.annotations.stage import AnnotateConfig, run_annotate
from hgld.engine.workspace import Workspace


def clusters_as_read(path: Path) -> tuple[dict[int, int | None], dict[int, int | None]]:
    """Reads the file as the training code of the authors does: ids in the order of the names."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = [
            {name: row[name] for name in ("landmark_id", "cluster", "overall_cluster")}
            for row in csv.DictReader(file)
        ]
    found = []
    for name in ("cluster", "overall_cluster"):
        names = sorted({row[name] for row in rows if row[name]})  # a blank is a missing value
        found.append(
            {int(row["landmark_id"]): names.index(row[name]) if row[name] else None for row in rows}
        )
    return found[0], found[1]


def test_the_training_code_of_the_authors_reads_the_labels(reviewed: Workspace) -> None:
    run_annotate(reviewed, AnnotateConfig())
    folder = reviewed.path("annotations")
    train = clusters_as_read(folder / "train_label_to_subcategory_with_clusters.csv")
    assert train == (
        {3: None, 1: 0, 2: 0, 4: None, 5: None},
        {3: None, 1: 0, 2: 0, 4: None, 5: None},
    )
    index = clusters_as_read(folder / "index_label_to_subcategory_with_clusters.csv")
    assert index == ({1: 1, 2: 0}, {1: 1, 2: 0})  # "ocean area ", museum; natural, human-made


def test_both_formats_agree_landmark_by_landmark(reviewed: Workspace) -> None:
    run_annotate(reviewed, AnnotateConfig())
    for space in ("train", "index"):
        tables = []
        for kind in ("hierarchical", "subcategory_with_clusters"):
            path = reviewed.path(f"annotations/{space}_label_to_{kind}.csv")
            with path.open(newline="", encoding="utf-8") as file:
                tables.append([list(row.values()) for row in csv.DictReader(file)])
        assert tables[0] == tables[1]
