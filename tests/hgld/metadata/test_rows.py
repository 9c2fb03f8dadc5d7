import pyarrow as pa
import pytest

from hgld.metadata.rows import query_landmarks


@pytest.mark.parametrize(
    ("relevant", "landmark"),
    [
        ("a", 7),
        ("a b c", 5),
        ("b a", 5),  # a tie: the smallest id, whatever the order
        ("a b", 5),
        ("  a   a b ", 7),
        ("None", None),
        ("", None),
    ],
)
def test_the_landmark_of_a_test_image_is_the_one_most_of_its_relevant_images_show(
    relevant: str, landmark: int | None
) -> None:
    index = pa.table({"id": ["a", "b", "c"], "landmark_id": [7, 5, 5]})
    assert query_landmarks(pa.array(["None", relevant]), index).to_pylist() == [None, landmark]


def test_no_test_images_have_no_landmarks() -> None:
    index = pa.table({"id": ["a"], "landmark_id": [7]})
    assert len(query_landmarks(pa.array([], pa.string()), index)) == 0
