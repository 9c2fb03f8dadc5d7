"""Builds whose landmarks are called by made-up names, with and without a word that says what."""

from collections.abc import Mapping, Sequence

import pyarrow as pa

from hgld import tables
from hgld.engine.workspace import Workspace
from hgld.tables import FILL_DECISIONS
from tests.worlds import builders

Key = tuple[str, int]
"""Split and landmark."""

CHURCH, LAKE, SITE = "Q16970", "Q23397", "Q9259"
NAMES = {CHURCH: "church building", LAKE: "lake", SITE: "World Heritage Site"}
DECISIONS = {CHURCH: ("assigned", "church", "human-made"), LAKE: ("proposed", "lake", "natural")}
URL = "http://commons.wikimedia.org/wiki/Category:"
SYLLABLES = ("ba", "do", "fe", "gu", "hi", "ka", "lo", "mu", "ne", "pi")
PLACES = [f"{one}{other}".capitalize() for one in SYLLABLES for other in SYLLABLES]
WATERS = [f"{place}{place[1]}s" for place in PLACES]
OPEN = {
    ("train", 501): "Kirche_St._Martin_(Bernau)",
    ("train", 502): "Xqzt",
    ("index", 501): "Lake_Xqzt",
}


def labelled_names() -> list[str]:
    """Returns the names of 90 churches and 90 lakes in turn; a third of them say nothing."""
    pairs = zip(PLACES[:90], WATERS, strict=False)
    return [
        name
        for number, (place, water) in enumerate(pairs)
        for name in ((f"{place}_Church", f"Lake_{water}") if number % 3 else (place, water))
    ]


def write_named_build(
    workspace: Workspace,
    *,
    names: Mapping[tuple[str, int], str] = OPEN,
    classes: Mapping[tuple[str, int], Sequence[str]] | None = None,
    decisions: Sequence[Mapping[str, object]] = (),
) -> None:
    """Writes a build of 90 churches and 90 lakes, and of landmarks without a class."""
    called = {("train", number): name for number, name in enumerate(labelled_names())} | {**names}
    scraped = {key: [LAKE] if key[1] % 2 else [CHURCH, SITE] for key in [*called][:180]}
    scraped |= {key: [*qids] for key, qids in (classes or {}).items()}
    pairs = {key: [(qid, NAMES[qid]) for qid in qids] for key, qids in scraped.items()}
    rows = builders.class_rows(pairs)
    landmarks = [
        {"split": split, "landmark_id": number, "category": URL + name}
        for (split, number), name in called.items()
    ]
    builders.write_metadata(workspace, landmarks, [])
    pages = [
        row | {"status": "ok", "page_title": f"Category:{name}"}
        for row, name in zip(landmarks, called.values(), strict=True)
    ]
    builders.write_scrape(workspace, rows, pages)
    builders.write_taxonomy(workspace, rows, DECISIONS)
    table = builders.table_of(FILL_DECISIONS, decisions)
    builders.write_stage(workspace, [(FILL_DECISIONS, table)])


def place_table(
    places: Mapping[Key, tuple[float, float]],
    changes: Mapping[Key, Mapping[str, object]] | None = None,
) -> pa.Table:
    """Returns PLACES of landmarks at exact latitudes and longitudes, each an item of its own."""
    rows = [
        {"split": key[0], "landmark_id": key[1], "status": "ok"}
        | {"qid": f"Q{number}", "coordinate_precision": 0.0001}
        | {"latitude": latitude, "longitude": longitude, **(changes or {}).get(key, {})}
        for number, (key, (latitude, longitude)) in enumerate(places.items(), 1)
    ]
    return builders.table_of(tables.PLACES, rows)
