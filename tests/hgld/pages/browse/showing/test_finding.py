import pytest

from hgld.pages.browse.exhibit import Exhibit


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("LAKE x", ["index 1"]),  # of its category, its class and its label
        ("e", ["index 2"]),  # its category is `c/é`
        ("É", ["index 2"]),
        ("Q33506", ["index 2"]),  # the deciding class
        ("4", ["train 4"]),
        ("parish", ["train 1"]),
        *((nothing, []) for nothing in ("parish museum", "ake", "", "  ,; ", "x" * 1000)),
    ],
)
def test_every_word_of_a_query_begins_a_word_of_what_is_found(
    exhibit: Exhibit, query: str, found: list[str]
) -> None:
    pages = exhibit.search(query)
    assert [f"{row.at.space} {row.at.landmark_id}" for row in pages.landmarks] == found
    assert pages.total == len(found)
