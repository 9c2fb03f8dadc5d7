"""From a title to its page, on answers shaped as MediaWiki's."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from hgld.archive import RawAnswer
from hgld.commons import (
    CommonsPages,
    Landing,
    MoveLog,
    SoftRedirects,
    page_request,
    walk,
    wikitext_request,
)
from hgld.titles import REDIRECTS_CATEGORY

_TIME = datetime(2026, 11, 25, tzinfo=UTC)


def _answer(keys: list[str], *queries: dict[str, Any]) -> RawAnswer:
    return RawAnswer(
        endpoint="http://127.0.0.1/w/",
        request={},
        keys=tuple(keys),
        fetched_at=_TIME,
        answer=[{"query": query} for query in queries],
    )


def _pages(keys: list[str], *queries: dict[str, Any]) -> CommonsPages:
    pages = CommonsPages()
    pages.add(_answer(keys, *queries))
    return pages


def _soft(title: str, **facts: object) -> dict[str, Any]:
    return {"title": title, "pageid": 1, "categories": [{"title": REDIRECTS_CATEGORY}], **facts}


def _texts(texts: dict[str, str]) -> SoftRedirects:
    redirects = SoftRedirects()
    pages = [
        {"title": title, "revisions": [{"slots": {"main": {"content": text}}}]}
        for title, text in texts.items()
    ]
    redirects.add(_answer(list(texts), {"pages": pages}))
    return redirects


def test_a_page_gives_its_item_and_revision() -> None:
    page = {
        "pageid": 4,
        "title": "Category:Tel Qasile",
        "pageprops": {"wikibase_item": "Q1024"},
        "revisions": [{"revid": 77, "parentid": 0}],
    }
    pages = _pages(["Category:Tel Qasile"], {"pages": [page]})
    assert pages["Category:Tel Qasile"] == Landing(
        title="Category:Tel Qasile", fetched_at=_TIME, qid="Q1024", revision_id=77
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
    pages = _pages(["category:b", "Category:C", "Category:Gone"], query)
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
    assert _pages(["Category:A"], query)["Category:A"].title == "Category:C"


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
    landing = _pages(["Category:A"], {"redirects": redirects})["Category:A"]
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
    landing = _pages(["T"], {"pages": [{"title": "T", **page}]})["T"]
    assert landing.status == "no_page"
    assert words in landing.error
    assert bool(words) == bool(landing.error)


def test_a_redirect_to_another_wiki_is_no_page() -> None:
    query = {
        "redirects": [{"from": "Category:A", "to": "wikipedia:B", "tointerwiki": "wikipedia"}],
        "interwiki": [{"title": "wikipedia:B", "iw": "wikipedia"}],
    }
    landing = _pages(["Category:A"], query)["Category:A"]
    assert (landing.status, landing.error) == ("no_page", "wikipedia:B is on another wiki")


def test_a_title_in_another_normal_form_comes_back_encoded_and_is_found() -> None:
    query = {
        "normalized": [
            {"from": "Category:Cafe%CC%81", "to": "Category:Caf\u00e9", "fromencoded": True}
        ],
        "pages": [{"title": "Category:Caf\u00e9", "pageprops": {"wikibase_item": "Q1"}}],
    }
    assert _pages(["Category:Cafe\u0301"], query)["Category:Cafe\u0301"].qid == "Q1"


def test_a_title_that_the_answer_does_not_speak_of_is_not_known() -> None:
    assert "Category:A" not in _pages(["Category:A"], {"pages": []})


def test_an_answer_in_several_parts_is_put_together() -> None:
    first = {"pages": [{"title": "A", "pageprops": {"wikibase_item": "Q1"}}, {"title": "B"}]}
    second = {
        "pages": [
            {"title": "A", "revisions": [{"revid": 5}], "categories": [{"title": "Category:X"}]},
            {"title": "B", "pageprops": {"wikibase_item": "Q2"}},
        ]
    }
    third = {"pages": [{"title": "A", "categories": [{"title": REDIRECTS_CATEGORY}]}]}
    pages = _pages(["A", "B"], first, second, third)
    assert (pages["A"].qid, pages["A"].revision_id, pages["B"].qid) == ("Q1", 5, "Q2")
    assert pages["A"].is_soft_redirect


def test_a_later_answer_counts() -> None:
    pages = _pages(["A"], {"pages": [{"title": "A", "missing": True}]})
    pages.add(_answer(["A"], {"pages": [{"title": "A", "pageprops": {"wikibase_item": "Q1"}}]}))
    assert pages["A"].qid == "Q1"


def test_a_walk_says_what_to_ask_next_until_it_is_at_its_end() -> None:
    pages, texts = CommonsPages(), SoftRedirects()
    assert walk("Category:A", pages, texts).ask_title == "Category:A"
    pages.add(_answer(["Category:A"], {"pages": [_soft("Category:A")]}))
    assert walk("Category:A", pages, texts).ask_wikitext == "Category:A"
    texts = _texts({"Category:A": "{{Category redirect|B}}"})
    assert walk("Category:A", pages, texts).ask_title == "Category:B"
    pages.add(_answer(["Category:B"], {"pages": [{"title": "Category:B", "pageid": 2}]}))
    landing = walk("Category:A", pages, texts).landing
    assert landing is not None
    assert landing.title == "Category:B"


def test_soft_and_hard_redirects_in_one_ring_are_a_loop() -> None:
    query = {
        "redirects": [{"from": "Category:B", "to": "Category:A"}],
        "pages": [_soft("Category:A")],
    }
    pages = _pages(["Category:A", "Category:B"], query)
    landing = walk("Category:A", pages, _texts({"Category:A": "{{Seecat|B}}"})).landing
    assert landing is not None
    assert landing.status == "redirect_loop"


@pytest.mark.parametrize(("hops", "status"), [(10, "ok"), (11, "redirect_loop")])
def test_a_chain_of_soft_redirects_is_followed_so_far_and_no_further(
    hops: int, status: str
) -> None:
    titles = [f"Category:{number}" for number in range(hops + 1)]
    found = [*(_soft(title) for title in titles[:-1]), {"title": titles[-1], "pageid": 1}]
    texts = {f"Category:{n}": f"{{{{Seecat|{n + 1}}}}}" for n in range(hops)}
    landing = walk(titles[0], _pages(titles, {"pages": found}), _texts(texts)).landing
    assert landing is not None
    assert landing.status == status


def test_a_marked_page_with_an_item_of_its_own_is_the_end() -> None:
    page = _soft("Category:A", pageprops={"wikibase_item": "Q1"})
    landing = walk("Category:A", _pages(["Category:A"], {"pages": [page]}), SoftRedirects()).landing
    assert landing is not None
    assert landing.qid == "Q1"


def test_a_marked_page_whose_text_names_no_target_stays_where_it_is() -> None:
    pages = _pages(["Category:A"], {"pages": [_soft("Category:A")]})
    landing = walk("Category:A", pages, _texts({"Category:A": "nothing"})).landing
    assert landing is not None
    assert (landing.status, landing.title, landing.qid) == ("ok", "Category:A", "")


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
    redirects.add(_answer(["A"], {"pages": [page]}, *parts))
    assert redirects["A"] == target


def test_a_page_that_went_away_before_its_text_was_read_names_no_target() -> None:
    redirects = SoftRedirects()
    redirects.add(_answer(["A"], {"pages": [{"title": "A", "missing": True}]}))
    assert redirects["A"] == ""


def test_requests_ask_for_all_titles_at_once() -> None:
    assert page_request(["A", "B"])["titles"] == wikitext_request(["A", "B"])["titles"] == "A|B"


def _log(title: str, query: dict[str, Any]) -> MoveLog:
    moves = MoveLog()
    moves.add(_answer([title], query))
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


def test_pages_moved_to_and_fro_and_then_deleted_are_a_loop() -> None:
    titles = ["Category:A", "Category:B"]
    pages = _pages(titles, {"pages": [{"title": title, "missing": True} for title in titles]})
    moves = MoveLog()
    for title, target in zip(titles, reversed(titles), strict=True):
        event = {"type": "move", "action": "move", "params": {"target_title": target}}
        moves.add(_answer([title], {"logevents": [event]}))
    landing = walk("Category:A", pages, SoftRedirects(), moves).landing
    assert landing is not None
    assert landing.status == "redirect_loop"


def test_a_missing_page_stays_missing_where_moves_are_not_followed() -> None:
    pages = _pages(["A"], {"pages": [{"title": "A", "missing": True}]})
    landing = walk("A", pages, SoftRedirects()).landing
    assert landing is not None
    assert landing.status == "no_page"
    assert walk("A", pages, SoftRedirects(), MoveLog()).ask_log == "A"
