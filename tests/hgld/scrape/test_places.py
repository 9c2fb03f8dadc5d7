"""What follows of statements on place, time and style, rule by rule."""

from typing import Any

import pytest

from hgld.scrape.places import place_row
from hgld.scrape.wikimedia.wikidata import Entities, Entity, Statement

AROUND = {
    "Q10": "P17:Q10 P297:FR P30:Q46",  # a country
    "Q11": "P17:Q11 P297:TR P30:Q46 P30:Q48",  # on two continents
    "Q12": "P17:Q12 P576:1918 P1366:Q10",  # dissolved, with one successor
    "Q13": "P17:Q13 P576:1993 P1366:Q10 P1366:Q11",  # with two
    "Q14": "P576:1800 P1366:Q15",  # one after the other
    "Q15": "P576:some P1366:Q12",
    "Q16": "P576:1900 P1366:Q17",  # each after the other
    "Q17": "P576:1901 P1366:Q16",
    "Q20": "P131:Q21 P17:Q10",  # a town in a region
    "Q21": "P131:Q10 P17:Q10",
    "Q22": "P131:Q21",  # a town that says nothing of its country
    "Q23": "P131:Q24 P17:Q10",  # two places in each other
    "Q24": "P131:Q23",
    "Q25": "P131:Q26 P17:some",
    "Q26": "P17:Q11",
    "Q27": "P131:Q12 P17:Q12",  # in a country that is no more
    "Q30": "=Q20",
    "Q46": "",
    "Q48": "",
    "Q50": "",
    "Q51": "",
}
"""What is said of places, countries, continents and styles."""
NAMES = {"Q10": "France", "Q20": "Ville", "Q21": "Région", "Q46": "Europe", "Q50": "Gothic"}
_OF_COUNTRY = ("country_code", "continent")
_NUMBERS = ("latitude", "longitude", "coordinate_precision")


def _row(told: str) -> dict[str, Any]:
    """Returns the row of an item of which this is said."""
    entities = Entities()
    entities.update({qid: _entity(qid, text) for qid, text in {"Q1": told, **AROUND}.items()})
    return place_row({"split": "train", "landmark_id": 1, "qid": "Q1"}, entities)


def _entity(qid: str, told: str) -> Entity:
    """Reads statements: `+` stands for preferred, `!` for ended, `some` for an unknown value."""
    if told.startswith("="):
        return Entity(merged_into=told[1:])
    statements: list[Statement] = []
    for part in told.split():
        prop, _, text = part.partition(":")
        value, *exact = text.rstrip("+!").replace("some", "").split("@")
        details: dict[str, Any] = {"ended": "1990-01-01T00:00:00Z" if "!" in text else ""}
        if prop == "P625":
            latitude, longitude, *precision = map(float, exact[0].split(","))
            details |= {"position": (latitude, longitude), "precision": next(iter(precision), None)}
        elif exact:
            details["precision"] = float(exact[0])
        rank = "preferred" if "+" in text else "normal"
        statements.append(Statement(prop, rank, value, **details))
    labels = (("en", NAMES[qid]),) if qid in NAMES else ()
    return Entity(labels=labels, statements=tuple(statements))


@pytest.mark.parametrize(
    ("told", "numbers", "why"),
    [
        ("P625:Q2@48.8,2.3,0.1", (48.8, 2.3, 0.1), None),
        ("P625:Q2@1,1,0.1 P625:Q2@2,2,0.001 P625:Q2@3,3", (2, 2, 0.001), None),
        ("P625:Q2@0,0,0.001 P625:Q2@9,9,0.1+", (9, 9, 0.1), None),
        ("P625:Q405@5,5 P625:Q2@1,1", (1, 1, None), None),
        ("P625:Q2@3,3", (3, 3, None), None),
        ("P625:Q2@1,1,0.1 P625:Q2@2,2,0", (2, 2, 0), None),
        ("P625:Q405@5,5,0.1", (None, None, None), "not_on_earth"),
        ("P571:1900@9", (None, None, None), "none"),
    ],
)
def test_coordinates_are_the_finest_on_earth(
    told: str, numbers: tuple[float | None, ...], why: str | None
) -> None:
    row = _row(told)
    assert tuple(row.get(name) for name in _NUMBERS) == numbers
    assert row["place_missing"]["coordinates"] == why
    assert row.get("globe_qid") == {"none": None, "not_on_earth": "Q405"}.get(why or "", "Q2")


@pytest.mark.parametrize(
    ("told", "countries", "why"),
    [
        ("P17:Q10", ["Q10"], None),
        ("P17:Q11", ["Q11"], None),
        ("P17:Q11 P17:Q10", ["Q10", "Q11"], "several"),
        ("P17:Q11 P17:Q10+", ["Q10"], None),
        ("P17:Q11! P17:Q10", ["Q10"], None),
        ("P17:Q11!+ P17:Q10", ["Q10"], None),
        ("P17:some", [], "unknown"),
        ("P17:some P131:Q20", [], "unknown"),
        ("P131:Q22", ["Q10"], None),
        ("P131:Q25", [], "unknown"),
        ("P131:Q27", ["Q10"], None),
        ("P17:Q12! P131:Q20", ["Q10"], None),
        ("P17:Q12", ["Q10"], None),
        ("P17:Q12 P17:Q10", ["Q10"], None),
        ("P17:Q13", [], "dissolved"),
        ("P17:Q14", ["Q10"], None),
        ("P17:Q16", [], "dissolved"),
        ("", [], "none"),
    ],
)
def test_countries_are_those_of_today_and_of_one_there_is_a_code_and_a_continent(
    told: str, countries: list[str], why: str | None
) -> None:
    row = _row(told)
    assert row["countries"] == countries
    one = countries[0] if len(countries) == 1 else None
    of_one = {"Q10": ("FR", "Europe"), "Q11": ("TR", None)}.get(one or "", (None, None))
    assert tuple(row.get(name) for name in ("country_qid", *_OF_COUNTRY)) == (one, *of_one)
    missing = row["place_missing"]
    assert (missing["country"], missing["continent"]) == (why, "several" if one == "Q11" else why)


@pytest.mark.parametrize(
    ("told", "places", "why"),
    [
        ("P131:Q20 P17:Q10", ["Q20", "Q21"], None),
        ("P131:Q22 P131:Q20", ["Q20", "Q21"], None),
        ("P131:Q22+ P131:Q20", ["Q22", "Q21"], None),
        ("P131:Q20! P131:Q22", ["Q22", "Q21"], None),
        ("P131:Q30", ["Q20", "Q21"], None),
        ("P131:Q23", ["Q23", "Q24"], None),
        ("P131:Q1", [], None),
        ("P131:Q10 P17:Q10", [], None),
        ("P131:Q20 P17:some", ["Q20", "Q21"], None),
        ("P131:Q27", ["Q27"], None),
        ("P131:some", [], "unknown"),
        ("P17:Q10", [], "none"),
    ],
)
def test_places_lead_up_to_the_country(told: str, places: list[str], why: str | None) -> None:
    row = _row(told)
    assert row["places"] == places
    assert row["place_names"] == [NAMES.get(qid, qid) for qid in places]
    if why:
        assert row["place_missing"]["places"] == why


@pytest.mark.parametrize(
    ("told", "year", "precision", "why"),
    [
        ("P571:1900-01-01T00:00:00Z@9", 1900, "year", None),
        ("P571:1900-05-17T00:00:00Z@11", 1900, "year", None),
        ("P571:1900-01-01T00:00:00Z@8", 1900, "decade", None),
        ("P571:1200-01-01T00:00:00Z@7 P571:1300-01-01T00:00:00Z@9", 1200, "century", None),
        ("P571:1200-01-01T00:00:00Z@7 P571:1200-01-01T00:00:00Z@9", 1200, "year", None),
        ("P571:-0430-01-01T00:00:00Z@9", -431, "year", None),
        ("P571:0000-01-01T00:00:00Z@9", -1, "year", None),
        ("P571:0001-01-01T00:00:00Z@9", 1, "year", None),
        ("P571:-13798000000-00-00T00:00:00Z@1", None, None, "imprecise"),
        ("P571:some", None, None, "unknown"),
        ("P17:Q10", None, None, "none"),
    ],
)
def test_inception_is_the_earliest_year(
    told: str, year: int | None, precision: str | None, why: str | None
) -> None:
    row = _row(told)
    assert (row.get("inception_year"), row.get("inception_precision")) == (year, precision)
    assert row["place_missing"].get("inception") == why


def test_styles_stand_by_number_with_their_names() -> None:
    row = _row("P149:Q51 P149:Q50 P149:Q48!")
    assert (row["styles"], row["style_names"]) == (["Q50", "Q51"], ["Gothic", "Q51"])


def test_a_landmark_without_an_item_says_so() -> None:
    row = place_row({"split": "train", "landmark_id": 1, "qid": None}, Entities())
    assert (row["status"], set(row["place_missing"].values())) == ("no_item", {"no_item"})


def test_a_row_whose_way_is_not_known_fails() -> None:
    entities = Entities()
    entities.update({"Q1": _entity("Q1", "P17:Q9")})
    entities.failed["Q9"] = "time-out"
    row = place_row({"split": "train", "landmark_id": 1, "qid": "Q1"}, entities)
    assert (row["status"], row["error"]) == ("failed", "Q9: time-out")
    assert row["countries"] == []
