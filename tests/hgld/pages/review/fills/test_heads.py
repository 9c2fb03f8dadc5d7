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
        # Little words, numbers and what says where are none.
        (["Der Turm von 1890", "Turm (Kirche)", "St. Turm, Bern"], ["turm"] * 3),
        ([], []),
    ],
)
def test_names_are_grouped_by_the_word_that_most_begin_or_end_with(
    names: list[str], keys: list[str]
) -> None:
    assert [one.key for one in group_by_head([head_words(name) for name in names])] == keys
