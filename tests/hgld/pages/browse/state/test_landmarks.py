import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.pages.browse.exhibit import Exhibit


def test_every_landmark_is_in_one_group_and_groups_lie_side_by_side(exhibit: Exhibit) -> None:
    landmarks = exhibit.landmarks
    told = {
        (group.label or group.slug, group.side): [
            f"{row['split']} {row['landmark_id']}"
            for row in landmarks.table.slice(group.start, group.end - group.start).to_pylist()
        ]
        for group in landmarks.groups
    }
    assert told == {
        ("lake", "natural"): ["index 1"],
        ("church", "human-made"): ["train 1", "train 2"],  # the one with most images first
        ("museum", "human-made"): ["index 2"],
        ("no-label-ignored", ""): ["train 3"],
        ("no-label-no-item", ""): ["train 4"],
        ("no-label-not-scraped", ""): ["train 5"],
    }
    # Of the index its own images and the queries; of one without a label what is left out.
    for key, images, left_out in (
        (("train", 1), [2, 0], 0),
        (("train", 2), [0, 0], 0),
        (("index", 1), [1, 1], 0),
        (("train", 3), [0, 0], 1),
    ):
        place = landmarks.place[key]
        assert (landmarks.images[place].tolist(), landmarks.left_out[place]) == (images, left_out)


@pytest.mark.parametrize(
    ("column", "values", "word"),
    [
        ("slug", ["../../etc", "b", "c"], "slug"),
        ("slug", ["a", "b", "a"], "slug"),
        ("slug", ["", "b", "c"], "slug"),
        ("slug", ["Church", "b", "c"], "slug"),
        ("slug", ["no-label-ignored", "b", "c"], "slug"),
        ("hierarchical_label", ["chapel", "lake", "museum"], "church"),  # of another release
    ],
)
def test_slugs_that_are_no_file_names_and_tables_of_two_releases_are_refused(
    build: Workspace, column: str, values: list[str], word: str
) -> None:
    path = build.path("annotations/hierarchy.parquet")
    table = pq.read_table(path, partitioning=None)
    field = table.schema.field(column)
    place = table.column_names.index(column)
    pq.write_table(table.set_column(place, field, pa.array(values, field.type)), path)
    with pytest.raises(InputError, match=word):
        Exhibit(build.root)
