from hgld.pages.browse.exhibit import Exhibit


def test_every_word_of_a_query_begins_a_word_of_what_is_found(exhibit: Exhibit) -> None:
    for query, found in {
        "lake": [("index", 1)],  # of its category, its class and its label
        "LAKE x": [("index", 1)],
        "y lak": [("index", 1)],
        "e": [("index", 2)],  # its category is `c/é`
        "É": [("index", 2)],
        "Q33506": [("index", 2)],  # the deciding class
        "Q317557": [("train", 1)],
        "4": [("train", 4)],
        "parish": [("train", 1)],
        "parish museum": [],
        "ake": [],  # no word begins so
        "": [],
        "  ,; ": [],
        "x" * 1000: [],
    }.items():
        pages = exhibit.search(query)
        assert [(row.at.space, row.at.landmark_id) for row in pages.landmarks] == found, query
        assert pages.total == len(found)


def test_labels_and_reasons_are_found_too(exhibit: Exhibit) -> None:
    assert [one.title for one in exhibit.search("chu").nodes] == ["church"]
    (reason,) = exhibit.search("wikidata item").nodes
    assert "Wikidata item" in reason.title


def test_the_landmark_of_that_name_comes_first_then_those_with_most_images(
    exhibit: Exhibit,
) -> None:
    rows = exhibit.search("c").landmarks
    assert rows[0].at.landmark_id == 1
    images = [row.images for row in rows]
    assert images == sorted(images, reverse=True)
    assert {row.node.title for row in rows if row.node} >= {"church", "museum", "lake"}
