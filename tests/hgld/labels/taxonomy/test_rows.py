"""The tables of a taxonomy, and OpenStreetMap's names of a few presets in them."""

import csv
import json
from pathlib import Path

import pytest

from hgld.errors import InputError
from hgld.labels.taxonomy import distil
from hgld.labels.taxonomy.phrase import fold
from hgld.labels.taxonomy.rows import TaxonomyTables, load_taxonomy_tables, read_csv_rows
from tests.worlds.taxonomies import write_taxonomy


def test_super_categories_are_official(shipped_tables: TaxonomyTables, shared: Path) -> None:
    rows = read_csv_rows(shared / "labels/supercategories_78.csv")
    official = {row["hierarchical_label"]: row["natural_or_human_made"] for row in rows}
    names = shipped_tables.supercategories
    assert {each.hierarchical_label: each.natural_or_human_made for each in names} == official
    aliases = shipped_tables.aliases
    english = {fold(row.alias): row.hierarchical_label for row in aliases if row.language == "en"}
    for name in official:
        assert len({row.language for row in aliases if row.hierarchical_label == name}) >= 8, name
        assert english[tuple(word for word in fold(name) if word != "/")] == name
    heads = {fold(row.phrase) for row in shipped_tables.unspecific if row.match == "head"}
    assert not heads & english.keys()


@pytest.mark.parametrize(
    ("name", "line", "word"),
    [
        ("supercategories", "span,human-made,again", "same"),
        ("supercategories", "igloo,snow,Houses", "snow"),
        ("supercategories", "igloo,natural,", "description"),
        ("aliases", "span,en,Footbridges", "same"),  # as they are compared
        ("aliases", "span,en", "cells"),
        ("aliases", 'span,en,"viaduct\nspan,de,Br\u00fccke', "row"),
        ("classes", "16970,church,accept,span", "class_qid"),
        ("classes", "Q99999999999,x,maybe,", "maybe"),
        ("classes", "Q99999999999,x,accept,", "hierarchical_label"),
        ("classes", "Q16970,church,accept,span", "same"),
        ("cut_points", "Q99999999999,x,ignore,,", "reason"),
        ("unspecific", "hut,tail,ask,so", "tail"),
        ("unspecific", "hut,head,accept,so", "accept"),
    ],
)
def test_a_line_that_cannot_be_used_is_named(
    tmp_path: Path, name: str, line: str, word: str
) -> None:
    columns = "class_qid,class_label,action,hierarchical_label"
    write_taxonomy(tmp_path, classes=f"{columns}\nQ16970,church building,accept,span\n")
    path = tmp_path / f"{name}.csv"
    text = path.read_text(encoding="utf-8")
    path.write_text(f"{text}{line}\n", encoding="utf-8")
    number = text.count("\n") + 1
    with pytest.raises(InputError, match=word) as error:
        load_taxonomy_tables(tmp_path)
    assert f"{name}.csv row {number} " in str(error.value)


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
