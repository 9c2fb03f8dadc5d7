import base64
import io
import math

import pytest
from PIL import Image

from hgld.benchmarks.retrieval.protocol import Protocol
from hgld.benchmarks.retrieval.report import image_uri, make_examples, spread_queries
from tests.benchmarks.retrieval.made_up import compared


@pytest.mark.parametrize(
    ("changes", "ids", "chosen"),
    [
        ([0.0] * 3, "cab", {0.0: 1, 0.5: 2, 1.0: 0}),  # equal ones by image id
        ([math.nan, 0.1, math.nan], "abc", {0.0: 1}),
        ([math.nan], "a", {}),
        ([1.0, 2.0], "ab", {0.0: 0, 0.5: 1}),  # each once
        ([7.0, *range(6), 8.0], "abcdefgh", {0.0: 1, 0.25: 3, 0.5: 5, 0.75: 6, 1.0: 7}),
        ([1.0, 2.0, 3.0, 4.0], "abcd", {0.0: 0, 0.25: 1, 0.5: 2, 1.0: 3}),
    ],
)
def test_few_queries_are_each_shown_once_and_undefined_ones_never(
    changes: list[float], ids: str, chosen: dict[float, int]
) -> None:
    assert spread_queries(changes, list(ids)) == chosen


def test_queries_are_ordered_by_the_change_and_shown_with_what_each_method_found(
    products: Protocol,
) -> None:
    # 4 and 5 are one bicycle, 6 another, 7 a mug.
    nan, places = math.nan, [[1, 2, 3], [0, 2, 3], [3, 0, 1], [0, 1, 2]]
    before = compared("before", {"h_ap": [0.5, 0.5, 0.5, nan]}, nearest=places)
    places = [[3, 1, 2], [0, 2, 3], [0, 1, 3], [2, 1, 0]]
    scores = {"h_ap": [0.4, 0.9, 0.6, nan]}
    after = compared("after", scores, baseline="before", nearest=places)
    found = make_examples(products, [before, after])
    assert [(one.quantile, one.query.image_id) for one in found] == [
        *((0.0, "4"), (0.5, "6"), (1.0, "5"))
    ]
    worst = found[0]
    assert worst.scores == {"before": 0.5, "after": 0.4}
    assert [one.image_id for one in worst.retrieved["after"]] == ["7", "5", "6"]
    assert [one.grade for one in worst.retrieved["after"]] == [0, 2, 1]
    alone = make_examples(products, [before])
    assert [one.query.image_id for one in alone] == ["4", "5", "6"]  # equal: by id


def test_a_picture_is_a_small_square_jpeg_of_its_middle() -> None:
    wide = Image.new("RGB", (600, 200), "red")
    wide.paste("blue", (200, 0, 400, 200))
    head, _, content = image_uri(wide).partition(",")
    assert head == "data:image/jpeg;base64"
    with Image.open(io.BytesIO(base64.b64decode(content))) as image:
        assert (image.format, image.size) == ("JPEG", (144, 144))
        assert image.resize((1, 1)).convert("L").getpixel((0, 0)) == 29  # of blue
