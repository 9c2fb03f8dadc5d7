"""OpenStreetMap's names of a few presets; WordNet's nouns are tested beside Debian's package."""

import csv
import json
from pathlib import Path

import pytest

from hgld.labels.taxonomy.distil import (
    CHOSEN,
    PRESET_LANGUAGES,
    Wording,
    distil_openstreetmap,
    read_wordings,
)
from hgld.labels.taxonomy.rows import SHIPPED, read_csv_rows


def write_osm(folder: Path, presets: dict[str, dict[str, str]]) -> None:
    (folder / "dist" / "translations").mkdir(parents=True)
    for language in PRESET_LANGUAGES:
        text = json.dumps({language: {"presets": {"presets": presets}}})
        (folder / "dist" / "translations" / f"{language}.json").write_text(text)


@pytest.mark.parametrize(
    ("presets", "trusted", "expected"),
    [
        ({"lake": ("see", ""), "pond": ("see\nweiher", "")}, "yes", {"lake see", "lake weiher"}),
        ({"lake": ("see", ""), "rail": ("see", "")}, "yes", set()),
        ({"lake": ("see", ""), "sea": ("see", "")}, "yes", set()),  # one without a label
        ({"lake": ("see", "gleis"), "rail": ("gleis", "")}, "yes",
         {"lake see", "rail transportation gleis"}),  # a name before a term
        ({"lake": ("see", "ufer"), "rail": ("gleis", "ufer")}, "yes",
         {"lake see", "rail transportation gleis"}),
        ({"rail": ("bahnhofsbau", "bahnhof,hauptbahnhofsbau,bahn,zug")}, "",
         {"rail transportation bahnhofsbau", "rail transportation bahnhof",
          "rail transportation hauptbahnhofsbau"}),
        ({"rail": ("gleis", "zug")}, "yes",
         {"rail transportation gleis", "rail transportation zug"}),
    ],
)  # fmt: skip
def test_a_text_says_one_label_and_as_a_term_it_is_another_word_for_it(
    presets: dict[str, tuple[str, str]],
    trusted: str,
    expected: set[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("hgld.labels.taxonomy.distil.CHOSEN", tmp_path)
    labels = {"lake": "lake", "pond": "lake", "rail": "rail transportation"}
    lines = "".join(f"{preset},{label},{trusted}\n" for preset, label in labels.items())
    (tmp_path / "presets.csv").write_text(f"preset,hierarchical_label,terms\n{lines}")
    entries = {
        preset: {"name": names.split("\n")[0], "aliases": names, "terms": terms}
        for preset, (names, terms) in presets.items()
    }
    write_osm(tmp_path, entries)
    rows = csv.DictReader(distil_openstreetmap(tmp_path).splitlines())
    assert {f"{row['hierarchical_label']} {row['name']}" for row in rows} == expected


def test_names_and_terms_are_cleaned(tmp_path: Path) -> None:
    entry = {
        "name": "Wet  Dock / Dry Dock (Ships)",
        "aliases": "The\u00adatre\nX",
        "terms": 'Pier ,"Quay",湖、桟橋, a sentence that is longer than any name,-yard',
    }
    write_osm(tmp_path, {"dock": entry})
    assert read_wordings(tmp_path, "en")["dock"] == Wording(
        names=("wet dock", "theatre"), terms=("pier", "quay", "湖", "桟橋", "yard")
    )


def test_what_is_chosen_by_hand_is_chosen_once_and_arrives_in_what_ships(shared: Path) -> None:
    for name, key in (("roots", "synset"), ("nouns", "noun"), ("presets", "preset")):
        keys = [row[key] for row in read_csv_rows(CHOSEN / f"{name}.csv")]
        assert len(keys) == len(set(keys))
    nouns, names = (read_csv_rows(SHIPPED / f"{each}.csv") for each in ("wordnet", "openstreetmap"))
    shipped = {row["noun"]: row["hierarchical_label"] for row in nouns}
    for row in read_csv_rows(CHOSEN / "nouns.csv"):
        assert shipped.get(row["noun"], "") == row["hierarchical_label"]
    assert len(shipped) == len(nouns) > 1000
    assert len({(row["language"], row["name"]) for row in names}) == len(names) > 5000
    with (shared / "labels" / "supercategories_78.csv").open(encoding="utf-8", newline="") as file:
        official = {row["hierarchical_label"] for row in csv.DictReader(file)}
    assert {row["hierarchical_label"] for row in (*nouns, *names)} <= official
