"""Stage annotate: what each image, landmark and label says, also where no class gives a label."""

import random
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hgld.annotations.images import license_name
from hgld.annotations.landmarks import hierarchy_rows
from hgld.annotations.stage import AnnotateConfig, run_annotate
from hgld.engine.workspace import Workspace
from hgld.errors import MissingInputError
from hgld.tables import ANNOTATIONS, BAD_ANNOTATIONS, CREDITS, EXCLUDED, FILLED, HIERARCHY, PARTIAL
from tests.hgld.annotations import world
from tests.hgld.annotations.world import CHURCH, HERITAGE, LABELS, MUSEUM, PARISH, SCRAPED
from tests.worlds.builders import class_rows, write_scrape


@pytest.mark.parametrize("size", [2, 100])
def test_shards_of_any_size_hold_the_same_rows_in_the_same_order(
    reviewed: Workspace, size: int
) -> None:
    images = [
        {"split": "train", "image_id": name, "landmark_id": landmark, "in_clean": True}
        for name, landmark in (("d", 2), ("c", 1), ("b", 2), ("a", 1), ("e", 1))
    ]
    world.write_inputs(reviewed, images)
    run_annotate(reviewed, AnnotateConfig(images_per_shard=size))
    assert list(world.annotations(reviewed, "train")) == ["a", "c", "e", "b", "d"]
    count, shards = -(-5 // size), reviewed.shards(ANNOTATIONS["train"])
    names = [f"train-{number:05d}-of-{count:05d}.parquet" for number in range(count)]
    assert [path.name for path in shards] == names


def test_a_taxonomy_of_an_older_scrape_is_refused(reviewed: Workspace) -> None:
    more = SCRAPED | {("index", 2): [("Q40080", "beach")]}
    write_scrape(reviewed, class_rows(more), world.CATEGORIES)
    with pytest.raises(MissingInputError, match="Q40080"):
        run_annotate(reviewed, AnnotateConfig())


def test_a_build_without_classes_is_annotated_with_blanks(workspace: Workspace) -> None:
    nothing = [row | {"status": "no_p31"} for row in world.CATEGORIES]
    world.write_inputs(workspace, scraped={}, categories=nothing, attributions=[])
    run_annotate(workspace, AnnotateConfig())
    assert all(workspace.shards(dataset) == [] for dataset in ANNOTATIONS.values())
    row = world.landmark_labels(workspace)["index", 1]
    assert (row["reason"], row["supercategory"], row["classes"]) == ("no_p31", None, [])
    assert len(workspace.read(HIERARCHY)) == 0
    assert len(workspace.read(EXCLUDED)) == len(world.IMAGES)
    assert workspace.shards(CREDITS) == []


def test_an_image_without_a_label_is_excluded_and_says_why(annotated: Workspace) -> None:
    names = [set(world.annotations(annotated, split)) for split in ANNOTATIONS]
    assert names == [{"a0"}, {"b0", "b1"}, {"c0"}]
    no_guess = (None, None, None)
    row = world.annotations(annotated, "test")["c0"]  # of the index's landmark
    assert (row["landmark_id"], row["hierarchical_label"]) == (1, "ocean area ")
    assert [tuple(row.values()) for row in annotated.read(EXCLUDED).to_pylist()] == [
        ("train", "a1", 1, "not_clean", *no_guess),
        ("train", "a2", 3, "ignored", *no_guess),
        ("train", "a3", 4, "no_item", *no_guess),
        ("train", "a4", 5, "not_scraped", *no_guess),
        ("train", "a5", 6, "no_category", *no_guess),
        ("test", "c1", None, "no_landmark", *no_guess),
    ]
    assert len(annotated.read(BAD_ANNOTATIONS)) == 0


def test_a_picture_that_was_found_bad_is_left_out_where_that_is_asked_for(
    reviewed: Workspace,
) -> None:
    without_bad = AnnotateConfig(pictures=True, train="all")
    with pytest.raises(MissingInputError, match="hgld images"):
        run_annotate(reviewed, without_bad)
    world.write_bad(reviewed, {"train": ["a1"], "index": ["b1"], "test": ["c1"]})
    run_annotate(reviewed, without_bad)
    assert [tuple(row.values()) for row in reviewed.read(BAD_ANNOTATIONS).to_pylist()] == [
        ("train", "a1", 1, "truncated"),
        ("index", "b1", 2, "truncated"),
        ("test", "c1", None, "truncated"),  # excluded too, if it were not bad
    ]
    (label,) = [row for row in reviewed.read(HIERARCHY).to_pylist() if row["slug"] == "museum"]
    assert label["index_images"] == 0


@pytest.mark.parametrize("seed", range(3))
def test_every_image_is_in_exactly_one_table(workspace: Workspace, seed: int) -> None:
    chance = random.Random(seed)
    images = [
        {"split": split, "image_id": f"{number:02}", "landmark_id": chance.randrange(8)}
        | ({"in_clean": chance.random() < 0.5} if split == "train" else {})
        for number, split in enumerate(chance.choices([*ANNOTATIONS], k=120))
    ]
    keys = [(str(row["split"]), str(row["image_id"])) for row in (*world.IMAGES, *images)]
    bad = {split: [name for of, name in keys if of == split] for split in ANNOTATIONS}
    world.write_inputs(workspace, [*world.IMAGES, *images])
    world.write_bad(workspace, {split: chance.sample(names, 8) for split, names in bad.items()})
    world.write_fills(workspace, chance.sample(world.FILL_ROWS, 5))
    train: Any = chance.choice(["clean", "all"])
    config = AnnotateConfig(pictures=True, fills=True, images_per_shard=30, train=train)
    run_annotate(workspace, config)
    taken = {row["landmark_id"] for row in world.filled(workspace, "train").values()}
    assert taken <= {3, 4}  # no class gives these a label
    labelled = [*ANNOTATIONS.items(), *FILLED.items()]
    found = [
        (of, name) for of, one in labelled for name in workspace.read(one)["image_id"].to_pylist()
    ]
    for dataset in (EXCLUDED, BAD_ANNOTATIONS):
        rows = workspace.read(dataset)
        assert len(rows)
        found += zip(rows["split"].to_pylist(), rows["image_id"].to_pylist(), strict=True)
    assert sorted(found) == sorted(keys)
    # What is known of a landmark without a label is there beside why it has none.
    why = [row for row in workspace.read(EXCLUDED).to_pylist() if row["landmark_id"] is not None]
    known = {
        (row["split"], row["image_id"])
        for row in why
        if row["reason"] not in {"not_clean", "no_category"}
    }
    assert known == {
        (of, name)
        for of, one in PARTIAL.items()
        for name in workspace.read(one)["image_id"].to_pylist()
    }


def test_an_image_has_all_that_is_known_of_its_landmark(annotated: Workspace) -> None:
    by_qid = sorted([CHURCH, MUSEUM, PARISH, HERITAGE], key=lambda qid: int(qid[1:]))
    provenance = {"revision_id": 11, "class_qid": PARISH, "decision": "assigned"}
    provenance |= {"reviewer": "ann", "method": "class", "confidence": None, "accepted_above": None}
    of_landmark = {
        "landmark_id": 1,
        "supercategory": "parish church",  # rarer than church building
        "hierarchical_label": "church",
        "natural_or_human_made": "human-made",
        "category": "c/1",
        "qid": "Q1",
        **dict.fromkeys(("place", "country", "continent")),
        **provenance,
        "class_qids": " ".join(by_qid),
        "class_labels": "; ".join(LABELS[qid] for qid in by_qid),
        "classes": [{"class_qid": qid, "class_label": LABELS[qid]} for qid in by_qid],
        "provenance": {"status": "ok", **provenance},
    }
    image = world.annotations(annotated, "train")["a0"]
    assert image == of_landmark | {"image_id": "a0", "in_clean": True}
    landmark = world.landmark_labels(annotated)["train", 1]
    assert {name: landmark[name] for name in of_landmark} == of_landmark


def test_a_label_of_a_proposal_that_nobody_saw_says_so_and_how_sure_it_was(
    reviewed: Workspace,
) -> None:
    """Where several classes vote, it is the deciding class that says it."""
    unseen = {"decision": "proposed", "reviewer": None}
    parish = unseen | {"confidence": 0.96875, "accepted_above": 0.95}
    world.change_taxonomy(reviewed, {PARISH: parish})
    run_annotate(reviewed, AnnotateConfig())
    expected = parish | {"class_qid": PARISH, "method": "class"}
    image, landmarks = (world.annotations(reviewed, "train")["a0"], world.landmark_labels(reviewed))
    for row in (image, landmarks["train", 1]):
        for said in (row, row["provenance"]):
            assert {name: said[name] for name in expected} == expected


def test_a_landmark_without_a_label_says_why_and_keeps_what_is_known(annotated: Workspace) -> None:
    rows = world.landmark_labels(annotated)
    for row in rows.values():
        assert row["provenance"]["status"] == (row["reason"] or "ok")
        assert (row["hierarchical_label"] is None) == (row["natural_or_human_made"] is None)
        assert (row["hierarchical_label"] is None) == (row["reason"] is not None)
    heritage, unknown = rows["train", 3], rows["train", 4]
    assert heritage["supercategory"] == "World Heritage Site"  # as the published files do
    assert heritage["fetched_at"] == datetime(2025, 1, 1, tzinfo=UTC)
    assert (unknown["category"], unknown["classes"], unknown["class_qids"]) == ("c/4", [], "")
    assert unknown["candidates"] == []


def test_a_landmark_says_where_it_is_or_why_not(reviewed: Workspace) -> None:
    run_annotate(reviewed, AnnotateConfig())
    rows = world.landmark_labels(reviewed)
    assert {row["place_missing"]["country"] for row in rows.values()} == {"not_asked"}
    world.write_places(reviewed)
    assert not run_annotate(reviewed, AnnotateConfig()).skipped
    rows = world.landmark_labels(reviewed)
    # Two places have one name, and are told apart.
    assert [rows[split, 1]["place"] for split in ("train", "index")] == ["Paris (Q1)", "Paris (Q2)"]
    one, other, third = rows["train", 1], rows["index", 1], rows["train", 2]
    assert (one["latitude"], one["place_missing"]["country"]) == (45.5, "unknown")
    assert (other["latitude"], other["countries"]) == (-3.0, ["Q38"])
    assert other["place_missing"]["country"] is None
    assert (third["latitude"], third["countries"]) == (None, [])
    assert third["place_missing"]["country"] == "not_asked"


def test_a_thousand_landmarks_each_keep_their_own_classes(workspace: Workspace) -> None:
    # Ids of GLDv2's size and no order: a group-by of so many gives its groups in an order of its
    # own, which a handful of landmarks does not show.
    numbers = random.Random(0).sample(range(200_000), 1_000)
    qids = [CHURCH, PARISH, MUSEUM]
    classes = {number: [(qid, LABELS[qid]) for qid in qids[: 1 + number % 3]] for number in numbers}
    scraped = {("train", number): pairs for number, pairs in classes.items()}
    landmarks = [{"split": "train", "landmark_id": number, "category": ""} for number in numbers]
    images = [row | {"image_id": str(row["landmark_id"]), "in_clean": True} for row in landmarks]
    categories = [row | {"status": "ok"} for row in landmarks]
    world.write_inputs(
        workspace, images, landmarks=landmarks, scraped=scraped, categories=categories
    )
    run_annotate(workspace, AnnotateConfig())
    rows = workspace.read(ANNOTATIONS["train"]).to_pylist()
    labels = {row["landmark_id"]: row["hierarchical_label"] for row in rows}
    assert list(labels) == sorted(numbers, key=lambda number: (labels[number], number))
    for row in rows:
        expected = {qid for qid, _ in classes[row["landmark_id"]]}
        assert {item["class_qid"] for item in row["classes"]} == expected
        assert row["provenance"]["class_qid"] in expected


def test_the_labels_in_use_are_counted_at_every_level(reviewed: Workspace) -> None:
    run_annotate(reviewed, AnnotateConfig(train="all"))
    # Landmarks of train and index, then images of train, index and test.
    assert [tuple(row.values()) for row in reviewed.read(HIERARCHY).to_pylist()] == [
        (0, "church", "church", 0, "human-made", 2, 0, 2, 0, 0),
        (1, "museum", "museum", 0, "human-made", 0, 1, 0, 1, 0),
        (2, "ocean area ", "ocean-area", 1, "natural", 0, 1, 0, 1, 1),
    ]


def test_labels_that_look_alike_have_slugs_and_counts_of_their_own() -> None:
    labels = ["ocean area ", "ocean area", "神社", "../É° 2", "lake", "lake"]
    sides = ["natural", "natural", "human-made", "human-made", "natural", "human-made"]
    landmarks = pa.table(
        {"split": ["train"] * 6, "hierarchical_label": labels, "natural_or_human_made": sides}
    )
    nothing = landmarks.slice(0, 0)
    images = {"train": landmarks.slice(0, 5), "index": nothing, "test": nothing}
    rows = hierarchy_rows(landmarks, images)
    named = ["hierarchical_label", "slug", "natural_or_human_made", "train_images"]
    assert [tuple(row.values()) for row in rows.select(named).to_pylist()] == [
        ("../É° 2", "e-2", "human-made", 1),
        ("lake", "lake", "human-made", 0),
        ("lake", "lake-2", "natural", 1),
        ("ocean area", "ocean-area", "natural", 1),
        ("ocean area ", "ocean-area-2", "natural", 1),
        ("神社", "label", "human-made", 1),
    ]
    assert rows["hierarchical_label_id"].to_pylist() == list(range(6))


def test_the_published_format_has_each_landmark_in_its_order_and_blanks(
    annotated: Workspace,
) -> None:
    header = "landmark_id,category,supercategory,hierarchical_label,natural_or_human_made\n"
    train = annotated.path("annotations/train_label_to_hierarchical.csv").read_bytes().decode()
    assert train == header + (
        "3,c/3,World Heritage Site,,\n"
        "1,c/1,parish church,church,human-made\n"
        "2,c/2,church building,church,human-made\n"
        "4,c/4,,,\n"
        "5,c/5,,,\n"
    )
    # The training code of the authors of H-GLDv2 reads the same by other names.
    name = "annotations/train_label_to_subcategory_with_clusters.csv"
    theirs = "landmark_id,category,supercategory,cluster,overall_cluster\n"
    assert annotated.path(name).read_bytes().decode() == train.replace(header, theirs)
    index = annotated.path("annotations/index_label_to_hierarchical.csv").read_bytes().decode()
    assert index == header + (
        '1,"c/Lake_""x"",_y","lake, or pond",ocean area ,natural\n2,c/é,museum,museum,human-made\n'
    )


def test_no_spreadsheet_runs_a_cell_of_a_published_file(workspace: Workspace) -> None:
    world.write_inputs(workspace, scraped=SCRAPED | {("index", 2): [(MUSEUM, "@SUM(A1)")]})
    world.change_taxonomy(workspace, {MUSEUM: {"hierarchical_label": "-2+3|cmd"}})
    run_annotate(workspace, AnnotateConfig())
    for name in ("hierarchical", "subcategory_with_clusters"):
        text = workspace.path(f"annotations/index_label_to_{name}.csv").read_text("utf-8")
        assert text.splitlines()[2] == "2,c/é,'@SUM(A1),'-2+3|cmd,human-made"


CC = "creativecommons.org"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (f"https://{CC}/licenses/by/2.0", "CC-BY-2.0"),
        (f"http://www.{CC}/licenses/by-sa/3.0/", "CC-BY-SA-3.0"),
        (f"{CC}/licenses/by-sa/3.0/de/deed.en", "CC-BY-SA-3.0-DE"),
        (f"https://{CC}/licenses/by-nc-nd/4.0/legalcode", "CC-BY-NC-ND-4.0"),
        (f"https://{CC}/licenses/by/", "CC-BY"),  # its version is not stated
        (f"https://{CC}/publicdomain/zero/1.0/deed.en", "CC0-1.0"),
        (f"https://{CC}/publicdomain/mark/1.0/", "PDM-1.0"),
        ("CC BY-SA 4.0", "CC-BY-SA-4.0"),
        ("cc-by-2.5-it", "CC-BY-2.5-IT"),
        ("http://www.gnu.org/copyleft/fdl.html", None),
        (f"https://evil.example/{CC}/licenses/by/2.0", None),
        ("", None),
    ],
)
def test_a_license_has_its_short_name_with_its_version(text: str, name: str | None) -> None:
    assert license_name(text) == name


def test_each_train_image_of_the_data_has_its_credit_in_the_order_of_the_data(
    reviewed: Workspace,
) -> None:
    report = run_annotate(reviewed, AnnotateConfig(train="all"))
    by, by_sa = f"https://{CC}/licenses/by/2.0", f"https://{CC}/licenses/by-sa/3.0/de/deed.de"
    nave = ("File:Nave.jpg", "Ann", "https://c.example/1")
    tower = ('File:Tower, "old".jpg', "Zoë & Co", None)
    assert [tuple(row.values()) for row in reviewed.read(CREDITS).to_pylist()] == [
        ("a0", "ok", *tower, "CC-BY-SA-3.0-DE", by_sa),
        ("a1", "ok", *nave, "CC-BY-2.0", by),
    ]
    assert report.manifest.problems == 0


def test_an_image_that_nobody_is_credited_for_is_kept_and_counted(workspace: Workspace) -> None:
    attributions = [{"image_id": "a0", "author": "first"}, {"image_id": "a0", "author": "second"}]
    world.write_inputs(workspace, attributions=attributions)
    report = run_annotate(workspace, AnnotateConfig(train="all", images_per_shard=1))
    rows = workspace.read(CREDITS).select(["image_id", "status", "author"]).to_pylist()
    assert [tuple(row.values()) for row in rows] == [("a0", "ok", "first"), ("a1", "missing", None)]
    assert report.manifest.problems == 1


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


def test_an_image_that_stays_without_a_label_has_the_best_guess_and_the_reason(
    filling: Workspace,
) -> None:
    unclean = {"split": "train", "image_id": "a6", "landmark_id": 4, "in_clean": False}
    more = [unclean, unclean | {"image_id": "a7", "landmark_id": 5}]
    world.write_inputs(filling, [*world.IMAGES, *more])
    run_annotate(filling, FILLS_TAKEN)
    assert [tuple(row.values()) for row in filling.read(EXCLUDED).to_pylist()] == [
        ("train", "a1", 1, "not_clean", None, None, None),  # its landmark has a label
        ("train", "a4", 5, "not_scraped", "cave", 0.5, "named a cave; not sure enough"),
        ("train", "a5", 6, "no_category", None, None, None),
        ("train", "a6", 4, "not_clean", None, None, None),  # its landmark is filled
        ("train", "a7", 5, "not_clean", "cave", 0.5, "named a cave; not sure enough"),
        ("test", "c1", None, "no_landmark", None, None, None),
    ]


def test_a_landmark_without_a_label_has_images_that_say_how_much_is_known(
    filling: Workspace,
) -> None:
    side = {"best_guess_side": "natural"}
    world.write_fills(filling, [row | side for row in world.FILL_ROWS])
    columns = ["image_id", "hierarchical_label", "natural_or_human_made", "depth", "confidence"]
    run_annotate(filling, AnnotateConfig())
    rows = filling.read(PARTIAL["train"], columns).to_pylist()
    assert [tuple(row.values()) for row in rows] == [
        ("a2", None, None, 1, None),
        ("a3", None, None, 1, None),
        ("a4", None, None, 1, None),
    ]
    run_annotate(filling, FILLS_TAKEN)  # a2 and a3 have a label now
    (row,) = filling.read(PARTIAL["train"]).to_pylist()
    assert [row[name] for name in columns] == ["a4", None, "natural", 2, 0.5]
    assert (row["method"], row["landmark_id"], row["in_clean"]) == ("words", 5, True)
    assert filling.shards(PARTIAL["index"]) == []


def test_fills_are_taken_only_where_that_is_asked_for_and_change_nothing_published(
    reviewed: Workspace,
) -> None:
    with pytest.raises(MissingInputError, match="hgld fill"):
        run_annotate(reviewed, FILLS_TAKEN)
    without = run_annotate(reviewed, AnnotateConfig()).manifest.outputs
    world.write_fills(reviewed)
    assert run_annotate(reviewed, AnnotateConfig()).skipped
    with_fills = run_annotate(reviewed, FILLS_TAKEN).manifest.outputs
    published = [dataset.path for dataset in (*ANNOTATIONS.values(), HIERARCHY)]
    published += [name for name in without if name.endswith(".csv")]
    assert [name for name in published if with_fills[name] != without[name]] == []
    assert with_fills != without
    assert run_annotate(reviewed, AnnotateConfig()).manifest.outputs == without
    assert reviewed.shards(FILLED["train"]) == []
