import hashlib
import logging
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hgld.engine.status import stage_status
from hgld.engine.workspace import Workspace
from hgld.errors import InputError, MissingInputError
from hgld.labels.looks.stage import LookConfig, look_stage, run_look
from hgld.tables import IMAGE_FILES, PICTURE_VOTES
from tests.worlds.builders import table_of, write_stage
from tests.worlds.unlabelled import (
    CHURCH,
    DECISIONS,
    LAKE,
    SITE,
    ColourModel,
    Pictures,
    colour_config,
    picture_votes,
    write_unlabelled,
)

PICTURES: Pictures = {
    ("train", 1): "rrr",  # has a class
    ("train", 2): "rrgb",  # is ignored in each of its classes
    ("train", 3): "bbx",
    ("train", 4): "ryg",  # no majority
    ("train", 5): "xx",
    ("train", 6): "--",
    ("train", 7): "",
    ("train", 8): "RRR",
    ("index", 1): "gg",
    ("index", 2): "r",
}
CLASSES = {("train", 1): [CHURCH], ("train", 2): [SITE], ("index", 2): [SITE, LAKE]}
# The landmark that gives the ignored class a place in the taxonomy; it has no picture.
BARE = ("train", 903)


@pytest.fixture
def build(workspace: Workspace) -> Workspace:
    write_unlabelled(workspace, PICTURES, classes=CLASSES)
    return workspace


def test_every_landmark_without_a_class_that_has_a_vote_gets_a_row(
    build: Workspace, model: ColourModel
) -> None:
    report = run_look(build, colour_config(build, min_share=0.6))
    rows = picture_votes(build)
    assert {key: row["status"] for key, row in rows.items()} == {
        ("train", 2): "low_share",  # 2 of 4
        ("train", 3): "ok",
        ("train", 4): "ok",  # red and yellow are churches: 2 of 3
        ("train", 5): "no_picture",
        ("train", 6): "no_picture",
        ("train", 7): "no_picture",
        ("train", 8): "no_picture",  # none is in train_clean.csv
        BARE: "no_picture",
        ("index", 1): "ok",
    }
    assert (report.manifest.rows, report.manifest.problems, report.manifest.failed) == (9, 6, 0)
    assert model.prepared == 4 + 2 + 3 + 2


@pytest.mark.usefixtures("model")
def test_a_row_holds_the_label_as_it_is_in_use_and_what_speaks_for_it(build: Workspace) -> None:
    run_look(build, colour_config(build))
    row = picture_votes(build)["train", 3]
    assert len(row.pop("made_from")) == 16
    assert row == {
        "split": "train",
        "landmark_id": 3,
        "status": "ok",
        "hierarchical_label": "ocean area ",
        "natural_or_human_made": "natural",
        "best_guess": "ocean area ",
        "confidence": pytest.approx(0.75),  # 6 / (6 + 1 + 1)
        "share": 1.0,
        "pictures": 2,
        "left_out": 1,
        "evidence": (
            "ocean area : 2 of 2 pictures, confidence 0.75; 1 picture left out as damaged"
        ),
        "method": "zero_shot",
    }
    # Yellow has cosine 1 / sqrt(2) with two names: x / (2 x + 1), x = 6 ** (1 / sqrt(2)) = 3.5503,
    # is 0.4383. With red's 0.75 that is 0.5941 on average.
    assert picture_votes(build)["train", 4]["confidence"] == pytest.approx(0.5941, abs=1e-4)
    assert picture_votes(build)["train", 4]["evidence"].startswith("church: 2 of 3 pictures")


@pytest.mark.usefixtures("model")
def test_a_landmark_that_has_a_label_is_looked_at_to_see_how_often_pictures_are_right(
    tmp_path: Path,
) -> None:
    workspace = Workspace(tmp_path / "build")
    pictures = {("train", number): "r" for number in range(1, 9)}
    labelled = {key: [CHURCH] for key in list(pictures)[:6]}
    write_unlabelled(workspace, pictures, classes=labelled)
    run_look(workspace, colour_config(workspace))
    assert [key[1] for key in picture_votes(workspace)] == [7, 8, 903]
    run_look(workspace, colour_config(workspace, checked=5))
    looked_at = {key[1] for key in picture_votes(workspace)}
    assert looked_at > {7, 8, 903}
    assert len(looked_at) == 8


def test_names_are_put_into_the_prompt_without_the_space_at_their_end(
    build: Workspace, model: ColourModel
) -> None:
    run_look(build, colour_config(build))
    assert model.texts == [f"A picture of a {name}" for name in ("church", "lake", "ocean area")]


@pytest.mark.usefixtures("model")
def test_thresholds_are_those_of_the_settings(build: Workspace) -> None:
    run_look(build, colour_config(build, min_share=0.5))
    assert picture_votes(build)["train", 2]["hierarchical_label"] == "church"
    report = run_look(build, colour_config(build, min_share=0.5, min_confidence=0.76))
    assert not report.skipped
    assert {row["hierarchical_label"] for row in picture_votes(build).values()} == {None}
    assert picture_votes(build)["index", 1]["status"] == "low_confidence"


def test_all_train_images_are_looked_at_where_that_is_asked_for(
    build: Workspace, model: ColourModel
) -> None:
    run_look(build, colour_config(build, train="all"))
    assert picture_votes(build)["train", 8]["hierarchical_label"] == "church"
    assert model.prepared == 4 + 2 + 3 + 3 + 2


def test_no_more_pictures_than_are_asked_for_are_looked_at_the_first_by_their_id(
    build: Workspace, model: ColourModel
) -> None:
    run_look(build, colour_config(build, pictures=2))
    assert (
        picture_votes(build)["train", 2]["evidence"] == "church: 2 of 2 pictures, confidence 0.75"
    )
    assert model.prepared == 2 + 2 + 2 + 2


def test_a_batch_is_of_one_landmark(build: Workspace, model: ColourModel) -> None:
    run_look(build, colour_config(build))
    assert model.batches == [4, 2, 3, 2]


@pytest.mark.usefixtures("model")
def test_one_split_needs_no_pictures_of_the_other(build: Workspace) -> None:
    config = colour_config(build, split="index")
    build.manifest_path("images-train").unlink()
    run_look(build, config)
    assert list(picture_votes(build)) == [("index", 1)]
    with pytest.raises(MissingInputError, match="run `hgld images --split train`"):
        run_look(build, colour_config(build))


def test_no_landmark_to_fill_gives_no_row_and_loads_no_model(
    workspace: Workspace, model: ColourModel
) -> None:
    write_unlabelled(workspace, {}, classes={BARE: [LAKE]})
    assert run_look(workspace, colour_config(workspace)).manifest.rows == 0
    assert picture_votes(workspace) == {}
    assert model.texts == []


def test_landmarks_without_pictures_load_no_model(workspace: Workspace, model: ColourModel) -> None:
    write_unlabelled(workspace, {("train", 1): "xx", ("index", 1): ""})
    run_look(workspace, colour_config(workspace))
    assert {row["status"] for row in picture_votes(workspace).values()} == {"no_picture"}
    assert model.texts == []


def test_a_taxonomy_of_one_name_is_refused_since_every_picture_would_be_sure_of_it(
    workspace: Workspace, model: ColourModel
) -> None:
    decisions = {CHURCH: DECISIONS[CHURCH]}
    write_unlabelled(workspace, {("train", 1): "g"}, decisions=decisions)
    with pytest.raises(InputError, match="two super-categories or more to choose from, got 1"):
        run_look(workspace, colour_config(workspace))
    assert model.texts == []


def test_ignored_classes_without_a_reviewer_have_no_vote_either(
    workspace: Workspace, model: ColourModel
) -> None:
    machine = DECISIONS | {SITE: ("ignored", None, None)}
    write_unlabelled(workspace, PICTURES, classes=CLASSES, decisions=machine)  # type: ignore[arg-type]
    run_look(workspace, colour_config(workspace))
    assert ("train", 2) in picture_votes(workspace)
    assert model.prepared


def names_file(folder: Path, *rows: str) -> Path:
    path = folder / "names.csv"
    head = "hierarchical_label,natural_or_human_made,description"
    path.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    return path


def test_names_of_a_file_take_the_place_of_those_in_use(
    build: Workspace, model: ColourModel, tmp_path: Path
) -> None:
    run_look(build, colour_config(build))
    prepared = model.prepared
    # What is the greenest of churches and oceans? Equally far from both: the first one.
    path = names_file(tmp_path, "ocean area ,natural,seas", "church,human-made,")
    config = colour_config(build, names=path, min_confidence=0.5)
    run_look(build, config)
    assert model.prepared == 2 * prepared
    row = picture_votes(build)["index", 1]
    assert (row["hierarchical_label"], row["confidence"]) == ("church", 0.5)
    assert run_look(build, config).skipped
    names_file(tmp_path, "ocean area ,natural,seas", "lake,natural,")
    assert not run_look(build, config).skipped
    assert picture_votes(build)["index", 1]["hierarchical_label"] == "lake"


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (["lake,human-made,"], "'lake' must be natural, as in the taxonomy, got human-made"),
        (["lake,wet,"], "'lake' must be a name with natural or human-made as side, got 'wet'"),
        ([" ,natural,"], "' ' must be a name with natural or human-made as side"),
        (["lake,natural,", "lake,natural,"], "hierarchical_label lake stands in 2 rows; keep one"),
        (["lake,natural,"], "two super-categories or more to choose from, got 1"),
    ],
)
@pytest.mark.usefixtures("model")
def test_a_file_of_names_that_cannot_be_used_is_refused(
    build: Workspace, tmp_path: Path, rows: list[str], words: str
) -> None:
    config = colour_config(build, names=names_file(tmp_path, *rows))
    with pytest.raises(InputError, match=words):
        run_look(build, config)


# Runs and reruns


def test_a_second_run_is_skipped_and_the_stage_is_done(
    build: Workspace, model: ColourModel
) -> None:
    config = colour_config(build)
    run_look(build, config)
    prepared = model.prepared
    assert run_look(build, config).skipped
    assert model.prepared == prepared
    assert stage_status(build, look_stage(config)).state == "done"


def test_more_threads_and_other_shards_give_the_same_rows(
    build: Workspace, model: ColourModel
) -> None:
    run_look(build, colour_config(build, workers=1))
    before, prepared = picture_votes(build), model.prepared
    run_look(build, colour_config(build, workers=4, landmarks_per_shard=2))
    assert picture_votes(build) == before
    assert len(build.shards(PICTURE_VOTES)) == 4 + 1
    assert model.prepared == prepared  # taken over


def test_another_decision_costs_a_look_at_the_landmarks_that_it_bares(
    build: Workspace, model: ColourModel
) -> None:
    run_look(build, colour_config(build))
    before, prepared = picture_votes(build), model.prepared
    # The index landmark 2 loses its class, the train landmark 2 has one now.
    other = {("train", 1): [CHURCH], ("train", 2): [SITE, LAKE], ("index", 2): [SITE]}
    write_unlabelled(build, PICTURES, classes=other)
    assert not run_look(build, colour_config(build)).skipped
    after = picture_votes(build)
    assert model.prepared == prepared + 1
    assert after["index", 2]["hierarchical_label"] == "church"
    assert ("train", 2) not in after
    assert {key: after[key] for key in before if key != ("train", 2)} == {
        key: row for key, row in before.items() if key != ("train", 2)
    }


def test_what_is_taken_over_is_what_a_fresh_run_makes(
    build: Workspace, tmp_path: Path, model: ColourModel
) -> None:
    run_look(build, colour_config(build))
    other = CLASSES | {("index", 2): [SITE]}
    write_unlabelled(build, PICTURES, classes=other)
    fresh = Workspace(tmp_path / "fresh")
    write_unlabelled(fresh, PICTURES, classes=other)
    first = run_look(build, colour_config(build)).manifest
    assert run_look(fresh, colour_config(build)).manifest.outputs == first.outputs
    assert model.prepared


@pytest.mark.parametrize(
    "settings", [{"prompt": "A picture of a  {label}"}, {"normalisation": "inception"}]
)
def test_other_settings_look_again(
    build: Workspace, model: ColourModel, settings: dict[str, object]
) -> None:
    run_look(build, colour_config(build))
    prepared = model.prepared
    run_look(build, colour_config(build, **settings))
    assert model.prepared == 2 * prepared


def test_other_weights_in_the_same_file_look_again(build: Workspace, model: ColourModel) -> None:
    config = colour_config(build)
    run_look(build, config)
    prepared = model.prepared
    Path(config.weights).write_bytes(b"other colours")
    assert not run_look(build, config).skipped
    assert model.prepared == 2 * prepared


def test_another_picture_of_a_landmark_looks_at_that_landmark_again(
    build: Workspace, model: ColourModel
) -> None:
    run_look(build, colour_config(build))
    prepared = model.prepared
    write_unlabelled(build, {**PICTURES, ("train", 3): "bbr"}, classes=CLASSES)
    run_look(build, colour_config(build))
    assert model.prepared == prepared + 3
    assert picture_votes(build)["train", 3]["share"] == pytest.approx(2 / 3)


@pytest.mark.usefixtures("model")
def test_fewer_landmarks_leave_no_shard_of_the_old_ones(build: Workspace) -> None:
    run_look(build, colour_config(build, landmarks_per_shard=1))
    write_unlabelled(build, {("index", 1): "gg"}, classes={BARE: [CHURCH]})
    run_look(build, colour_config(build, landmarks_per_shard=1))
    assert list(picture_votes(build)) == [("index", 1)]
    assert [path.name for path in build.shards(PICTURE_VOTES)] == ["index-00000.parquet"]


def test_weights_that_change_while_they_are_loaded_are_refused(
    build: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = colour_config(build)

    def load(config: LookConfig) -> ColourModel:
        Path(config.weights).write_bytes(b"others")
        return ColourModel(1.0)

    monkeypatch.setattr("hgld.labels.looks.rows.load_picture_model", load)
    with pytest.raises(InputError, match="are others than the run started with"):
        run_look(build, config)
    assert build.manifest("look") is None


# Damaged pictures


def picture_of(build: Workspace, split: str, landmark: int, number: int) -> Path:
    image_id = f"{split[0]}{landmark:04d}{number:04d}"
    rows = {row["image_id"]: row for row in build.read(IMAGE_FILES[split]).to_pylist()}
    return build.path(rows[image_id]["path"])


@pytest.mark.usefixtures("model")
def test_a_picture_that_is_cut_short_altered_or_gone_is_left_out_counted_and_named(
    build: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    cut, altered, gone = (picture_of(build, "train", 2, number) for number in range(3))
    cut.write_bytes(cut.read_bytes()[:-20])
    data = bytearray(altered.read_bytes())
    data[-30] ^= 1
    altered.write_bytes(data)
    gone.unlink()
    with caplog.at_level(logging.WARNING):
        report = run_look(build, colour_config(build))
    row = picture_votes(build)["train", 2]
    assert (row["status"], row["pictures"], row["left_out"]) == ("ok", 1, 3)
    assert row["hierarchical_label"] == "ocean area "
    assert row["evidence"].endswith("3 pictures left out as damaged")
    assert report.manifest.failed == 0
    for path in (cut, altered, gone):
        assert f"a picture is left out: {path}" in caplog.text
    assert "run `hgld images --split train` with --root" in caplog.text


def test_pictures_that_were_mended_are_looked_at_when_the_stage_runs_again(
    build: Workspace, model: ColourModel
) -> None:
    paths = [picture_of(build, "train", 2, number) for number in range(3)]
    pictures = [path.read_bytes() for path in paths]
    for path in paths:
        path.write_bytes(b"")
    run_look(build, colour_config(build))
    assert picture_votes(build)["train", 2]["left_out"] == 3
    prepared = model.prepared
    for path, content in zip(paths, pictures, strict=True):
        path.write_bytes(content)
    run_look(build, colour_config(build, landmarks_per_shard=499))
    assert (
        picture_votes(build)["train", 2]["left_out"],
        picture_votes(build)["train", 2]["pictures"],
    ) == (0, 4)
    assert model.prepared == prepared + 4  # and of no other landmark


@pytest.mark.usefixtures("model")
def test_a_recorded_picture_that_does_not_decode_is_left_out_for_good(build: Workspace) -> None:
    rows = build.read(IMAGE_FILES["index"]).to_pylist()
    path = build.path(rows[0]["path"])
    path.write_bytes(b"no picture")
    # As if it had been recorded so, by a version that decodes otherwise.
    digest = hashlib.sha256(b"no picture").hexdigest()
    rows[0] |= {"sha256": digest, "size_bytes": 10}
    write_stage(build, [(IMAGE_FILES["index"], table_of(IMAGE_FILES["index"], rows))])
    assert run_look(build, colour_config(build)).manifest.failed == 0
    row = picture_votes(build)["index", 1]
    assert (row["pictures"], row["left_out"], row["hierarchical_label"]) == (1, 1, "lake")


def test_where_all_pictures_of_a_landmark_are_gone_a_rerun_looks_at_it_again(
    build: Workspace, model: ColourModel
) -> None:
    paths = [picture_of(build, "train", 3, number) for number in range(2)]
    pictures = [path.read_bytes() for path in paths]
    for path in paths:
        path.unlink()
    config = colour_config(build)
    report = run_look(build, config)
    assert failed_rows(build) == [("train", 3)]
    assert (report.manifest.failed, report.skipped) == (1, False)
    with pytest.raises(MissingInputError, match=r"incomplete \(1 rows failed\); run `hgld look`"):
        build.read(PICTURE_VOTES)
    assert stage_status(build, look_stage(config)).state == "incomplete"
    prepared = model.prepared
    for path, content in zip(paths, pictures, strict=True):
        path.write_bytes(content)
    assert run_look(build, config).manifest.failed == 0
    assert picture_votes(build)["train", 3]["hierarchical_label"] == "ocean area "
    assert model.prepared == prepared + 2


def failed_rows(build: Workspace) -> list[tuple[str, int]]:
    table = pa.concat_tables([pq.read_table(path) for path in build.shards(PICTURE_VOTES)])
    return [
        (row["split"], row["landmark_id"]) for row in table.to_pylist() if row["status"] == "failed"
    ]


def test_settings_are_checked() -> None:
    with pytest.raises(ValueError, match=r"prompt must contain \{label\}, got 'a photo'"):
        LookConfig(prompt="a photo")
    with pytest.raises(ValueError, match="checked must be 0 or more, got -1"):
        LookConfig(checked=-1)
    with pytest.raises(ValueError, match=r"min_share must be from 0 to 1, got 1\.5"):
        LookConfig(min_share=1.5)
    with pytest.raises(ValueError, match="min_confidence must be from 0 to 1, got nan"):
        LookConfig(min_confidence=float("nan"))
    for name in ("pictures", "landmarks_per_shard", "workers"):
        with pytest.raises(ValueError, match=f"{name} must be from 1 to 10,000, got 0"):
            LookConfig(**{name: 0})  # type: ignore[arg-type] # by name
    with pytest.raises(ValueError, match="split must be one of '', 'train', 'index', got 'test'"):
        LookConfig(split="test")  # type: ignore[arg-type] # that is what is tested


_KILLED = """
import math, os, signal, sys
from pathlib import Path
from hgld.engine.workspace import Workspace
from hgld.labels.looks import rows
from hgld.labels.looks.stage import run_look
from tests.worlds.unlabelled import ColourModel, colour_config

class Dying(ColourModel):
    def encode_pictures(self, prepared):
        if len(self.batches) == 2:  # the second shard is under way
            os.kill(os.getpid(), signal.SIGKILL)
        return super().encode_pictures(prepared)

rows.load_picture_model = lambda _: Dying(math.log(6))
workspace = Workspace(Path(sys.argv[1]))
run_look(workspace, colour_config(workspace, landmarks_per_shard=2))
"""


def test_a_run_killed_midway_goes_on_and_ends_with_the_same_digests(
    build: Workspace, model: ColourModel, tmp_path: Path
) -> None:
    root = Path(__file__).resolve().parents[4]
    killed = subprocess.run([sys.executable, "-c", _KILLED, str(build.root)], cwd=root, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert [path.name for path in build.shards(PICTURE_VOTES)] == ["train-00000.parquet"]
    assert build.manifest("look") is None

    config = colour_config(build, landmarks_per_shard=2)
    resumed = run_look(build, config).manifest
    assert model.batches == [3, 2]  # of four landmarks with pictures, two were done

    undisturbed = Workspace(tmp_path / "undisturbed")
    write_unlabelled(undisturbed, PICTURES, classes=CLASSES)
    assert run_look(undisturbed, config).manifest.outputs == resumed.outputs
