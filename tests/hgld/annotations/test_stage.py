"""Stage annotate: what each image, landmark and label in use says."""

import random
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hgld.annotations.landmarks import hierarchy_rows
from hgld.annotations.stage import AnnotateConfig, run_annotate
from hgld.engine.workspace import Workspace
from hgld.errors import MissingInputError
from hgld.tables import (
    ANNOTATIONS,
    BAD_ANNOTATIONS,
    BAD_IMAGES,
    CLASSES,
    EXCLUDED,
    FILLED,
    HIERARCHY,
    TAXONOMY,
)
from tests.hgld.annotations.world import (
    CATEGORIES,
    CHURCH,
    DECISIONS,
    HERITAGE,
    IMAGES,
    LABELS,
    LANDMARKS,
    MUSEUM,
    PARISH,
    SCRAPED,
    annotations,
    landmark_labels,
    write_fills,
    write_inputs,
)
from tests.worlds.builders import (
    class_rows,
    table_of,
    write_metadata,
    write_scrape,
    write_stage,
    write_taxonomy,
)


@pytest.mark.parametrize("size", [1, 2, 100])
def test_shards_of_any_size_hold_the_same_rows_in_the_same_order(
    reviewed: Workspace, size: int
) -> None:
    images = [
        {"split": "train", "image_id": name, "landmark_id": landmark, "in_clean": True}
        for name, landmark in (("d", 2), ("c", 1), ("b", 2), ("a", 1), ("e", 1))
    ]
    write_inputs(reviewed, images)
    run_annotate(reviewed, AnnotateConfig(images_per_shard=size))
    assert list(annotations(reviewed, "train")) == ["a", "c", "e", "b", "d"]
    count = -(-5 // size)
    assert [path.name for path in reviewed.shards(ANNOTATIONS["train"])] == [
        f"train-{number:05d}-of-{count:05d}.parquet" for number in range(count)
    ]
    # Readers that look for a label pass over whole groups.
    group = pq.read_metadata(reviewed.shards(ANNOTATIONS["train"])[0]).row_group(0)
    by = [group.column(one.column_index).path_in_schema for one in group.sorting_columns]
    assert by == ["hierarchical_label", "landmark_id", "image_id"]


def test_the_time_of_a_fetch_changes_no_digest_and_runs_nothing_again(reviewed: Workspace) -> None:
    first = run_annotate(reviewed, AnnotateConfig()).manifest
    later = [row | {"fetched_at": datetime(2031, 2, 3, tzinfo=UTC)} for row in CATEGORIES]
    write_scrape(reviewed, class_rows(SCRAPED), later)
    again = run_annotate(reviewed, AnnotateConfig())
    assert again.skipped
    assert again.manifest == first


def test_a_taxonomy_of_an_older_scrape_is_refused(reviewed: Workspace) -> None:
    more = SCRAPED | {("index", 2): [("Q40080", "beach")]}
    write_scrape(reviewed, class_rows(more), CATEGORIES)
    with pytest.raises(MissingInputError, match="Q40080"):
        run_annotate(reviewed, AnnotateConfig())


def test_a_build_without_classes_is_annotated_with_blanks(workspace: Workspace) -> None:
    none = table_of(CLASSES, [])
    write_metadata(workspace, LANDMARKS, IMAGES)
    write_scrape(workspace, none, [row | {"status": "no_p31"} for row in CATEGORIES])
    write_taxonomy(workspace, none, {})
    run_annotate(workspace, AnnotateConfig())
    assert all(workspace.shards(dataset) == [] for dataset in ANNOTATIONS.values())
    row = next(one for one in landmark_labels(workspace) if one["split"] == "index")
    assert (row["hierarchical_label"], row["supercategory"], row["classes"]) == (None, None, [])
    assert row["reason"] == "no_p31"
    assert len(workspace.read(HIERARCHY)) == 0
    assert len(workspace.read(EXCLUDED)) == len(IMAGES)


def test_settings_are_checked() -> None:
    with pytest.raises(ValueError, match="images_per_shard"):
        AnnotateConfig(images_per_shard=0)


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


def test_an_image_has_all_that_is_known_of_its_landmark(reviewed: Workspace) -> None:
    run_annotate(reviewed, AnnotateConfig())
    by_qid = [CHURCH, MUSEUM, PARISH, HERITAGE]
    by_qid.sort(key=lambda qid: int(qid[1:]))
    provenance = {
        "revision_id": 11,
        "class_qid": PARISH,
        "decision": "assigned",
        "reviewer": "ann",
        "method": "class",
        "confidence": None,
        "accepted_above": None,
    }
    assert annotations(reviewed, "train")["a0"] == {
        "image_id": "a0",
        "landmark_id": 1,
        "supercategory": "parish church",  # rarer than church building
        "hierarchical_label": "church",
        "natural_or_human_made": "human-made",
        "category": "c/1",
        "qid": "Q1",
        "in_clean": True,
        **provenance,
        "class_qids": " ".join(by_qid),
        "class_labels": "; ".join(LABELS[qid] for qid in by_qid),
        "classes": [{"class_qid": qid, "class_label": LABELS[qid]} for qid in by_qid],
        "provenance": {"status": "ok", **provenance},
    }


def test_a_label_of_a_proposal_that_nobody_saw_says_so_and_how_sure_it_was(
    reviewed: Workspace,
) -> None:
    """Where several classes vote, it is the deciding class that says it."""
    taxonomy = reviewed.read(TAXONOMY).to_pylist()
    unseen = {"decision": "proposed", "reviewer": None}
    for row in taxonomy:
        if row["class_qid"] == PARISH:
            row.update(unseen, confidence=0.96875, accepted_above=0.95)
        if row["class_qid"] == MUSEUM:
            row.update(unseen, confidence=0.25, accepted_above=0.0)
    write_stage(reviewed, [(TAXONOMY, table_of(TAXONOMY, taxonomy))])
    run_annotate(reviewed, AnnotateConfig())
    rows = annotations(reviewed, "train") | annotations(reviewed, "index")
    landmarks = {(row["split"], row["landmark_id"]): row for row in landmark_labels(reviewed)}
    names = ("class_qid", "decision", "reviewer", "method", "confidence", "accepted_above")
    said = {
        key: tuple(row["provenance"][name] for name in names)
        for key, row in (rows | landmarks).items()
    }
    flat = {key: tuple(row[name] for name in names) for key, row in (rows | landmarks).items()}
    assert flat == said
    assert said["a0"] == (PARISH, "proposed", None, "class", 0.96875, 0.95)
    assert said["b1"] == (MUSEUM, "proposed", None, "class", 0.25, 0.0)
    assert said["train", 3] == (HERITAGE, "ignored", "ann", None, None, None)
    assert said["train", 1][-1] == 0.95


def test_a_landmark_without_a_label_says_why_and_keeps_what_is_known(reviewed: Workspace) -> None:
    run_annotate(reviewed, AnnotateConfig())
    rows = {(row["split"], row["landmark_id"]): row for row in landmark_labels(reviewed)}
    assert {key: row["reason"] for key, row in rows.items()} == {
        ("train", 3): "ignored",
        ("train", 1): None,
        ("train", 2): None,
        ("train", 4): "no_item",
        ("train", 5): "not_scraped",
        ("index", 1): None,
        ("index", 2): None,
    }
    for row in rows.values():
        assert row["provenance"]["status"] == (row["reason"] or "ok")
        assert (row["hierarchical_label"] is None) == (row["natural_or_human_made"] is None)
        assert (row["hierarchical_label"] is None) == (row["reason"] is not None)
    heritage, unknown = rows["train", 3], rows["train", 4]
    assert heritage["supercategory"] == "World Heritage Site"  # as the published files do
    assert heritage["fetched_at"] == datetime(2025, 1, 1, tzinfo=UTC)
    assert (unknown["category"], unknown["classes"], unknown["class_qids"]) == ("c/4", [], "")
    assert unknown["fetched_at"] is None


def test_the_landmarks_have_their_labels_and_all_that_their_classes_voted_for(
    reviewed: Workspace,
) -> None:
    run_annotate(reviewed, AnnotateConfig())
    rows = landmark_labels(reviewed)
    keys = [(row["split"], row["landmark_id"]) for row in rows]
    assert keys == [*(("train", number) for number in (3, 1, 2, 4, 5)), ("index", 1), ("index", 2)]
    of_image = annotations(reviewed, "train")["a0"]
    one = rows[keys.index(("train", 1))]
    shared = of_image.keys() - {"image_id", "in_clean"}
    assert {name: one[name] for name in shared} == {name: of_image[name] for name in shared}
    # Three landmarks have the church, two the museum, and one the parish church.
    assert one["candidates"] == [
        {"hierarchical_label": "church", "votes": 2, "class_qid": PARISH, "landmarks": 1},
        {"hierarchical_label": "museum", "votes": 1, "class_qid": MUSEUM, "landmarks": 2},
    ]
    assert rows[keys.index(("index", 2))]["candidates"] == [
        {"hierarchical_label": "museum", "votes": 1, "class_qid": MUSEUM, "landmarks": 2},
        {"hierarchical_label": "church", "votes": 1, "class_qid": CHURCH, "landmarks": 3},
    ]
    for number in (3, 4, 5):  # all ignored, no class, not scraped
        assert rows[keys.index(("train", number))]["candidates"] == []


def test_a_thousand_landmarks_each_keep_their_own_classes(workspace: Workspace) -> None:
    # Ids of GLDv2's size and no order: a group-by of so many gives its groups in an order of its
    # own, which a handful of landmarks does not show.
    numbers = random.Random(0).sample(range(200_000), 1_000)
    qids = [CHURCH, PARISH, MUSEUM]
    scraped = {
        ("train", number): [(qid, LABELS[qid]) for qid in qids[: 1 + number % 3]]
        for number in numbers
    }
    landmarks = [{"split": "train", "landmark_id": number, "category": ""} for number in numbers]
    images = [
        {"split": "train", "image_id": f"{number}", "landmark_id": number, "in_clean": True}
        for number in numbers
    ]
    write_metadata(workspace, landmarks, images)
    write_scrape(workspace, class_rows(scraped), [row | {"status": "ok"} for row in landmarks])
    write_taxonomy(workspace, class_rows(scraped), DECISIONS)
    run_annotate(workspace, AnnotateConfig())
    rows = workspace.read(ANNOTATIONS["train"]).to_pylist()
    labels = {row["landmark_id"]: row["hierarchical_label"] for row in rows}
    assert list(labels) == sorted(numbers, key=lambda number: (labels[number], number))
    assert len(labels) == 1_000
    for row in rows:
        expected = {qid for qid, _ in scraped["train", row["landmark_id"]]}
        assert {item["class_qid"] for item in row["classes"]} == expected
        assert row["provenance"]["class_qid"] in expected


def test_the_labels_in_use_are_counted_at_every_level(reviewed: Workspace) -> None:
    run_annotate(reviewed, AnnotateConfig(train="all"))
    assert reviewed.read(HIERARCHY).to_pylist() == [
        {
            "hierarchical_label_id": number,
            "hierarchical_label": label,
            "slug": text,
            "natural_or_human_made_id": side_id,
            "natural_or_human_made": side,
            "train_landmarks": train,
            "index_landmarks": index,
            "train_images": train_images,
            "index_images": index_images,
            "test_images": test,
        }
        for number, label, text, side_id, side, train, index, train_images, index_images, test in (
            (0, "church", "church", 0, "human-made", 2, 0, 2, 0, 0),
            (1, "museum", "museum", 0, "human-made", 0, 1, 0, 1, 0),
            (2, "ocean area ", "ocean-area", 1, "natural", 0, 1, 0, 1, 1),
        )
    ]


def test_labels_that_look_alike_have_slugs_and_counts_of_their_own() -> None:
    labels = ["ocean area ", "ocean area", "神社", "../É° 2", "lake", "lake"]
    sides = ["natural", "natural", "human-made", "human-made", "natural", "human-made"]
    landmarks = pa.table(
        {"split": ["train"] * 6, "hierarchical_label": labels, "natural_or_human_made": sides}
    )
    nothing = landmarks.select(["hierarchical_label", "natural_or_human_made"]).slice(0, 0)
    images = {"train": landmarks.slice(0, 5), "index": nothing, "test": nothing}
    rows = hierarchy_rows(landmarks, images).to_pylist()
    named = [
        (row["hierarchical_label"], row["slug"], row["natural_or_human_made"], row["train_images"])
        for row in rows
    ]
    assert named == [
        ("../É° 2", "e-2", "human-made", 1),
        ("lake", "lake", "human-made", 0),
        ("lake", "lake-2", "natural", 1),
        ("ocean area", "ocean-area", "natural", 1),
        ("ocean area ", "ocean-area-2", "natural", 1),
        ("神社", "label", "human-made", 1),
    ]
    assert [row["hierarchical_label_id"] for row in rows] == list(range(6))
