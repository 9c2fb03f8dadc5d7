"""Sixty paintings, sculptures, bridges and violins, of which a build is made as if one's own.

`things.csv` has a cell of a list (a category of Commons by its address or title, or a Q-id), the
item, and its class. Titles were written down by hand; Q-ids from Q9000000000 on are made up, and
stand in for items whose number is not certain. Classes and what they are subclasses of are
Wikidata's (CC0), with those statements only that are certain. The pictures are of one colour each.
"""

import contextlib
import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hgld.scrape.wikimedia.titles import title_of_url
from tests.worlds.wikimedia import small
from tests.worlds.wikimedia.small import Server

CLASSES = {
    "Q3305213": ("painting", ""),
    "Q860861": ("sculpture", "Q838948"),
    "Q2293362": ("sculpture group", "Q860861"),
    "Q179700": ("statue", "Q860861"),
    "Q659396": ("equestrian statue", "Q179700"),
    "Q12570": ("suspension bridge", "Q12280"),
    "Q158438": ("arch bridge", "Q12280"),
    "Q8355": ("violin", ""),
    "Q12280": ("bridge", "Q811979"),
    "Q811979": ("architectural structure", ""),
    "Q838948": ("work of art", ""),
}
"""Q-id to label and what it is a subclass of, if that is certain."""
VIEWS = 4


def things() -> list[dict[str, str]]:
    """Returns the rows of `things.csv`."""
    with Path(__file__).with_name("things.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write_list(folder: Path) -> Path:
    """Draws the pictures, of two formats, and writes a list of them without splits."""
    path = folder / "things.csv"
    rows = [("category", "image")]
    for number, thing in enumerate(things()):
        colour = np.random.default_rng(number).integers(50, 200, 3)
        for view in range(VIEWS):
            noise = np.random.default_rng([number, view]).integers(-40, 40, (40, 48, 3))
            name = f"pictures/{number}-{view}.{('jpg', 'png')[view % 2]}"
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray((colour + noise).astype("uint8")).save(folder / name)
            rows.append((thing["category"], name))
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


@contextlib.contextmanager
def serving_things() -> Iterator[Server]:
    """Serves what Commons and Wikidata say of them, on loopback."""
    known: dict[str, Any] = {
        _title(thing["category"]): {"pageprops": {"wikibase_item": thing["qid"]}}
        for thing in things()
        if not _title(thing["category"]).startswith("Q")
    }
    facts = {thing["qid"]: f"P31:{thing['class_qid']}" for thing in things()}
    facts |= {qid: f"P279:{above}" for qid, (_, above) in CLASSES.items() if above}
    labels = {qid: {"en": label} for qid, (label, _) in CLASSES.items()}
    with pytest.MonkeyPatch.context() as patch, small.serving() as server:
        for name, told in (("PAGES", known), ("FACTS", facts), ("LABELS", labels)):
            patch.setattr(small, name, told)
        yield server


def _title(cell: str) -> str:
    try:
        return title_of_url(cell)
    except ValueError:
        return f"Category:{cell.removeprefix('Category:')}"
