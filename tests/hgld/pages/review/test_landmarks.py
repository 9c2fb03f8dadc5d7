import random
from pathlib import Path

import numpy as np

from hgld.engine.workspace import Workspace
from hgld.pages.review.landmarks import LandmarkIndex, read_landmark_index
from tests.worlds.builders import class_rows, write_scrape


def index_of(
    folder: Path, classes: dict[tuple[str, int], list[str]], qids: list[str]
) -> LandmarkIndex:
    """Returns the index of landmarks with classes; even ones have no known category."""
    workspace = Workspace(folder / "build")
    rows = class_rows({key: [(qid, qid) for qid in of] for key, of in classes.items()})
    categories = [
        {"split": split, "landmark_id": number, "category": f"Category:{split}_{number}"}
        | {"status": "ok"}
        for split, number in classes
        if number % 2
    ]
    write_scrape(workspace, rows, categories)
    return read_landmark_index(workspace, qids)


def test_settled_landmarks_are_those_of_a_double_loop(tmp_path: Path) -> None:
    chance = random.Random(3)
    qids = [f"Q{number}" for number in range(1, 30)]
    classes = {
        (chance.choice(["train", "index"]), number): chance.choices([*qids, "Q999"], k=3)
        for number in range(200)
    }
    classes = {key: of for key, of in classes.items() if set(of) & set(qids)}
    index = index_of(tmp_path, classes, qids)
    assert len(index) == len(classes)
    for _ in range(20):
        decided = np.array([chance.random() < 0.7 for _ in qids])
        settled = [
            all(decided[qids.index(qid)] for qid in of if qid in qids) for of in classes.values()
        ]
        assert index.settled(decided) == sum(settled)


def test_train_and_index_landmarks_of_one_number_are_two_and_one_of_no_category_has_no_link(
    tmp_path: Path,
) -> None:
    classes = {("train", 7): ["Q1", "Q1"], ("index", 7): ["Q1", "Q2"], ("train", 2): ["Q1"]}
    index = index_of(tmp_path, classes, ["Q1", "Q2"])
    assert [(one.split, one.landmark_id, one.name) for one in index.examples(0)] == [
        *(("train", 2, "train 2"), ("train", 7, "train 7"), ("index", 7, "index 7"))
    ]
    link = "https://commons.wikimedia.org/wiki/Category:"
    assert [one.url for one in index.examples(0)] == ["", f"{link}train_7", f"{link}index_7"]
    assert len(index.of(1)) == 1
