"""Which labels a model learns, by how they came to be."""

import dataclasses

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.tables import ANNOTATIONS, FILLED, OriginChoice
from hgld.training.data.labels import training_images
from hgld.training.run.loop import run_train
from tests.training.conftest import BuildImages
from tests.worlds.builders import table_of, write_stage
from tests.worlds.training_runs import TINY

COUNTS = {7: 12, 70: 8, 8: 4, 80: 9, 9: 4, 100: 3}
FILLED_AS = {8: ("words", 0.75), 100: ("reviewed", 1.0)}
"""Landmark to how its label came to be, and how sure it is; one of no class."""
UNSEEN = {80: 0.5}


def write_labels(workspace: Workspace, landmarks: list[int]) -> None:
    """Writes the labels of the training images of some landmarks."""
    tables = {split: workspace.read(dataset) for split, dataset in ANNOTATIONS.items()}
    filled = table_of(FILLED["train"], [])
    if FILLED["train"].path in workspace.finished(ANNOTATIONS["train"]).outputs:
        filled = workspace.read(FILLED["train"])
    rows = pa.concat_tables([tables["train"], filled]).to_pylist()
    for row in rows:
        row |= {"decision": "assigned", "method": "class", "confidence": None}
        if row["landmark_id"] in UNSEEN:
            row |= {"decision": "proposed", "confidence": UNSEEN[row["landmark_id"]]}
        if row["landmark_id"] in FILLED_AS:
            method, sure = FILLED_AS[row["landmark_id"]]
            row |= {"decision": "filled", "method": method, "confidence": sure}
    by_class = [row for row in rows if row["decision"] != "filled"]
    more = [row for row in rows if row["decision"] == "filled" and row["landmark_id"] in landmarks]
    others = [(ANNOTATIONS[split], tables[split]) for split in ("index", "test")]
    train = (ANNOTATIONS["train"], table_of(ANNOTATIONS["train"], by_class))
    write_stage(workspace, [train, *others, (FILLED["train"], table_of(FILLED["train"], more))])


@pytest.fixture
def filling(build_images: BuildImages) -> Workspace:
    """A build two of whose landmarks have a label that no class gives."""
    workspace = build_images({"train": COUNTS, "index": {7: 2}, "test": {7: 1}})
    write_labels(workspace, list(FILLED_AS))
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
    assert len(images) == sum(COUNTS[landmark] for landmark in landmarks)
    ids = images.image_ids.to_pylist()
    assert ids == sorted(ids)


def test_by_default_it_learns_what_is_published(filling: Workspace) -> None:
    choice = TINY.label_choice
    assert training_images(filling).digest() == training_images(filling, choice).digest()


def test_all_labels_where_none_is_filled_are_refused(filling: Workspace) -> None:
    write_labels(filling, [])
    with pytest.raises(InputError, match="--fills"):
        training_images(filling, OriginChoice(labels="all"))
    assert len(training_images(filling, OriginChoice(labels="reviewed"))) == 12 + 8 + 4


def test_a_choice_that_leaves_no_label_is_refused(filling: Workspace) -> None:
    tables = {split: filling.read(dataset) for split, dataset in ANNOTATIONS.items()}
    train = tables["train"].filter(pc.field("landmark_id") == 80)
    rows = [(ANNOTATIONS["train"], train), (FILLED["train"], filling.read(FILLED["train"]))]
    write_stage(filling, rows)
    with pytest.raises(InputError, match="min_confidence"):
        training_images(filling, OriginChoice(min_confidence=0.9))


def test_a_run_on_fills_is_made_again_when_they_change_and_another_is_not(
    filling: Workspace,
) -> None:
    plain = dataclasses.replace(TINY, epochs=1)
    every = dataclasses.replace(plain, labels="all", name="every")
    assert not run_train(filling, plain).skipped
    assert not run_train(filling, every).skipped
    assert run_train(filling, every).skipped
    write_labels(filling, [100])
    assert run_train(filling, plain).skipped
    assert not run_train(filling, every).skipped
