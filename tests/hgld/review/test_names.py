from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hgld.labels.taxonomy.rows import SHIPPED, load_taxonomy_tables
from hgld.review.names import Spellings, alike_key, one_of, plain_text, typos

OFFICIAL = [one.hierarchical_label for one in load_taxonomy_tables(SHIPPED).supercategories]
WORDS = st.text("abc ", max_size=6)


def by_definition(one: str, other: str) -> int:
    """Optimal string alignment, as its recurrence is written."""
    if not one or not other:
        return len(one) + len(other)
    found = min(
        by_definition(one[:-1], other) + 1,
        by_definition(one, other[:-1]) + 1,
        by_definition(one[:-1], other[:-1]) + (one[-1] != other[-1]),
    )
    if len(one) > 1 and len(other) > 1 and one[-1] == other[-2] and one[-2] == other[-1]:
        found = min(found, by_definition(one[:-2], other[:-2]) + 1)
    return found


@given(WORDS, WORDS, st.integers(0, 3))
def test_typos_are_those_of_the_recurrence_up_to_a_most(one: str, other: str, most: int) -> None:
    assert typos(one, other, most) == min(by_definition(one, other), most + 1)


def test_a_name_takes_the_spelling_that_is_known() -> None:
    spellings = Spellings((), OFFICIAL)
    for typed in ("ocean area", "Ocean  Area", "\u00a0OCEAN area\u202f", "ocean\narea\n"):
        assert spellings.read(typed) == "ocean area "
    words = "\u06a9\u062a\u0627\u0628\u200c\u062e\u0627\u0646\u0647"  # Persian, with a joiner
    assert spellings.read(f" {words} ") == words


def test_no_official_name_is_asked_about_though_some_are_a_typo_apart() -> None:
    near = {
        (one, other)
        for one, other in combinations(OFFICIAL, 2)
        if typos(one.strip(), other.strip(), 1) == 1
    }
    assert near == {("fountain", "mountain")}
    assert Spellings((), OFFICIAL).questions(OFFICIAL) == {}
    assert Spellings(["fountain"], OFFICIAL).questions(["mountain"]) == {}
    assert Spellings(["fountain"]).questions(["mountain"]) == {"mountain": "fountain"}


def test_a_long_name_may_be_two_typos_away_and_of_two_new_ones_the_later_is_asked_about() -> None:
    near = {"pwer plannt": "power plant", "Towwer": "tower"}
    spellings = Spellings((), ["power plant", "cave", "tower"])
    assert spellings.questions(["pwer plannt", "lake", "Towwer"]) == near
    new = ["filling station", "filing station", "weir"]
    assert Spellings(()).questions(new) == {"filing station": "filling station"}


def test_words_are_told_whatever_their_case_spaces_and_hyphens() -> None:
    sides = ("natural", "human-made")
    for typed in ("Human-Made", " human made", "human\u2011made", "HUMANMADE", "human_made\u00a0"):
        assert one_of(typed, sides) == "human-made"
    assert one_of("", sides) is one_of("naturel", sides) is None


@given(st.text(max_size=8))
def test_a_text_reads_like_itself_made_plain(text: str) -> None:
    assert alike_key(text) == alike_key(plain_text(text))
    assert plain_text(plain_text(text)) == plain_text(text)


@pytest.mark.parametrize("unseen", ["\u2060", "\ufe0f", "\u200d", "\u034f", "\u3164", "\u2063"])
def test_what_cannot_be_seen_makes_no_other_name(unseen: str) -> None:
    typed = f"Wind{unseen}mill"
    assert Spellings(["windmill"]).read(typed) == "windmill"
    assert Spellings(()).read(typed) == "Windmill"
    assert Spellings([typed]).read("windmill") == typed  # of an older log
