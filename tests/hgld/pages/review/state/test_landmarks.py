import random
from pathlib import Path

import numpy as np

from hgld.engine.workspace import Workspace
from hgld.pages.review.state.landmarks import LandmarkIndex, read_landmark_index
from hgld.tables import CATEGORIES, CLASSES, SUPERCLASSES
from tests.worlds.builders import class_rows, table_of, write_stage


def index_of(
    folder: Path, classes: dict[tuple[str, int], list[str]], qids: list[str]
) -> LandmarkIndex:
    """Returns the index of landmarks with classes; some of their categories are unknown."""
    workspace = Workspace(folder / "build")
    rows = class_rows({key: [(qid, qid) for qid in of] for key, of in classes.items()})
    categories = [
        {"split": split, "landmark_id": number, "category": f"Category:{split}_{number}"}
        for split, number in classes
        if number % 2
    ]
    filled = [{"status": "ok"} | row for row in categories]
    write_stage(
        workspace,
        [
            (CATEGORIES, table_of(CATEGORIES, filled)),
            (CLASSES, rows),
            (SUPERCLASSES, SUPERCLASSES.schema.empty_table()),
        ],
    )
    return read_landmark_index(workspace, qids)


def test_settled_landmarks_and_groups_to_90_are_those_of_a_double_loop(tmp_path: Path) -> None:
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
        places = np.array([chance.randrange(6) for _ in qids])
        last = sorted(
            max(int(places[qids.index(qid)]) for qid in of if qid in qids)
            for of in classes.values()
        )
        wanted = next(
            place for place in range(6) if sum(each <= place for each in last) >= 0.9 * len(last)
        )
        found = index.settling(places)
        assert found == (len(last), last.count(0), wanted or None)
        assert int(index.settled(places == 0).sum()) == last.count(0)


def test_train_and_index_landmarks_of_one_number_are_two_and_statements_of_one_class_are_one(
    tmp_path: Path,
) -> None:
    index = index_of(
        tmp_path, {("train", 7): ["Q1", "Q1"], ("index", 7): ["Q1", "Q2"]}, ["Q1", "Q2"]
    )
    assert len(index) == 2
    assert [(one.split, one.landmark_id) for one in index.examples(0)] == [
        ("train", 7),
        ("index", 7),
    ]
    assert index.examples(0)[0].name == "train 7"
    assert [index.first_class(number) for number in (0, 1)] == [0, 0]
    assert len(index.of(1)) == 1


def test_a_landmark_of_unknown_category_has_no_link(tmp_path: Path) -> None:
    index = index_of(tmp_path, {("train", 2): ["Q1"], ("train", 3): ["Q1"]}, ["Q1"])
    assert [(one.name, one.url) for one in index.examples(0)] == [
        ("train 2", ""),
        ("train 3", "https://commons.wikimedia.org/wiki/Category:train_3"),
    ]


def test_without_a_scrape_there_are_no_landmarks(tmp_path: Path) -> None:
    index = read_landmark_index(Workspace(tmp_path / "build"), ["Q1", "Q2"])
    assert (len(index), index.examples(1)) == (0, ())
    assert index.settling(np.array([1, 0])) == (0, 0, None)
    assert index.settled(np.array([True, True])).tolist() == []
