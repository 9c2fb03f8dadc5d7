"""The rules on small sources; that Debian's WordNet gives what ships is tested beside it."""

import csv
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import pytest

from hgld.labels.taxonomy.distil import (
    CHOSEN,
    PRESET_LANGUAGES,
    Wording,
    main,
    read_wordings,
)
from hgld.labels.taxonomy.rows import SHIPPED, read_csv_rows

LICENCE = "  1 This software and database is provided  \n  2 WordNet 3.0 Copyright 2006  \n"

# synset: its nouns, its hypernyms. All that is below `place` is a place.
SYNSETS: dict[str, tuple[list[str], list[str]]] = {
    "00000001": (["place"], []),
    "00000002": (["church", "church_building"], ["00000001", "00000003"]),  # WordNet has cycles
    "00000003": (["cathedral"], ["00000002"]),
    "00000004": (["market"], ["00000001"]),
    "00000005": (["hall_church", "market_hall"], ["00000003", "00000004"]),
    "00000006": (["Bath_Abbey"], ["00000002"]),  # by its capital a name
    "00000007": (["world_of_trade", "market"], []),
    "00000008": (["Church"], []),  # a man of the name
    "00000009": (["parish_church"], ["00000002"]),
    "00000010": (["minster"], ["00000002"]),  # an instance
}


def write_wordnet(folder: Path, counts: str) -> None:
    """Writes data.noun, index.noun and cntlist.rev."""
    index: dict[str, list[str]] = {}
    data = LICENCE
    for synset, (nouns, above) in SYNSETS.items():
        pointer = "@i" if nouns == ["minster"] else "@"
        pointers = "".join(f"{pointer} {hypernym} n 0000 " for hypernym in above)
        words = " ".join(f"{noun} 0" for noun in nouns)
        data += f"{synset} 06 n {len(nouns):02x} {words} {len(above):03} {pointers}| a | gloss  \n"
        for noun in nouns:
            index.setdefault(noun.lower(), []).append(synset)
    (folder / "data.noun").write_text(data)
    lines = (f"{noun} n {len(at)} 1 @ {len(at)} 0 {' '.join(at)}  \n" for noun, at in index.items())
    (folder / "index.noun").write_text(LICENCE + "".join(lines))
    (folder / "cntlist.rev").write_text(counts)


def write_osm(folder: Path, presets: dict[str, dict[str, str]]) -> None:
    (folder / "dist" / "translations").mkdir(parents=True)
    for language in PRESET_LANGUAGES:
        text = json.dumps({language: {"presets": {"presets": presets}}})
        (folder / "dist" / "translations" / f"{language}.json").write_text(text)


Distil = Callable[..., tuple[dict[str, tuple[str, str]], set[str]]]
Entries = Mapping[str, tuple[str, str]]


@pytest.fixture
def distil(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Distil:
    """Runs the program on small sources; returns nouns with label and synset, and names."""
    monkeypatch.setattr("hgld.labels.taxonomy.distil.CHOSEN", tmp_path)

    def run(
        roots: str = "",
        nouns: str = "",
        counts: str = "",
        presets: Entries = MappingProxyType({}),
        trusted: str = "yes",
    ) -> tuple[dict[str, tuple[str, str]], set[str]]:
        labels = {"lake": "lake", "pond": "lake", "rail": "rail transportation"}
        lines = "".join(f"{preset},{label},{trusted}\n" for preset, label in labels.items())
        (tmp_path / "roots.csv").write_text(f"synset,levels,hierarchical_label\n{roots}")
        (tmp_path / "nouns.csv").write_text(f"noun,hierarchical_label\n{nouns}")
        (tmp_path / "presets.csv").write_text(f"preset,hierarchical_label,terms\n{lines}")
        write_wordnet(tmp_path, counts)
        entries = {
            preset: {"name": names.split("\n")[0], "aliases": names, "terms": terms}
            for preset, (names, terms) in presets.items()
        }
        write_osm(tmp_path / "osm", entries)
        main([f"--wordnet={tmp_path}", f"--osm={tmp_path}/osm", f"--out={tmp_path}"])
        found, names = (
            read_csv_rows(tmp_path / f"{name}.csv") for name in ("wordnet", "openstreetmap")
        )
        return (
            {row["noun"]: (row["hierarchical_label"], row["synset"]) for row in found},
            {f"{row['hierarchical_label']} {row['name']}" for row in names},
        )

    return run


CHURCH, MARKET = "church.n.01,all,church\n", "market.n.01,all,market\n"
OF_MARKET = "market%1:06:00:: 1 3\nmarket%1:14:00:: 2 {}\n"


@pytest.mark.parametrize(
    ("roots", "nouns", "counts", "expected"),
    [
        # To all hyponyms, to no proper name, and to no compound that says its last word.
        (CHURCH, "", "", {"church", "church building", "cathedral", "market hall"}),
        ("church.n.01,0,church\n", "", "", {"church", "church building"}),
        (CHURCH + "cathedral.n.01,all,\n", "", "", {"church", "church building"}),  # a cut
        # The nearest root counts; of two equally near ones none.
        (CHURCH + MARKET, "", "", {"church", "church building", "cathedral", "market",
                                   "market hall:market", "hall church:market"}),
        (MARKET + "cathedral.n.01,all,church\n", "", "", {"cathedral", "church", "church building",
                                                          "market"}),
        # A half of its uses, where none other has as much.
        (MARKET, "", OF_MARKET.format(3), {"market", "market hall", "hall church:market"}),
        (MARKET, "", OF_MARKET.format(4), {"market hall", "hall church:market"}),
        (MARKET + "world_of_trade.n.01,all,trade\n", "", "",
         {"market hall", "hall church:market", "world of trade:trade"}),
        # What was chosen overrules what was counted.
        (MARKET, "market,market\nhall church,\ncathedral,market\n", OF_MARKET.format(9),
         {"market", "market hall", "cathedral:market"}),
    ],
)  # fmt: skip
def test_nouns_have_the_label_of_the_nearest_root(
    distil: Distil, roots: str, nouns: str, counts: str, expected: set[str]
) -> None:
    found, _ = distil(roots, nouns, counts)
    assert {*found} == {each.partition(":")[0] for each in expected}
    for noun, _, label in (each.partition(":") for each in expected):
        assert not label or found[noun][0] == label
    assert all(synset.startswith(noun.replace(" ", "_")) for noun, (_, synset) in found.items())
    assert found.get("market", ("", "market.n.01"))[1] == "market.n.01"


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
def test_a_text_says_one_label_as_a_name_and_as_a_term_where_it_is_another_word(
    distil: Distil, presets: Entries, trusted: str, expected: set[str]
) -> None:
    assert distil(presets=presets, trusted=trusted)[1] == expected


def test_names_and_terms_are_cleaned(tmp_path: Path) -> None:
    entry = {
        "name": "Wet  Dock / Dry Dock (Ships)",
        "aliases": "The\u00adatre\nX",
        "terms": 'Pier ,"Quay",湖、桟橋, a sentence that is longer than any name,-yard',
    }
    write_osm(tmp_path / "osm", {"dock": entry})
    assert read_wordings(tmp_path / "osm", "en")["dock"] == Wording(
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
