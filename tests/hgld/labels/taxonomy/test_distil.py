import csv
import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from hgld.errors import InputError
from hgld.labels.taxonomy.distil import (
    CHOSEN,
    DISTILLED,
    PRESET_LANGUAGES,
    Noun,
    PresetName,
    RootSynset,
    Wording,
    distil_names,
    distil_nouns,
    label_synsets,
    main,
    read_distilled,
    read_wordings,
    read_wordnet,
)

LICENCE = "  1 This software and database is provided  \n  2 WordNet 3.0 Copyright 2006  \n"

# synset: its nouns, its hypernyms. All that is below `place` is a place.
SYNSETS: dict[str, tuple[list[str], list[str]]] = {
    "00000001": (["place"], []),
    "00000002": (["church", "church_building"], ["00000001"]),
    "00000003": (["cathedral"], ["00000002"]),
    "00000004": (["market"], ["00000001"]),
    "00000005": (["hall_church", "market_hall"], ["00000003", "00000004"]),
    "00000006": (["Bath_Abbey"], ["00000002"]),
    "00000007": (["world_of_trade", "market"], []),
    "00000008": (["Church"], []),  # a man of the name
    "00000009": (["parish_church"], ["00000002"]),
    "00000010": (["outlet"], ["00000004"]),
}


def write_wordnet(
    folder: Path,
    synsets: dict[str, tuple[list[str], list[str]]] = SYNSETS,
    *,
    instances: Iterable[str] = (),
    senses: dict[str, list[str]] | None = None,
    counts: str = "",
) -> Path:
    """Writes data.noun, index.noun and cntlist.rev; `senses` orders those of a noun."""
    folder.mkdir(exist_ok=True)
    index: dict[str, list[str]] = {}
    data = LICENCE
    for synset, (nouns, above) in synsets.items():
        pointer = "@i" if synset in instances else "@"
        pointers = "".join(f"{pointer} {hypernym} n 0000 " for hypernym in above)
        words = " ".join(f"{noun} 0" for noun in nouns)
        data += f"{synset} 06 n {len(nouns):02x} {words} {len(above):03} {pointers}| a | gloss  \n"
        for noun in nouns:
            index.setdefault(noun.lower(), []).append(synset)
    index |= senses or {}
    (folder / "data.noun").write_text(data)
    lines = (f"{noun} n {len(at)} 1 @ {len(at)} 0 {' '.join(at)}  \n" for noun, at in index.items())
    (folder / "index.noun").write_text(LICENCE + "".join(lines))
    (folder / "cntlist.rev").write_text(counts)
    return folder


CHURCH = RootSynset("church.n.01", "all", "church")
MARKET = RootSynset("market.n.01", "all", "market")


def nouns_of(folder: Path, *roots: RootSynset, **chosen: str) -> dict[str, str]:
    found = distil_nouns(read_wordnet(folder), roots, chosen)
    return {noun.noun: noun.hierarchical_label for noun in found}


def test_a_label_goes_down_to_all_hyponyms_and_to_no_proper_name(tmp_path: Path) -> None:
    folder = write_wordnet(tmp_path, instances=["00000006"])
    wordnet = read_wordnet(folder)
    assert label_synsets(wordnet, [CHURCH]) == dict.fromkeys(
        ("00000002", "00000003", "00000005", "00000009"), "church"
    )
    assert distil_nouns(wordnet, [CHURCH], {})[:2] == [
        Noun("cathedral", "church", "cathedral.n.01"),
        Noun("church", "church", "church.n.01"),
    ]


def test_a_noun_that_is_written_with_a_capital_is_a_name(tmp_path: Path) -> None:
    # Bath_Abbey is a hyponym here, and no instance; `Church` is another word than `church`.
    found = nouns_of(write_wordnet(tmp_path), CHURCH)
    assert "bath abbey" not in found
    assert found["church"] == "church"


def test_the_number_of_levels_ends_a_label(tmp_path: Path) -> None:
    wordnet = read_wordnet(write_wordnet(tmp_path))
    assert set(label_synsets(wordnet, [CHURCH._replace(levels="0")])) == {"00000002"}
    assert "00000005" not in label_synsets(wordnet, [CHURCH._replace(levels="1")])
    assert "00000005" in label_synsets(wordnet, [CHURCH._replace(levels="2")])


def test_the_nearest_root_counts_in_whatever_order(tmp_path: Path) -> None:
    wordnet = read_wordnet(write_wordnet(tmp_path))
    for roots in ([CHURCH, MARKET], [MARKET, CHURCH]):
        # Two levels below the church, one below the market.
        assert label_synsets(wordnet, roots)["00000005"] == "market"


def test_between_two_roots_that_are_equally_near_a_synset_has_no_label(tmp_path: Path) -> None:
    wordnet = read_wordnet(write_wordnet(tmp_path))
    cathedral = RootSynset("cathedral.n.01", "all", "church")
    for roots in ([cathedral, MARKET], [MARKET, cathedral]):
        assert label_synsets(wordnet, roots)["00000005"] == ""
        nouns = distil_nouns(wordnet, roots, {})
        assert "market hall" not in {noun.noun for noun in nouns}


def test_a_cut_keeps_what_is_below_out(tmp_path: Path) -> None:
    cut = RootSynset("cathedral.n.01", "all", "")
    found = nouns_of(write_wordnet(tmp_path), CHURCH, cut)
    assert found == {"church": "church", "church building": "church"}


def test_a_cycle_of_hypernyms_ends(tmp_path: Path) -> None:
    synsets = SYNSETS | {"00000002": (["church"], ["00000003"])}
    wordnet = read_wordnet(write_wordnet(tmp_path, synsets))
    assert label_synsets(wordnet, [CHURCH])["00000003"] == "church"


@pytest.mark.parametrize(
    ("counts", "found"),
    [
        ("", {"market"}),  # one use each: a half
        ("market%1:06:00:: 1 3\nmarket%1:14:00:: 2 3\n", {"market"}),  # 4 of 8
        ("market%1:06:00:: 1 3\nmarket%1:14:00:: 2 4\n", set()),  # 4 of 9
        ("market%2:06:00:: 2 9\n", {"market"}),  # a verb
    ],
)
def test_a_noun_counts_where_half_of_its_uses_have_the_label(
    tmp_path: Path, counts: str, found: set[str]
) -> None:
    assert nouns_of(write_wordnet(tmp_path, counts=counts), MARKET).keys() & {"market"} == found


def test_a_noun_of_two_labels_takes_the_more_used_and_none_of_a_tie(tmp_path: Path) -> None:
    roots = [MARKET, RootSynset("world_of_trade.n.01", "all", "festival")]
    folder = write_wordnet(tmp_path / "tie")
    assert "market" not in nouns_of(folder, *roots)
    folder = write_wordnet(tmp_path / "more", counts="market%1:14:00:: 2 1\n")
    found = distil_nouns(read_wordnet(folder), roots, {})
    assert Noun("market", "festival", "market.n.02") in found


def test_a_compound_that_says_no_more_than_its_last_word_is_left_out(tmp_path: Path) -> None:
    found = nouns_of(write_wordnet(tmp_path), CHURCH)
    assert "parish church" not in found
    assert found["market hall"] == "church"  # `hall` says nothing


def test_a_chosen_noun_overrules_what_was_counted(tmp_path: Path) -> None:
    rare = "market%1:14:00:: 2 9\n"
    folder = write_wordnet(tmp_path, counts=rare)
    found = nouns_of(folder, MARKET, market="market", outlet="", cathedral="market")
    assert found == {
        "cathedral": "market", "hall church": "market", "market": "market", "market hall": "market"
    }  # fmt: skip
    synsets = {noun.noun: noun.synset for noun in distil_nouns(
        read_wordnet(folder), [MARKET], {"market": "market"}
    )}  # fmt: skip
    assert synsets["market"] == "market.n.01"


def test_a_chosen_noun_that_wordnet_has_not_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="minster"):
        nouns_of(write_wordnet(tmp_path), MARKET, minster="market")


@pytest.mark.parametrize("name", ["church.n.03", "church.n.00", "church"])
def test_a_root_that_wordnet_has_not_is_an_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=name):
        nouns_of(write_wordnet(tmp_path), RootSynset(name, "all", "church"))


def test_one_synset_is_no_root_twice(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="church_building"):
        nouns_of(
            write_wordnet(tmp_path), CHURCH, RootSynset("church_building.n.01", "all", "market")
        )


def words(names: str = "", terms: str = "") -> Wording:
    return Wording(tuple(names.split()), tuple(terms.split()))


LABELS = {"water/lake": "lake", "water/pond": "lake", "rail": "rail transportation"}


def names_of(presets: dict[str, Wording], trusted: Iterable[str] = LABELS) -> set[tuple[str, str]]:
    known = {preset: words() for preset in LABELS}
    rows = distil_names({"de": known | presets}, LABELS, set(trusted))
    return {(row.hierarchical_label, row.name) for row in rows}


def test_a_name_that_presets_of_two_labels_have_says_nothing() -> None:
    assert names_of({"water/lake": words("see"), "water/pond": words("see weiher")}) == {
        ("lake", "see"),
        ("lake", "weiher"),
    }
    assert names_of({"water/lake": words("see"), "rail": words("see")}) == set()
    assert names_of({"water/lake": words("see"), "sea": words("see")}) == set()  # without a label


def test_a_name_comes_before_the_term_of_another_preset() -> None:
    assert names_of({"water/lake": words("see", "gleis"), "rail": words("gleis")}) == {
        ("lake", "see"),
        ("rail transportation", "gleis"),
    }
    assert names_of({"water/lake": words("see", "bahn"), "road": words("bahn")}) == {
        ("lake", "see")
    }


def test_a_term_of_two_labels_says_nothing() -> None:
    assert names_of({"water/lake": words("see", "ufer"), "rail": words("gleis", "ufer")}) == {
        ("lake", "see"),
        ("rail transportation", "gleis"),
    }


def test_a_term_counts_where_it_is_trusted_or_a_large_part_of_a_name() -> None:
    presets = {"rail": words("bahnhofsgebäude", "bahnhof hauptbahnhofsgebäude bahn zug")}
    assert {name for _, name in names_of(presets, trusted=[])} == {
        "bahnhofsgebäude",
        "hauptbahnhofsgebäude",
    }
    assert ("rail transportation", "zug") in names_of(presets, trusted=["rail"])


def test_a_labelled_preset_that_no_language_knows_is_an_error() -> None:
    with pytest.raises(InputError, match="mountain_pass"):
        distil_names({"de": {"rail": words("gleis")}}, {"mountain_pass": "mountain"}, ())


def write_osm(folder: Path, presets: dict[str, dict[str, str]]) -> Path:
    (folder / "dist" / "translations").mkdir(parents=True)
    (folder / "package.json").write_text('{"version": "6.19.2"}')
    for language in PRESET_LANGUAGES:
        text = json.dumps({language: {"presets": {"presets": presets}}})
        (folder / "dist" / "translations" / f"{language}.json").write_text(text)
    return folder


def test_names_and_terms_are_cleaned(tmp_path: Path) -> None:
    entry = {
        "name": "Wet  Dock / Dry Dock (Ships)",
        "aliases": "The\u00adatre\nX",
        "terms": 'Pier ,"Quay",湖、桟橋, a sentence that is longer than any name,-yard',
    }
    folder = write_osm(tmp_path / "osm", {"dock": entry})
    assert read_wordings(folder, "en")["dock"] == Wording(
        names=("wet dock", "theatre"), terms=("pier", "quay", "湖", "桟橋", "yard")
    )


def write_tables_by_hand(folder: Path) -> None:
    folder.mkdir()
    (folder / "roots.csv").write_text(
        "synset,levels,hierarchical_label,why\nchurch.n.01,all,church,\n"
    )
    (folder / "nouns.csv").write_text("noun,hierarchical_label,why\ncathedral,,left out\n")
    (folder / "presets.csv").write_text("preset,hierarchical_label,terms\nlake,lake,yes\n")


def test_the_program_writes_both_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_tables_by_hand(tmp_path / "sources")
    monkeypatch.setattr("hgld.labels.taxonomy.distil.CHOSEN", tmp_path / "sources")
    wordnet = write_wordnet(tmp_path / "wordnet", instances=["00000006"])
    osm = write_osm(tmp_path / "osm", {"lake": {"name": "Lake", "terms": "loch"}})
    arguments = [f"--wordnet={wordnet}", f"--osm={osm}", f"--out={tmp_path / 'out'}"]
    main(arguments)
    assert (tmp_path / "out/wordnet.csv").read_text() == (
        "noun,hierarchical_label,synset\nchurch,church,church.n.01\n"
        "church building,church,church_building.n.01\nmarket hall,church,market_hall.n.01\n"
    )
    rows = read_distilled(tmp_path / "out/openstreetmap.csv")
    assert len(rows) == 2 * len(PRESET_LANGUAGES)
    assert rows[0] == PresetName("lake", "ar", "lake", "lake")._asdict()


def test_shipped_nouns_are_sorted_and_each_has_one_label() -> None:
    rows = read_distilled(DISTILLED / "wordnet.csv")
    nouns = [row["noun"] for row in rows]
    assert len(rows) > 1000
    assert nouns == sorted(set(nouns))
    assert all(noun == noun.lower().strip() and "_" not in noun for noun in nouns)
    assert all(row["synset"].rpartition(".n.")[0] == row["noun"].replace(" ", "_") for row in rows)


def test_shipped_names_are_sorted_and_say_one_label_in_a_language() -> None:
    rows = read_distilled(DISTILLED / "openstreetmap.csv")
    keys = [tuple(row.values()) for row in rows]
    assert len(rows) > 5000
    assert keys == sorted(keys)
    assert len({(row["language"], row["name"]) for row in rows}) == len(rows)
    assert {row["language"] for row in rows} == set(PRESET_LANGUAGES)


def test_what_is_chosen_by_hand_is_chosen_once_and_arrives() -> None:
    for name, key in (("roots", "synset"), ("nouns", "noun"), ("presets", "preset")):
        keys = [row[key] for row in read_distilled(CHOSEN / f"{name}.csv")]
        assert len(keys) == len(set(keys))
    shipped = {
        row["noun"]: row["hierarchical_label"] for row in read_distilled(DISTILLED / "wordnet.csv")
    }
    for row in read_distilled(CHOSEN / "nouns.csv"):
        assert shipped.get(row["noun"], "") == row["hierarchical_label"]
        assert row["why"]


def test_super_categories_are_named_as_h_gldv2_names_them(shared: Path) -> None:
    with (shared / "labels" / "supercategories_78.csv").open(encoding="utf-8", newline="") as file:
        official = {row["hierarchical_label"] for row in csv.DictReader(file)}
    used = {
        row["hierarchical_label"]
        for path in (
            DISTILLED / "wordnet.csv",
            DISTILLED / "openstreetmap.csv",
            *CHOSEN.glob("*.csv"),
        )
        for row in read_distilled(path)
    }
    assert used - {""} == official
