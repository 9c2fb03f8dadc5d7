from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest

from hgld.errors import InputError
from hgld.labels.embedding.words import taxonomy_words
from tests.worlds.taxonomies import PHRASES, write_taxonomy


def test_names_come_first_and_every_super_category_has_one(shipped_words: pa.Table) -> None:
    words = shipped_words.to_pylist()
    names = [word for word in words if word["kind"] == "name"]
    assert words[: len(names)] == names
    assert len(names) == len({word["hierarchical_label"] for word in names}) == 78
    assert all(word["phrase"] == word["hierarchical_label"].strip() for word in names)
    assert {word["language"] for word in words} == {"en"}
    sides = {(word["hierarchical_label"], word["natural_or_human_made"]) for word in words}
    assert len(sides) == 78
    assert len(words) < 3500  # they cost as long as so many labels


def test_no_phrase_stands_twice_for_a_super_category_or_ends_in_another_of_it(
    shipped_words: pa.Table,
) -> None:
    words = shipped_words.to_pylist()
    meanings = [(word["phrase"].casefold(), word["hierarchical_label"]) for word in words]
    assert max(Counter(meanings).values()) == 1
    known = set(meanings)
    for word, (phrase, label) in zip(words, meanings, strict=True):
        first, _, rest = phrase.partition(" ")
        assert word["kind"] == "name" or (rest, label) not in known, f"{first} {rest}"


def test_a_distilled_word_of_two_meanings_or_one_written_by_hand_does_not_count(
    shipped_words: pa.Table,
) -> None:
    words = shipped_words.to_pylist()
    by_hand = {word["phrase"].casefold() for word in words if word["kind"] in {"name", "alias"}}
    distilled = [word for word in words if word["kind"] in {"wordnet", "openstreetmap"}]
    phrases = [word["phrase"].casefold() for word in distilled]
    assert {word["kind"] for word in distilled} == {"wordnet", "openstreetmap"}
    assert not by_hand & set(phrases)
    assert max(Counter(phrases).values()) == 1


def test_a_taxonomy_of_ones_own_takes_the_place_of_the_shipped_one(tmp_path: Path) -> None:
    words = taxonomy_words(write_taxonomy(tmp_path))
    assert words["phrase"].to_pylist() == list(PHRASES)
    labels = ["cascade", "mere / tarn", "span", "cascade", "mere / tarn", "span"]
    assert words["hierarchical_label"].to_pylist() == labels
    assert words["natural_or_human_made"].to_pylist()[1:3] == ["natural", "human-made"]


def test_distilled_words_count_for_super_categories_that_one_has(tmp_path: Path) -> None:
    one = "hierarchical_label,natural_or_human_made,description\nlake,natural,Lakes\n"
    none = "hierarchical_label,language,alias\n"
    words = taxonomy_words(write_taxonomy(tmp_path, supercategories=one, aliases=none)).to_pylist()
    assert {word["hierarchical_label"] for word in words} == {"lake"}
    assert {word["kind"] for word in words} >= {"name", "wordnet"}


def test_a_folder_without_a_taxonomy_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="supercategories"):
        taxonomy_words(tmp_path)
    empty = "hierarchical_label,natural_or_human_made,description\n"
    none = "hierarchical_label,language,alias\n"
    with pytest.raises(InputError, match="super-category"):
        taxonomy_words(write_taxonomy(tmp_path, supercategories=empty, aliases=none))
