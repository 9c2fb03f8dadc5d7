"""What stands near a landmark: the labels of the nearest ones, where it is known where they are."""

import math
import random
import re
from collections import Counter

import pytest

from hgld.labels.fills.nearby import near_texts
from tests.hgld.labels.fills.worlds import place_table

pytest.importorskip("scipy", reason="needs `pip install 'hgld[cluster]'`")

KM_A_DEGREE = math.radians(6371)
ASKED = ("train", 0)
MINES = {("index", number): "mine" for number in (1, 2, 3, 4)}


def kms(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Returns the way along the globe, by the haversine formula."""
    (north, east), (north_2, east_2) = (tuple(map(math.radians, place)) for place in (one, other))
    half = math.sin((north_2 - north) / 2) ** 2
    half += math.cos(north) * math.cos(north_2) * math.sin((east_2 - east) / 2) ** 2
    return 2 * 6371 * math.asin(math.sqrt(half))


def told(text: str) -> tuple[dict[str, int], float]:
    """Returns how often each label is named, and the kilometres."""
    counts = {label: int(count) for count, label in re.findall(r"(\d+) ([a-z]+)[, ]", text)}
    [km] = re.findall(r"(\d+\.\d) km", text)
    return counts, float(km)


def test_the_five_nearest_are_counted_by_label_over_both_label_spaces() -> None:
    places = {ASKED: (0.0, 0.0), **{key: (key[1] / 1000, 0.0) for key in MINES}}
    labels = MINES | {("train", 5): "church", ("train", 6): "lake", ("train", 7): "mine"}
    places |= {("train", 5): (0.0, -0.02), ("train", 6): (0.0, 0.03), ("train", 7): (0.001, 0.0)}
    # An item that is a landmark of both counts once.
    table = place_table(places, {("train", 7): {"qid": "Q2"}})  # that of the first mine
    [text] = near_texts([ASKED], labels, table).values()
    # The fifth is 0.02 degrees away, which is 2.22 km.
    assert told(text) == ({"mine": 4, "church": 1}, 2.3)


def test_neighbours_are_those_of_a_loop_over_all_at_every_latitude() -> None:
    moments = random.Random(1)
    places, labels = {}, {}
    for number in range(600):
        middle = moments.choice([(89.97, 0.0), (10.0, 179.98), (51.5, -0.1)])
        north = min(middle[0] + moments.gauss(0, 0.04), 90.0)
        east = (middle[1] + moments.gauss(0, 0.04) / math.cos(math.radians(north)) + 180) % 360
        places["train", number] = (north, east - 180)
        if number % 3:
            labels["train", number] = moments.choice(["church", "mine", "lake"])
    asked = [key for key in places if key not in labels]
    found = near_texts(asked, labels, place_table(places))
    for row, key in enumerate(asked):
        near = sorted((kms(places[key], places[other]), labels[other]) for other in labels)[:5]
        near = [one for one in near if one[0] <= 10]
        assert (row in found) == bool(near)
        if near:
            counts, km = told(found[row])
            assert counts == Counter(label for _, label in near)
            assert near[-1][0] <= km + 1e-6 < near[-1][0] + 0.1 + 2e-6


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("latitude", None),  # on the Moon
        ("coordinate_precision", 1 / 60),
        ("coordinate_precision", None),
        ("latitude", 20.1 / KM_A_DEGREE),  # 10.1 at least
    ],
)
@pytest.mark.parametrize("whose", [ASKED, ("index", 1)])
def test_nothing_is_said_without_a_neighbour_within_ten_km_of_exact_coordinates(
    whose: tuple[str, int], column: str, value: float | None
) -> None:
    places = {ASKED: (0.0, 0.0), ("index", 1): (9.95 / KM_A_DEGREE, 0.0)}
    labels = {("index", 1): "mine"}
    [text] = near_texts([ASKED], labels, place_table(places)).values()
    assert told(text) == ({"mine": 1}, 10.0)
    assert near_texts([ASKED], labels, place_table(places, {whose: {column: value}})) == {}
    assert near_texts([ASKED], labels, place_table({})) == {}
