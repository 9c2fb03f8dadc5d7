"""Labels that no class gives: where they stand, and what stays as it is without them."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from hgld.annotations.stage import AnnotateConfig, run_annotate
from hgld.engine.workspace import Workspace
from hgld.errors import MissingInputError
from hgld.tables import ANNOTATIONS, EXCLUDED, FILLED, HIERARCHY, TAXONOMY
from tests.hgld.annotations.world import (
    ATTRIBUTIONS,
    HERITAGE,
    IMAGES,
    LANDMARKS,
    annotations,
    filled,
    landmark_labels,
    write_fills,
)
from tests.worlds.builders import table_of, write_metadata, write_stage

FILLS_TAKEN = AnnotateConfig(fills=True)


@pytest.fixture
def filling(reviewed: Workspace) -> Workspace:
    """A build whose fills are there and not taken yet."""
    write_fills(reviewed)
    return reviewed


def test_images_with_a_filled_label_have_a_table_of_their_own(filling: Workspace) -> None:
    run_annotate(filling, FILLS_TAKEN)
    train = filled(filling, "train")
    assert {key: row["hierarchical_label"] for key, row in train.items()} == {
        "a3": "hill",
        "a2": "park",
    }
    assert filling.shards(FILLED["index"]) == filling.shards(FILLED["test"]) == []
    (path,) = filling.shards(FILLED["train"])
    assert path.relative_to(filling.root).as_posix() == (
        "annotations/filled/train-00000-of-00001.parquet"
    )
    assert pq.read_schema(path).names == ANNOTATIONS["train"].schema.names


def test_a_filled_label_says_how_it_came_to_be(filling: Workspace) -> None:
    taxonomy = filling.read(TAXONOMY).to_pylist()
    for row in taxonomy:
        if row["class_qid"] == HERITAGE:  # what was thought of the class is not of the fill
            row.update(decision="proposed_ignore", confidence=0.99, accepted_above=0.95)
    write_stage(filling, [(TAXONOMY, table_of(TAXONOMY, taxonomy))])
    run_annotate(filling, FILLS_TAKEN)
    train = filled(filling, "train")
    assert train["a2"]["natural_or_human_made"] == "natural"
    assert train["a2"]["supercategory"] == "World Heritage Site"  # as without a fill
    assert train["a2"]["method"] == "words+parents"
    assert train["a2"]["provenance"] == {
        "status": "ok",
        "revision_id": 13,
        "class_qid": HERITAGE,
        "decision": "filled",
        "reviewer": None,
        "method": "words+parents",
        "confidence": 0.75,
        "accepted_above": None,
    }
    names = ("status", "decision", "reviewer", "method", "confidence")
    told = train["a3"]["provenance"]
    assert tuple(told[name] for name in names) == ("ok", "filled", "eve", "reviewed", 1.0)
    assert train["a3"]["reviewer"] == "eve"
    # By its classes, whatever is guessed beside them.
    assert annotations(filling, "train")["a0"]["provenance"]["method"] == "class"
    rows = {(row["split"], row["landmark_id"]): row for row in landmark_labels(filling)}
    assert {key: (row["rule"], row["method"]) for key, row in rows.items()} == {
        ("train", 1): ("most_votes", "class"),
        ("train", 2): ("only_label", "class"),
        ("train", 3): ("filled", "words+parents"),
        ("train", 4): ("filled", "reviewed"),
        ("train", 5): ("no_vote", None),
        ("index", 1): ("only_label", "class"),
        ("index", 2): ("most_specific", "class"),
    }
    assert {row["reason"] for row in rows.values() if row["rule"] == "filled"} == {None}


def test_what_is_published_is_the_same_with_fills_and_without(filling: Workspace) -> None:
    without = run_annotate(filling, AnnotateConfig()).manifest
    with_fills = run_annotate(filling, FILLS_TAKEN).manifest
    published = [
        *(dataset.path for dataset in (*ANNOTATIONS.values(), HIERARCHY)),
        *(name for name in without.outputs if name.endswith(".csv")),
    ]
    assert len(published) == 8
    for name in published:
        assert with_fills.outputs[name] == without.outputs[name], name


def test_an_image_that_stays_without_a_label_has_the_best_guess_and_the_reason(
    filling: Workspace,
) -> None:
    run_annotate(filling, FILLS_TAKEN)
    assert [tuple(row.values()) for row in filling.read(EXCLUDED).to_pylist()] == [
        ("train", "a1", 1, "not_clean", None, None, None),  # its landmark has a label
        ("train", "a4", 5, "not_scraped", "cave", 0.5, "named a cave; not sure enough"),
        ("train", "a5", 6, "no_category", None, None, None),
        ("test", "c1", None, "no_landmark", None, None, None),
    ]


def test_an_image_that_is_not_clean_is_excluded_whatever_its_landmark_is_filled_with(
    reviewed: Workspace,
) -> None:
    images = [*IMAGES, {"split": "train", "image_id": "a6", "landmark_id": 4, "in_clean": False}]
    images.append({"split": "train", "image_id": "a7", "landmark_id": 5, "in_clean": False})
    write_metadata(reviewed, LANDMARKS, images, ATTRIBUTIONS)
    write_fills(reviewed)
    run_annotate(reviewed, FILLS_TAKEN)
    excluded = {row["image_id"]: row for row in reviewed.read(EXCLUDED).to_pylist()}
    assert excluded["a6"]["reason"] == excluded["a7"]["reason"] == "not_clean"
    assert (excluded["a6"]["best_guess"], excluded["a7"]["best_guess"]) == (None, "cave")
    run_annotate(reviewed, AnnotateConfig(fills=True, train="all"))
    assert set(filled(reviewed, "train")) == {"a2", "a3", "a6"}


def test_images_of_the_index_and_of_queries_take_the_fills_of_index_landmarks(
    reviewed: Workspace,
) -> None:
    landmarks = [*LANDMARKS, {"split": "index", "landmark_id": 4, "category": "c/cave"}]
    images = [*IMAGES, {"split": "index", "image_id": "b2", "landmark_id": 4}]
    images.append({"split": "test", "image_id": "c2", "landmark_id": 4, "usage": "Public"})
    write_metadata(reviewed, landmarks, images, ATTRIBUTIONS)
    write_fills(reviewed)
    run_annotate(reviewed, FILLS_TAKEN)
    assert {key: row["hierarchical_label"] for key, row in filled(reviewed, "index").items()} == {
        "b2": "cave"
    }
    assert filled(reviewed, "test")["c2"]["category"] == "c/cave"
    assert filled(reviewed, "train")["a3"]["hierarchical_label"] == "hill"


def test_fills_are_not_taken_unless_that_is_asked_for(reviewed: Workspace) -> None:
    with pytest.raises(MissingInputError, match="hgld fill"):
        run_annotate(reviewed, FILLS_TAKEN)
    without = run_annotate(reviewed, AnnotateConfig()).manifest
    write_fills(reviewed)
    assert run_annotate(reviewed, AnnotateConfig()).skipped
    taken = run_annotate(reviewed, FILLS_TAKEN)
    assert not taken.skipped
    assert taken.manifest.outputs != without.outputs
    assert run_annotate(reviewed, FILLS_TAKEN).skipped
    assert run_annotate(reviewed, AnnotateConfig()).manifest.outputs == without.outputs
    assert reviewed.shards(FILLED["train"]) == []
    assert not list(Path(reviewed.path("annotations")).glob("credits-filled-*"))
