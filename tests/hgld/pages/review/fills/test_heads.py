import pytest

from hgld.pages.review.fills.heads import OTHERS, group_by_head, head_words


def grouped(*names: str) -> list[tuple[str, str]]:
    return [(one.key, one.title) for one in group_by_head([head_words(name) for name in names])]


def test_names_are_grouped_by_the_word_that_most_begin_or_end_with() -> None:
    assert grouped("Kirche Au", "Eiffel Tower", "KIRCHE Ems", "Kirche Binz", "Sydney tower") == [
        *(("kirche", "Kirche …"), ("tower", "… Tower")),
        *(("kirche", "Kirche …"), ("kirche", "Kirche …"), ("tower", "… Tower")),
    ]


def test_of_two_words_the_commoner_one_counts_and_a_word_of_its_own_is_no_group() -> None:
    assert grouped("Tower Church", "Old Church", "New Church", "Tower Bridge", "Nothing") == [
        *[("church", "… Church")] * 3,
        *[(OTHERS, "Others")] * 2,
    ]


def test_accents_and_case_make_no_other_group() -> None:
    assert {key for key, _ in grouped("Église Jean", "eglise Luc", "ÉGLISE Éloi")} == {"eglise"}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Kirche (Zürich)", ("Kirche", "Kirche")),
        ("St. Mary's Church, Oxford", ("Mary's", "Church")),
        ("Der Turm von 1890", ("Turm", "Turm")),
        ("1890", ("", "")),
        ("", ("", "")),
        ("(Zürich) Kirche", ("", "")),
    ],
)
def test_little_words_numbers_and_what_says_where_are_no_heads(
    name: str, words: tuple[str, str]
) -> None:
    assert head_words(name) == words


def test_names_without_words_are_others() -> None:
    assert grouped("1", "2", "Lac Vert") == [(OTHERS, "Others")] * 3
    assert grouped() == []
