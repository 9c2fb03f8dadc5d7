"""Small data sets in the official formats of large ones."""

import json
import pickle
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from hgld.benchmarks.datasets.retrieval_data import RetrievalData

SOP_HEADER = "image_id class_id super_class_id path"
SOP_TRAIN = [
    "1 1 1 bicycle_final/a_0.JPG",
    "2 1 1 bicycle_final/a_1.JPG",
    "3 2 2 mug_final/b_0.JPG",
]
SOP_TEST = [
    *("4 3 1 bicycle_final/c_0.JPG", "5 3 1 bicycle_final/c_1.JPG"),
    *("6 4 1 bicycle_final/d_0.JPG", "7 5 2 mug_final/e_0.JPG"),
]

RANKS = ("genus", "family", "order", "class", "phylum", "kingdom")
# category to super-category and taxonomy; Morus is a genus of mulberries and one of gannets
CATEGORIES = {
    0: ("Aves", "Morus", "Sulidae", "Suliformes", "Aves", "Chordata", "Animalia"),
    1: ("Aves", "Sula", "Sulidae", "Suliformes", "Aves", "Chordata", "Animalia"),
    2: ("Plantae", "Morus", "Moraceae", "Rosales", "Magnoliopsida", "Tracheophyta", "Plantae"),
    7: ("Plantae", "Ficus", "Moraceae", "Rosales", "Magnoliopsida", "Tracheophyta", "Plantae"),
}

CUB_CLASSES = {1: "001.Albatross", 2: "002.Auk", 101: "101.Pelican", 102: "102.Wren"}
# image id: class
CUB_IMAGES = {1: 1, 2: 1, 3: 2, 4: 101, 5: 101, 6: 102, 7: 102}


def write_lines(path: Path, lines: Sequence[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def write_sop(
    folder: Path, train: Sequence[str] = SOP_TRAIN, test: Sequence[str] = SOP_TEST
) -> Path:
    write_lines(folder / "Ebay_train.txt", [SOP_HEADER, *train])
    write_lines(folder / "Ebay_test.txt", [SOP_HEADER, *test])
    return folder


def write_cub(folder: Path) -> Path:
    names = {one: f"{CUB_CLASSES[number]}/{one:04d}.jpg" for one, number in CUB_IMAGES.items()}
    write_lines(folder / "classes.txt", [f"{one} {name}" for one, name in CUB_CLASSES.items()])
    write_lines(folder / "images.txt", [f"{one} {name}" for one, name in names.items()])
    labels = [f"{one} {number}" for one, number in CUB_IMAGES.items()]
    write_lines(folder / "image_class_labels.txt", labels)
    return folder


def categories() -> list[dict[str, object]]:
    return [
        {"id": one, "name": f"species {one}", "supercategory": top}
        | dict(zip(RANKS, ranks, strict=True))
        for one, (top, *ranks) in CATEGORIES.items()
    ]


def inat_path(category: int, number: int) -> str:
    return f"train_val2018/{CATEGORIES[category][0]}/{category}/{number:03d}.jpg"


def write_inat(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "categories.json").write_text(json.dumps(categories()))
    (folder / "train2018.json").write_text(json.dumps({"categories": categories()}))
    splits = folder / "Inat_dataset_splits"
    write_lines(splits / "Inaturalist_train_set1.txt", [inat_path(1, n) for n in range(3)])
    test = [inat_path(one, n) for one in (0, 2, 7) for n in range(2)]
    write_lines(splits / "Inaturalist_test_set1.txt", test)
    return folder


def ground_truth() -> dict[str, object]:
    """Returns what gnd_roxford5k.pkl holds, of two queries on five images."""
    return {
        "imlist": [f"oxford_{one:06d}" for one in range(5)],
        "qimlist": ["all_souls_000013", "ashmolean_000058"],
        "gnd": [
            {"bbx": [1.0, 2.0, 21.0, 32.0], "easy": [0], "hard": [3], "junk": [1]},
            {"bbx": [0.0, 0.0, 10.5, 20.5], "easy": [4], "hard": [], "junk": []},
        ],
    }


def write_revisited(folder: Path, content: object, name: str = "roxford5k") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"gnd_{name}.pkl").write_bytes(pickle.dumps(content, protocol=2))
    return folder


def draw_all(data: RetrievalData) -> None:
    """Draws each picture of queries and index in colours that its label says."""
    for table in (data.queries, data.index):
        for number, row in enumerate(table.to_pylist()):
            path = data.folder / row["path"]
            path.parent.mkdir(parents=True, exist_ok=True)
            label = int(row[data.levels[0].column]) if data.levels else number
            colours = np.random.default_rng(label).integers(0, 256, (2, 2, 3))
            noise = np.random.default_rng(number).integers(-20, 20, (2, 2, 3))
            pixels = (colours + noise).clip(0, 255).astype("uint8")
            Image.fromarray(pixels).resize((40, 36)).save(path, format="PNG")
