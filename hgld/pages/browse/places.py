"""Where landmarks are: by country, as marks on the map of the world, and what is near each."""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hgld.annotations.landmarks import unique_slugs
from hgld.globe import EARTH_KM, points_on_globe
from hgld.pages.browse.landmarks import SIDES, BrowsedLandmarks
from hgld.pages.browse.words import counted

MOST_DOTS = 2_000
"""Up to this many landmarks have a mark each on a map; more are gathered by `CELL_DEGREES`."""
CELL_DEGREES = 2
MOST_NEAR = 6
NEAR_KM = 50
EXACT_DEGREES = 0.01
"""Coordinates that are known less exactly, to 1.1 km, are those of a town or more."""
_KM_A_DEGREE = np.radians(EARTH_KM)


class Country(NamedTuple):
    """The landmarks of a country, or of a continent without a country."""

    continent: str
    """Empty: several, or not known."""
    name: str
    """Empty: several, or not known."""
    slug: str
    """For addresses and file names."""
    rows: NDArray[np.int64]
    """In the table of landmarks, those with most images first."""

    @property
    def title(self) -> str:
        """The name, or that there is none."""
        return self.name or "Without one country"


class Mark(NamedTuple):
    """Landmarks of one side and country that are one mark on the map."""

    x: int
    """On a plain (equirectangular) map, in tenths of a degree to the east of 180 degrees west."""
    y: int
    """In tenths of a degree to the south of the north pole."""
    side: str
    """natural or human-made; empty: without a label."""
    country: Country
    size: int
    """The number of its landmarks."""
    row: int
    """The first of them in the table of landmarks."""
    radius: int
    """Half its width in tenths of a degree."""

    @property
    def title(self) -> str:
        """What it is of."""
        return f"{self.country.title}: {counted(self.size, f'{self.side} landmark'.strip())}"


class BrowsedPlaces:
    """The places of all landmarks; a landmark is known by its row in their table."""

    countries: list[Country]
    """By continent and name, the unknown ones last."""

    def __init__(self, landmarks: BrowsedLandmarks) -> None:
        """Groups the landmarks by country, and indexes their coordinates."""
        from scipy.spatial import cKDTree

        table = landmarks.table
        named = [pc.fill_null(table[one], "").to_pylist() for one in ("continent", "country")]
        names = list(zip(*named, strict=True))
        known = sorted(set(names), key=lambda one: [(not text, text) for text in one])
        numbers = {name: number for number, name in enumerate(known)}
        self._country = np.array([numbers[name] for name in names], np.int64)
        order = np.lexsort((-np.asarray(table["images"]), self._country))
        ends = np.cumsum(np.bincount(self._country, minlength=len(known)))
        slugs = unique_slugs(name or f"no country {continent}" for continent, name in known)
        self.countries = [
            Country(continent, name, slug, rows)
            for (continent, name), slug, rows in zip(
                known, slugs, np.split(order, ends), strict=False
            )
        ]
        groups = landmarks.groups
        sides = [SIDES.index(one.side) for one in groups]
        self._side = np.repeat(np.array(sides, np.int64), [one.size for one in groups])
        self._missing = pc.struct_field(table["place_missing"].combine_chunks(), "coordinates")
        self._degrees = np.stack([np.asarray(table[one]) for one in ("latitude", "longitude")], 1)
        self._is_placed = (np.abs(self._degrees) <= (90, 180)).all(axis=1)  # not where NaN
        self._precision = np.asarray(table["coordinate_precision"])
        self._exact = np.flatnonzero(self._is_placed & (self._precision <= EXACT_DEGREES))
        self._points = cKDTree(points_on_globe(*self._degrees[self._exact].T))

    def country_of(self, row: int) -> Country:
        """Returns the country in which a landmark is counted."""
        return self.countries[int(self._country[row])]

    def counts(self, rows: range) -> dict[str, list[tuple[Country, list[int]]]]:
        """Counts landmarks by country and by `SIDES`.

        Returns:
            Continent to its countries that have any of them.
        """
        here, sides = slice(rows.start, rows.stop), len(SIDES)
        cells = self._country[here] * sides + self._side[here]
        counts = np.bincount(cells, minlength=len(self.countries) * sides).reshape(-1, sides)
        found: dict[str, list[tuple[Country, list[int]]]] = {}
        for country, of_sides in zip(self.countries, counts.tolist(), strict=True):
            if any(of_sides):
                found.setdefault(country.continent, []).append((country, of_sides))
        return found

    def missing(self, rows: range) -> dict[str, int]:
        """Returns why landmarks are not on the map, with how many, those of most first."""
        here = slice(rows.start, rows.stop)
        reasons = self._missing[here].filter(pa.array(~self._is_placed[here]))
        counts = pc.value_counts(pc.fill_null(reasons, "none")).to_pylist()
        order = sorted(counts, key=lambda one: (-one["counts"], one["values"]))
        return {one["values"]: one["counts"] for one in order}

    def has_marks(self, rows: range) -> bool:
        """Says whether any of some landmarks is on the map."""
        return bool(self._is_placed[rows.start : rows.stop].any())

    def marks(self, rows: range) -> list[Mark]:
        """Returns the marks of landmarks on the map, the largest first, which lies below others."""
        placed = rows.start + np.flatnonzero(self._is_placed[rows.start : rows.stop])
        if not len(placed):
            return []
        degrees = self._degrees[placed]
        is_gathered = len(placed) > MOST_DOTS
        cells = degrees // CELL_DEGREES if is_gathered else placed[:, None]
        keys = np.column_stack([self._side[placed], self._country[placed], cells])
        _, first, mark, sizes = np.unique(
            keys, axis=0, return_index=True, return_inverse=True, return_counts=True
        )
        sums = [np.bincount(mark.ravel(), one) for one in degrees.T]
        y, x = (np.rint(10 * one / sizes).astype(np.int64) for one in sums)
        radii = np.rint(5 * np.log10(sizes) + (6 if is_gathered else 13)).astype(np.int64)
        order = np.lexsort((first, -sizes))
        return [
            Mark(
                *(1800 + int(x[one]), 900 - int(y[one])),
                SIDES[self._side[placed[first[one]]]],
                self.countries[self._country[placed[first[one]]]],
                *(int(sizes[one]), int(placed[first[one]]), int(radii[one])),
            )
            for one in order
        ]

    def nearest(self, row: int) -> dict[int, str]:
        """Returns the landmarks nearest to one, each with the distance in words.

        Empty if its coordinates are not known exactly. Points on a globe have no date line.
        """
        place = int(np.searchsorted(self._exact, row))
        if row not in self._exact[place : place + 1]:
            return {}
        chord = 2 * np.sin(NEAR_KM / EARTH_KM / 2)
        apart, places = self._points.query(
            self._points.data[place], MOST_NEAR + 1, distance_upper_bound=chord
        )
        is_other = np.isfinite(apart) & (places != place)
        rows = self._exact[places[is_other]][:MOST_NEAR]
        known = np.maximum(self._precision[row], self._precision[rows]) * _KM_A_DEGREE
        km = 2 * EARTH_KM * np.arcsin(apart[is_other] / 2)
        return {
            int(one): distance_words(*of_one) for one, *of_one in zip(rows, km, known, strict=False)
        }


def distance_words(km: float, known_km: float) -> str:
    """Returns a distance in two digits; one that is too short to be known says so.

    Args:
        km: the distance.
        known_km: how exactly the less exact of the two places is known.

    Example:
        >>> [distance_words(km, 0.03) for km in (0.01, 0.234, 1.234, 12.3)]
        ['within 30 m', '230 m', '1.2 km', '12 km']
    """
    if km < known_km:
        return f"within {distance_words(known_km, 0.0)}"
    km = float(f"{km:.2g}")
    return f"{km:g} km" if km >= 1 else f"{1000 * km:g} m"
