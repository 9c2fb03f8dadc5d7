from pathlib import Path

import pytest

from hgld.labels.fills.lexicon import Lexicon, name_of_category, parts_of
from hgld.labels.taxonomy.rows import read_csv_rows


@pytest.mark.parametrize(
    ("category", "name"),
    [
        ("http://commons.wikimedia.org/wiki/Category:Pont_du_Gard", "Pont du Gard"),
        ("https://commons.wikimedia.org/wiki/Category:%C3%8Ele_(Brest)", "Île (Brest)"),
        ("Category:Category:Odd", "Category:Odd"),
        ("Mini-Europe", "Mini-Europe"),
        ("  ", ""),
        ("%E4bad", "\N{REPLACEMENT CHARACTER}bad"),
    ],
)
def test_a_category_is_named_as_commons_shows_it(category: str, name: str) -> None:
    assert name_of_category(category) == name


def test_what_stands_in_parentheses_is_told_apart_also_where_one_is_missing() -> None:
    assert parts_of("Pommern (ship, 1903) (2)") == ("Pommern", ["ship, 1903", "2"])
    assert parts_of("Pommern (ship") == ("Pommern", [])


@pytest.mark.parametrize(
    ("title", "label", "words"),
    [
        ("Churches in Barnim", "church", "church"),
        ("Kirche St. Martin (Bernau)", "church", "kirche"),
        ("Ponts sur la Seine", "bridge", "pont"),
        ("Puentes de Sevilla", "bridge", "puente"),
        ("浅草寺", "buddhist temple", "寺"),
        ("Pommern (ship, 1903)", "boat", "ship"),
    ],
)
def test_any_language_is_read(whole_lexicon: Lexicon, title: str, label: str, words: str) -> None:
    meaning = whole_lexicon.meaning(title)
    assert meaning.said.get(label) == words
    assert any(token.endswith(f":{label}") for token in meaning.tokens)


def test_a_name_without_a_known_word_means_nothing(whole_lexicon: Lexicon) -> None:
    meaning = whole_lexicon.meaning("Xqzt 77")
    assert (meaning.said, meaning.tokens) == ({}, [])
    assert whole_lexicon.meaning("").tokens == []


def test_the_first_known_word_is_mostly_right(whole_lexicon: Lexicon, shared: Path) -> None:
    rows = read_csv_rows(shared / "labels/train_landmarks_sample.csv")[::10]
    rows = [row for row in rows if row["hierarchical_label"]]
    said = [whole_lexicon.meaning(name_of_category(row["category"])).said for row in rows]
    pairs = zip(said, rows, strict=True)
    right = [next(iter(one)) == row["hierarchical_label"] for one, row in pairs if one]
    assert len(right) >= 0.75 * len(rows)  # 432 of 573 names have one
    assert sum(right) >= 0.77 * len(right)
