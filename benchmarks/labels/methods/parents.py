"""Parents that landmarks might have on Commons, made up from their labels for want of real ones.

They show how parents count: how they are read, weighed and calibrated, and what wrong ones cost.
What Commons holds they do not show, since how often it tells is an assumption, `ParentShares`.

A landmark has parents or none. Those that it has tell what it is (`Churches in Bari`), tell
something wrong, or tell nothing (`Built in 1888`). Half of the words for a super-category are of
`heads.csv`, plurals in five languages written for this as Commons words them; the others are names
in ten languages of the shipped taxonomy's aliases, OpenStreetMap and WordNet, which the reader of
heads knows too. An adjective stands before some, which nothing knows. What a landmark gets depends
on the seed, its name and its label alone, not on the landmarks beside it.
"""

import csv
import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from hgld.labels.taxonomy.distil import DISTILLED, read_distilled
from hgld.labels.taxonomy.rows import load_taxonomy_tables

_T = TypeVar("_T")

_HEADS = Path(__file__).with_name("heads.csv")
_WRITTEN_SHARE = 0.5
_ENGLISH_SHARE = 0.6
"""Of the words of `heads.csv`: categories of Commons are to be in English, and many are not."""
_ADJECTIVE_SHARE = 0.3
_SEVERAL_SHARE = 0.3
_MOST_SILENT = 3
_ADJECTIVES = ("Former", "Historic", "Listed", "Northern", "Remote", "Restored", "Small", "Unbuilt")
_PLACES = (
    *("Aberdeen", "Bari", "Cusco", "Dortmund", "Évora", "Fukuoka", "Gdańsk", "Hobart", "Izmir"),
    *("Jaipur", "Kyiv", "Lyon", "Malmö", "Nairobi", "Oaxaca", "Plzeň", "Quito", "Riga", "Segovia"),
    *("Tbilisi", "Utrecht", "Viseu", "Wyoming", "Yerevan", "Zagreb", "Barnim", "Ticino", "Kansai"),
)
_PATTERNS: Mapping[str, Sequence[str]] = {
    "en": ("{head} in {place}", "{head} of {place}", "{head} near {place}"),
    "de": ("{head} in {place}", "{head} bei {place}"),
    "fr": ("{head} à {place}", "{head} de {place}"),
    "it": ("{head} di {place}", "{head} a {place}"),
    "es": ("{head} de {place}", "{head} en {place}"),
    "pt": ("{head} de {place}",),
    "nl": ("{head} in {place}",),
    "pl": ("{head} w {place}",),
    "cs": ("{head} v {place}",),
    "sv": ("{head} i {place}",),
}
_SILENT = (
    *("Buildings in {place}", "Built in {year}", "{place} district", "Monuments in {place}"),
    *("{place}", "History of {place}", "{year} establishments in {place}", "Geography of {place}"),
    *("Images from {place}", "Cultural heritage in {place}", "Things named after people"),
    *("Bauwerke in {place}", "Bâtiments à {place}", "Patrimonio di {place}"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ParentShares:
    """How often parents tell something; each is a share from 0 to 1."""

    without: float
    """Of landmarks that have none."""
    silent: float
    """Of the others, those with parents that all tell nothing."""
    wrong: float
    """Of parents that tell something, those that tell the wrong thing."""
    grandparents: float
    """Of landmarks with parents, those of which the parents of these are known too."""


STRENGTHS: Mapping[str, ParentShares] = {
    "weak": ParentShares(without=0.4, silent=0.4, wrong=0.25, grandparents=0.3),
    "middling": ParentShares(without=0.2, silent=0.25, wrong=0.12, grandparents=0.5),
    "strong": ParentShares(without=0.05, silent=0.1, wrong=0.05, grandparents=0.7),
}
"""What is measured; nobody knows which of them Commons is like."""

LabelHeads = Mapping[str, Sequence[tuple[str, str]]]
"""Super-category to words for it, each with its language before it."""


def made_up_parents(
    names: Sequence[str], truth: Sequence[str], shares: ParentShares, seed: int = 0
) -> list[tuple[str, ...]]:
    """Makes up the parents of landmarks, and those of the parents.

    Args:
        names: (n,), of their categories.
        truth: (n,), the label of each; empty of one that has none, whose parents tell nothing or
            something wrong.
        shares: how often they tell something.
        seed: of the draw.

    Returns:
        Titles of each, without `Category:`; none of a landmark without parents.
    """
    written, known = written_heads(), known_heads()
    labels = sorted({label for label in truth if label} & {*written})
    words = _Vocabulary(written, known, labels)
    return [
        tuple(_drawn(name, label, shares, words, seed))
        for name, label in zip(names, truth, strict=True)
    ]


def written_heads() -> LabelHeads:
    """Returns the words of `heads.csv`."""
    with _HEADS.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return {
        row["hierarchical_label"]: [
            (language, head)
            for language in ("en", "de", "fr", "it", "es")
            for head in row[language].split(";")
        ]
        for row in rows
    }


def known_heads() -> LabelHeads:
    """Returns names by the shipped taxonomy: aliases, OpenStreetMap's, and WordNet's as plurals."""
    found: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    for each in load_taxonomy_tables().aliases:
        found[each.hierarchical_label].append((each.language, each.alias))
    for row in read_distilled(DISTILLED / "openstreetmap.csv"):
        found[row["hierarchical_label"]].append((row["language"], row["name"]))
    for row in read_distilled(DISTILLED / "wordnet.csv"):
        found[row["hierarchical_label"]].append(("en", plural_noun(row["noun"])))
    return {
        label: [(language, head) for language, head in heads if language in _PATTERNS]
        for label, heads in found.items()
    }


def plural_noun(noun: str) -> str:
    """Returns an English noun as more than one.

    Example:
        >>> plural_noun("abbey"), plural_noun("ferry"), plural_noun("wayside cross")
        ('abbeys', 'ferries', 'wayside crosses')
    """
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        return f"{noun[:-1]}ies"
    return f"{noun}es" if noun.endswith(("s", "x", "z", "ch", "sh")) else f"{noun}s"


@dataclass(frozen=True, slots=True)
class _Vocabulary:
    written: LabelHeads
    known: LabelHeads
    labels: Sequence[str]
    """That a wrong parent may tell of."""


def _drawn(name: str, label: str, shares: ParentShares, words: _Vocabulary, seed: int) -> list[str]:
    digest = hashlib.sha256(f"{seed}\n{name}\n{label}".encode()).digest()
    draw = np.random.default_rng(list(digest))
    if draw.random() < shares.without:
        return []
    titles = [_silent(draw) for _ in range(draw.integers(0, _MOST_SILENT + 1))]
    levels = 2 if draw.random() < shares.grandparents else 1
    if draw.random() < shares.silent or not words.labels:
        return [*titles, *(_silent(draw) for _ in range(levels))]
    for _ in range(2 if draw.random() < _SEVERAL_SHARE else 1):
        told = label
        if not label or draw.random() < shares.wrong:
            told = _one_of([one for one in words.labels if one != label] or [label], draw)
        titles += [_telling(told, words, draw) for _ in range(levels)]
    return [str(title) for title in draw.permutation(np.array(titles, object))]


def _telling(label: str, words: _Vocabulary, draw: np.random.Generator) -> str:
    heads: Sequence[tuple[str, str]] = words.known.get(label, ())
    if draw.random() < _WRITTEN_SHARE or not heads:
        is_english = draw.random() < _ENGLISH_SHARE
        heads = [one for one in words.written[label] if (one[0] == "en") == is_english]
    language, head = _one_of(heads, draw)
    if language == "en" and draw.random() < _ADJECTIVE_SHARE:
        head = f"{_one_of(_ADJECTIVES, draw)} {head.lower()}"
    title = _one_of(_PATTERNS[language], draw).format(head=head, place=_one_of(_PLACES, draw))
    return title[:1].upper() + title[1:]


def _silent(draw: np.random.Generator) -> str:
    year = 1200 + int(draw.integers(820))
    return _one_of(_SILENT, draw).format(place=_one_of(_PLACES, draw), year=year)


def _one_of(some: Sequence[_T], draw: np.random.Generator) -> _T:
    return some[int(draw.integers(len(some)))]
