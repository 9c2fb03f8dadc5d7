"""A small build with annotations, as `annotate` writes them, and its pictures."""

from collections.abc import Mapping
from pathlib import Path

from PIL import Image

from hgld.annotations.stage import AnnotateConfig, run_annotate
from hgld.engine.workspace import Workspace
from hgld.loading.labelled import gldv2_place
from tests.hgld.annotations.world import change_taxonomy, write_fills
from tests.worlds import builders

NAMES = {"Q1": "church building", "Q2": "museum", "Q3": "bay"}
DECISIONS = {
    "Q1": ("assigned", "church", "human-made"),
    "Q2": ("assigned", "museum", "human-made"),
    "Q3": ("assigned", "ocean area ", "natural"),
}
# label space and landmark to its class; landmark 1 is another in each space
TRAIN, INDEX = {1: "Q1", 2: "Q1", 3: "Q2", 4: "Q3", 50: "Q2"}, {1: "Q3", 2: "Q1", 10: "Q1"}
CLASS_OF = {("train", number): qid for number, qid in TRAIN.items()}
CLASS_OF |= {("index", number): qid for number, qid in INDEX.items()}
# split to landmark to how many images it has; landmark 50 has none
COUNTS = {"train": {1: 6, 2: 2, 3: 5, 4: 4}, "index": {1: 3, 2: 2, 10: 2}, "test": {1: 1, 10: 2}}
# landmarks that no class gives a label, and how their label came to be, in the build with fills
FILLS_OF = {
    ("train", 7): ("ok", "church", "words", 0.75),
    ("train", 60): ("ok", "bridge", "words+parents", 0.95),  # a label that no class gives
    ("train", 8): ("ok", "museum", "reviewed", 1.0),
    ("index", 7): ("ok", "bridge", "reviewed", 1.0),
    ("train", 9): ("unsure", None, "words", 0.25),
}
COUNTS_FILLED = {"train": {7: 3, 60: 2, 8: 1, 9: 2}, "index": {7: 2}, "test": {7: 1}}
FILL_ROWS = [
    {"split": split, "landmark_id": number, "status": status, "hierarchical_label": label}
    | {"natural_or_human_made": label and "human-made", "best_guess": label or "lake"}
    | {"evidence": "named so", "method": method, "confidence": sure}
    | {"reviewer": "eve" if method == "reviewed" else None}
    for (split, number), (status, label, method, sure) in FILLS_OF.items()
]


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


def write_annotated(root: Path, *, has_fills: bool = False) -> Workspace:
    """Writes a build up to its annotations: two shards of train, one of index and of test.

    The images of COUNTS are labelled by classes. Where it has fills, those of COUNTS_FILLED are by
    what FILLS_OF says, and museums were accepted unseen, with a confidence of 0.9.
    """
    workspace = Workspace(root)
    classes = builders.class_rows({key: [(qid, NAMES[qid])] for key, qid in CLASS_OF.items()})
    landmarks = [
        {"split": space, "landmark_id": number, "category": f"c/{space}/{number}"}
        for space, number in (*CLASS_OF, *(FILLS_OF if has_fills else ()))
    ]
    images = [*image_rows(), *(image_rows(COUNTS_FILLED) if has_fills else ())]
    builders.write_metadata(workspace, landmarks, images)
    scraped = [{**row, "status": "ok", "qid": f"Q{row['landmark_id']}"} for row in landmarks]
    builders.write_scrape(workspace, classes, scraped)
    builders.write_taxonomy(workspace, classes, DECISIONS)
    if has_fills:
        unseen = {"decision": "proposed", "reviewer": None, "confidence": 0.9}
        change_taxonomy(workspace, {"Q2": unseen | {"accepted_above": 0.5}})
        write_fills(workspace, FILL_ROWS)
    run_annotate(workspace, AnnotateConfig(images_per_shard=10, fills=has_fills))
    builders.write_sums(workspace.path("annotations"))
    return workspace


def draw_pictures(root: Path) -> None:
    """Draws the picture of each image, in a colour that its id says."""
    for row in image_rows():
        name = str(row["image_id"])
        path = root / "images" / str(row["split"]) / gldv2_place(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (12, 8), colour(name)).save(path, quality=95)


def colour(name: str) -> tuple[int, int, int]:
    """Returns the colour of an image's picture."""
    red, green, blue = bytes.fromhex(name[-6:])
    return red, green, blue
