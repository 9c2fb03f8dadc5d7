"""A small build with annotations, as `annotate` writes them, and its pictures."""

from pathlib import Path

from PIL import Image

from hgld.annotations.stage import AnnotateConfig, run_annotate
from hgld.engine.files import file_digest
from hgld.engine.workspace import Workspace
from hgld.loading.places import gldv2_place
from tests.worlds.builders import class_rows, write_metadata, write_scrape, write_taxonomy

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
COUNTS = {
    "train": {1: 6, 2: 2, 3: 5, 4: 4},
    "index": {1: 3, 2: 2, 10: 2},
    "test": {1: 1, 10: 2},
}
LABEL_OF = {qid: label for qid, (_, label, _) in CLASSES.items()}


def image_id(split: str, landmark: int, number: int) -> str:
    """Returns an id of 16 hex digits, whose order is not that of the landmarks."""
    return f"{(number * 7919 + landmark * 104729 + len(split)) * 0x9E3779B97F4A7C15 % 2**64:016x}"


def image_rows() -> list[dict[str, object]]:
    """Returns the rows of IMAGES."""
    return [
        {"split": split, "image_id": image_id(split, landmark, number), "landmark_id": landmark}
        | ({"in_clean": True} if split == "train" else {})
        for split, landmarks in COUNTS.items()
        for landmark, count in landmarks.items()
        for number in range(count)
    ]


def write_annotated(root: Path, *, images_per_shard: int = 10) -> Workspace:
    """Writes a build up to its annotations: two shards of train, one of index and of test."""
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
    write_metadata(workspace, landmarks, image_rows())
    scraped = [{**row, "status": "ok", "qid": f"Q{row['landmark_id']}"} for row in landmarks]
    write_scrape(workspace, class_rows(of_landmarks), scraped)
    decisions = {qid: ("assigned", label, side) for qid, (_, label, side) in CLASSES.items()}
    write_taxonomy(workspace, class_rows(of_landmarks), decisions)
    run_annotate(workspace, AnnotateConfig(images_per_shard=images_per_shard))
    write_sums(workspace.path("annotations"))
    return workspace


def write_sums(folder: Path) -> None:
    """Writes SHA256SUMS of all files of a folder, as a release has it."""
    sums = folder / "SHA256SUMS"
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path != sums)
    lines = [f"{file_digest(path)}  {path.relative_to(folder).as_posix()}\n" for path in files]
    sums.write_text("".join(lines), encoding="utf-8")


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
