"""What is read of a title, on answers shaped as MediaWiki's."""

import json
from pathlib import Path
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


def test_a_page_gives_its_item_and_revision() -> None:
    page = {
        "pageid": 4,
        "title": "Category:Tel Qasile",
        "pageprops": {"wikibase_item": "Q1024"},
        "revisions": [{"revid": 77, "parentid": 0}],
    }
    pages = read_pages(["Category:Tel Qasile"], {"pages": [page]})
    assert pages["Category:Tel Qasile"] == Landing(
        title="Category:Tel Qasile", fetched_at=TIME, qid="Q1024", revision_id=77
    )


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
    pages = read_pages(["category:b", "Category:C", "Category:Gone"], query)
    assert [pages[title].qid for title in ("category:b", "Category:C")] == ["Q3", "Q3"]
    assert pages["Category:Gone"].status == "no_page"


def test_a_chain_of_hard_redirects_is_followed_to_its_end() -> None:
    query = {
        "redirects": [
            {"from": "Category:A", "to": "Category:B"},
            {"from": "Category:B", "to": "Category:C", "tofragment": "x"},
        ],
        "pages": [{"title": "Category:C", "pageid": 1}],
    }
    assert read_pages(["Category:A"], query)["Category:A"].title == "Category:C"


@pytest.mark.parametrize(
    "redirects",
    [
        [{"from": "Category:A", "to": "Category:B"}, {"from": "Category:B", "to": "Category:A"}],
        [{"from": "Category:A", "to": "Category:A"}],
    ],
    ids=["ring", "itself"],
)
def test_hard_redirects_in_a_ring_are_a_loop(redirects: list[dict[str, str]]) -> None:
    # MediaWiki gives the renames and no page.
    landing = read_pages(["Category:A"], {"redirects": redirects})["Category:A"]
    assert (landing.status, landing.title) == ("redirect_loop", "")


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ({"missing": True}, ""),
        ({"invalid": True, "invalidreason": "contains a ["}, "contains a ["),
        ({"special": True, "ns": -1}, "special page"),
    ],
)
def test_a_title_without_a_page_says_why_unless_it_is_just_missing(
    page: dict[str, Any], words: str
) -> None:
    landing = read_pages(["T"], {"pages": [{"title": "T", **page}]})["T"]
    assert landing.status == "no_page"
    assert words in landing.error
    assert bool(words) == bool(landing.error)


def test_a_redirect_to_another_wiki_is_no_page() -> None:
    query = {
        "redirects": [{"from": "Category:A", "to": "wikipedia:B", "tointerwiki": "wikipedia"}],
        "interwiki": [{"title": "wikipedia:B", "iw": "wikipedia"}],
    }
    landing = read_pages(["Category:A"], query)["Category:A"]
    assert landing.status == "no_page"
    assert "wikipedia:B" in landing.error


def test_a_title_in_another_normal_form_comes_back_encoded_and_is_found() -> None:
    query = {
        "normalized": [
            {"from": "Category:Cafe%CC%81", "to": "Category:Caf\u00e9", "fromencoded": True}
        ],
        "pages": [{"title": "Category:Caf\u00e9", "pageprops": {"wikibase_item": "Q1"}}],
    }
    assert read_pages(["Category:Cafe\u0301"], query)["Category:Cafe\u0301"].qid == "Q1"


def test_a_title_that_the_answer_does_not_speak_of_is_not_known() -> None:
    assert "Category:A" not in read_pages(["Category:A"], {"pages": []})


def test_an_answer_in_several_parts_is_put_together() -> None:
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


def test_a_later_answer_counts() -> None:
    pages = read_pages(["A"], {"pages": [{"title": "A", "missing": True}]})
    pages.add(answer_of(["A"], {"pages": [{"title": "A", "pageprops": {"wikibase_item": "Q1"}}]}))
    assert pages["A"].qid == "Q1"


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


def test_a_page_that_went_away_before_its_text_was_read_names_no_target() -> None:
    redirects = SoftRedirects()
    redirects.add(answer_of(["A"], {"pages": [{"title": "A", "missing": True}]}))
    assert redirects["A"] == ""


def test_requests_ask_for_all_titles_at_once_and_for_no_more_than_is_read() -> None:
    assert page_request(["A", "B"]) == {
        "formatversion": "2",
        "prop": "pageprops|revisions|categories",
        "ppprop": "wikibase_item",
        "rvprop": "ids",
        "clcategories": "Category:Category redirects",
        "cllimit": "max",
        "redirects": "1",
        "titles": "A|B",
    }
    assert wikitext_request(["A", "B"]) == {
        "formatversion": "2",
        "prop": "revisions|links",
        "plnamespace": "14",
        "pllimit": "max",
        "rvprop": "ids|content",
        "rvslots": "main",
        "titles": "A|B",
    }
    assert log_request(["A"]) == {
        "formatversion": "2",
        "list": "logevents",
        "letitle": "A",
        "leprop": "title|type|details",
        "lelimit": "max",
    }


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


def test_an_empty_object_may_come_as_an_empty_list_as_php_writes_it() -> None:
    page = {**_PAGE, "pageprops": [], "revisions": [[]]}
    landing = read_pages(["A"], {"pages": [page]})["A"]
    assert (landing.status, landing.qid, landing.revision_id) == ("ok", "", None)


def test_the_largest_numbers_that_a_table_holds_are_taken() -> None:
    most = (1 << 63) - 1
    page = {
        **_PAGE,
        "revisions": [{"revid": most}],
        "pageprops": {"wikibase_item": f"Q{most}"},
    }
    landing = read_pages(["A"], {"pages": [page]})["A"]
    assert (landing.revision_id, landing.qid) == (most, f"Q{most}")
    assert read_pages(["A"], {"pages": [{**page, "revisions": [{"revid": 0}]}]})["A"].qid


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


def test_a_text_that_an_administrator_has_hidden_names_no_target() -> None:
    redirects = SoftRedirects()
    hidden = {"title": "A", "revisions": [{"slots": {"main": {"texthidden": True}}}]}
    redirects.add(answer_of(["A"], {"pages": [hidden]}))
    assert redirects["A"] == ""


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


@pytest.mark.parametrize(
    ("name", "title", "fate"),
    [
        ("moved", "Category:To be moved", ("Category:Was moved", "last in its log: move")),
        ("deleted", "Category:To be deleted", ("", "last in its log: delete")),
    ],
)
def test_the_log_of_a_real_mediawiki_is_read(
    shared: Path, name: str, title: str, fate: tuple[str, str]
) -> None:
    path = shared / "wikimedia_lab" / "fixtures" / f"mw_logevents_{name}.json"
    query = json.loads(path.read_text(encoding="utf-8"))["query"]
    assert _log(title, query)[title] == fate
