"""Where landmarks lie, since when they are there, and in which style.

The stage `facts` asks Wikidata about the items of all landmarks, and about what they lead to: the
places that they lie in, countries and their successors, continents, styles. It keeps every
statement (FACTS) and what follows for each landmark (PLACES). Of the statements of today, of the
best rank (`Entity.of_today`):

    coordinates  on Earth only; of several those of the finest precision, one without any last
    country      all of them; a dissolved one becomes its successor where it has exactly one. An
                 item that says nothing of its country is in that of the nearest place that does
    places       from the item upwards, the oldest item (by Q-id) of several, until a country, a
                 loop or nothing
    inception    the earliest that is known to a century or better
    styles       all of them

What Wikidata does not know stays unknown: `place_missing` says why. Like the evidence of classes,
facts may be incomplete while the scrape is complete; the next run asks for what failed. After a
refresh the places are compared with those of the generation before (PLACE_CHANGES).
"""

import math
import re
from collections.abc import Iterable, Iterator, Sized
from typing import Any

import pyarrow as pa

from hgld.engine.stage import Stage, StageWriter
from hgld.scrape.archive import WIKIDATA_PLACES, newest_generation
from hgld.scrape.config import ScrapeConfig
from hgld.scrape.questions import Open, gather_reached, opening
from hgld.scrape.verify import write_incomplete
from hgld.scrape.wikimedia import wikidata
from hgld.scrape.wikimedia.wikidata import Entities, Entity, merged
from hgld.tables import (
    ANSWER_LISTS,
    CATEGORIES,
    FACTS,
    PLACE_CHANGES,
    PLACE_MISSING,
    PLACES,
    qid_number,
)

FACTS_STAGE = Stage(
    name="facts",
    version=2,
    inputs=(CATEGORIES,),
    outputs=(FACTS, PLACES, PLACE_CHANGES, ANSWER_LISTS["facts"]),
    result=PLACES.path,
)

_EARTH = "Q2"
_PRECISIONS = {7: "century", 8: "decade", 9: "year"}  # Wikibase's; up to 14, a second
_YEAR = re.compile(r"[+-]?[0-9]+(?=-)", re.ASCII)
_LEADING = (
    *(wikidata.LIES_IN, wikidata.COUNTRY, wikidata.REPLACED_BY, wikidata.CONTINENT),
    wikidata.STYLE,
)
_MISSING = [field.name for field in PLACE_MISSING]
_NOT_COMPARED = ("split", "landmark_id", "status", "place_missing", "error")
_SHARD_ROWS = 10_000


class _FailedError(Exception):
    """What is needed for a row failed."""


def write_facts(config: ScrapeConfig, writer: StageWriter, opened: Open) -> None:
    """Writes the tables of the stage, after a complete scrape."""
    columns = ["split", "landmark_id", "qid"]
    landmarks = writer.workspace.read(CATEGORIES, columns=columns)
    known = Entities()
    entities = _gathered(landmarks, opened, known)
    write_incomplete(writer, PLACES, _shards(landmarks, known), replay=config.replay)
    for number, start in enumerate(range(0, max(1, len(entities)), _SHARD_ROWS)):
        facts = list(fact_rows(entities[start : start + _SHARD_ROWS], known))
        writer.write(FACTS, f"{number:05d}", pa.Table.from_pylist(facts, schema=FACTS.schema))
    changes = PLACE_CHANGES.schema.empty_table()
    if generation := newest_generation(writer.workspace):
        before = Entities()
        earlier = opening(writer.workspace, config, generation - 1, services=None)
        _gathered(landmarks, earlier, before)
        changes = place_changes(_shards(landmarks, before), _shards(landmarks, known))
    writer.write(PLACE_CHANGES, "00000", changes)


def _gathered(landmarks: pa.Table, opened: Open, known: Entities) -> list[str]:
    """Fills in what is known of landmarks; returns the entities that were asked about."""
    items = sorted(set(filter(None, landmarks["qid"].to_pylist())), key=qid_number)
    return gather_reached(opened(WIKIDATA_PLACES, known), known, items, _leads)


def _shards(landmarks: pa.Table, known: Entities) -> Iterator[pa.Table]:
    """Yields the rows of PLACES of `_SHARD_ROWS` landmarks at a time, at least one shard."""
    for start in range(0, max(1, len(landmarks)), _SHARD_ROWS):
        rows = (place_row(row, known) for row in landmarks.slice(start, _SHARD_ROWS).to_pylist())
        yield pa.Table.from_pylist(list(rows), PLACES.schema)


def place_changes(before: Iterable[pa.Table], after: Iterable[pa.Table]) -> pa.Table:
    """Returns the rows of PLACE_CHANGES, by landmark, then column.

    Args:
        before: shards of PLACES of the earlier side.
        after: those of the later side, of the same landmarks in their order. A landmark that
            failed on either side is not compared.
    """
    rows = [
        {**now, "column": name, "before": _told(was[name]), "after": _told(now[name])}
        for shards in zip(before, after, strict=True)
        for was, now in zip(*(shard.to_pylist() for shard in shards), strict=True)
        if "failed" not in {was["status"], now["status"]}
        for name in PLACES.schema.names
        if name not in _NOT_COMPARED and was[name] != now[name]
    ]
    return pa.Table.from_pylist(rows, schema=PLACE_CHANGES.schema)


def _told(value: object) -> str | None:
    """Returns a value as text: of a list joined, of an empty one None."""
    text = ", ".join(value) if isinstance(value, list) else value
    return None if text in {None, ""} else str(text)


def _leads(entity: Entity) -> Iterator[str]:
    """Yields what is asked about too, because a rule may look at it."""
    for prop in _LEADING:
        yield from _led_to(entity, prop)


def _led_to(entity: Entity, prop: str) -> list[str]:
    """Returns the values of a property that a rule may look at."""
    values = _values(entity, prop)
    return values[:1] if prop == wikidata.LIES_IN else values


def _values(entity: Entity, prop: str) -> list[str]:
    """Returns the known values of a property of today, by number."""
    return sorted({one.value for one in entity.of_today(prop) if one.value}, key=qid_number)


def fact_rows(entities: Iterable[str], known: Entities) -> Iterator[dict[str, Any]]:
    """Yields the statements of entities, by entity, property and value.

    Args:
        entities: Q-ids, in order.
        known: facts or failure of each.

    Yields:
        Rows of FACTS; a missing column is null.
    """
    for qid in entities:
        if error := known.failed.get(qid):
            yield {"qid": qid, "status": "failed", "error": error}
            continue
        for prop in wikidata.PLACING:
            for one in sorted(set(known[qid].of(prop)), key=repr):
                names = ("value", "rank", "started", "ended")
                texts = {name: getattr(one, name) or None for name in names}
                where = dict(zip(("latitude", "longitude"), one.position or (), strict=False))
                row = {"qid": qid, "property": prop, "precision": one.precision, "status": "ok"}
                yield row | texts | where


def place_row(landmark: dict[str, Any], known: Entities) -> dict[str, Any]:
    """Returns a landmark's row of PLACES; a missing column is null.

    Args:
        landmark: its split, landmark_id and qid, None for no item.
        known: facts or failure of the item and of all that it leads to.
    """
    lists = ("countries", "places", "place_names", "styles", "style_names", "part_of")
    row = {**landmark, **{name: [] for name in lists}, "status": "ok"}
    status, error = "no_item", None
    if landmark["qid"]:
        try:
            return row | _Placed(merged(landmark["qid"], known), known).columns()
        except _FailedError as failure:
            status, error = "failed", str(failure)
    return row | {
        "status": status,
        "error": error,
        "place_missing": dict.fromkeys(_MISSING, status),
    }


class _Placed:
    """What follows for one item."""

    def __init__(self, item: str, known: Entities) -> None:
        self.known = known
        self.item = item
        self.entity = self.of(item)
        self.named: list[str] = []  # its countries as stated, those of the past too
        self.missing: dict[str, str | None] = dict.fromkeys(_MISSING)

    def of(self, qid: str) -> Entity:
        """Returns the facts of an entity."""
        if qid not in self.known:
            raise _FailedError(f"{qid}: {self.known.failed.get(qid, 'was not asked about')}")
        return self.known[qid]

    def values(self, qid: str, prop: str) -> list[str]:
        """Returns the known values of a property of today, after merges, by number."""
        ends = {merged(value, self.known) for value in _values(self.of(qid), prop)}
        return sorted(ends, key=qid_number)

    def why_not_one(self, found: Sized, qid: str, prop: str) -> str | None:
        """Returns why a property has not one value; None if it has."""
        if len(found) == 1:
            return None
        nothing = "unknown" if self.of(qid).of_today(prop) else "none"
        return "several" if found else nothing

    def name(self, qid: str) -> str:
        """Returns the English name of an entity; its Q-id if it has none."""
        return self.of(qid).label()[0] or qid

    def columns(self) -> dict[str, Any]:
        """Returns the columns of PLACES that say where, since when and how."""
        way = list(self.way_up())
        columns = self.coordinates() | self.country(way) | self.inception()
        countries = {*columns["countries"], *self.named}
        places = []
        for place in way:
            if place in countries or place in self.values(place, wikidata.COUNTRY):
                break
            places.append(place)
        styles = self.values(self.item, wikidata.STYLE)
        self.missing |= {
            "places": self.why_not_one(places[:1], self.item, wikidata.LIES_IN),
            "styles": self.why_not_one(styles[:1], self.item, wikidata.STYLE),
        }
        return columns | {
            "places": places,
            "place_names": [self.name(qid) for qid in places],
            "styles": styles,
            "style_names": [self.name(qid) for qid in styles],
            "part_of": self.values(self.item, wikidata.PART_OF),
            "place_missing": self.missing,
        }

    def way_up(self) -> Iterator[str]:
        """Yields the places that the item lies in, finest first, until there are no more."""
        at, seen = self.item, {self.item}
        while above := _led_to(self.of(at), wikidata.LIES_IN):
            at = merged(above[0], self.known)
            if at in seen:
                return
            seen.add(at)
            yield at

    def coordinates(self) -> dict[str, Any]:
        """Returns the coordinates on Earth of the finest precision."""
        found = [one for one in self.entity.of_today(wikidata.COORDINATES) if one.position]
        found.sort(
            key=lambda one: (
                one.value != _EARTH,
                math.inf if one.precision is None else one.precision,
                one.position,
            )
        )
        if not found:
            self.missing["coordinates"] = self.why_not_one((), self.item, wikidata.COORDINATES)
            return {}
        best = found[0]
        if best.value != _EARTH:
            self.missing["coordinates"] = "not_on_earth"
            return {"globe_qid": best.value or None}
        latitude, longitude = best.position or (None, None)
        return {
            "latitude": latitude,
            "longitude": longitude,
            "coordinate_precision": best.precision,
            "globe_qid": best.value,
        }

    def country(self, way: Iterable[str]) -> dict[str, Any]:
        """Returns the countries of today; where there is one, its code and continent."""
        of_today = (one for one in (self.item, *way) if self.of(one).of_today(wikidata.COUNTRY))
        says = next(of_today, self.item)
        self.named = self.values(says, wikidata.COUNTRY)
        countries = sorted(set(filter(None, map(self.successor, self.named))), key=qid_number)
        if why := self.why_not_one(countries, says, wikidata.COUNTRY):
            why = "dissolved" if self.named and not countries else why
            self.missing |= dict.fromkeys(("country", "country_code", "continent"), why)
            return {"countries": countries}
        [one] = countries
        codes = {code.value for code in self.of(one).of_today(wikidata.COUNTRY_CODE) if code.value}
        continents = self.values(one, wikidata.CONTINENT)
        self.missing |= {
            "country_code": self.why_not_one(codes, one, wikidata.COUNTRY_CODE),
            "continent": self.why_not_one(continents, one, wikidata.CONTINENT),
        }
        columns = {"countries": countries, "country_qid": one, "country": self.name(one)}
        if len(codes) == 1:
            columns["country_code"] = codes.pop()
        if len(continents) == 1:
            columns |= {"continent_qid": continents[0], "continent": self.name(continents[0])}
        return columns

    def successor(self, country: str) -> str:
        """Returns what a country is today; empty if that is not one country."""
        seen = {country}
        while self.of(country).of_today(wikidata.DISSOLVED):
            after = self.values(country, wikidata.REPLACED_BY)
            if len(after) != 1 or after[0] in seen:
                return ""
            country = after[0]
            seen.add(country)
        return country

    def inception(self) -> dict[str, Any]:
        """Returns the earliest year that is known to a century or better."""
        statements = self.entity.of_today(wikidata.INCEPTION)
        years = [
            (int(year[0]), -min(int(one.precision), max(_PRECISIONS)))
            for one in statements
            if one.precision and one.precision >= min(_PRECISIONS)
            if (year := _YEAR.match(one.value))
        ]
        if not years:
            is_known = any(one.value for one in statements)
            none = self.why_not_one((), self.item, wikidata.INCEPTION)
            self.missing["inception"] = "imprecise" if is_known else none
            return {}
        earliest, precision = min(years)
        # RDF has a year 0, which is 1 BCE.
        return {
            "inception_year": earliest if earliest > 0 else earliest - 1,
            "inception_precision": _PRECISIONS[-precision],
        }
