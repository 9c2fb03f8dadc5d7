import math
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hgld.engine.stage import Share
from hgld.engine.workspace import Workspace
from hgld.errors import MissingInputError
from hgld.labels.looks import landmarks, stage
from hgld.labels.looks.clip import Unread, Vote
from hgld.labels.looks.landmarks import Landmark
from hgld.labels.looks.stage import run_look, told_votes
from hgld.tables import IMAGE_FILES
from tests.worlds import unlabelled
from tests.worlds.unlabelled import CHURCH, LAKE, SITE, ColourModel, colour_config, picture_votes

PICTURES = {
    ("train", 1): "rrr",  # has a class
    ("train", 2): "rrgb",  # is ignored in each of its classes
    ("train", 3): "bbx",
    ("train", 4): "ryg",  # no majority
    ("train", 5): "xx",
    ("train", 6): "--",
    ("train", 7): "",
    ("train", 8): "RRR",  # none is in train_clean.csv
    ("index", 1): "gg",
    ("index", 2): "r",
}
CLASSES = {("train", 1): [CHURCH], ("train", 2): [SITE], ("index", 2): [SITE, LAKE]}
# The last gives the ignored class a place in the taxonomy, and has no picture.
WITHOUT_LABEL = [("index", 1), *(("train", number) for number in (*range(2, 9), 903))]


@pytest.fixture(autouse=True)
def unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landmarks, "CHECKED", 0)


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> ColourModel:
    """Stands in for CLIP: with a scale of ln 6 a plain colour is sure by 6 / (6 + 1 + 1) = 3/4."""
    model = ColourModel(math.log(6))
    monkeypatch.setattr(stage, "load_clip", lambda *_: model)
    return model


@pytest.fixture
def build(workspace: Workspace) -> Workspace:
    unlabelled.write_unlabelled(workspace, PICTURES, classes=CLASSES)
    return workspace


def test_every_landmark_without_a_label_gets_a_row(build: Workspace, model: ColourModel) -> None:
    report = run_look(build, colour_config(build))
    rows = picture_votes(build)
    assert [*rows] == WITHOUT_LABEL
    assert [row["status"] for row in rows.values()] == ["ok"] * 4 + ["no_picture"] * 5
    assert (report.manifest.rows, report.manifest.problems, report.manifest.failed) == (9, 5, 0)
    assert model.prepared == 4 + 2 + 3 + 2
    assert model.batches == [4, 2, 3, 2]  # a batch is of one landmark
    # Names are put into the prompt without the space at their end.
    assert model.texts == [f"A picture of a {name}" for name in ("church", "lake", "ocean area")]
    row = rows["train", 3]
    assert (row["best_guess"], row["pictures"], row["left_out"]) == ("ocean area ", 2, 1)
    assert (row["confidence"], row["share"]) == (pytest.approx(0.75), 1)  # 6 / (6 + 1 + 1)


@pytest.mark.usefixtures("model")
def test_some_landmarks_that_have_a_label_are_looked_at_as_well(
    build: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(landmarks, "CHECKED", 2)
    run_look(build, colour_config(build))
    assert {*picture_votes(build)} > {*WITHOUT_LABEL}
    assert len(picture_votes(build)) == len(WITHOUT_LABEL) + 2 + 1  # the index has one


def test_the_first_pictures_count_of_all_train_images_if_asked(
    build: Workspace, model: ColourModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(landmarks, "MOST_PICTURES", 2)  # the first by their id
    config = colour_config(build)
    run_look(build, config)
    assert picture_votes(build)["train", 8]["status"] == "no_picture"
    assert not run_look(build, config, train="all").skipped
    votes = picture_votes(build)
    assert (votes["train", 2]["share"], votes["train", 2]["confidence"]) == (1.0, 0.75)
    assert votes["train", 8]["best_guess"] == "church"
    # How many are without a file, and bad.
    told = [re.findall(r"\d+", votes["train", number]["evidence"]) for number in (5, 6, 7)]
    assert told == [["0", "2"], ["2", "0"], ["0", "0"]]
    assert model.prepared == 2 + 2 + 2 + 2 + 2  # none twice


# Runs and reruns


def test_shares_of_processes_and_actors_find_the_votes_that_one_process_finds(
    build: Workspace, model: ColourModel, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(stage, "PART", 2)
    config = colour_config(build)
    counts = []
    for rank in range(2):
        with build.lock(f"{rank}-of-2"):
            run_look(build, config, share=Share(rank=rank, world=2))
        counts.append(model.prepared)
    assert 0 < counts[0] < counts[1]
    joined = run_look(build, config)
    assert model.prepared == counts[1] == 4 + 2 + 3 + 2
    # Actors return what they found in any order.
    monkeypatch.setattr(
        stage,
        "actors_of_ray",
        lambda _, kind, *given: lambda parts: map(kind(*given), reversed([*parts])),
    )
    for actors in (0, 2):
        alone = Workspace(tmp_path / f"alone{actors}")
        unlabelled.write_unlabelled(alone, PICTURES, classes=CLASSES)
        assert run_look(alone, config, actors=actors).manifest.outputs == joined.manifest.outputs


def test_a_decision_costs_few_looks(build: Workspace, model: ColourModel, tmp_path: Path) -> None:
    run_look(build, colour_config(build))
    prepared = model.prepared
    # The index landmark 2 loses its class, the train landmark 2 has one now.
    other = {("train", 1): [CHURCH], ("train", 2): [SITE, LAKE], ("index", 2): [SITE]}
    unlabelled.write_unlabelled(build, PICTURES, classes=other)
    warm = run_look(build, colour_config(build))
    assert not warm.skipped
    assert model.prepared == prepared + 1
    assert picture_votes(build)["index", 2]["best_guess"] == "church"
    # What is taken over is what a fresh run makes.
    fresh = Workspace(tmp_path / "fresh")
    unlabelled.write_unlabelled(fresh, PICTURES, classes=other)
    assert run_look(fresh, colour_config(build)).manifest.outputs == warm.manifest.outputs


def test_a_split_needs_no_pictures_of_the_other_and_other_settings_or_weights_look_again(
    build: Workspace, model: ColourModel
) -> None:
    build.manifest_path("images-train").unlink()
    with pytest.raises(MissingInputError, match="--split train"):
        run_look(build, colour_config(build))
    config = colour_config(build, split="index")
    for count, one in enumerate((config, replace(config, normalisation="inception")), 1):
        run_look(build, one)
        assert model.batches == [2] * count
        assert list(picture_votes(build)) == [("index", 1)]
    Path(config.weights).write_bytes(b"other colours")
    run_look(build, config)
    assert model.batches == [2] * 3


def test_mended_pictures_are_looked_at_again(build: Workspace, model: ColourModel) -> None:
    files = {row["image_id"]: row["path"] for row in build.read(IMAGE_FILES["train"]).to_pylist()}
    # Three of the four of landmark 2, and all that can be read of landmark 3.
    numbers = (20000, 20001, 20002, 30000, 30001)
    paths = [build.path(files[f"t{number:08d}"]) for number in numbers]
    pictures = {path: path.read_bytes() for path in paths}
    paths[0].write_bytes(pictures[paths[4]])
    for path in paths[1:]:
        path.unlink()
    assert run_look(build, colour_config(build)).manifest.failed == 1
    prepared = model.prepared
    for path, content in pictures.items():
        path.write_bytes(content)
    assert run_look(build, colour_config(build)).manifest.failed == 0
    votes = picture_votes(build)
    assert votes["train", 2]["pictures"] == 4
    assert votes["train", 3]["best_guess"] == "ocean area "
    assert model.prepared == prepared + 4 + 2  # and of no other landmark


# Votes

CHANGED, BROKEN = Unread("is gone", is_changed=True), Unread("cut short", is_changed=False)


def told(looked: Sequence[Vote | Unread], bad: int = 0) -> dict[str, Any]:
    landmark = Landmark(split="train", landmark_id=7, pictures=[], bad=bad, absent=4)
    return told_votes(landmark, looked, ["church", "lake", "park"])


def test_most_votes_win_with_their_share_and_the_mean_confidence_of_their_pictures() -> None:
    row = told([Vote(1, 0.9), Vote(0, 0.99), Vote(1, 0.6), Vote(1, 0.75), Vote(2, 0.2)])
    assert (row["split"], row["landmark_id"], row["status"]) == ("train", 7, "ok")
    assert (row["best_guess"], row["share"]) == ("lake", 0.6)
    assert row["confidence"] == pytest.approx(0.75)  # (0.9 + 0.6 + 0.75) / 3
    assert (row["pictures"], row["left_out"]) == (5, 0)
    assert row["evidence"] == "lake: 3 of 5 pictures, confidence 0.75; then church: 1"
    # Of equally many the more confident win: 0.7 beats 0.65.
    tied = told([Vote(0, 0.6), Vote(1, 0.9), Vote(0, 0.7), Vote(1, 0.5)])
    assert tied["best_guess"] == "lake"


def test_damaged_pictures_have_no_vote_and_are_counted() -> None:
    cases: list[tuple[list[Vote | Unread], int, str, int]] = [
        ([Vote(0, 0.9), BROKEN], 2, "ok", 3),
        ([Vote(0, 0.9), CHANGED], 0, "ok", 1),
        ([], 1, "no_picture", 1),
        ([BROKEN], 0, "no_picture", 1),
        ([CHANGED, BROKEN], 0, "failed", 2),
    ]
    for looked, bad, status, left_out in cases:
        row = told(looked, bad)
        assert (row["status"], row["left_out"]) == (status, left_out)
        assert f"{left_out} left out" in row["evidence"]
        assert row.get("share") == (1 if status == "ok" else None)
