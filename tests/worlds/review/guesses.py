"""Guesses for landmarks without a label, with parents and pictures, as `hgld fill` leaves them."""

from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import quote

from hgld.engine.workspace import Workspace
from hgld.tables import CATEGORIES, CLASSES, FILLS, PARENTS
from tests.worlds.builders import table_of, write_scrape, write_stage
from tests.worlds.pages.pictures import write_landmark_pictures

HOSTILE = '<script>alert("guess")</script> & "quoted"'


class WorldGuess(NamedTuple):
    """A category of the world, each of one landmark."""

    name: str
    label: str | None
    side: str | None
    confidence: float
    parents: tuple[str, ...] = ()

    @property
    def category(self) -> str:
        """As LANDMARKS has it."""
        return f"http://commons.wikimedia.org/wiki/Category:{quote(self.name.replace(' ', '_'))}"


_MADE = "human-made"
GUESSES: Sequence[WorldGuess] = (
    *(
        WorldGuess(f"Kirche {place}", "church", _MADE, 0.97 - number / 100, ("Churches", place))
        for number, place in enumerate(("Gruben", "Au", "Binz (Zürich)", "Ems", "Rain"))
    ),
    *(WorldGuess(f"Église Saint-{one}", "church", _MADE, 0.9) for one in ("Jean", "Éloi", "Luc")),
    WorldGuess("St. Mary's Church, Oxford", "church", _MADE, 0.72, ("Oxford",)),
    WorldGuess("Trinity Church", "church", _MADE, 0.7),
    WorldGuess("Dom zu Unserer Lieben Frau", "church", _MADE, 0.41, ("Liebfrauenkirchen",)),
    WorldGuess(HOSTILE, "church", _MADE, 0.4, (HOSTILE,)),
    WorldGuess("Lac Noir", "lake", "natural", 0.93, ("Lakes of Switzerland",)),
    WorldGuess("Lac Vert", "lake", "natural", 0.88),
    WorldGuess("Bachalpsee", "lake", "natural", 0.61),
    WorldGuess("Joe Bloggs", None, None, 0.0),
)
"""Landmark 5001 is the first, and so on; the last has no guess."""
FIRST = 5001


def write_guesses(
    workspace: Workspace, guesses: Sequence[WorldGuess] = GUESSES, *, pictures: int = 0
) -> None:
    """Writes FILLS and PARENTS, and pictures of the first landmarks."""
    write_fills(workspace, guesses)
    parents = [
        {"page_title": f"Category:{one.name}", "status": "ok", "parents": list(one.parents)}
        for one in guesses
        if one.parents
    ]
    write_stage(workspace, [(PARENTS, table_of(PARENTS, parents))])
    categories = [
        {
            "split": "train",
            "landmark_id": number,
            "category": one.category,
            "page_title": f"Category:{one.name}",
            "status": "ok",
        }
        for number, one in enumerate(guesses, FIRST)
    ]
    there = workspace.read(CATEGORIES).to_pylist()
    write_scrape(workspace, workspace.read(CLASSES), [*there, *categories])
    if pictures:
        write_landmark_pictures(workspace, pictures, author="Ann", licence="CC0", first=FIRST)


def write_fills(workspace: Workspace, guesses: Sequence[WorldGuess] = GUESSES) -> None:
    """Writes FILLS, as another run of its stage would."""
    rows = [
        {
            "split": "train",
            "landmark_id": number,
            "category": one.category,
            "status": "ok" if one.confidence > 0.8 else "unsure",
            "hierarchical_label": one.label if one.confidence > 0.8 else None,
            "natural_or_human_made": one.side if one.confidence > 0.8 else None,
            "best_guess": one.label,
            "best_guess_side": one.side,
            "confidence": one.confidence,
            "evidence": f"the name is like those of {one.label}; near: 4 {one.label}, 1 mine (the "
            "nearest labelled landmarks, within 2.1 km)",
            "method": "words+parents",
        }
        for number, one in enumerate(guesses, FIRST)
    ]
    write_stage(workspace, [(FILLS, table_of(FILLS, rows))])
