"""Categories that lie in several others, hidden and redirected ones among them."""

from tests.worlds.second_lab.files import Trap

_LINKS: dict[str, list[str]] = {
    "San Vigilio": ["Churches in Bergamo", "Bergamo", "Pages with maps", "Old churches"],
    "Rocca di Bergamo": ["Castles in Bergamo", "Hidden by its template"],
    "Tower of Gombito": ["Ring X"],
    "Nameless": [],
    "Churches in Bergamo": ["Churches in Lombardy", "Buildings in Bergamo", "Bergamo"],
    "Castles in Bergamo": ["Castles in Lombardy", "Buildings in Bergamo", "Pages with maps"],
    "Ring X": ["Ring Y", "Ring X"],
    "Ring Y": ["Ring X", "Tower of Gombito"],
    "Churches in Lombardy": ["Churches in Italy"],
    "Kirche_mit_Ümläuten & 'Zeichen' (日本)": ['Café, "bar" & more', "Churches: a list"],
    'Café, "bar" & more': ["ünter"],
    "In many": [f"Many {number:03d}" for number in range(620)],
    "Many 000": ["Churches in Italy"],
    "Many 019": ["Castles in Lombardy"],
    "Many 020": ["Not climbed to"],
}
"""Title to the categories that it is in, without their namespace."""

PARENT_TEXTS = {
    "Category:Pages with maps": "__HIDDENCAT__",
    "Template:Hidden category": "__HIDDENCAT__",
    "Category:Hidden by its template": "{{Hidden category}}",
    "Category:Old churches": "#REDIRECT [[:Category:Churches in Lombardy]]",
}

FOUND_IN_LAB: dict[str, tuple[list[str], list[str]]] = {
    # `Bergamo` is in nothing: it has no page. `Old churches` leads to those in Lombardy.
    "Category:San Vigilio": (
        ["Bergamo", "Churches in Bergamo", "Old churches"],
        ["Buildings in Bergamo", "Churches in Italy", "Churches in Lombardy"],
    ),
    "Category:Rocca di Bergamo": (
        ["Castles in Bergamo"],
        ["Buildings in Bergamo", "Castles in Lombardy"],
    ),
    "Category:Tower of Gombito": (["Ring X"], ["Ring Y"]),
    "Category:Nameless": ([], []),
    "Category:Kirche mit Ümläuten & 'Zeichen' (日本)": (
        ['Café, "bar" & more', "Churches: a list"],
        ["Ünter"],
    ),
    "Category:In many": (
        [f"Many {number:03d}" for number in range(620)],
        ["Castles in Lombardy", "Churches in Italy"],
    ),
}
"""Title to what must be found: parents and grandparents. They are the landmarks."""


def parent_pages() -> Trap:
    """Returns the pages and items of it; as a trap it is of no landmark."""
    pages = {
        f"Category:{title.replace('_', ' ')}": "\n".join(
            ["A page.", *(f"[[Category:{name}]]" for name in names)]
        )
        for title, names in _LINKS.items()
    }
    # Rocca has an item and a class: it is one of the sample.
    return Trap(
        name="parents",
        url="",
        pages=pages,
        items={"Category:Rocca di Bergamo": "Q900"},
        facts={"Q900": "P31:Q20"},
    )
