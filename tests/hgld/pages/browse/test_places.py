import math

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hgld.engine.workspace import Workspace
from hgld.pages.browse import places as module
from hgld.pages.browse.pages import BrowsePages
from hgld.pages.browse.places import NEAR_KM
from tests.hgld.pages.browse.world import with_churches

EXACT = 0.0001


def at(latitude: float, longitude: float, precision: float | None = EXACT) -> dict[str, object]:
    place = {"latitude": latitude, "longitude": longitude, "coordinate_precision": precision}
    return {**place, "continent": "Asia", "country": "Fiji"}


def every(pages: BrowsePages) -> range:
    return range(len(pages.landmarks.table))


def near(pages: BrowsePages, number: int) -> dict[int, str]:
    found = pages.places.nearest(pages.landmarks.rows["train", number])
    return {pages.landmarks.keys[row][1]: distance for row, distance in found.items()}


def test_a_landmark_is_marked_at_its_degrees_by_its_side(pages: BrowsePages) -> None:
    marks = {(one.x, one.y, one.side, one.country.name) for one in pages.places.marks(every(pages))}
    # 9 degrees east and 45.5 north: 189 from the left edge, and 44.5 from the top.
    assert marks == {(1890, 445, "human-made", ""), (1890, 930, "natural", "Italy")}
    museum = next(one for one in pages.landmarks.groups if one.label == "museum")
    assert pages.places.marks(museum.rows) == []
    assert pages.text(f"labels/{museum.slug}/map.html") is None


def test_the_edges_of_the_earth_are_on_the_map_and_what_is_beyond_is_not(build: Workspace) -> None:
    off = dict.fromkeys(("latitude", "longitude"))
    why = [{**off, "place_missing": {"coordinates": one}} for one in ("not_on_earth", "several")]
    nowhere = [at(90.5, 0), at(0, 181), at(math.nan, 0)]
    edges = (at(90, -180), at(-90, 180))
    pages = with_churches(build, *edges, *nowhere, *why, why[0])
    places, rows = pages.places, every(pages)
    assert {(0, 0), (3600, 1800)} <= {(one.x, one.y) for one in places.marks(rows)}
    reasons = places.missing(rows)
    assert (reasons["not_on_earth"], reasons["several"]) == (2, 1)
    assert sum(reasons.values()) + len(places.marks(rows)) == len(rows)


def test_many_landmarks_of_one_cell_side_and_country_are_one_mark_the_largest_below(
    build: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_DOTS", 3)
    lake = {"hierarchical_label": "lake", "natural_or_human_made": "natural"}
    samoa = at(0.5, 0.5) | {"country": "Samoa"}
    here = (at(0.5, 0.5), at(1.5, 1.1), at(1.0, 0.5), samoa, at(0.5, 0.5) | lake, at(2.5, 0.5))
    pages = with_churches(build, *here)
    largest, *others = pages.places.marks(every(pages))
    assert (largest.x, largest.y, largest.size) == (1807, 890, 3)  # their mean
    assert largest.title == "Fiji: 3 human-made landmarks"
    told = {(one.country.name, one.side, one.size) for one in others}
    assert {("Samoa", "human-made", 1), ("Fiji", "natural", 1), ("Fiji", "human-made", 1)} <= told
    assert len(others) == 5  # with the two that were there
    assert all(one.radius < largest.radius for one in others)


def test_every_landmark_is_counted_in_one_country_and_unknown_ones_come_last(
    build: Workspace,
) -> None:
    several = at(0, 0) | {"continent": None, "country": "Russia"}
    none = {"hierarchical_label": None, "natural_or_human_made": None, "reason": "no_p31"}
    pages = with_churches(build, at(0, 0), at(0, 0) | none, several)
    counts = pages.places.counts(every(pages))
    told = {
        continent: [(one.name, of_sides) for one, of_sides in countries]
        for continent, countries in counts.items()
    }
    # Of each: natural, human-made, without a label.
    assert list(told.items()) == [
        ("Asia", [("Fiji", [0, 1, 1])]),
        ("Europe", [("Italy", [1, 0, 0])]),
        ("", [("Russia", [0, 1, 0]), ("", [0, 3, 3])]),
    ]
    rows = np.sort(np.concatenate([one.rows for one in pages.places.countries]))
    assert rows.tolist() == list(every(pages))
    images = pages.landmarks.table["images"].take(pa.array(pages.places.countries[-1].rows))
    assert images.to_pylist() == sorted(images.to_pylist(), reverse=True)


@pytest.mark.parametrize(
    ("one", "other", "distance"),
    [
        (at(0, 179.9), at(0, -179.9), "22 km"),  # 0.2 degrees of 111.2 km, over the date line
        (at(89.9, 0), at(89.9, 180), "22 km"),  # over the pole
        (at(0, 0), at(0.0111, 0), "1.2 km"),
        (at(0, 0), at(0.0011, 0), "120 m"),
        (at(0, 0), at(0, 0), "within 11 m"),  # as far as is known
        (at(0, 0), at(0.0111, 0, 0.01), "1.2 km"),
        (at(0, 0), at(0.0011, 0, 0.01), "within 1.1 km"),
        (at(0, 0), at(0, 0.44), "49 km"),
        (at(0, 0), at(0, 0.46), None),  # 51 km
        (at(0, 0), at(0, 0.01, 0.02), None),  # not exact
        (at(0, 0), at(0, 0.01, None), None),
        (at(0, 0), at(math.nan, math.nan), None),
    ],
)
def test_near_is_what_has_exact_coordinates_within_50_km_anywhere_on_earth(
    build: Workspace, one: dict[str, object], other: dict[str, object], distance: str | None
) -> None:
    pages = with_churches(build, one, other)
    assert near(pages, 100) == ({101: distance} if distance else {})
    assert near(pages, 101) == ({100: distance} if distance else {})
    assert near(pages, 2) == {}  # without coordinates


def arc_km(one: tuple[float, float], other: tuple[float, float]) -> float:
    (north, east), (north_2, east_2) = ((math.radians(a), math.radians(b)) for a, b in (one, other))
    cosines = math.cos(north) * math.cos(north_2) * math.cos(east - east_2)
    return 6371.0088 * math.acos(min(1.0, math.sin(north) * math.sin(north_2) + cosines))


def test_the_six_nearest_are_those_of_a_loop_over_all(build: Workspace) -> None:
    rng = np.random.default_rng(3)
    points = [(float(a), float(b)) for a, b in rng.uniform((84, -2), (85, 8), (60, 2))]
    pages = with_churches(build, *(at(*one) for one in points))
    for number, one in enumerate(points):
        apart = {100 + n: arc_km(one, each) for n, each in enumerate(points) if n != number}
        inside = sorted((one for one in apart if apart[one] <= NEAR_KM), key=apart.__getitem__)
        assert list(near(pages, 100 + number)) == inside[:6]
    assert any(len(near(pages, 100 + number)) == 6 for number in range(len(points)))


def test_pages_lead_from_a_label_over_its_map_to_a_country_and_to_what_is_near(
    build: Workspace,
) -> None:
    pages = with_churches(build, at(1, 1), at(1, 1.1))
    for path, words in (
        ("index.html", ('href="map/index.html"',)),
        ("labels/church/index.html", ("labels/church/map.html",)),
        ("labels/church/map.html", ("landmarks/train/100.html", "countries/fiji/index.html")),
        ("map/index.html", ("countries/italy/index.html", "Wikidata was not asked", "<desc")),
        ("countries/fiji/index.html", ("landmarks/train/100.html", "2 landmarks", "Asia")),
        ("landmarks/train/100.html", ("countries/fiji/index.html", "<b>11 km</b>")),
    ):
        text = pages.text(path)
        assert text is not None
        assert all(one in text for one in words), path
    assert "Nearest" not in (pages.text("landmarks/train/2.html") or "")


def test_a_data_set_without_coordinates_says_so_and_counts_its_landmarks(build: Workspace) -> None:
    path = build.path("annotations/landmarks.parquet")
    table = pq.read_table(path, partitioning=None)
    for name in ("latitude", "longitude"):
        place = table.column_names.index(name)
        table = table.set_column(place, name, pa.nulls(len(table), pa.float64()))
    pq.write_table(table, path)
    text = BrowsePages(build.root).text("map/index.html") or ""
    assert "no coordinates" in text
    assert "<svg" not in text
    assert "0 landmarks of 7" in text
