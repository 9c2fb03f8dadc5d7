"""The search of a site: small files, each with all words of one beginning.

`index.json` has the labels and the beginnings. A beginning with many landmarks is parted by the
next letter, so that a query reads a file a word, and no file holds more than some thousand
landmarks. Of a word that very many landmarks have, the file has those with most images and their
number.
"""

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from hgld.pages.browse.addresses import SiteAddresses
from hgld.pages.browse.exhibit import Exhibit
from hgld.pages.browse.showing.finding import landmark_texts, search_words
from hgld.pages.browse.showing.tree import landmark_at

MOST_OF_WORD = 400
"""Landmarks of one word that its file has."""
_MOST_OF_FILE = 1_500
_LONGEST_KEY = 12

Postings = dict[str, list[int]]
"""Word to the rows of its landmarks, those with most images first."""


@dataclass(slots=True)
class _Parted:
    """The beginnings, as they were parted."""

    leaves: dict[str, Postings] = field(default_factory=dict)
    """Beginning to all words that have it."""
    exact: dict[str, Postings] = field(default_factory=dict)
    """A word that is the beginning of others which lie in other files."""
    inner: list[str] = field(default_factory=list)
    """Beginnings that were parted."""


def search_files(exhibit: Exhibit, to: SiteAddresses) -> Iterator[tuple[str, str]]:
    """Yields the files of the index: name and content.

    Args:
        exhibit: the data set.
        to: addresses as the front of the site sees them.
    """
    rows = _records(exhibit, to)
    postings, totals = _postings(exhibit)
    parted = _Parted()
    _part("", postings, parted)
    yield (
        "index.json",
        _json(
            {
                "labels": [
                    [to.group(one.slug), one.title, one.side, one.landmarks]
                    for one in exhibit.nodes
                ],
                "leaves": sorted(parted.leaves),
                "exact": sorted(parted.exact),
                "inner": sorted(parted.inner),
            }
        ),
    )
    for key, words in (*parted.leaves.items(), *parted.exact.items()):
        yield _file_name(key), _shard(words, totals, rows)


def _shard(words: Postings, totals: dict[str, int], rows: list[list[object]]) -> str:
    wanted = sorted({row for each in words.values() for row in each})
    place = {row: number for number, row in enumerate(wanted)}
    told = {word: [totals[word], [place[row] for row in each]] for word, each in words.items()}
    return _json({"w": dict(sorted(told.items())), "r": [rows[row] for row in wanted]})


def _records(exhibit: Exhibit, to: SiteAddresses) -> list[list[object]]:
    """Returns each landmark as the search shows it: address, name, label, side, images, numbers."""
    landmarks, nodes = exhibit.landmarks, exhibit.nodes
    spaces = landmarks.table["split"].to_pylist()
    return [
        [
            to.landmark(landmark_at(landmarks, row)),
            name,
            nodes[group].title,
            nodes[group].side,
            images,
            f"{spaces[row]} {numbers}",
        ]
        for row, ((name, _, numbers), group, images) in enumerate(
            zip(
                landmark_texts(landmarks.table),
                landmarks.group_of.tolist(),
                landmarks.images.sum(axis=1).tolist(),
                strict=True,
            )
        )
    ]


def _postings(exhibit: Exhibit) -> tuple[Postings, dict[str, int]]:
    landmarks = exhibit.landmarks
    texts = [" ".join(one) for one in landmark_texts(landmarks.table)]
    images = landmarks.images.sum(axis=1).tolist()
    postings: Postings = defaultdict(list)
    totals: dict[str, int] = defaultdict(int)
    for row in sorted(range(len(texts)), key=lambda one: (-images[one], one)):
        for word in set(search_words(texts[row])):
            totals[word] += 1
            if totals[word] <= MOST_OF_WORD:
                postings[word].append(row)
    return postings, totals


def _part(key: str, words: Postings, parted: _Parted) -> None:
    """Parts the words of a beginning by their next letters, until each part is small."""
    if key and (sum(map(len, words.values())) <= _MOST_OF_FILE or len(key) >= _LONGEST_KEY):
        parted.leaves[key] = words
        return
    if key:
        parted.inner.append(key)
    parts: dict[str, Postings] = defaultdict(dict)
    for word, rows in words.items():
        if word == key:
            parted.exact[key] = {word: rows}
        else:
            parts[word[: len(key) + 1]][word] = rows
    for each, inside in sorted(parts.items()):
        _part(each, inside, parted)


def _file_name(key: str) -> str:
    """Returns the name of a file for a beginning, whatever letters it has.

    Example:
        >>> _file_name("par"), _file_name("éa")
        ('par.json', '_c3a961.json')
    """
    plain = key.isascii() and key.isalnum()
    return f"{key}.json" if plain else f"_{key.encode().hex()}.json"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
