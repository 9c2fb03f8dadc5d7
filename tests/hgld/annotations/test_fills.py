"""Labels that no class gives: where they stand, and what stays as it is without them."""

import pyarrow.parquet as pq
import pytest

from hgld.annotations.stage import AnnotateConfig, run_annotate
from hgld.engine.workspace import Workspace
from hgld.errors import MissingInputError
from hgld.tables import ANNOTATIONS, EXCLUDED, FILLED, HIERARCHY
from tests.hgld.annotations import world
from tests.hgld.annotations.world import HERITAGE

FILLS_TAKEN = AnnotateConfig(fills=True)


@pytest.fixture
def filling(reviewed: Workspace) -> Workspace:
    """A build whose fills are there and not taken yet."""
    world.write_fills(reviewed)
    return reviewed


def test_images_with_a_filled_label_have_a_table_of_their_own(filling: Workspace) -> None:
    """Those of the index and of queries take the fills of index landmarks."""
    landmarks = [*world.LANDMARKS, {"split": "index", "landmark_id": 4, "category": "c/cave"}]
    more = [{"split": "index", "image_id": "b2", "landmark_id": 4}]
    more.append({"split": "test", "image_id": "c2", "landmark_id": 4, "usage": "Public"})
    world.write_inputs(filling, [*world.IMAGES, *more], landmarks=landmarks)
    run_annotate(filling, FILLS_TAKEN)
    for split, labels in (("train", {"a3": "hill", "a2": "park"}), ("index", {"b2": "cave"})):
        rows = world.filled(filling, split)
        assert {name: row["hierarchical_label"] for name, row in rows.items()} == labels
    assert world.filled(filling, "test")["c2"]["category"] == "c/cave"
    (shard,) = filling.shards(FILLED["train"])
    assert pq.read_schema(shard).names == ANNOTATIONS["train"].schema.names


def test_a_filled_label_says_how_it_came_to_be(filling: Workspace) -> None:
    # What was thought of the class is not of the fill.
    seen = {"decision": "proposed_ignore", "confidence": 0.99, "accepted_above": 0.95}
    world.change_taxonomy(filling, {HERITAGE: seen})
    run_annotate(filling, FILLS_TAKEN)
    park, hill = (world.filled(filling, "train")[name] for name in ("a2", "a3"))
    assert park["natural_or_human_made"] == "natural"
    assert park["supercategory"] == "World Heritage Site"  # as without a fill
    filled = {"status": "ok", "decision": "filled", "accepted_above": None}
    of_park = {"revision_id": 13, "class_qid": HERITAGE, "reviewer": None, "confidence": 0.75}
    of_hill = {"revision_id": None, "class_qid": None, "reviewer": "eve", "confidence": 1.0}
    assert park["provenance"] == filled | of_park | {"method": "words+parents"}
    assert hill["provenance"] == filled | of_hill | {"method": "reviewed"}
    rows = world.landmark_labels(filling)
    assert {key: (row["rule"], row["method"]) for key, row in rows.items()} == {
        ("train", 1): ("most_votes", "class"),
        ("train", 2): ("only_label", "class"),
        ("train", 3): ("filled", "words+parents"),
        ("train", 4): ("filled", "reviewed"),
        ("train", 5): ("no_vote", None),
        ("index", 1): ("only_label", "class"),
        ("index", 2): ("most_specific", "class"),
    }


def test_what_is_published_is_the_same_with_fills_and_without(filling: Workspace) -> None:
    without = run_annotate(filling, AnnotateConfig()).manifest
    with_fills = run_annotate(filling, FILLS_TAKEN).manifest
    published = [dataset.path for dataset in (*ANNOTATIONS.values(), HIERARCHY)]
    published += [name for name in without.outputs if name.endswith(".csv")]
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
    filling: Workspace,
) -> None:
    unclean = {"split": "train", "in_clean": False}
    more = [unclean | {"image_id": "a6", "landmark_id": 4}]
    more.append(unclean | {"image_id": "a7", "landmark_id": 5})
    world.write_inputs(filling, [*world.IMAGES, *more])
    run_annotate(filling, FILLS_TAKEN)
    excluded = {row["image_id"]: row for row in filling.read(EXCLUDED).to_pylist()}
    assert excluded["a6"]["reason"] == excluded["a7"]["reason"] == "not_clean"
    assert (excluded["a6"]["best_guess"], excluded["a7"]["best_guess"]) == (None, "cave")


def test_fills_are_not_taken_unless_that_is_asked_for(reviewed: Workspace) -> None:
    with pytest.raises(MissingInputError, match="hgld fill"):
        run_annotate(reviewed, FILLS_TAKEN)
    without = run_annotate(reviewed, AnnotateConfig()).manifest
    world.write_fills(reviewed)
    assert run_annotate(reviewed, AnnotateConfig()).skipped
    assert not run_annotate(reviewed, FILLS_TAKEN).skipped
    assert run_annotate(reviewed, AnnotateConfig()).manifest.outputs == without.outputs
    assert reviewed.shards(FILLED["train"]) == []
