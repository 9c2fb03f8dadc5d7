from pathlib import Path

import pyarrow as pa
import pytest

from hgld.errors import InputError
from hgld.labels.embedding.words import taxonomy_words
from tests.worlds.taxonomies import PHRASES, write_taxonomy

SUPERCATEGORIES = "hierarchical_label,natural_or_human_made,description\n"
ALIASES = "hierarchical_label,language,alias\n"


def test_each_shipped_word_says_what_no_other_does(shipped_words: pa.Table) -> None:
    words = shipped_words.to_pylist()
    names = [word for word in words if word["kind"] == "name"]
    assert len({word["hierarchical_label"] for word in names}) == len(names) == 78
    assert all(word["phrase"] == word["hierarchical_label"].strip() for word in names)
    meanings = [(word["phrase"].casefold(), word["hierarchical_label"]) for word in words]
    known = set(meanings)
    assert len(known) == len(meanings)
    for word, (phrase, label) in zip(words, meanings, strict=True):
        rest = phrase.partition(" ")[2]
        assert word["kind"] == "name" or (rest, label) not in known, phrase
    # A distilled word means one super-category, and nothing that was written by hand has it.
    kinds = {"wordnet", "openstreetmap"}
    distilled = [word["phrase"].casefold() for word in words if word["kind"] in kinds]
    by_hand = {word["phrase"].casefold() for word in words if word["kind"] not in kinds}
    assert len(set(distilled)) == len(distilled) > 0
    assert not by_hand & {*distilled}


def test_a_taxonomy_of_ones_own_takes_the_place_of_the_shipped_one(tmp_path: Path) -> None:
    words = taxonomy_words(write_taxonomy(tmp_path))
    assert words["phrase"].to_pylist() == list(PHRASES)
    labels = ["cascade", "mere / tarn", "span", "cascade", "mere / tarn", "span"]
    assert words["hierarchical_label"].to_pylist() == labels
    assert words["natural_or_human_made"].to_pylist()[1:3] == ["natural", "human-made"]


def test_distilled_words_count_for_super_categories_that_one_has(tmp_path: Path) -> None:
    one = f"{SUPERCATEGORIES}lake,natural,Lakes\n"
    folder = write_taxonomy(tmp_path, supercategories=one, aliases=ALIASES)
    words = taxonomy_words(folder).to_pylist()
    assert {word["hierarchical_label"] for word in words} == {"lake"}
    assert {word["kind"] for word in words} >= {"name", "wordnet"}


def test_a_folder_without_a_taxonomy_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="supercategories"):
        taxonomy_words(tmp_path)
    folder = write_taxonomy(tmp_path, supercategories=SUPERCATEGORIES, aliases=ALIASES)
    with pytest.raises(InputError, match="super-category"):
        taxonomy_words(folder)
