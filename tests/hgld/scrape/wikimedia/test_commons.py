"""What is read of a title, on answers shaped as MediaWiki's."""

import json
from pathlib import Path
from typing import Any

import pytest

from hgld.scrape.wikimedia.commons import (
    Landing,
    MoveLog,
    SoftRedirects,
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
    assert (landing.status, landing.error) == ("no_page", "wikipedia:B is on another wiki")


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


def test_requests_ask_for_all_titles_at_once() -> None:
    assert page_request(["A", "B"])["titles"] == wikitext_request(["A", "B"])["titles"] == "A|B"


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
