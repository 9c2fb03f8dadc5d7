"""OpenStreetMap's names of a few presets; WordNet's nouns are tested beside Debian's package."""

import csv
import json
from pathlib import Path

import pytest

from hgld.labels.taxonomy import distil

PRESETS = {  # preset to label, trusted, names and terms
    "lake": ("lake", "yes", "Wet  See / Teich (Ships)\nmeer", "Gleis, ufer"),
    "pond": ("lake", "yes", "wet see\nwei\u00adher", ""),
    "sea": ("", "", "meer", ""),
    "rail": ("rail", "yes", "gleis", 'ufer, "zug"'),
    # Of terms that nobody trusts those count that are a large part of a name.
    "station": ("rail", "", "bahnhofsbau", "bahnhof,hauptbahnhofsbau,bahn"),
}


def test_a_text_says_one_label_and_as_a_term_it_is_another_word_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(distil, "CHOSEN", tmp_path)
    lines = [f"{one},{label},{is_sure}" for one, (label, is_sure, *_) in PRESETS.items() if label]
    (tmp_path / "presets.csv").write_text("\n".join(["preset,hierarchical_label,terms", *lines]))
    entries = {
        preset: {"name": names.split("\n")[0], "aliases": names, "terms": terms}
        for preset, (*_, names, terms) in PRESETS.items()
    }
    translations = tmp_path / "dist/translations"
    translations.mkdir(parents=True)
    for language in distil.PRESET_LANGUAGES:
        text = json.dumps({language: {"presets": {"presets": entries}}})
        (translations / f"{language}.json").write_text(text)
    rows = csv.DictReader(distil.distil_openstreetmap(tmp_path).splitlines())
    # A name goes before a term, and what means two labels, or also none, means nothing.
    assert {(row["hierarchical_label"], row["name"]) for row in rows} == {
        *(("lake", name) for name in ("wet see", "weiher")),
        *(("rail", name) for name in ("gleis", "zug")),
        *(("rail", name) for name in ("bahnhofsbau", "bahnhof", "hauptbahnhofsbau")),
    }
