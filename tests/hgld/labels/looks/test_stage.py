import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from hgld.engine.stage import find_beside
from hgld.engine.status import stage_status
from hgld.engine.workspace import Workspace
from hgld.errors import InputError, MissingInputError
from hgld.labels.looks import stage
from hgld.labels.looks.clip import Unread, Vote
from hgld.labels.looks.landmarks import Landmark
from hgld.labels.looks.stage import LookConfig, look_stage, run_look, told_votes
from hgld.tables import IMAGE_FILES, PICTURE_VOTES
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
# The landmark that gives the ignored class a place in the taxonomy; it has no picture.
BARE = ("train", 903)


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
    assert [*rows] == [("index", 1), *(("train", number) for number in range(2, 9)), BARE]
    assert [row["status"] for row in rows.values()] == ["ok"] * 4 + ["no_picture"] * 5
    assert (report.manifest.rows, report.manifest.problems, report.manifest.failed) == (9, 5, 0)
    assert model.prepared == 4 + 2 + 3 + 2
    assert model.batches == [4, 2, 3, 2]  # a batch is of one landmark
    # Names are put into the prompt without the space at their end.
    assert model.texts == [f"A picture of a {name}" for name in ("church", "lake", "ocean area")]
    row = rows["train", 3]
    assert (row["best_guess"], row["pictures"], row["left_out"]) == ("ocean area ", 2, 1)
    assert (row["confidence"], row["share"]) == (pytest.approx(0.75), 1)  # 6 / (6 + 1 + 1)


def test_no_picture_or_one_name_loads_no_model(workspace: Workspace, model: ColourModel) -> None:
    unlabelled.write_unlabelled(workspace, {("train", 1): "xx", ("index", 1): ""})
    run_look(workspace, colour_config(workspace))
    assert {row["status"] for row in picture_votes(workspace).values()} == {"no_picture"}
    one = {CHURCH: unlabelled.DECISIONS[CHURCH]}
    unlabelled.write_unlabelled(workspace, {("train", 1): "g"}, decisions=one)
    with pytest.raises(InputError, match="super-categories"):
        run_look(workspace, colour_config(workspace))
    assert model.texts == []


@pytest.mark.usefixtures("model")
def test_some_landmarks_that_have_a_label_are_looked_at_as_well(workspace: Workspace) -> None:
    pictures = {("train", number): "r" for number in range(1, 9)}
    labelled = {key: [CHURCH] for key in list(pictures)[:6]}
    unlabelled.write_unlabelled(workspace, pictures, classes=labelled)
    run_look(workspace, colour_config(workspace))
    assert [key[1] for key in picture_votes(workspace)] == [7, 8, 903]
    run_look(workspace, colour_config(workspace, checked=5))
    looked_at = {key[1] for key in picture_votes(workspace)}
    assert looked_at > {7, 8, 903}
    assert len(looked_at) == 8


def test_a_split_needs_no_pictures_of_the_other(build: Workspace, model: ColourModel) -> None:
    run_look(build, colour_config(build, pictures=2, train="all"))  # the first by their id
    votes = picture_votes(build)
    assert (votes["train", 2]["share"], votes["train", 2]["confidence"]) == (1.0, 0.75)
    assert votes["train", 8]["best_guess"] == "church"
    assert model.prepared == 2 + 2 + 2 + 2 + 2
    config = colour_config(build, split="index")
    build.manifest_path("images-train").unlink()
    run_look(build, config)
    assert list(picture_votes(build)) == [("index", 1)]
    with pytest.raises(MissingInputError, match="--split train"):
        run_look(build, colour_config(build))


# Runs and reruns


def test_a_second_run_is_skipped_and_other_shards_take_the_rows_over(
    build: Workspace, model: ColourModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = colour_config(build, workers=1)
    run_look(build, config)
    assert run_look(build, config).skipped
    assert stage_status(build, look_stage(config)).state == "done"
    before, prepared = picture_votes(build), model.prepared
    monkeypatch.setattr(stage, "PART", 2)
    run_look(build, colour_config(build, workers=4, pictures=29))
    assert picture_votes(build) == before
    assert len(build.shards(PICTURE_VOTES)) == 4 + 1
    assert model.prepared == prepared


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


def test_other_settings_or_weights_look_again(build: Workspace, model: ColourModel) -> None:
    config = colour_config(build)
    run_look(build, config)
    once = model.prepared
    run_look(build, replace(config, prompt="A picture of a  {label}"))
    assert model.prepared == 2 * once
    config = replace(config, normalisation="inception")
    run_look(build, config)
    assert model.prepared == 3 * once
    Path(config.weights).write_bytes(b"other colours")
    run_look(build, config)
    assert model.prepared == 4 * once


def test_a_run_stopped_midway_goes_on_and_ends_with_the_same_digests(
    build: Workspace, model: ColourModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Dying(ColourModel):
        def encode_pictures(self, prepared: Sequence[Any]) -> NDArray[np.float32]:
            if len(self.batches) == 2:  # the second shard is under way
                raise KeyboardInterrupt
            return super().encode_pictures(prepared)

    config = colour_config(build)
    monkeypatch.setattr(stage, "PART", 2)
    with monkeypatch.context() as patch:
        patch.setattr(stage, "load_clip", lambda *_: Dying(model.logit_scale))
        with pytest.raises(KeyboardInterrupt):
            run_look(build, config)
    assert [*find_beside(build, [PICTURE_VOTES])] == [PICTURE_VOTES.shard_path("train-00000")]
    assert build.manifest("look") is None

    resumed = run_look(build, config).manifest
    assert model.batches == [3, 2]  # of four landmarks with pictures, two were done
    undisturbed = Workspace(build.root.with_name("undisturbed"))
    unlabelled.write_unlabelled(undisturbed, PICTURES, classes=CLASSES)
    assert run_look(undisturbed, config).manifest.outputs == resumed.outputs


def test_mended_pictures_are_looked_at_again(build: Workspace, model: ColourModel) -> None:
    files = {row["image_id"]: row["path"] for row in build.read(IMAGE_FILES["train"]).to_pylist()}
    # Three of the four of landmark 2, and all that can be read of landmark 3.
    numbers = (20000, 20001, 20002, 30000, 30001)
    paths = [build.path(files[f"t{number:08d}"]) for number in numbers]
    pictures = [path.read_bytes() for path in paths]
    paths[0].write_bytes(pictures[4])
    for path in paths[1:]:
        path.unlink()
    config = colour_config(build)
    report = run_look(build, config)
    (shard,) = (path for path in build.shards(PICTURE_VOTES) if path.stem.startswith("train"))
    rows = {row["landmark_id"]: row for row in pq.read_table(shard).to_pylist()}
    assert (rows[2]["pictures"], rows[2]["best_guess"]) == (1, "ocean area ")
    assert rows[3]["status"] == "failed"
    assert report.manifest.failed == 1
    with pytest.raises(MissingInputError, match="hgld look"):
        build.read(PICTURE_VOTES)
    assert stage_status(build, look_stage(config)).state == "incomplete"
    prepared = model.prepared
    for path, content in zip(paths, pictures, strict=True):
        path.write_bytes(content)
    assert run_look(build, config).manifest.failed == 0
    assert picture_votes(build)["train", 2]["pictures"] == 4
    assert picture_votes(build)["train", 3]["best_guess"] == "ocean area "
    assert model.prepared == prepared + 4 + 2  # and of no other landmark


@pytest.mark.parametrize(
    ("name", "value"),
    [("prompt", "a photo"), ("checked", -1), ("pictures", 0), ("workers", 65), ("split", "test")],
)
def test_a_setting_that_no_run_could_use_is_named(name: str, value: Any) -> None:  # noqa: ANN401
    with pytest.raises(ValueError, match=name):
        LookConfig(**{name: value})


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


@pytest.mark.parametrize(
    ("votes", "front"),
    [
        ([Vote(0, 0.6), Vote(1, 0.9), Vote(0, 0.7), Vote(1, 0.5)], "lake"),  # 0.7 beats 0.65
        ([Vote(2, 0.75), Vote(1, 0.75)], "lake"),
    ],
)
def test_of_equally_many_the_more_confident_win(votes: list[Vote], front: str) -> None:
    assert told(votes)["best_guess"] == front


@pytest.mark.parametrize(
    ("looked", "bad", "status", "left_out"),
    [
        ([Vote(0, 0.9), BROKEN], 2, "ok", 3),
        ([Vote(0, 0.9), CHANGED], 0, "ok", 1),
        ([], 1, "no_picture", 1),
        ([BROKEN], 0, "no_picture", 1),
        ([CHANGED, BROKEN], 0, "failed", 2),
    ],
)
def test_damaged_pictures_have_no_vote_and_are_counted(
    looked: list[Vote | Unread], bad: int, status: str, left_out: int
) -> None:
    row = told(looked, bad)
    assert (row["status"], row["left_out"]) == (status, left_out)
    assert f"{left_out} left out" in row["evidence"]
    assert row.get("share") == (1 if status == "ok" else None)
