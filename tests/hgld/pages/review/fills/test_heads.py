import pytest

from hgld.pages.review.fills.heads import OTHERS, group_by_head, head_words


@pytest.mark.parametrize(
    ("names", "keys"),
    [
        # By the word that most begin or end with, whatever its case and accents.
        (["Kirche Au", "Eiffel Tower", "KIRCHE Ems", "Sydney tower"], ["kirche", "tower"] * 2),
        (["Église Jean", "eglise Luc", "ÉGLISE Éloi"], ["eglise"] * 3),
        (["Tower Church", "A Church", "O Church", "Tower Bay"], [*["church"] * 3, OTHERS]),
        (["1", "2", "Lac Vert"], [OTHERS] * 3),
        ([], []),
    ],
)
def test_names_are_grouped_by_the_word_that_most_begin_or_end_with(
    names: list[str], keys: list[str]
) -> None:
    assert [one.key for one in group_by_head([head_words(name) for name in names])] == keys


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Kirche (Zürich)", ("Kirche", "Kirche")),
        ("St. Mary's Church, Oxford", ("Mary's", "Church")),
        ("Der Turm von 1890", ("Turm", "Turm")),
        ("1890", ("", "")),
        ("(Zürich) Kirche", ("", "")),
    ],
)
def test_little_words_numbers_and_what_says_where_are_no_heads(
    name: str, words: tuple[str, str]
) -> None:
    assert head_words(name) == words
