import json
from typing import Any

import pytest

from hgld.pages.browse.addresses import SiteAddresses, SiteLayout
from hgld.pages.browse.exhibit import Exhibit
from hgld.pages.browse.site import search_index
from hgld.pages.browse.site.search_index import search_files


def index_of(exhibit: Exhibit) -> dict[str, dict[str, Any]]:
    to = SiteAddresses(SiteLayout("x", 1), "index.html")
    return {name: json.loads(text) for name, text in search_files(exhibit, to)}


def test_a_beginning_with_many_landmarks_is_parted_by_its_next_letter(
    exhibit: Exhibit, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = index_of(exhibit)
    monkeypatch.setattr(search_index, "_MOST_OF_FILE", 1)
    parted = index_of(exhibit)
    assert "c" in whole["index.json"]["leaves"]
    table = parted["index.json"]
    # The word, which is of every category.
    assert "c" in table["exact"]
    assert "c" in table["inner"]
    assert list(parted["c.json"]["w"]) == ["c"]

    def all_words(files: dict[str, dict[str, Any]]) -> dict[str, int]:
        shards = (one for name, one in files.items() if name != "index.json")
        return {word: told[0] for one in shards for word, told in one["w"].items()}

    assert all_words(parted) == all_words(whole)


def test_of_a_word_of_very_many_landmarks_those_with_most_images_are_kept_and_all_counted(
    exhibit: Exhibit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_index, "MOST_OF_WORD", 2)
    shard = index_of(exhibit)["c.json"]
    total, places = shard["w"]["c"]
    assert (total, len(places)) == (7, 2)
    kept = [shard["r"][place] for place in places]
    assert all(row[4] == 2 for row in kept)
