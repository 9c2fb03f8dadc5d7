"""A small finished build of every stage, made in seconds and the same each time.

Twelve made-up landmarks of six classes, pictures of one colour each, answers as the services would
give them, and a person's decisions on all classes but one, whose proposal is accepted. `generation`
1 is the same build at an earlier time: other pictures, classes and decisions under the same names.
"""

import csv
import hashlib
import io
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pytest
from PIL import Image

from hgld.engine.files import write_text
from hgld.engine.workspace import Workspace
from hgld.scrape.stage import run_scrape
from tests.worlds.commands.typed import said
from tests.worlds.gldv2.files import add_tar, tar_bytes
from tests.worlds.review.sheets import rows_of, write_rows
from tests.worlds.taxonomies import write_taxonomy
from tests.worlds.wikimedia import small
from tests.worlds.wikimedia.scraping import fast_config

_CLASSES = {
    "Q16970": ("church building", "church", "human-made"),
    "Q108325": ("chapel", "church", "human-made"),
    "Q12280": ("bridge", "bridge", "human-made"),
    "Q23397": ("lake", "lake", "natural"),
    "Q34038": ("waterfall", "waterfall", "natural"),
    "Q23413": ("castle", "", ""),
}
"""Q-id to label, super-category and side; the last one is left to its proposal."""
_LANDMARKS = {"train": range(1, 9), "index": range(101, 105)}
_VIEWS = {"train": 4, "index": 3, "test": 2}
_TARS = {"train": 2, "index": 1, "test": 1}
_ADDRESS = "http://commons.wikimedia.org/wiki/Category:"

_SETTINGS = """\
[metadata]
base_url = "{source}/metadata"
[scrape]
replay = true
[embed]
encoder = "minilm"
taxonomy = "{source}/taxonomy"
[cluster]
clusters = 4
[review]
accept_proposals = true
[annotate]
images_per_shard = 16
[images]
base_url = "{source}"
train_tars = 2
index_tars = 1
test_tars = 1
[train]
backbone = "test_resnet"
weights = "random"
embedding_dim = 8
image_size = 32
batch_size = 16
epochs = 2
precision = "float32"
workers = 0
checkpoint_every_s = 1e-9
log_every_steps = 1
[benchmark]
workers = 0
"""


def write_inputs(folder: Path, generation: int = 0) -> Workspace:
    """Writes what a build is made from: source, raw answers and settings.

    Args:
        folder: where `source/` and `build/` are made.
        generation: 1 for the same build at an earlier time.
    """
    workspace = Workspace(folder / "build")
    _write_source(folder / "source", generation)
    _write_taxonomy(folder / "source/taxonomy")
    write_text(workspace.path("hgld.toml"), _SETTINGS.format(source=folder / "source"))
    _write_answers(workspace, generation)
    return workspace


def finish_build(workspace: Workspace, generation: int) -> None:
    """Builds as a user does: up to the review, a sheet, its decisions, and to the end."""
    root = ["--root", str(workspace.root)]
    sheet = workspace.root.parent / "sheet.csv"
    for step in ("metadata", "scrape", "embed", "cluster", "propose"):
        said(step, *root)
    said("review", *root, "--export", str(sheet))
    fill_in(sheet, generation)
    said("review", *root, "--apply", str(sheet), "--reviewer", "Ann")
    said("build", *root)


def fill_in(sheet: Path, generation: int = 0) -> None:
    """Decides on all classes but one, as a person would in a spreadsheet."""
    rows = rows_of(sheet)
    for row in rows:
        _, label, side = _CLASSES[row["class_qid"]]
        if label:
            row |= {"action": "assign", "hierarchical_label": label, "natural_or_human_made": side}
        if generation and label == "lake":
            row["hierarchical_label"] = "water"
    write_rows(sheet, rows)


def _write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    write_text(path, text.getvalue())


def _images(split: str) -> Iterator[tuple[str, int]]:
    """Yields the images of a split with their landmarks, in the order of their ids."""
    landmarks = _LANDMARKS["train" if split == "train" else "index"]
    found = [
        (hashlib.sha256(f"{split} {landmark} {view}".encode()).hexdigest()[:16], landmark)
        for landmark in landmarks
        for view in range(_VIEWS[split])
    ]
    yield from sorted(found)


def _write_source(folder: Path, generation: int) -> None:
    """Writes GLDv2's tables and tars."""
    tables, train, index = folder / "metadata", list(_images("train")), list(_images("index"))
    _write_csv(tables / "train.csv", ("id", "url", "landmark_id"), [(i, "", n) for i, n in train])
    shown = {
        number: " ".join(image for image, landmark in (*train, *index) if landmark == number)
        for numbers in _LANDMARKS.values()
        for number in numbers
    }
    clean = [(number, shown[number]) for number in _LANDMARKS["train"]]
    _write_csv(tables / "train_clean.csv", ("landmark_id", "images"), clean)
    _write_csv(tables / "index_image_to_landmark.csv", ("id", "landmark_id"), index)
    for split, numbers in _LANDMARKS.items():
        path = tables / f"{split}_label_to_category.csv"
        rows = [(number, f"{_ADDRESS}Place {number}") for number in numbers]
        _write_csv(path, ("landmark_id", "category"), rows)
    test = list(_images("test"))
    _write_csv(tables / "test.csv", ("id",), [(image,) for image, _ in test])
    solution = [(image, shown[landmark], "Public") for image, landmark in test]
    columns = ("id", "images", "Usage")
    _write_csv(tables / "retrieval_solution_v2.1.csv", columns, solution)
    for split, count in _TARS.items():
        images = list(_images(split))
        for number in range(count):
            pictures = {
                f"{'/'.join(image[:3])}/{image}.jpg": _picture(image, landmark, generation)
                for image, landmark in images[number::count]
            }
            add_tar(folder, split, number, tar_bytes(pictures))


def _picture(image: str, landmark: int, generation: int) -> bytes:
    """Returns a JPEG of a landmark's colour, with a block where the image's id says."""
    colour = (landmark * 67 % 256, landmark * 131 % 256, 40 + 90 * generation)
    drawn = Image.new("RGB", (40, 36), colour)
    place = int(image[:2], 16) % 20
    drawn.paste((255 - colour[0], place * 9, 200), (place, 4, place + 15, 30))
    data = io.BytesIO()
    drawn.save(data, "JPEG", quality=80)
    return data.getvalue()


def _title(landmark: int) -> str:
    return f"Category:Place {landmark}"


def _classes_of(landmark: int, generation: int) -> list[str]:
    """Returns one class, or two for every third landmark."""
    qids = list(_CLASSES)
    first = landmark + generation * (landmark % 2)
    return [qids[(first + step) % len(qids)] for step in range(2 if landmark % 3 == 0 else 1)]


def _write_taxonomy(folder: Path) -> None:
    """Writes a taxonomy of the classes alone: the shipped one has 3,400 words to encode."""
    named = [(label, side, text) for text, label, side in _CLASSES.values() if label]
    lines = "".join(dict.fromkeys(f"{label},{side},A place.\n" for label, side, _ in named))
    words = "".join(f"{label},en,{text}\n" for label, _, text in named)
    write_taxonomy(
        folder,
        supercategories=f"hierarchical_label,natural_or_human_made,description\n{lines}",
        aliases=f"hierarchical_label,language,alias\n{words}",
    )


def _write_answers(workspace: Workspace, generation: int) -> None:
    """Writes the raw archive of a scrape from the small Wikimedia, had it these landmarks."""
    landmarks = [(split, number) for split, numbers in _LANDMARKS.items() for number in numbers]
    items = {number: f"Q{900_000 + number}" for _, number in landmarks}
    known = {_title(number): {"pageprops": {"wikibase_item": items[number]}} for number in items}
    says = {
        item: " ".join(f"P31:{qid}" for qid in _classes_of(number, generation))
        for number, item in items.items()
    }
    labels = {qid: {"en": label} for qid, (label, _, _) in _CLASSES.items()}
    scraped = Workspace(workspace.root.parent / "scraped")
    listed = scraped.root / "landmarks.csv"
    rows = [(split, number, f"{_ADDRESS}Place {number}") for split, number in landmarks]
    _write_csv(listed, ("split", "landmark_id", "category"), rows)
    with pytest.MonkeyPatch.context() as patch, small.serving() as server:
        for name, facts in (("PAGES", known), ("FACTS", says), ("LABELS", labels)):
            patch.setattr(small, name, facts)
        run_scrape(scraped, fast_config(server), listed)
    scraped.path("raw").rename(workspace.path("raw"))
    shutil.rmtree(scraped.root)
