import functools
from collections import Counter
from collections.abc import Sequence

import pytest

from hgld.benchmarks.labels.methods import parents
from hgld.benchmarks.labels.methods.parents import (
    STRENGTHS,
    ParentShares,
    known_heads,
    made_up_parents,
    written_heads,
)
from hgld.labels.taxonomy.rows import load_taxonomy_tables

NAMES = [f"Name {number}" for number in range(300)]
TRUTH = ["church", "lake", "ocean area "] * 100
SURE = ParentShares(without=0, silent=0, wrong=0, grandparents=0)


@pytest.fixture(autouse=True)
def known_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The names by the taxonomy are read once, not for every call."""
    monkeypatch.setattr(parents, "known_heads", known)


known = functools.cache(known_heads)


def parents_of(shares: ParentShares, **settings: int) -> list[tuple[str, ...]]:
    return made_up_parents(NAMES, TRUTH, shares, **settings)


@functools.cache
def heads_of(label: str) -> tuple[str, ...]:
    return tuple(head.lower() for _, head in [*written_heads()[label], *known()[label]])


def tells(titles: Sequence[str], label: str) -> bool:
    return any(f" {head} " in f" {title.lower()} " for head in heads_of(label) for title in titles)


def test_shares_are_what_they_say() -> None:
    shares = ParentShares(without=0.3, silent=0, wrong=0, grandparents=0)
    some = [titles for titles in parents_of(shares) if titles]
    assert len(some) == pytest.approx(0.7 * len(NAMES), rel=0.1)
    found = parents_of(SURE)
    assert all(tells(titles, label) for titles, label in zip(found, TRUTH, strict=True))
    silent = parents_of(ParentShares(without=0, silent=1, wrong=0, grandparents=0))
    assert all(silent)
    assert sum(tells(titles, "church") for titles in silent) < 0.05 * len(silent)
    wrong = parents_of(ParentShares(without=0, silent=0, wrong=1, grandparents=0))
    right = sum(tells(titles, label) for titles, label in zip(wrong, TRUTH, strict=True))
    assert right < 0.1 * len(wrong)


def test_grandparents_stand_beside_parents() -> None:
    more = ParentShares(without=0, silent=0, wrong=0, grandparents=1)
    few, many = (sum(map(len, parents_of(shares))) for shares in (SURE, more))
    assert many > few + 0.9 * len(NAMES)


def test_the_same_seed_gives_the_same_whatever_stands_beside_it() -> None:
    shares = STRENGTHS["middling"]
    whole = parents_of(shares)
    assert parents_of(shares) == whole
    assert made_up_parents(NAMES[:30], TRUTH[:30], shares) == whole[:30]
    assert parents_of(shares, seed=1) != whole


def test_the_stronger_the_more_landmarks_have_parents_that_tell() -> None:
    right = [
        sum(
            tells(titles, label)
            for titles, label in zip(parents_of(STRENGTHS[name]), TRUTH, strict=True)
        )
        for name in ("weak", "middling", "strong")
    ]
    assert right == sorted(right)
    assert right[0] < 0.5 * len(NAMES) < right[2]


def test_what_has_no_label_is_told_something_wrong_or_nothing() -> None:
    titles = made_up_parents(["Bank", *NAMES[:3]], ["", *TRUTH[:3]], SURE)[0]
    assert titles
    assert made_up_parents(["Bank"], [""], SURE)[0]  # there is no label at all to tell


def test_heads_are_in_several_languages_half_of_them_unlike_any_alias() -> None:
    written = written_heads()
    assert len(written) == 78
    assert {label.strip() for label in written} >= {"church", "ocean area"}
    assert all({language for language, _ in heads} == {"en", "de", "fr", "it", "es"}
               for heads in written.values())  # fmt: skip
    aliases = {each.alias.casefold() for each in load_taxonomy_tables().aliases}
    heads = [head.casefold() for some in written.values() for _, head in some]
    assert sum(head in aliases for head in heads) < 0.5 * len(heads)
    languages = Counter(language for some in known().values() for language, _ in some)
    assert len(languages) == 10
