"""What is read of a title, on answers shaped as MediaWiki's."""

from typing import Any

import pytest

from hgld.scrape.wikimedia.commons import (
    CommonsPages,
    Landing,
    MoveLog,
    SoftRedirects,
    log_request,
    page_request,
    wikitext_request,
)
from hgld.scrape.wikimedia.soft_redirects import REDIRECTS_CATEGORY
from tests.worlds.wikimedia.commons_answers import TIME, answer_of, read_pages


def _end(title: str, query: dict[str, Any]) -> Landing:
    """Returns where a title leads by an answer."""
    return read_pages([title], query)[title]


def test_a_page_gives_its_item_and_revision() -> None:
    page = {
        "pageid": 4,
        "title": "Category:A",
        "pageprops": {"wikibase_item": "Q1024"},
        "revisions": [{"revid": 77, "parentid": 0}],
    }
    landing = Landing(title="Category:A", fetched_at=TIME, qid="Q1024", revision_id=77)
    assert _end("Category:A", {"pages": [page]}) == landing


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
        assert (landing.status, landing.title) == ("redirect_loop", "")


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
    assert landing.status == "no_page"
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
        (
            "{{Seecat|{{ucfirst:castle}}}}",
            [REDIRECTS_CATEGORY, "Category:Castle"],
            "Category:Castle",
        ),
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
    redirects.add(answer_of(["A"], {"pages": [page]}, *parts))
    assert redirects["A"] == target


@pytest.mark.parametrize(
    "page", [{"missing": True}, {"revisions": [{"slots": {"main": {"texthidden": True}}}]}]
)
def test_a_page_whose_text_is_gone_or_hidden_names_no_target(page: dict[str, Any]) -> None:
    redirects = SoftRedirects()
    redirects.add(answer_of(["A"], {"pages": [{"title": "A", **page}]}))
    assert redirects["A"] == ""


def test_requests_ask_for_all_titles_at_once_and_for_no_more_than_is_read() -> None:
    def sent(request: dict[str, str]) -> str:
        return "&".join(f"{name}={value}" for name, value in request.items())

    assert sent(page_request(["A", "B"])) == (
        "formatversion=2&prop=pageprops|revisions|categories&ppprop=wikibase_item&rvprop=ids"
        "&clcategories=Category:Category redirects&cllimit=max&redirects=1&titles=A|B"
    )
    assert sent(wikitext_request(["A", "B"])) == (
        "formatversion=2&prop=revisions|links&plnamespace=14&pllimit=max&rvprop=ids|content"
        "&rvslots=main&titles=A|B"
    )
    assert sent(log_request(["A"])) == (
        "formatversion=2&list=logevents&letitle=A&leprop=title|type|details&lelimit=max"
    )


def test_a_log_without_a_move_or_a_deletion_tells_of_none() -> None:
    upload = {"type": "upload", "action": "upload", "params": {}}
    assert _log("A", {"logevents": [upload]})["A"] == ("", "")
    assert _log("A", {})["A"] == ("", "")
    # The newest comes first: a page that was moved on counts where it went last.
    moves = [
        {"type": "move", "action": "move", "params": {"target_title": title}} for title in "CB"
    ]
    assert _log("A", {"logevents": [upload, *moves]})["A"] == ("C", "last in its log: move")


def test_an_answer_that_may_only_seem_to_say_nothing_is_doubted() -> None:
    missing = answer_of(["A"], {"pages": [{"title": "A", "missing": True}]})
    there = answer_of(["A"], {"pages": [{"title": "A", "pageid": 1}]})
    both = answer_of(["A", "B"], {"pages": [{"title": "A", "pageid": 1}]})
    for facts in (CommonsPages(), SoftRedirects()):
        assert facts.doubt(missing)
        assert facts.doubt(both)
    assert not CommonsPages().doubt(there)
    text = {"title": "A", "revisions": [{"slots": {"main": {"content": ""}}}]}
    assert not SoftRedirects().doubt(answer_of(["A"], {"pages": [text]}))
    # One of two is there, and an invalid title is no server's loss.
    mixed = [{"title": "A", "missing": True}, {"title": "B", "pageid": 1}]
    assert not CommonsPages().doubt(answer_of(["A", "B"], {"pages": mixed}))
    invalid = answer_of(["A"], {"pages": [{"title": "A", "invalid": True}]})
    assert not CommonsPages().doubt(invalid)
    assert MoveLog().doubt(answer_of(["A"], {"logevents": []}))
    assert not MoveLog().doubt(answer_of(["A"], {"logevents": [{"type": "move"}]}))


_PAGE = {"title": "A", "pageid": 1}


@pytest.mark.fault(54, "odd text or number in an answer")
@pytest.mark.parametrize(
    "query",
    [
        [7],
        {"pages": 7},
        {"pages": {}},
        {"pages": [7]},
        {"pages": [{"pageid": 1}]},
        {"pages": [{"title": 7}]},
        {"pages": [{"title": "A\nB"}]},
        {"pages": [{**_PAGE, "title": "A\ud800"}]},
        {"pages": [{**_PAGE, "revisions": [{"revid": 1 << 63}]}]},
        {"pages": [{**_PAGE, "revisions": [{"revid": -1}]}]},
        {"pages": [{**_PAGE, "revisions": [{"revid": 1001.0}]}]},
        {"pages": [{**_PAGE, "revisions": [{"revid": "1001"}]}]},
        {"pages": [{**_PAGE, "revisions": [{"revid": True}]}]},
        {"pages": [{**_PAGE, "revisions": {"revid": 7}}]},
        {"pages": [{**_PAGE, "pageprops": ["Q6"]}]},
        {"pages": [{**_PAGE, "pageprops": {"wikibase_item": 6}}]},
        {"pages": [{**_PAGE, "pageprops": {"wikibase_item": "Q6\0"}}]},
        {"pages": [{**_PAGE, "pageprops": {"wikibase_item": f"Q{1 << 63}"}}]},
        {"pages": [{**_PAGE, "missing": "no"}]},
        {"pages": [{**_PAGE, "invalid": 1}]},
        {"pages": [{**_PAGE, "invalid": True, "invalidreason": 7}]},
        {"pages": [{**_PAGE, "categories": [{"title": 7}]}]},
        {"pages": [_PAGE], "redirects": [{"from": "A"}]},
        {"pages": [_PAGE], "normalized": [{"from": "A", "to": "B", "fromencoded": "yes"}]},
        {"pages": [_PAGE], "interwiki": ["x"]},
    ],
)
def test_an_odd_answer_about_pages_is_refused_and_nothing_of_it_taken(query: object) -> None:
    pages = CommonsPages()
    good = {"pages": [{"title": "B", "pageid": 2}]}
    with pytest.raises(ValueError, match="must be"):
        pages.add(answer_of(["B", "A"], good, query))  # type: ignore[arg-type] # odd on purpose
    assert "B" not in pages


@pytest.mark.parametrize(("odd", "shown"), [("é" * 99, r"\xe9"), (1 << 70, "71 bits")])
def test_an_error_about_an_odd_answer_has_its_field_and_the_start_of_its_value(
    odd: object, shown: str
) -> None:
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


@pytest.mark.fault(54, "odd text or number in an answer")
@pytest.mark.parametrize(
    "page",
    [
        {"revisions": [{"slots": {"main": {}}}]},
        {"revisions": [{"slots": {"main": {"content": 7}}}]},
        {"revisions": [{"slots": {"main": {"content": "", "texthidden": "yes"}}}]},
        {"revisions": [{"slots": {"main": {"content": "\ud800"}}}]},
        {"revisions": [{"slots": {"main": {"content": ""}}}], "links": [{"title": 7}]},
    ],
)
def test_an_odd_answer_about_texts_is_refused(page: dict[str, Any]) -> None:
    redirects = SoftRedirects()
    good = {"title": "B", "revisions": [{"slots": {"main": {"content": ""}}}]}
    with pytest.raises(ValueError, match="must be"):
        redirects.add(answer_of(["A"], {"pages": [good, {"title": "A", **page}]}))
    assert "B" not in redirects


@pytest.mark.fault(54, "odd text or number in an answer")
@pytest.mark.parametrize(
    "event",
    [
        {"type": 7, "action": "move"},
        {"type": "move"},
        {"type": "move", "action": "move", "params": {"target_title": 7}},
        {"type": "move", "action": "move", "params": "x"},
    ],
)
def test_an_odd_log_is_refused(event: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be"):
        _log("A", {"logevents": [event]})


def test_a_log_of_two_pages_is_refused() -> None:
    with pytest.raises(ValueError, match="one page"):
        MoveLog().add(answer_of(["A", "B"], {"logevents": []}))


def _log(title: str, query: dict[str, Any]) -> MoveLog:
    moves = MoveLog()
    moves.add(answer_of([title], query))
    return moves
