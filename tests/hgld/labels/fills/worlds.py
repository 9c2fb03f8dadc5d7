"""Builds whose landmarks are called by made-up names, with and without a word that says what."""

from collections.abc import Mapping, Sequence

from hgld.engine.workspace import Workspace
from hgld.tables import FILL_DECISIONS
from tests.worlds.builders import (
    class_rows,
    table_of,
    write_metadata,
    write_scrape,
    write_stage,
    write_taxonomy,
)

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


def write_named_build(
    workspace: Workspace,
    *,
    names: Mapping[tuple[str, int], str] = OPEN,
    classes: Mapping[tuple[str, int], Sequence[str]] | None = None,
    decisions: Sequence[Mapping[str, object]] = (),
) -> None:
    """Writes a build of 90 churches and 90 lakes, and of landmarks without a class."""
    scraped: dict[tuple[str, int], Sequence[str]] = {}
    called: dict[tuple[str, int], str] = {}
    for number in range(90):
        scraped["train", 2 * number] = [CHURCH, SITE]
        # Of each a third are called by a bare name, which says nothing.
        called["train", 2 * number] = f"{PLACES[number]}_Church" if number % 3 else PLACES[number]
        scraped["train", 2 * number + 1] = [LAKE]
        called["train", 2 * number + 1] = f"Lake_{WATERS[number]}" if number % 3 else WATERS[number]
    called |= names
    scraped |= classes or {}
    rows = class_rows({key: [(qid, NAMES[qid]) for qid in qids] for key, qids in scraped.items()})
    landmarks = [
        {"split": split, "landmark_id": number, "category": URL + name}
        for (split, number), name in called.items()
    ]
    write_metadata(workspace, landmarks, [])
    pages = [
        row | {"status": "ok", "page_title": f"Category:{name}"}
        for row, name in zip(landmarks, called.values(), strict=True)
    ]
    write_scrape(workspace, rows, pages)
    write_taxonomy(workspace, rows, DECISIONS)
    write_stage(workspace, [(FILL_DECISIONS, table_of(FILL_DECISIONS, decisions))])
