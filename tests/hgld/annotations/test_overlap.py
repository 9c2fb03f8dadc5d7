"""Which train and index landmarks overlap, and why."""

import itertools
import math
import random
from typing import Any

import pyarrow as pa
import pytest

from hgld.annotations.overlap import overlap_rows, revisited_buildings
from hgld.tables import LANDMARK_LABELS
from tests.worlds.builders import table_of


def landmarks(*rows: dict[str, Any]) -> pa.Table:
    blank = {"class_qids": "", "class_labels": "", "rule": "", "provenance": {"status": "ok"}}
    return table_of(LANDMARK_LABELS, [{**blank, **row} for row in rows])


def train(number: int, **columns: Any) -> dict[str, Any]:  # noqa: ANN401 - of a landmark
    return {"split": "train", "landmark_id": number, **columns}


def index(number: int, **columns: Any) -> dict[str, Any]:  # noqa: ANN401 - of a landmark
    return {"split": "index", "landmark_id": number, **columns}


def found(*rows: dict[str, Any]) -> list[tuple[int, int, str]]:
    overlaps = overlap_rows(landmarks(*rows)).to_pylist()
    return [(one["train_landmark_id"], one["index_landmark_id"], one["why"]) for one in overlaps]


def at(latitude: float, longitude: float, precision: float | None = 0.0001) -> dict[str, Any]:
    return {"latitude": latitude, "longitude": longitude, "coordinate_precision": precision}


def on_globe(row: dict[str, Any]) -> tuple[float, float, float]:
    north, east = math.radians(row["latitude"]), math.radians(row["longitude"])
    return math.cos(north) * math.cos(east), math.cos(north) * math.sin(east), math.sin(north)


def test_landmarks_of_one_item_overlap_whatever_their_ids() -> None:
    rows = [train(1, qid="Q1"), train(2, qid="Q2"), train(3), index(2, qid="Q1"), index(3)]
    assert found(*rows) == [(1, 2, "same_item")]
    # Two of one split are no leak.
    assert found(train(1, qid="Q1"), train(2, qid="Q1")) == []


def test_a_part_and_its_whole_overlap_whichever_is_in_the_index() -> None:
    rows = [train(1, qid="Q1", part_of=["Q9", "Q2"]), train(3, qid="Q3")]
    rows += [index(1, qid="Q2"), index(2, qid="Q4", part_of=["Q3"]), index(3, qid="Q5")]
    assert found(*rows) == [(1, 1, "part_of"), (3, 2, "part_of")]


def test_the_same_place_is_as_near_as_the_less_exact_is_known() -> None:
    tower = train(1, **at(45.0, 9.0))
    assert found(tower, index(2, **at(45.00009, 9.0))) == [(1, 2, "same_place")]
    assert found(tower, index(2, **at(45.0002, 9.0))) == []
    assert found(tower, index(2, **at(45.0002, 9.0, 0.001))) == [(1, 2, "same_place")]
    # A degree of longitude is shorter there.
    assert found(tower, index(2, **at(45.0, 9.00014))) == [(1, 2, "same_place")]
    # Towns are no landmarks.
    assert found(tower, index(2, **at(45.0, 9.0, 0.01))) == []
    assert found(tower, index(2, **at(45.0, 9.0, None))) == []
    assert found(train(1, **at(45.0, 9.0, None)), index(2, **at(45.0, 9.0))) == []


def test_all_pairs_of_a_loop_are_found_on_every_part_of_the_globe() -> None:
    moments, rows = random.Random(2), []
    middles = [(45.0, 9.0), (0.0, 180.0), (-45.0, 100.0), (-45.0, -80.0), (89.99, 0.0)]
    for number in range(300):
        north, east = moments.choice(middles)
        north += moments.gauss(0, 0.0004)
        east += moments.gauss(0, 0.0004) / math.cos(math.radians(north))
        place = (north, (east + 180) % 360 - 180)
        exact = moments.choice([0.0001, 0.0005, 0.001])
        rows.append((train, index)[number % 2](number, **at(*place, exact)))
    pairs = []
    for one, other in itertools.product(rows[::2], rows[1::2]):
        degrees = math.degrees(math.dist(on_globe(one), on_globe(other)))
        if degrees <= max(one["coordinate_precision"], other["coordinate_precision"]):
            pairs.append((one["landmark_id"], other["landmark_id"], "same_place"))
    assert len(pairs) > 100
    assert found(*rows) == pairs


def test_the_distance_is_in_metres() -> None:
    rows = overlap_rows(landmarks(train(1, **at(60.0, 0.0, 0.001)), index(1, **at(60.0, 0.001))))
    (row,) = rows.to_pylist()
    assert math.isclose(row["metres"], 55.6, abs_tol=0.1)


def test_every_reason_of_a_pair_has_a_row_and_nothing_is_found_of_nothing() -> None:
    both = {"qid": "Q1", **at(1.0, 1.0)}
    assert found(train(5, **both), index(6, **both)) == [(5, 6, "same_item"), (5, 6, "same_place")]
    assert found() == []


def test_a_train_landmark_at_a_building_of_revisited_overlaps_with_it() -> None:
    places = {row.pop("building"): row for row in revisited_buildings().to_pylist()}
    assert len(places) == 22

    def near(
        number: int, building: str, metres: tuple[float, float], precision: float
    ) -> dict[str, Any]:
        north, east = (one / 111_195 for one in metres)
        latitude, longitude = places[building]["latitude"], places[building]["longitude"]
        east /= math.cos(math.radians(latitude))
        return train(number, **at(latitude + north, longitude + east, precision))

    rows = overlap_rows(
        landmarks(
            near(1, "pompidou", (149, 0), 0.001),
            near(2, "magdalen", (0, 151), 0.0001),
            near(3, "magdalen", (0, 0), 0.01),
            near(4, "eiffel", (0, -149), 0.0001),
            index(5, **at(**places["eiffel"])),
        )
    ).to_pylist()
    assert [(row["train_landmark_id"], row["building"]) for row in rows] == [
        (1, "pompidou"),
        (4, "eiffel"),
    ]
    assert {row["why"] for row in rows} == {"same_place"}
    assert {row["index_landmark_id"] for row in rows} == {None}
    assert [row["metres"] for row in rows] == pytest.approx([149, 149], abs=0.5)
