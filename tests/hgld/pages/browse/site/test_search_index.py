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


def words(files: dict[str, dict[str, Any]]) -> dict[str, int]:
    shards = (one for name, one in files.items() if name != "index.json")
    return {word: told[0] for one in shards for word, told in one["w"].items()}


def test_what_is_of_very_many_landmarks_is_parted_and_those_with_most_images_are_kept(
    exhibit: Exhibit, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = index_of(exhibit)
    monkeypatch.setattr(search_index, "_MOST_OF_FILE", 1)
    monkeypatch.setattr(search_index, "MOST_OF_WORD", 2)
    parted = index_of(exhibit)
    assert "c" in whole["index.json"]["leaves"]
    assert "c" in parted["index.json"]["inner"]  # by its next letter
    assert words(parted) == words(whole)
    total, places = parted["c.json"]["w"]["c"]  # the word, which is of every category
    assert (total, len(places)) == (7, 2)
    assert all(parted["c.json"]["r"][place][4] == 2 for place in places)
