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


def test_labels_and_reasons_are_found_and_landmarks_of_most_images_first(exhibit: Exhibit) -> None:
    assert [one.title for one in exhibit.search("chu").nodes] == ["church"]
    (reason,) = exhibit.search("wikidata item").nodes
    assert "Wikidata item" in reason.title
    rows = exhibit.search("c").landmarks
    assert rows[0].at.landmark_id == 1  # the landmark of that name
    images = [row.images for row in rows]
    assert images == sorted(images, reverse=True)
