"""The CSV files, read as those read them for whom they are."""

from pathlib import Path

import pytest

from hgld.annotations.stage import AnnotateConfig, run_annotate
from hgld.engine.workspace import Workspace
from tests.hgld.annotations.world import DECISIONS, MUSEUM, SCRAPED, write_inputs

Labels = list[list[float]]

# What GLDv2 publishes beside them, of the images of the world.
GLDV2 = {
    "train_clean.csv": "landmark_id,images\n1,a0 a6\n3,a2\n4,a3\n",
    "index_image_to_landmark.csv": "id,landmark_id\nb0,1\nb1,2\n",
    "retrieval_solution_v2.1.csv": "id,images,Usage\nc0,b0,Public\nc1,None,Ignored\n",
}


def read_as_the_authors_do(folder: Path, mode: str) -> tuple[list[str], Labels]:
    """Does what the training code of the authors of H-GLDv2 does with the files, mode by mode.

    Returns:
        The images that it keeps, and of each its landmark, and the ids of its two labels.
    """
    import pandas as pd

    database, space = {
        "train": ("train_clean.csv", "train"),
        "query": ("retrieval_solution_v2.1.csv", "index"),
        "gallery": ("index_image_to_landmark.csv", "index"),
    }[mode]
    df = pd.read_csv(folder / database, keep_default_na=False)  # pandas took no None for NaN then
    file = folder / f"{space}_label_to_subcategory_with_clusters.csv"
    labels = pd.read_csv(file)[["landmark_id", "cluster", "overall_cluster"]]
    for name in ("cluster", "overall_cluster"):
        ids = {text: number for number, text in enumerate(sorted(labels[name].dropna().unique()))}
        labels[f"{name}_id"] = labels[name].map(ids)
    if mode == "query":
        df = df[df["images"] != "None"][["id", "images"]]
        index = pd.read_csv(folder / "index_image_to_landmark.csv")
        of_image = dict(zip(index["id"], index["landmark_id"], strict=True))
        df["landmark_id"] = df["images"].map(lambda images: of_image[images.split(" ")[0]])
    df = df.merge(labels, on="landmark_id", how="left")
    images = df["images" if mode == "train" else "id"].str.split(" ")
    rows = df[["landmark_id", "cluster_id", "overall_cluster_id"]].to_numpy().tolist()
    pairs = [(one, row) for row, ids in zip(rows, images, strict=True) for one in ids]
    kept = [(one, row) for one, row in pairs if row[1] == row[1]]  # a blank is NaN
    return [one for one, _ in kept], [row for _, row in kept]


@pytest.fixture
def folder(reviewed: Workspace) -> Path:
    run_annotate(reviewed, AnnotateConfig())
    for name, text in GLDV2.items():
        reviewed.path(f"annotations/{name}").write_text(text)
    return reviewed.path("annotations")


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("train", (["a0", "a6"], [[1, 0, 0], [1, 0, 0]])),  # church; human-made
        ("query", (["c0"], [[1, 1, 1]])),
        ("gallery", (["b0", "b1"], [[1, 1, 1], [2, 0, 0]])),  # "ocean area ", museum
    ],
)
def test_the_training_code_of_the_authors_reads_the_labels(
    folder: Path, mode: str, expected: tuple[list[str], Labels]
) -> None:
    assert read_as_the_authors_do(folder, mode) == expected


def test_the_published_format_has_each_landmark_in_its_order_and_blanks(
    reviewed: Workspace,
) -> None:
    run_annotate(reviewed, AnnotateConfig())
    header = "landmark_id,category,supercategory,hierarchical_label,natural_or_human_made\n"
    train = reviewed.path("annotations/train_label_to_hierarchical.csv").read_bytes().decode()
    assert train == header + (
        "3,c/3,World Heritage Site,,\n"
        "1,c/1,parish church,church,human-made\n"
        "2,c/2,church building,church,human-made\n"
        "4,c/4,,,\n"
        "5,c/5,,,\n"
    )
    index = reviewed.path("annotations/index_label_to_hierarchical.csv").read_bytes().decode()
    assert index == header + (
        '1,"c/Lake_""x"",_y","lake, or pond",ocean area ,natural\n2,c/é,museum,museum,human-made\n'
    )


def test_no_spreadsheet_runs_a_cell_of_a_published_file(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(DECISIONS, MUSEUM, ("assigned", "-2+3|cmd", "human-made"))
    monkeypatch.setitem(SCRAPED, ("index", 2), [(MUSEUM, "@SUM(A1)")])
    write_inputs(workspace)
    run_annotate(workspace, AnnotateConfig())
    for name in ("hierarchical", "subcategory_with_clusters"):
        text = workspace.path(f"annotations/index_label_to_{name}.csv").read_text("utf-8")
        assert text.splitlines()[2] == "2,c/\u00e9,'@SUM(A1),'-2+3|cmd,human-made"
