"""What answers about the parents of categories mean."""

from typing import Any

import pytest

from hgld.scrape.wikimedia.parents import CategoryParents, CommonsParents, parents_request
from tests.worlds.wikimedia.answers import TIME, answer_of, sent


def _read(keys: list[str], *queries: dict[str, Any]) -> CommonsParents:
    parents = CommonsParents()
    parents.add(answer_of(keys, *queries))
    return parents


def _page(title: str, *names: str) -> dict[str, Any]:
    entries = [{"ns": 14, "title": f"Category:{name}"} for name in names]
    return {"ns": 14, "pageid": 1, "title": title, "categories": entries}


def test_the_request_is_for_all_categories_that_are_not_hidden() -> None:
    assert sent(parents_request(["Category:A", "Category:B"])) == (
        "formatversion=2&prop=revisions|categories|templates|links&rvprop=ids&clshow=!hidden"
        "&cllimit=max&tltemplates=Template:Category redirect&tllimit=max&plnamespace=14"
        "&pllimit=max&redirects=1&titles=Category:A|Category:B"
    )


def test_parents_come_once_and_in_order_without_their_namespace() -> None:
    page = _page("Category:A", "Churches: a list", "Bergamo", "Churches: a list")
    found = _read(["Category:A"], {"pages": [page]})["Category:A"]
    names = ("Bergamo", "Churches: a list")
    assert found == CategoryParents(fetched_at=TIME, names=names, status="ok", error="")
    bare = {"ns": 14, "pageid": 1, "title": "Category:A"}
    found = _read(["Category:A"], {"pages": [bare]})["Category:A"]
    assert (found.names, found.status) == ((), "ok")


def _soft(page: dict[str, Any], *links: str) -> dict[str, Any]:
    entries = [{"ns": 14, "title": f"Category:{name}"} for name in links]
    return {**page, "links": entries, "templates": [{"title": "Template:Category redirect"}]}


def test_a_soft_redirect_lies_in_what_it_points_to() -> None:
    pages = [
        _soft(_page("Category:A"), "B", "Category redirects"),
        _soft(_page("Category:C", "F"), "D", "E"),
        {**_soft(_page("Category:G", "I"), "H"), "templates": []},
    ]
    found = _read(["Category:A", "Category:C", "Category:G"], {"pages": pages})
    assert found["Category:A"].names == ("B",)
    # One that links to two points to nobody knows which; and one without the template is none.
    assert found["Category:C"].names == ("F",)
    assert found["Category:G"].names == ("I",)


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ({"pages": [{"title": "Category:A", "missing": True}]}, ""),
        ({"interwiki": [{"title": "Category:A"}]}, "another wiki"),
        ({"redirects": [{"from": "Category:A", "to": "Category:A"}]}, "redirects"),
    ],
)
def test_a_title_without_a_page_has_no_parents(query: dict[str, Any], error: str) -> None:
    found = _read(["Category:A"], query)["Category:A"]
    assert (found.status, found.names) == ("no_page", ())
    assert error in found.error
    assert bool(error) == bool(found.error)
    assert CommonsParents().doubt(answer_of(["Category:A", "Category:B"], query))


@pytest.mark.fault(54, "odd text or number in an answer")
@pytest.mark.parametrize(
    "odd",
    [
        *({"title": f"Category:{name}"} for name in ("", "A|B", "A\nB", "\udc00")),
        *({"title": "No namespace"}, {"title": 7}, {}, "Category:B"),
    ],
)
def test_an_odd_parent_is_refused_with_all_that_the_answer_has(odd: object) -> None:
    pages = [_page("Category:B", "C"), {**_page("Category:A"), "categories": [odd]}]
    parents = CommonsParents()
    with pytest.raises(ValueError, match="must "):
        parents.add(answer_of(["Category:A", "Category:B"], {"pages": pages}))
    assert "Category:B" not in parents
