from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.pages.browse.exhibit import Exhibit


def rewrite(path: Path, column: str, values: list[str]) -> None:
    table = pq.read_table(path, partitioning=None)
    place = table.column_names.index(column)
    field = table.schema.field(column)
    pq.write_table(table.set_column(place, field, pa.array(values, field.type)), path)


def test_every_landmark_is_in_one_group_and_groups_lie_side_by_side(exhibit: Exhibit) -> None:
    landmarks = exhibit.landmarks
    told = {
        (group.label, group.side, group.reason): {
            (row["split"], row["landmark_id"])
            for row in landmarks.table.slice(group.start, group.end - group.start).to_pylist()
        }
        for group in landmarks.groups
    }
    assert told == {
        ("lake", "natural", ""): {("index", 1)},
        ("church", "human-made", ""): {("train", 1), ("train", 2)},
        ("museum", "human-made", ""): {("index", 2)},
        ("", "", "ignored"): {("train", 3)},
        ("", "", "no_item"): {("train", 4)},
        ("", "", "not_scraped"): {("train", 5)},
    }
    assert landmarks.groups[-1].end == len(landmarks) == 7
    assert [group.slug for group in landmarks.groups[3:]] == [
        *("no-label-ignored", "no-label-no-item", "no-label-not-scraped")
    ]


def test_the_landmarks_with_most_images_come_first_and_are_counted(exhibit: Exhibit) -> None:
    landmarks = exhibit.landmarks
    church = landmarks.group("church")
    assert church is not None
    rows = landmarks.table.slice(church.start, 2).to_pylist()
    assert [(row["split"], row["landmark_id"]) for row in rows] == [("train", 1), ("train", 2)]
    assert landmarks.images[church.start : church.end].tolist() == [[2, 0], [0, 0]]
    # Of the index its own images and the queries; of one without a label what is left out.
    assert landmarks.images[landmarks.place["index", 1]].tolist() == [1, 1]
    assert landmarks.left_out[landmarks.place["train", 3]] == 1
    assert landmarks.left_out[landmarks.place["train", 1]] == 0


def test_slugs_that_are_no_file_names_of_their_own_are_refused(build: Workspace) -> None:
    for slugs in (
        *(["../../etc", "b", "c"], ["a", "b", "a"], ["", "b", "c"], ["Church", "b", "c"]),
        ["no-label-ignored", "b", "c"],
    ):
        rewrite(build.path("annotations/hierarchy.parquet"), "slug", slugs)
        with pytest.raises(InputError, match="slug"):
            Exhibit(build.root)


def test_tables_of_two_releases_are_refused(build: Workspace) -> None:
    rewrite(
        build.path("annotations/hierarchy.parquet"),
        "hierarchical_label",
        ["chapel", "lake", "museum"],
    )
    with pytest.raises(InputError, match="church"):
        Exhibit(build.root)
