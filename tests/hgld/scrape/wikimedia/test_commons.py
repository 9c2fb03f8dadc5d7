"""What is read of a title and of its parents, on answers shaped as MediaWiki's."""

from typing import Any

import pytest

from hgld.scrape.wikimedia import commons
from hgld.scrape.wikimedia.commons import CommonsPages, Landing, MoveLog, SoftRedirects
from hgld.scrape.wikimedia.files import files_request
from hgld.scrape.wikimedia.parents import CategoryParents, CommonsParents, parents_request
from hgld.scrape.wikimedia.soft_redirects import REDIRECTS_CATEGORY
from tests.worlds.wikimedia.answers import TIME, answer_of, read_pages, sent


def _end(title: str, query: dict[str, Any]) -> Landing:
    """Returns where a title leads by an answer."""
    return read_pages([title], query)[title]


def test_titles_are_matched_by_name_and_not_by_the_order_of_the_answer() -> None:
    # Two titles land on one page, and MediaWiki puts the pages that are missing first.
    query = {
        "normalized": [{"from": "category:b", "to": "Category:B", "fromencoded": False}],
        "redirects": [{"from": "Category:B", "to": "Category:C"}],
        "pages": [
            {"title": "Category:Gone", "missing": True},
            {"title": "Category:C", "pageprops": {"wikibase_item": "Q3"}},
        ],
    }
    pages = read_pages(["Category:Lost", "category:b", "Category:C", "Category:Gone"], query)
    assert [pages[title].qid for title in ("category:b", "Category:C")] == ["Q3", "Q3"]
    assert pages["Category:Gone"].status == "no_page"
    assert "Category:Lost" not in pages


def test_hard_redirects_are_followed_to_their_end_and_in_a_ring_are_a_loop() -> None:
    onward = [{"from": "A", "to": "B"}, {"from": "B", "to": "C", "tofragment": "x"}]
    assert _end("A", {"redirects": onward, "pages": [{"title": "C", "pageid": 1}]}).title == "C"
    # Of a ring MediaWiki gives the renames and no page.
    for ring in ([{"from": "A", "to": "B"}, {"from": "B", "to": "A"}], [{"from": "A", "to": "A"}]):
        landing = _end("A", {"redirects": ring})
        assert landing == Landing(title="", fetched_at=TIME, status="redirect_loop")


_INTERWIKI = {
    "redirects": [{"from": "A", "to": "wikipedia:B", "tointerwiki": "wikipedia"}],
    "interwiki": [{"title": "wikipedia:B", "iw": "wikipedia"}],
}


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"pages": [{"title": "A", "missing": True}]}, ""),
        ({"pages": [{"title": "A", "invalid": True, "invalidreason": "has a ["}]}, "has a ["),
        ({"pages": [{"title": "A", "special": True, "ns": -1}]}, "special page"),
        (_INTERWIKI, "wikipedia:B"),
    ],
)
def test_a_title_without_a_page_says_why(query: dict[str, Any], words: str) -> None:
    landing = _end("A", query)
    assert (landing.status, landing.fetched_at) == ("no_page", TIME)
    assert words in landing.error
    assert bool(words) == bool(landing.error)
    assert landing.missing_title == ("" if words else "A")


def test_a_title_in_another_normal_form_comes_back_encoded_and_is_found() -> None:
    query = {
        "normalized": [{"from": "Cafe%CC%81", "to": "Caf\u00e9", "fromencoded": True}],
        "pages": [{"title": "Caf\u00e9", "pageprops": {"wikibase_item": "Q1"}}],
    }
    assert _end("Cafe\u0301", query).qid == "Q1"


def test_an_answer_in_several_parts_is_put_together_and_a_later_answer_counts() -> None:
    first = {"pages": [{"title": "A", "pageprops": {"wikibase_item": "Q1"}}, {"title": "B"}]}
    second = {
        "pages": [
            {"title": "A", "revisions": [{"revid": 5}], "categories": [{"title": "Category:X"}]},
            {"title": "B", "pageprops": {"wikibase_item": "Q2"}},
        ]
    }
    third = {"pages": [{"title": "A", "categories": [{"title": REDIRECTS_CATEGORY}]}]}
    pages = read_pages(["A", "B"], first, second, third)
    assert (pages["A"].qid, pages["A"].revision_id, pages["B"].qid) == ("Q1", 5, "Q2")
    assert pages["A"].is_soft_redirect
    pages.add(answer_of(["A"], {"pages": [{"title": "A", "missing": True}]}))
    assert pages["A"].status == "no_page"


@pytest.mark.parametrize(
    ("text", "links", "target"),
    [
        ("{{Weiterleitung|Castle}}", ["Category:Castle"], "Category:Castle"),
        ("{{Seecat|{{a:b}}}}", [REDIRECTS_CATEGORY, "Category:Castle"], "Category:Castle"),
        ("{{Weiterleitung|Castle}}", ["Category:Castle", "Category:Tower"], ""),
        ("{{Weiterleitung|Castle}}", [], ""),
        # What the text says needs no link, and is not doubted for one.
        ("{{Seecat|Castle}}", ["Category:Tower"], "Category:Castle"),
    ],
)
def test_where_the_text_names_no_target_the_only_category_it_links_to_is_the_target(
    text: str, links: list[str], target: str
) -> None:
    redirects = SoftRedirects()
    page = {"title": "A", "revisions": [{"slots": {"main": {"content": text}}}]}
    parts = [{"pages": [{"title": "A", "links": [{"title": link}]}]} for link in links]
    redirects.add(answer_of("A", {"pages": [page]}, *parts))
    assert redirects["A"] == target


def test_a_page_whose_text_is_gone_or_hidden_names_no_target() -> None:
    hidden = {"title": "B", "revisions": [{"slots": {"main": {"texthidden": True}}}]}
    redirects = SoftRedirects()
    redirects.add(answer_of("AB", {"pages": [{"title": "A", "missing": True}, hidden]}))
    assert redirects["A"] == redirects["B"] == ""


def test_requests_ask_for_all_titles_at_once_and_for_no_more_than_is_read() -> None:
    assert sent(commons.page_request(["A", "B"])) == (
        "formatversion=2&prop=pageprops|revisions|categories&ppprop=wikibase_item&rvprop=ids"
        "&clcategories=Category:Category redirects&cllimit=max&redirects=1&titles=A|B"
    )
    assert sent(commons.wikitext_request(["A", "B"])) == (
        "formatversion=2&prop=revisions|links&plnamespace=14&pllimit=max&rvprop=ids|content"
        "&rvslots=main&titles=A|B"
    )
    assert sent(commons.log_request(["A"])) == (
        "formatversion=2&list=logevents&letitle=A&leprop=title|type|details&lelimit=max"
    )


def test_pictures_are_asked_for_by_category_or_by_name() -> None:
    asked = (
        "formatversion=2&prop=imageinfo&iiprop=url|mime|sha1|extmetadata"
        "&iiextmetadatafilter=Artist|LicenseShortName|LicenseUrl&iiurlwidth=960&redirects=1"
    )
    of_category = "&generator=categorymembers&gcmtype=file&gcmlimit=50&gcmtitle=Category:A"
    assert sent(files_request(["Category:A"])) == asked + of_category
    assert sent(files_request(["File:A.jpg"])) == f"{asked}&titles=File:A.jpg"


def test_a_log_of_one_page_tells_of_its_newest_move_and_last_event() -> None:
    upload = {"type": "upload", "action": "upload", "params": {}}
    assert _log("A", {"logevents": [upload]})["A"] == ("", "")
    assert _log("A", {})["A"] == ("", "")
    with pytest.raises(ValueError, match="one page"):
        _log("AB", {"logevents": []})
    # The newest comes first: a page that was moved on counts where it went last.
    moves = [
        {"type": "move", "action": "move", "params": {"target_title": title}} for title in "CB"
    ]
    assert _log("A", {"logevents": [upload, *moves]})["A"] == ("C", "last in its log: move")


_PAGE = {"title": "A", "pageid": 1}
_ODD_PAGES: list[object] = [7, {}, [7], [{"pageid": 1}]]
_ODD_PAGES += [[{"title": odd}] for odd in (7, "A\nB", "A\ud800")]
_ODD_PARTS: list[Any] = [
    *({"revisions": [{"revid": odd}]} for odd in (1 << 63, -1, 1001.0, "1001", True)),
    *({"pageprops": {"wikibase_item": odd}} for odd in (6, "Q6\0", f"Q{1 << 63}")),
    *({"revisions": {"revid": 7}}, {"pageprops": ["Q6"]}, {"missing": "no"}, {"invalid": 1}),
    *({"invalid": True, "invalidreason": 7}, {"categories": [{"title": 7}]}),
]
_ODD_RENAMES: list[Any] = [
    *({"redirects": [{"from": "A"}]}, {"interwiki": ["x"]}),
    {"normalized": [{"from": "A", "to": "B", "fromencoded": "yes"}]},
]
_ODD_MAINS: list[Any] = [{}, {"content": 7}, {"content": "\ud800"}]
_ODD_MAINS += [{"content": "", "texthidden": "yes"}]
_ODD_TEXTS: list[Any] = [{"revisions": [{"slots": {"main": odd}}]} for odd in _ODD_MAINS]
_ODD_TEXTS += [{"links": [{"title": 7}]}, {"missing": "no"}]
_ODD_EVENTS: list[Any] = [
    *({"type": 7, "action": "move"}, {"type": "move"}),
    *({"type": "move", "action": "move", "params": odd} for odd in ({"target_title": 7}, "x")),
]
_TEXT = {"title": "B", "pageid": 2, "revisions": [{"slots": {"main": {"content": ""}}}]}

# What an error begins with, so that the field is found in the answer.
_FIELD = (
    r"^(query|(an entry of )?(pages|interwiki)|title|to|revisions|revid|pageprops|wikibase_item|"
    r"the number of a Q-id|missing|invalid|invalidreason|fromencoded|content|hidden|"
    r"(type|action) of an event|params|target_title) must be [a-z]"
)


@pytest.mark.fault(58, "all pages of a batch missing")
def test_an_answer_that_may_only_seem_to_say_nothing_is_doubted() -> None:
    missing = {"title": "A", "missing": True}
    for facts in (CommonsPages(), SoftRedirects()):
        assert facts.doubt(answer_of("A", {"pages": [missing]}))
        assert facts.doubt(answer_of("AB", {"pages": [_PAGE]}))
        assert not facts.doubt(answer_of("B", {"pages": [_TEXT]}))
    # One of two is there, and an invalid title is no server's loss.
    assert not CommonsPages().doubt(answer_of("AB", {"pages": [missing, _TEXT]}))
    invalid = {"title": "A", "invalid": True}
    assert not CommonsPages().doubt(answer_of("A", {"pages": [invalid]}))
    assert MoveLog().doubt(answer_of("A", {"logevents": []}))
    assert not MoveLog().doubt(answer_of("A", {"logevents": [{"type": "move"}]}))


@pytest.mark.fault(54, "odd text or number in an answer")
@pytest.mark.parametrize(
    ("kind", "query"),
    [
        (CommonsPages, [7]),
        *((CommonsPages, {"pages": odd}) for odd in _ODD_PAGES),
        *((CommonsPages, {"pages": [{**_PAGE, **odd}]}) for odd in _ODD_PARTS),
        *((CommonsPages, {"pages": [_PAGE], **odd}) for odd in _ODD_RENAMES),
        *((SoftRedirects, {"pages": [{**_TEXT, "title": "A", **odd}]}) for odd in _ODD_TEXTS),
        *((MoveLog, {"logevents": [odd]}) for odd in _ODD_EVENTS),
    ],
)
def test_an_odd_answer_is_refused_by_its_field_and_nothing_of_it_taken(
    kind: type[CommonsPages | SoftRedirects | MoveLog], query: object
) -> None:
    facts = kind()
    with pytest.raises(ValueError, match=_FIELD):
        facts.add(answer_of("A" if kind is MoveLog else "BA", {"pages": [_TEXT]}, query))
    assert "A" not in facts
    assert "B" not in facts


@pytest.mark.parametrize(("odd", "shown"), [("é" * 99, r"\xe9"), (1 << 70, "71 bits")])
def test_an_error_about_an_odd_answer_has_its_field_and_value(odd: object, shown: str) -> None:
    with pytest.raises(ValueError, match="revid") as caught:
        _end("A", {"pages": [{**_PAGE, "revisions": [{"revid": odd}]}]})
    assert shown in str(caught.value)
    assert len(str(caught.value)) < 150


def test_an_empty_object_may_come_as_an_empty_list_as_php_writes_it() -> None:
    landing = _end("A", {"pages": [{**_PAGE, "pageprops": [], "revisions": [[]]}]})
    assert (landing.status, landing.qid, landing.revision_id) == ("ok", "", None)


@pytest.mark.parametrize("number", [(1 << 63) - 1, 0])
def test_the_largest_numbers_that_a_table_holds_are_taken(number: int) -> None:
    most = f"Q{(1 << 63) - 1}"
    page = {**_PAGE, "revisions": [{"revid": number}], "pageprops": {"wikibase_item": most}}
    landing = _end("A", {"pages": [page]})
    assert (landing.revision_id, landing.qid) == (number, most)


def _log(titles: str, query: dict[str, Any]) -> MoveLog:
    moves = MoveLog()
    moves.add(answer_of(titles, query))
    return moves


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
