"""OpenStreetMap's names of a few presets; WordNet's nouns are tested beside Debian's package."""

import csv
import json
from pathlib import Path

import pytest

from hgld.labels.taxonomy import distil


def write_osm(folder: Path, presets: dict[str, dict[str, str]]) -> None:
    (folder / "dist" / "translations").mkdir(parents=True)
    for language in distil.PRESET_LANGUAGES:
        text = json.dumps({language: {"presets": {"presets": presets}}})
        (folder / "dist" / "translations" / f"{language}.json").write_text(text)


@pytest.mark.parametrize(
    ("presets", "trusted", "expected"),
    [
        ({"lake": ("see", ""), "pond": ("see\nweiher", "")}, "yes", {"lake see", "lake weiher"}),
        ({"lake": ("see", ""), "rail": ("see", "")}, "yes", set()),
        ({"lake": ("see", ""), "sea": ("see", "")}, "yes", set()),  # one without a label
        # A name goes before a term, and a term of two labels is of none.
        ({"lake": ("see", "gleis"), "rail": ("gleis", "")}, "yes", {"lake see", "rail gleis"}),
        ({"lake": ("see", "ufer"), "rail": ("gleis", "ufer")}, "yes", {"lake see", "rail gleis"}),
        # Of terms that nobody trusts those count that are a large part of a name.
        ({"rail": ("bahnhofsbau", "bahnhof,hauptbahnhofsbau,bahn,zug")}, "",
         {"rail bahnhofsbau", "rail bahnhof", "rail hauptbahnhofsbau"}),
        ({"rail": ("gleis", "zug")}, "yes", {"rail gleis", "rail zug"}),
    ],
)  # fmt: skip
def test_a_text_says_one_label_and_as_a_term_it_is_another_word_for_it(
    presets: dict[str, tuple[str, str]],
    trusted: str,
    expected: set[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(distil, "CHOSEN", tmp_path)
    lines = "".join(f"{one},{one},{trusted}\n" for one in ("lake", "rail"))
    lines += f"pond,lake,{trusted}\n"
    (tmp_path / "presets.csv").write_text(f"preset,hierarchical_label,terms\n{lines}")
    entries = {
        preset: {"name": names.split("\n")[0], "aliases": names, "terms": terms}
        for preset, (names, terms) in presets.items()
    }
    write_osm(tmp_path, entries)
    rows = csv.DictReader(distil.distil_openstreetmap(tmp_path).splitlines())
    assert {f"{row['hierarchical_label']} {row['name']}" for row in rows} == expected


def test_names_and_terms_are_cleaned(tmp_path: Path) -> None:
    entry = {
        "name": "Wet  Dock / Dry Dock (Ships)",
        "aliases": "The\u00adatre\nX",
        "terms": 'Pier ,"Quay",湖、桟橋, a sentence that is longer than any name,-yard',
    }
    write_osm(tmp_path, {"dock": entry})
    names, terms = distil.read_wordings(tmp_path, "en")["dock"]
    assert names == ("wet dock", "theatre")
    assert terms == ("pier", "quay", "湖", "桟橋", "yard")
