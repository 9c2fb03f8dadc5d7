"""A small build with annotations, as `annotate` writes them, and its pictures."""

from collections.abc import Mapping
from pathlib import Path

from PIL import Image

from hgld.annotations.stage import AnnotateConfig, run_annotate
from hgld.engine.files import file_digest
from hgld.engine.workspace import Workspace
from hgld.loading.labelled import gldv2_place
from hgld.tables import FILLS, TAXONOMY
from tests.worlds.builders import (
    class_rows,
    table_of,
    write_metadata,
    write_scrape,
    write_stage,
    write_taxonomy,
)

CLASSES = {
    "Q1": ("church building", "church", "human-made"),
    "Q2": ("museum", "museum", "human-made"),
    "Q3": ("bay", "ocean area ", "natural"),
}
# label space to landmark to its class; landmark 1 is another in each space
LANDMARKS = {
    "train": {1: "Q1", 2: "Q1", 3: "Q2", 4: "Q3", 50: "Q2"},
    "index": {1: "Q3", 2: "Q1", 10: "Q1"},
}
# split to landmark to how many images it has; landmark 50 has none
COUNTS = {"train": {1: 6, 2: 2, 3: 5, 4: 4}, "index": {1: 3, 2: 2, 10: 2}, "test": {1: 1, 10: 2}}
# landmarks that no class gives a label, and how their label came to be, in the build with fills
FILLS_OF: dict[tuple[str, int], tuple[str, str, float]] = {
    ("train", 7): ("church", "words", 0.75),
    ("train", 60): ("bridge", "words+parents", 0.95),  # a label that no class gives
    ("train", 8): ("museum", "reviewed", 1.0),
    ("index", 7): ("bridge", "reviewed", 1.0),
}
COUNTS_FILLED = {
    "train": {7: 3, 60: 2, 8: 1, 9: 2},  # of landmark 9 there is a guess alone
    "index": {7: 2},
    "test": {7: 1},
}
LABEL_OF = {qid: label for qid, (_, label, _) in CLASSES.items()}


def image_id(split: str, landmark: int, number: int) -> str:
    """Returns an id of 16 hex digits, whose order is not that of the landmarks."""
    return f"{(number * 7919 + landmark * 104729 + len(split)) * 0x9E3779B97F4A7C15 % 2**64:016x}"


def image_rows(counts: Mapping[str, Mapping[int, int]] = COUNTS) -> list[dict[str, object]]:
    """Returns rows of IMAGES."""
    return [
        {"split": split, "image_id": image_id(split, landmark, number), "landmark_id": landmark}
        | ({"in_clean": True} if split == "train" else {})
        for split, landmarks in counts.items()
        for landmark, count in landmarks.items()
        for number in range(count)
    ]


def write_annotated(
    root: Path, *, images_per_shard: int = 10, has_fills: bool = False
) -> Workspace:
    """Writes a build up to its annotations: two shards of train, one of index and of test.

    The images of landmark 50 and those of COUNTS are labelled by classes, and where it has fills
    those of COUNTS_FILLED by what FILLS_OF says.
    """
    workspace = Workspace(root)
    of_landmarks = {
        (space, landmark): [(qid, CLASSES[qid][0])]
        for space, landmarks in LANDMARKS.items()
        for landmark, qid in landmarks.items()
    }
    landmarks = [
        {"split": space, "landmark_id": landmark, "category": f"c/{space}/{landmark}"}
        for space, landmark in of_landmarks
    ]
    more = [*FILLS_OF, ("train", 9)] if has_fills else []
    landmarks += [{"split": one, "landmark_id": number, "category": ""} for one, number in more]
    images = [*image_rows(), *(image_rows(COUNTS_FILLED) if has_fills else ())]
    write_metadata(workspace, landmarks, images)
    scraped = [{**row, "status": "ok", "qid": f"Q{row['landmark_id']}"} for row in landmarks]
    write_scrape(workspace, class_rows(of_landmarks), scraped)
    decisions = {qid: ("assigned", label, side) for qid, (_, label, side) in CLASSES.items()}
    write_taxonomy(workspace, class_rows(of_landmarks), decisions)
    if has_fills:
        unsure_of_museums(workspace)
        write_stage(workspace, [(FILLS, table_of(FILLS, fill_rows()))])
    config = AnnotateConfig(images_per_shard=images_per_shard, fills=has_fills)
    run_annotate(workspace, config)
    write_sums(workspace.path("annotations"))
    return workspace


def unsure_of_museums(workspace: Workspace) -> None:
    """Has the museums be accepted unseen, with a confidence of 0.9."""
    rows = workspace.read(TAXONOMY).to_pylist()
    for row in rows:
        if row["hierarchical_label"] == "museum":
            row.update(decision="proposed", reviewer=None, confidence=0.9, accepted_above=0.5)
    write_stage(workspace, [(TAXONOMY, table_of(TAXONOMY, rows))])


def fill_rows() -> list[dict[str, object]]:
    """Returns the rows of FILLS."""
    rows: list[dict[str, object]] = [
        {"split": split, "landmark_id": number, "status": "ok", "hierarchical_label": label}
        | {"natural_or_human_made": "human-made", "best_guess": label, "confidence": sure}
        | {"evidence": "named so", "method": method}
        | ({"reviewer": "eve"} if method == "reviewed" else {})
        for (split, number), (label, method, sure) in FILLS_OF.items()
    ]
    guess = {"best_guess": "lake", "confidence": 0.25, "evidence": "not sure", "method": "words"}
    return [*rows, {"split": "train", "landmark_id": 9, "status": "unsure"} | guess]


def write_sums(folder: Path) -> None:
    """Writes SHA256SUMS of all files of a folder, as a release has it."""
    sums = folder / "SHA256SUMS"
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path != sums)
    lines = [f"{file_digest(path)}  {path.relative_to(folder).as_posix()}\n" for path in files]
    sums.write_text("".join(lines), encoding="utf-8")


def draw_pictures(root: Path) -> None:
    """Draws the picture of each image, in a colour that its id says."""
    for row in (*image_rows(), *image_rows(COUNTS_FILLED)):
        name = str(row["image_id"])
        path = root / "images" / str(row["split"]) / gldv2_place(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (12, 8), colour(name)).save(path, quality=95)


def colour(name: str) -> tuple[int, int, int]:
    """Returns the colour of an image's picture."""
    red, green, blue = bytes.fromhex(name[-6:])
    return red, green, blue
