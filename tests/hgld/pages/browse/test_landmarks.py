import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.pages.browse.pages import BrowsePages
from tests.hgld.pages.browse.world import with_churches


def test_every_landmark_is_in_one_group_and_groups_are_adjacent(pages: BrowsePages) -> None:
    landmarks, keys = pages.landmarks, pages.landmarks.keys
    told = {
        (group.label or group.slug, group.side): [
            f"{space} {number}" for space, number in (keys[row] for row in group.rows)
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
    names = ["train_images", "index_images", "test_images", "left_out"]
    counts = zip(*(landmarks.table[name].to_pylist() for name in names), strict=True)
    counted = dict(zip(keys, counts, strict=True))
    assert (counted["train", 1], counted["train", 3]) == ((2, 0, 0, 0), (0, 0, 0, 1))
    assert counted["index", 1] == (0, 1, 1, 0)


def test_similar_landmarks_have_the_same_label_the_same_class_first(build: Workspace) -> None:
    qids = ("Q317557", None, "Q317557")
    landmarks = with_churches(build, *({"class_qid": qid} for qid in qids)).landmarks
    for key, found in (
        (("train", 102), [1, 100, 2, 101]),  # 1 and 100 are parish churches too
        (("train", 2), [1, 100, 101, 102]),
        (("index", 1), []),  # the only one of its label
        (("train", 4), []),  # without a label
    ):
        similar = [landmarks.keys[row] for row in landmarks.similar(landmarks.rows[key])]
        assert similar == [("train", number) for number in found]


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("split", ["../../etc", *["train"] * 6]),
        ("natural_or_human_made", ["moon"] * 7),
    ],
)
def test_values_that_no_page_or_file_can_have_are_refused(
    build: Workspace, column: str, values: list[str]
) -> None:
    path = build.path("annotations/landmarks.parquet")
    rows = pq.read_table(path, partitioning=None)
    field, place = rows.schema.field(column), rows.column_names.index(column)
    pq.write_table(rows.set_column(place, field, pa.array(values, field.type)), path)
    with pytest.raises(InputError, match=column):
        BrowsePages(build.root)
