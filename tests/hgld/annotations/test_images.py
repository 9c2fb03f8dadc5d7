import random

import pytest

from hgld.annotations.stage import AnnotateConfig, run_annotate
from hgld.engine.workspace import Workspace
from hgld.errors import MissingInputError
from hgld.tables import (
    ANNOTATIONS,
    BAD_ANNOTATIONS,
    BAD_IMAGES,
    EXCLUDED,
    FILLED,
    HIERARCHY,
)
from tests.hgld.annotations.world import (
    LANDMARKS,
    annotations,
    write_fills,
    write_inputs,
)
from tests.worlds.builders import (
    table_of,
    write_stage,
)


def test_an_image_without_a_label_is_excluded_and_says_why(reviewed: Workspace) -> None:
    run_annotate(reviewed, AnnotateConfig())
    assert [set(annotations(reviewed, split)) for split in ANNOTATIONS] == [
        *({"a0"}, {"b0", "b1"}, {"c0"})
    ]
    rows = reviewed.read(EXCLUDED).to_pylist()
    assert {row.pop(name) for row in rows for name in ("best_guess", "confidence", "evidence")} == {
        None
    }
    assert [tuple(row.values()) for row in rows] == [
        ("train", "a1", 1, "not_clean"),
        ("train", "a2", 3, "ignored"),
        ("train", "a3", 4, "no_item"),
        ("train", "a4", 5, "not_scraped"),
        ("train", "a5", 6, "no_category"),
        ("test", "c1", None, "no_landmark"),
    ]
    assert len(reviewed.read(BAD_ANNOTATIONS)) == 0


def test_test_images_have_the_landmarks_of_the_index(reviewed: Workspace) -> None:
    run_annotate(reviewed, AnnotateConfig())
    row = annotations(reviewed, "test")["c0"]
    assert (row["landmark_id"], row["hierarchical_label"]) == (1, "ocean area ")
    assert row["natural_or_human_made"] == "natural"
    assert row["provenance"] == annotations(reviewed, "index")["b0"]["provenance"]


def test_train_has_the_clean_images_or_all(reviewed: Workspace) -> None:
    run_annotate(reviewed, AnnotateConfig())
    assert list(annotations(reviewed, "train")) == ["a0"]
    assert not run_annotate(reviewed, AnnotateConfig(train="all")).skipped
    rows = annotations(reviewed, "train")
    assert {key: row["in_clean"] for key, row in rows.items()} == {"a0": True, "a1": False}
    assert annotations(reviewed, "index")["b0"]["in_clean"] is None
    assert "a1" not in reviewed.read(EXCLUDED)["image_id"].to_pylist()


def test_a_picture_that_was_found_bad_is_left_out_where_that_is_asked_for(
    reviewed: Workspace,
) -> None:
    with pytest.raises(MissingInputError, match="hgld images"):
        run_annotate(reviewed, AnnotateConfig(pictures=True))
    for split, image_id in (("train", "a1"), ("index", "b1"), ("test", "c1")):
        bad = {"image_id": image_id, "tar": "images_000.tar", "reason": "truncated"}
        write_stage(reviewed, [(BAD_IMAGES[split], table_of(BAD_IMAGES[split], [bad]))])
    run_annotate(reviewed, AnnotateConfig(pictures=True, train="all"))
    assert list(annotations(reviewed, "train")) == ["a0"]
    assert list(annotations(reviewed, "index")) == ["b0"]
    rows = reviewed.read(BAD_ANNOTATIONS).to_pylist()
    assert [tuple(row.values()) for row in rows] == [
        ("train", "a1", 1, "truncated"),
        ("index", "b1", 2, "truncated"),
        ("test", "c1", None, "truncated"),  # excluded too, if it were not bad
    ]
    assert "c1" not in reviewed.read(EXCLUDED)["image_id"].to_pylist()
    (label,) = [row for row in reviewed.read(HIERARCHY).to_pylist() if row["slug"] == "museum"]
    assert label["index_images"] == 0
    assert run_annotate(reviewed, AnnotateConfig(pictures=True, train="all")).skipped


def random_fill(chance: random.Random, landmark: dict[str, object]) -> dict[str, object]:
    """Returns a row of FILLS, of a landmark that may have a label of its classes by now."""
    guess = {"best_guess": "cave", "best_guess_side": "natural", "confidence": chance.random()}
    label = {"hierarchical_label": "cave", "natural_or_human_made": "natural"}
    status = chance.choice(["ok", "unsure"])
    row = {name: landmark[name] for name in ("split", "landmark_id")} | guess
    row |= {"status": status, "evidence": "named so", "method": "words"}
    return row | label if status == "ok" else row


@pytest.mark.parametrize("seed", range(3))
def test_every_image_is_in_one_table_and_in_one_alone(workspace: Workspace, seed: int) -> None:
    chance = random.Random(seed)
    images = [
        {
            "split": split,
            "image_id": f"{number:016x}",
            "landmark_id": chance.choice([None, *range(8)] if split == "test" else [*range(8)]),
            "in_clean": chance.choice([True, False]) if split == "train" else None,
        }
        for number, split in enumerate(chance.choices(["train", "index", "test"], k=120))
    ]
    write_inputs(workspace, images)
    for split, dataset in BAD_IMAGES.items():
        bad = [
            {"image_id": row["image_id"], "tar": "t", "reason": "truncated"}
            for row in images
            if row["split"] == split and chance.random() < 0.2
        ]
        write_stage(workspace, [(dataset, table_of(dataset, bad))])
    write_fills(workspace, [random_fill(chance, row) for row in LANDMARKS if chance.random() < 0.8])
    fills = chance.random() < 0.7
    whole = AnnotateConfig(train="all", pictures=True, fills=fills, images_per_shard=30)
    clean = AnnotateConfig(train="clean", pictures=True, fills=fills, images_per_shard=30)
    run_annotate(workspace, chance.choice([whole, clean]))
    found = [
        (split, image_id)
        for tables in (ANNOTATIONS, FILLED)
        for split in tables
        for image_id in workspace.read(tables[split])["image_id"].to_pylist()
    ]
    assert all(workspace.read(dataset).num_rows for dataset in ANNOTATIONS.values())
    taken = {row["landmark_id"] for row in workspace.read(FILLED["train"]).to_pylist()}
    assert taken <= ({3, 4, 5} if fills else set())  # no class gives these a label
    for dataset in (EXCLUDED, BAD_ANNOTATIONS):
        rows = workspace.read(dataset).to_pylist()
        assert rows
        found += [(row["split"], row["image_id"]) for row in rows]
    assert sorted(found) == sorted((row["split"], row["image_id"]) for row in images)
