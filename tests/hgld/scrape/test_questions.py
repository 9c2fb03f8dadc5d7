"""The questions: what each is made of, what of its archive counts, how and when they ask."""

import dataclasses
import itertools
import json
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.errors import AnswerError
from hgld.scrape.archive import COMMONS_PAGES, RawAnswer, RawArchive
from hgld.scrape.config import ScrapeConfig
from hgld.scrape.knowledge import Knowledge
from hgld.scrape.questions import Question, gather, opening
from hgld.scrape.services import open_services
from hgld.scrape.wikimedia.commons import CommonsPages, Landing
from hgld.tables import CATEGORIES
from tests.worlds.wikimedia import small as small_wikimedia
from tests.worlds.wikimedia.answers import answer_of
from tests.worlds.wikimedia.faults import Fault, reply
from tests.worlds.wikimedia.scraping import STATUSES, Small, fast_config, kept_answers, written
from tests.worlds.wikimedia.small import Server

_CONFIG = ScrapeConfig(commons="http://127.0.0.1/w/", sparql="http://127.0.0.1/sparql")


@pytest.mark.parametrize("replay", [False, True])
def test_only_a_replay_takes_answers_of_others(workspace: Workspace, replay: bool) -> None:
    archive = RawArchive(workspace.path(COMMONS_PAGES))
    archive.append(_pages("A"))
    archive.append(dataclasses.replace(_pages("B"), endpoint="https://commons.wikimedia.org/w/"))
    settings = dataclasses.replace(_CONFIG, replay=replay)
    with open_services(settings) as services:
        pages = opening(workspace, settings, 0, services)(COMMONS_PAGES, CommonsPages())
    assert pages.missing(["A", "B", "C", "C"]) == (["C"] if replay else ["B", "C"])


def _pages(titles: Sequence[str], left_out: str = "") -> RawAnswer:
    return answer_of(titles, {"pages": [{"title": one} for one in titles if one != left_out]})


@pytest.mark.parametrize(
    ("refused", "left_out", "batches", "failed", "kept"),
    [
        ("C", "", "ABCD AB CD C D EF", {"C": "refused"}, "AB D EF"),
        # An answer that spoke of nothing it was asked for is not kept.
        ("", "F", "ABCD EF E F", {"F": "asked twice"}, "ABCD E"),
    ],
)
def test_a_batch_with_a_bad_key_is_halved_down_to_it(
    tmp_path: Path, refused: str, left_out: str, batches: str, failed: dict[str, str], kept: str
) -> None:
    asked: list[str] = []

    def ask(titles: Sequence[str]) -> RawAnswer:
        asked.append("".join(titles))
        if refused and refused in titles:
            raise AnswerError("refused", smaller_may_do=True)
        return _pages(titles, left_out)

    question = Question(RawArchive(tmp_path), "x", ask, CommonsPages(), batch_size=4)
    question.fetch("ABCDEF")
    assert asked == batches.split()
    errors = question.facts.failed
    assert errors.keys() == failed.keys()
    assert all(why in errors[key] for key, why in failed.items())
    assert [key for key in "ABCDEF" if key not in question.facts] == [*failed]
    # What failed is not archived: the next run asks again.
    assert ["".join(answer.keys) for answer in kept_answers(tmp_path)] == kept.split()


_TITLES = ["Category:Soft", "Category:Loop A", "Category:Tower", "Category:Merged"]


def test_a_round_asks_for_all_that_is_missing(server: Server, workspace: Workspace) -> None:
    config = fast_config(server)
    with open_services(config) as services:
        known = Knowledge()
        gather(known, opening(workspace, config, 0, services), _TITLES, superclass_depth=1)
    asked = [form for service, form in server.hits if service == "commons"]
    assert {form["maxlag"] for form in asked} == {"5"}
    assert [form["titles"] for form in asked] == [
        "|".join(_TITLES),
        *("Category:Soft|Category:Loop A", "Category:Castle|Category:Loop B", "Category:Loop B"),
    ]
    # The items, which come with what they were merged into; three classes, and one above them.
    assert server.count("sparql") == 3
    ends = [known.landing(title) for title in _TITLES]
    statuses = [end.status for end in ends if isinstance(end, Landing)]
    assert statuses == ["ok", "redirect_loop", "ok", "ok"]


def _part(title: str, **onward: str) -> Fault:
    answer = {"continue": onward, "query": {"pages": [{"title": title}]}}
    return reply(200, json.dumps(answer).encode())


def test_an_answer_in_parts_is_archived_once(small: Small, server: Server) -> None:
    onward = {"clcontinue": "7|x", "continue": "||pageprops"}
    server.faults["commons", 0] = _part("Category:Tower", **onward)
    small.scrape()
    first, second = (form for _, form in server.hits[:2])
    assert {name: second[name] for name in onward} == onward
    assert {name: second[name] for name in first} == first
    (kept,) = [one for one in kept_answers(small.workspace.path(COMMONS_PAGES)) if one.answer[1:]]
    assert [part.get("continue") for part in kept.answer] == [onward, None]
    assert small.statuses() == STATUSES


@pytest.mark.parametrize("is_counting", [False, True])
def test_an_answer_that_goes_on_without_end_fails(
    small: Small, server: Server, monkeypatch: pytest.MonkeyPatch, is_counting: bool
) -> None:
    monkeypatch.setattr("hgld.scrape.services._MOST_CHUNKS", 20)
    parts = itertools.count()

    def another(handler: BaseHTTPRequestHandler) -> None:
        _part("x", clcontinue=str(next(parts) if is_counting else 7))(handler)

    server.always["commons"] = another
    report = small.scrape()
    assert report.manifest.failed == len(STATUSES) - 1  # one row names no page
    assert server.count("commons") <= 12 * (20 if is_counting else 2)
    assert not small.workspace.path("raw").exists()


@pytest.mark.parametrize("start", ["Q6", "Q105"], ids=["item", "class"])
def test_a_chain_of_merges_fails(small: Small, monkeypatch: pytest.MonkeyPatch, start: str) -> None:
    chain = [start, *(f"Q{n}" for n in range(5_000, 5_030))]
    merged = {qid: f"={onward}" for qid, onward in itertools.pairwise(chain)}
    monkeypatch.setattr(small_wikimedia, "FACTS", small_wikimedia.FACTS | merged)
    small.scrape()
    assert small.statuses() == STATUSES | {9: "failed"}
    assert "more than 10 merges" in written(small.workspace, CATEGORIES)[8]["error"]
    assert small.server.count("sparql") < 20
