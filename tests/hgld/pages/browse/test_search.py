import json
from typing import Any

import pytest

from hgld.pages.browse import search
from hgld.pages.browse.pages import BrowsePages
from hgld.pages.browse.search import SearchIndex, part_name


def content(text: str | None) -> Any:  # noqa: ANN401 - of a script
    assert text is not None
    return json.loads("[" + text.strip().removeprefix("searchPart(").removesuffix(");") + "]")


def test_landmarks_are_found_by_their_names_classes_and_numbers(pages: BrowsePages) -> None:
    for letter, found in {
        "e": ["index 2"],  # its category is `c/é`
        "4": ["train 4"],
        "p": ["index 1", "train 1"],  # by the deciding classes: `lake, or pond`, `parish church`
        "q": ["index 1", "train 1", "index 2", "train 2", "train 3"],  # most images first
    }.items():
        key, total, landmarks = content(pages.text(part_name(letter)))
        assert (key, total) == (letter, len(found))
        assert [f"{one[3]} {one[6].split()[0]}" for one in landmarks] == found


def test_a_beginning_that_very_many_have_leads_to_longer_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(search, "MOST_OF_PART", 2)
    names = ["abbey", "abbeys abc", "abbey \u00e6on", "b", "ab"]
    index = SearchIndex([], [(name, "", "") for name in names])
    first, *paths = index
    told = [content(index.text(path)) for path in paths]
    parts = {key: (total, [row[0] for row in rows]) for key, total, rows in told}
    assert content(index.text(first)) == ["", sorted(parts), []]
    assert parts["ab"] == (4, ["abbey", "abbeys abc"])
    assert parts["abb"] == parts["abbey"] == (3, ["abbey", "abbeys abc"])
    assert parts["abbeys"] == parts["abc"] == (1, ["abbeys abc"])
    assert parts["\u00e6"] == (1, ["abbey \u00e6on"])
    assert not parts.keys() & {"abbeysx", "bx", "abcd"}
