import dataclasses

import pyarrow as pa
import pytest
import torch

from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, InputError, MissingInputError
from hgld.tables import (
    ANNOTATIONS,
    FILLED,
    LEVELS,
    OVERLAP,
    PARTIAL,
    OriginChoice,
    levels_of_hierarchy,
)
from hgld.training.data.labels import (
    LabelledImages,
    encode_labels,
    images_of_run,
    query_and_index_images,
    training_images,
)
from hgld.training.run.stage import run_train
from hgld.training.run.validation import images_at
from tests.worlds.builders import table_of, write_stage
from tests.worlds.training_runs import COUNTS, PLACED, TINY, TREE, write_tiny_build

NAMES = (
    ("7", "8", "9", "70", "80", "100"),
    ("bridge", "church", "lake", "waterfall"),
    ("human-made", "natural"),
)


def named(images: LabelledImages) -> list[tuple[str, ...]]:
    """Returns the names of the labels of each image."""
    rows = images.labels.tolist()
    return [tuple(names[one] for names, one in zip(images.names, row, strict=True)) for row in rows]


def test_training_images_are_those_with_a_label_and_a_file_by_image_id(
    tiny_build: Workspace,
) -> None:
    images = training_images(tiny_build)
    assert len(images) == 12 + 8 + 4 + 9 + 4 + 3
    ids = images.image_ids.to_pylist()
    assert ids == sorted(ids)
    assert [images.path(index).stem for index in range(len(images))] == ids
    assert images.names == NAMES
    assert images.labels.dtype == torch.int64
    for image_id, (landmark, label, top) in zip(ids, named(images), strict=True):
        assert image_id.split("-")[1] == landmark
        assert TREE[int(landmark)] == (label, top)


def test_by_place_a_label_that_is_unknown_is_minus_one(tiny_build: Workspace) -> None:
    images = training_images(tiny_build, hierarchy="place")
    assert len(images) == len(training_images(tiny_build))  # none is lost
    assert images.names[1:] == (
        ("Cusco", "Rome", "unknown"),
        ("Italy", "Peru", "unknown"),
        ("Europe", "South America", "unknown"),
    )
    rows = zip(images.image_ids.to_pylist(), named(images), images.labels.tolist(), strict=True)
    for image_id, (_, *names), (_, *labels) in rows:
        places = PLACED[int(image_id.split("-")[1])]
        assert names == [place or "unknown" for place in places]
        assert [label == -1 for label in labels] == [place is None for place in places]
    # Of those of one landmark alone, labels are numbered anew.
    only = [place for place, label in enumerate(images.labels[:, 0].tolist()) if label == 2]
    some = images_at(images, torch.tensor(only))
    assert some.names == (("9",), ("Cusco",), ("Peru",), ("South America",))
    assert set(some.labels.flatten().tolist()) == {0}
    far = images_at(images, images.labels[:, 0].argsort())
    assert far.names == images.names


def test_landmarks_that_are_in_the_index_too_are_left_out_where_that_is_asked_for(
    tiny_build: Workspace,
) -> None:
    config = dataclasses.replace(TINY, exclude_overlap=True)
    with pytest.raises(MissingInputError, match="overlap"):
        images_of_run(tiny_build, config)
    rows = [{"train_landmark_id": 9, "index_landmark_id": 7, "why": "same_item"}]
    rows += [{"train_landmark_id": 9, "index_landmark_id": 8, "why": "part_of"}]
    tables = [(dataset, tiny_build.read(dataset)) for dataset in (ANNOTATIONS["train"],)]
    write_stage(tiny_build, [*tables, (OVERLAP, table_of(OVERLAP, rows))])
    assert images_of_run(tiny_build, config).names[0] == ("7", "8", "70", "80", "100")
    assert len(images_of_run(tiny_build, TINY).names[0]) == 6


def write_partial(workspace: Workspace) -> None:
    """Moves two landmarks to what is partly known: of one the side is guessed."""
    rows = workspace.read(ANNOTATIONS["train"]).to_pylist()
    partial = [row for row in rows if row["landmark_id"] in {9, 100}]
    for row in partial:
        is_guessed = row["landmark_id"] == 9
        row["hierarchical_label"] = None
        row["natural_or_human_made"] = "natural" if is_guessed else None
        row |= {"depth": 1 + is_guessed, "confidence": 0.5 if is_guessed else None}
    full = [row for row in rows if row["landmark_id"] not in {9, 100}]
    found = ((ANNOTATIONS, full), (FILLED, list[dict[str, object]]()), (PARTIAL, partial))
    write_stage(workspace, [(one["train"], table_of(one["train"], rows)) for one, rows in found])


def test_images_of_unknown_super_category_are_learned_where_that_is_asked_for(
    tiny_build: Workspace,
) -> None:
    write_partial(tiny_build)
    without = images_of_run(tiny_build, TINY)
    assert set(without.names[0]) == {"7", "8", "70", "80"}
    partial = dataclasses.replace(TINY, partial_labels=True)
    images = images_of_run(tiny_build, partial)
    assert len(images) == len(without) + COUNTS["train"][9] + COUNTS["train"][100]
    assert [names[-1] for names in images.names[1:]] == ["unknown", "unknown"]
    assert {("9", "unknown", "natural"), ("100", "unknown", "unknown")} < {*named(images)}
    # A side that is less sure than asked for is unknown, and its images stay.
    sure = images_of_run(tiny_build, dataclasses.replace(partial, min_confidence=0.75))
    of_9 = sure.labels[:, 0] == sure.names[0].index("9")
    assert set(sure.labels[of_9, 1:].flatten().tolist()) == {-1}
    assert len(sure) == len(images)
    by_place = images_of_run(tiny_build, dataclasses.replace(partial, hierarchy="place"))
    assert len(by_place) == len(images)


def test_a_run_on_partial_labels_is_made_again_when_they_change(tiny_build: Workspace) -> None:
    write_partial(tiny_build)
    partial = dataclasses.replace(TINY, partial_labels=True, epochs=1)
    assert not run_train(tiny_build, partial).skipped
    assert run_train(tiny_build, partial).skipped
    rows = tiny_build.read(PARTIAL["train"]).slice(1)
    tables = [(ANNOTATIONS["train"], tiny_build.read(ANNOTATIONS["train"]))]
    write_stage(tiny_build, [*tables, (PARTIAL["train"], rows)])
    assert not run_train(tiny_build, partial).skipped


def test_levels_of_ones_own_are_learned_from_all_images_of_a_landmark(
    tiny_build: Workspace,
) -> None:
    write_partial(tiny_build)
    own = dataclasses.replace(TINY, hierarchy="own", epochs=1)
    write_stage(tiny_build, [(LEVELS, table_of(LEVELS, []))])
    with pytest.raises(InputError, match="hierarchy"):
        images_of_run(tiny_build, own)
    labels = {7: "arch", 8: "arch", 9: "lake", 70: None, 80: "arch", 100: "lake"}
    rows = [
        {"split": split, "landmark_id": landmark, "level": level, "name": name}
        | {"label": label and f"{label}{shift}"}
        for split, shift in (("train", ""), ("index", " of index"))
        for level, name in ((2, "clusters:2"), (1, "class"))
        for landmark, label in labels.items()
    ]
    write_stage(tiny_build, [(LEVELS, table_of(LEVELS, rows))])
    images = images_of_run(tiny_build, own)
    assert len(images) == sum(COUNTS["train"].values())  # those of no super-category too
    assert [level.title for level in images.levels] == ["landmark", "class", "clusters:2"]
    assert [level.name for level in images.levels] == ["landmark", "class", "clusters_2"]
    assert {*named(images)} == {
        (str(one), label or "unknown", label or "unknown") for one, label in labels.items()
    }
    assert not run_train(tiny_build, own).skipped


def test_a_data_set_has_a_label_at_every_level() -> None:
    rows = pa.table({"landmark_id": [1, 2], "country": ["Italy", None]})
    with pytest.raises(ValueError, match="1 of 2"):
        encode_labels(rows, levels_of_hierarchy("landmark_id,country"))


def test_query_and_index_share_one_encoding_of_all_levels_or_some(tiny_build: Workspace) -> None:
    query, index = query_and_index_images(tiny_build)
    assert query.names == index.names
    assert query.names[0] == ("7", "8", "80", "100")
    # 100 has no image in the index: a label of its own, which no index image carries.
    assert query.labels[:, 0].tolist() == [3, 0, 2]
    assert set(index.labels[:, 0].tolist()) == {0, 1, 2}
    query, index = query_and_index_images(tiny_build, hierarchy="landmark_id,continent")
    assert query.names == index.names
    assert [level.title for level in query.levels] == ["landmark", "continent"]
    assert query.labels[:, 1].tolist() == [1, 0, -1]


def test_a_split_without_usable_images_says_which_command_to_run(workspace: Workspace) -> None:
    write_tiny_build(workspace, {"train": {}})
    with pytest.raises(InputError, match="--split train"):
        training_images(workspace)
    with pytest.raises(MissingInputError, match="--split test"):
        query_and_index_images(workspace)


@pytest.mark.fault(81, "picture missing when training starts")
def test_missing_pictures_are_found_before_the_first_step(trained_build: Workspace) -> None:
    images = training_images(trained_build)
    images.path(2).unlink()
    images.path(5).write_bytes(b"cut")
    metrics = trained_build.path("runs/happier/metrics.jsonl")
    before = metrics.read_bytes()
    with pytest.raises(DamagedError, match=f"2 of 40 .*{images.path(2)}"):
        run_train(trained_build, dataclasses.replace(TINY, seed=1))
    assert metrics.read_bytes() == before


ORIGINS: dict[int, tuple[str, str, float | None]] = {
    8: ("filled", "words", 0.75),
    100: ("filled", "reviewed", 1.0),
    80: ("proposed", "class", 0.5),
}
"""Landmark to how its label came to be, and how sure it is; of others a reviewed class says it."""


def write_labels(workspace: Workspace, *filled: int) -> None:
    """Writes labels of classes, and the filled ones of some landmarks."""
    rows: dict[bool, list[dict[str, object]]] = {False: [], True: []}
    for landmark, count in COUNTS["train"].items():
        decision, method, confidence = ORIGINS.get(landmark, ("assigned", "class", None))
        label, top = TREE[landmark]
        row = {
            "landmark_id": landmark,
            "hierarchical_label": label,
            "natural_or_human_made": top,
            "provenance": {"status": "ok"},
            "decision": decision,
            "method": method,
            "confidence": confidence,
        }
        if decision != "filled" or landmark in filled:
            numbered = (f"train-{landmark}-{number}" for number in range(count))
            rows[decision == "filled"] += [{**row, "image_id": name} for name in numbered]
    tables = zip((ANNOTATIONS["train"], FILLED["train"]), rows.values(), strict=True)
    write_stage(workspace, [(dataset, table_of(dataset, each)) for dataset, each in tables])


@pytest.fixture
def filling(workspace: Workspace) -> Workspace:
    """A build two of whose landmarks have a label that no class gives."""
    write_tiny_build(workspace, {"train": COUNTS["train"]})
    write_labels(workspace, 8, 100)
    return workspace


@pytest.mark.parametrize(
    ("labels", "least", "landmarks"),
    [
        ("classes", 0.0, {7, 70, 80, 9}),
        ("classes", 0.6, {7, 70, 9}),
        ("reviewed", 0.0, {7, 70, 9, 100}),
        ("all", 0.0, {7, 70, 80, 9, 8, 100}),
        ("all", 0.75, {7, 70, 9, 8, 100}),
    ],
)
def test_a_model_learns_the_labels_that_are_chosen(
    filling: Workspace, labels: str, least: float, landmarks: set[int]
) -> None:
    choice = OriginChoice(labels=labels, min_confidence=least)  # type: ignore[arg-type]
    images = training_images(filling, choice)
    assert set(map(int, images.names[0])) == landmarks
    assert len(images) == sum(COUNTS["train"][landmark] for landmark in landmarks)
    ids = images.image_ids.to_pylist()
    assert ids == sorted(ids)
    if (labels, least) == ("classes", 0.0):
        published = TINY.label_choice
        assert training_images(filling, published).digest() == images.digest()


def test_all_labels_where_none_is_filled_are_refused(filling: Workspace) -> None:
    write_labels(filling)
    with pytest.raises(InputError, match="--fills"):
        training_images(filling, OriginChoice(labels="all"))
    assert len(training_images(filling, OriginChoice(labels="reviewed"))) == 12 + 8 + 4


def test_a_run_on_fills_is_made_again_when_they_change_and_another_is_not(
    filling: Workspace,
) -> None:
    plain = dataclasses.replace(TINY, epochs=1)
    every = dataclasses.replace(plain, labels="all", name="every")
    assert not run_train(filling, plain).skipped
    assert not run_train(filling, every).skipped
    assert run_train(filling, every).skipped
    write_labels(filling, 100)
    assert run_train(filling, plain).skipped
    assert not run_train(filling, every).skipped
