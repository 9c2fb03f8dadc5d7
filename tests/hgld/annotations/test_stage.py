import random
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hgld.annotations import stage
from hgld.annotations.images import annotated_rows
from hgld.annotations.stage import AnnotateConfig, run_annotate
from hgld.engine.placing import find_beside, place_beside
from hgld.engine.workspace import Workspace
from hgld.errors import MissingInputError
from hgld.tables import (
    ANNOTATIONS,
    CLASSES,
    EXCLUDED,
    HIERARCHY,
)
from tests.hgld.annotations.world import (
    CATEGORIES,
    CHURCH,
    DECISIONS,
    IMAGES,
    LANDMARKS,
    SCRAPED,
    annotations,
    landmark_labels,
    write_inputs,
)
from tests.worlds.builders import (
    class_rows,
    table_of,
    write_metadata,
    write_scrape,
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


def test_the_time_of_a_fetch_changes_no_digest_and_runs_nothing_again(
    reviewed: Workspace,
) -> None:
    first = run_annotate(reviewed, AnnotateConfig()).manifest
    later = [row | {"fetched_at": datetime(2031, 2, 3, tzinfo=UTC)} for row in CATEGORIES]
    write_scrape(reviewed, class_rows(SCRAPED), later)
    again = run_annotate(reviewed, AnnotateConfig())
    assert again.skipped
    assert again.manifest == first


def test_another_decision_runs_again_and_changes_the_labels(reviewed: Workspace) -> None:
    run_annotate(reviewed, AnnotateConfig())
    changed = DECISIONS | {CHURCH: ("assigned", "chapel", "human-made")}
    write_taxonomy(reviewed, class_rows(SCRAPED), changed)
    assert not run_annotate(reviewed, AnnotateConfig()).skipped
    # Three super-categories with one vote each now: the parish church is the rarest class.
    assert annotations(reviewed, "train")["a0"]["hierarchical_label"] == "church"
    text = reviewed.path("annotations/train_label_to_hierarchical.csv").read_text(encoding="utf-8")
    assert "2,c/2,church building,chapel,human-made\n" in text


def test_fewer_images_leave_no_shard_of_the_old_ones(reviewed: Workspace) -> None:
    run_annotate(reviewed, AnnotateConfig(images_per_shard=1))
    assert len(reviewed.shards(ANNOTATIONS["index"])) == 2
    write_inputs(reviewed, IMAGES[:1])
    run_annotate(reviewed, AnnotateConfig(images_per_shard=1))
    assert list(annotations(reviewed, "train")) == ["a0"]
    assert reviewed.shards(ANNOTATIONS["index"]) == []
    assert sorted(path.name for path in reviewed.path("annotations/data").iterdir()) == [
        "train-00000-of-00001.parquet"
    ]


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


def test_a_run_stopped_midway_goes_on_and_ends_with_the_same_digests(
    reviewed: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = list[int]()

    def stopping(images: pa.Table, landmarks: pa.Table) -> pa.Table:
        calls.append(len(images))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return annotated_rows(images, landmarks)

    config = AnnotateConfig(images_per_shard=1, train="all")
    with monkeypatch.context() as patch:
        patch.setattr(stage, "annotated_rows", stopping)
        with pytest.raises(KeyboardInterrupt):
            run_annotate(reviewed, config)
    kept = find_beside(reviewed, [ANNOTATIONS["train"]])
    done = [place_beside(reviewed.path(name), record) for name, record in kept.items()]
    assert len(done) == 2
    assert reviewed.manifest("annotate") is None
    times = [path.stat().st_mtime_ns for path in done]
    resumed = run_annotate(reviewed, config).manifest
    assert [reviewed.path(name).stat().st_mtime_ns for name in kept] == times

    undisturbed = Workspace(tmp_path / "undisturbed")
    write_inputs(undisturbed)
    manifest = run_annotate(undisturbed, config).manifest
    assert resumed.outputs == manifest.outputs
    assert resumed.records == manifest.records  # byte for byte


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shard of three row groups; nobody changes it."""
    workspace, chance = Workspace(tmp_path_factory.mktemp("many") / "build"), random.Random(0)
    images = [
        {
            "split": "train",
            "image_id": f"{chance.getrandbits(64):016x}",
            "landmark_id": chance.choice([1, 2]),
            "in_clean": True,
        }
        for _ in range(23_000)
    ]
    write_inputs(workspace, images)
    run_annotate(workspace, AnnotateConfig())
    (path,) = workspace.shards(ANNOTATIONS["train"])
    return path


def test_row_groups_are_small_sorted_and_say_so(many: Path) -> None:
    metadata = pq.read_metadata(many)
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    assert [group.num_rows for group in groups] == [10_000, 10_000, 3_000]
    names = [metadata.schema.column(place).path for place in range(metadata.num_columns)]
    for group in groups:
        by = [names[column.column_index] for column in group.sorting_columns]
        assert by == ["hierarchical_label", "landmark_id", "image_id"]
    rows = pq.read_table(many, columns=["hierarchical_label", "landmark_id", "image_id"])
    keys = [tuple(row.values()) for row in rows.to_pylist()]
    assert keys == sorted(keys)


def test_columns_have_an_index_of_their_pages_and_a_dictionary_where_values_repeat(
    many: Path,
) -> None:
    group = pq.read_metadata(many).row_group(0)
    columns = {group.column(place).path_in_schema: group.column(place) for place in range(9)}
    assert all(column.has_offset_index and column.has_column_index for column in columns.values())
    assert all(column.compression == "ZSTD" for column in columns.values())
    assert not columns["image_id"].has_dictionary_page
    assert columns["hierarchical_label"].has_dictionary_page
    assert columns["category"].has_dictionary_page
