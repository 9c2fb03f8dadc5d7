"""The questions: what each is made of, what of its archive counts, how and when they ask."""

import dataclasses
import itertools
import json
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from hgld.engine.workspace import Workspace
from hgld.errors import AnswerError
from hgld.scrape.archive import COMMONS_PAGES, RawAnswer, RawArchive
from hgld.scrape.config import ScrapeConfig
from hgld.scrape.questions import Ask, Question, Questions, gather, open_questions
from hgld.scrape.services import open_services
from hgld.scrape.stage import run_scrape
from hgld.scrape.wikimedia.commons import CommonsPages, Landing
from hgld.tables import CATEGORIES
from tests.worlds.wikimedia import small as small_wikimedia
from tests.worlds.wikimedia.commons_answers import answer_of
from tests.worlds.wikimedia.faults import Fault, reply
from tests.worlds.wikimedia.kept import kept_answers
from tests.worlds.wikimedia.scraping import STATUSES, fast_config, statuses_of
from tests.worlds.wikimedia.small import Server

_CONFIG = ScrapeConfig(
    commons="http://127.0.0.1/w/",
    sparql="http://127.0.0.1/sparql",
    titles_per_request=40,
    items_per_request=300,
    requests_at_once=2,
)


def _made_of(workspace: Workspace, question: Question) -> tuple[str, str, int, int]:
    folder = question.archive.folder.relative_to(workspace.root)
    return str(folder), question.endpoint, question.batch_size, question.at_once


def test_the_five_questions_differ_in_folder_endpoint_and_size(workspace: Workspace) -> None:
    asked = open_questions(workspace, _CONFIG, 0, services=None)
    commons, sparql = _CONFIG.commons, _CONFIG.sparql
    assert {
        question.name: _made_of(workspace, question)
        for question in (asked.pages, asked.texts, asked.logs, asked.items, asked.classes)
    } == {
        "pages": ("raw/commons-pages", commons, 40, 2),
        "wikitext": ("raw/commons-wikitext", commons, 40, 2),
        "log": ("raw/commons-log", commons, 1, 2),
        "items": ("raw/wikidata-items", sparql, 300, 1),
        "classes": ("raw/wikidata-classes", sparql, 300, 1),
    }


def test_a_generation_has_folders_of_its_own(workspace: Workspace) -> None:
    asked = open_questions(workspace, _CONFIG, 2, services=None)
    assert _made_of(workspace, asked.items)[0] == "raw/refresh-2/wikidata-items"


@pytest.mark.parametrize(
    ("endpoint", "replay", "counts"),
    [
        (_CONFIG.commons, False, True),
        ("https://commons.wikimedia.org/w/", False, False),
        ("https://commons.wikimedia.org/w/", True, True),
    ],
)
def test_answers_of_another_service_count_only_where_nobody_is_asked(
    workspace: Workspace, endpoint: str, replay: bool, counts: bool
) -> None:
    RawArchive(workspace.path(COMMONS_PAGES)).append(_pages(["A"], endpoint))
    settings = ScrapeConfig(commons=_CONFIG.commons, sparql=_CONFIG.sparql, replay=replay)
    with open_services(settings) as services:
        asked = open_questions(workspace, settings, 0, services)
    assert (services is None) == replay
    assert ("A" in asked.known.pages) == counts


def test_where_nobody_is_asked_what_is_not_archived_fails(workspace: Workspace) -> None:
    asked = open_questions(workspace, _CONFIG, 0, services=None)
    asked.pages.fetch(["A"])
    assert "--no-replay" in asked.known.pages.failed["A"]
    assert asked.pages.missing(["A", "B", "B"]) == ["B"]


def _pages(titles: Sequence[str], endpoint: str = _CONFIG.commons) -> RawAnswer:
    pages: list[dict[str, Any]] = [{"title": title} for title in titles]
    answer = answer_of(list(titles), {"pages": pages})
    return RawAnswer(
        endpoint=endpoint,
        request={},
        keys=answer.keys,
        fetched_at=answer.fetched_at,
        answer=answer.answer,
    )


def _question(folder: Path, ask: Ask, batch_size: int) -> Question:
    return Question(
        name="pages",
        archive=RawArchive(folder),
        endpoint=_CONFIG.commons,
        ask=ask,
        facts=CommonsPages(),
        batch_size=batch_size,
        at_once=1,
    )


def test_a_batch_with_a_refused_key_is_halved_down_to_it(tmp_path: Path) -> None:
    batches: list[str] = []

    def ask(titles: Sequence[str]) -> RawAnswer:
        batches.append("".join(titles))
        if "C" in titles:
            raise AnswerError("refused", smaller_may_do=True)
        return _pages(titles)

    question = _question(tmp_path, ask, batch_size=4)
    question.fetch(list("ABCDEF"))
    assert batches == ["ABCD", "AB", "CD", "C", "D", "EF"]
    assert question.facts.failed == {"C": "refused"}
    assert all(title in question.facts for title in "ABDEF")
    # What was refused is not archived: the next run asks again.
    assert [answer.keys for answer in kept_answers(tmp_path)] == [
        ("A", "B"),
        ("D",),
        ("E", "F"),
    ]


def test_a_key_that_its_answer_does_not_speak_of_fails(tmp_path: Path) -> None:
    batches: list[str] = []

    def ask(titles: Sequence[str]) -> RawAnswer:
        batches.append("".join(titles))
        pages = _pages([title for title in titles if title != "B"])
        return dataclasses.replace(pages, keys=tuple(titles))

    question = _question(tmp_path, ask, batch_size=2)
    question.fetch(["A", "B"])
    assert batches == ["AB", "A", "B"]
    error = "the service's answer does not speak of it, asked twice; rerun"
    assert question.facts.failed == {"B": error}
    # An answer that spoke of nothing it was asked for is not kept.
    assert [answer.keys for answer in kept_answers(tmp_path)] == [("A",)]


_TITLES = ["Category:Soft", "Category:Loop A", "Category:Tower", "Category:Merged"]


def _gathered(server: Server, workspace: Workspace, *, replay: bool = False) -> Questions:
    config = fast_config(server, replay=replay)
    with open_services(config) as services:
        questions = open_questions(workspace, config, 0, services)
        gather(questions, _TITLES, superclass_depth=1)
    return questions


def test_a_round_asks_for_all_that_is_missing_together(
    server: Server, workspace: Workspace
) -> None:
    known = _gathered(server, workspace).known
    asked = [
        (form["rvprop"], form["titles"]) for service, form in server.hits if service == "commons"
    ]
    assert asked == [
        ("ids", "|".join(_TITLES)),
        ("ids|content", "Category:Soft|Category:Loop A"),
        ("ids", "Category:Castle|Category:Loop B"),
        ("ids|content", "Category:Loop B"),
    ]
    # The items, which come with what they were merged into; three classes, and one above them.
    assert server.count("sparql") == 3
    ends = [known.landing(title) for title in _TITLES]
    assert [end.status for end in ends if isinstance(end, Landing)] == [
        "ok",
        "redirect_loop",
        "ok",
        "ok",
    ]


def test_what_is_archived_is_not_asked_for_again(server: Server, workspace: Workspace) -> None:
    first = _gathered(server, workspace).known
    asked = len(server.hits)
    for replay in (False, True):
        again = _gathered(server, workspace, replay=replay).known
        assert len(server.hits) == asked
        for title in _TITLES:
            assert again.landing(title) == first.landing(title)


def _part(title: str, **onward: str) -> Fault:
    answer = {"continue": onward, "query": {"pages": [{"title": title}]}}
    return reply(200, json.dumps(answer).encode())


def test_an_answer_in_parts_is_asked_for_to_its_end_and_archived_once(
    server: Server, categories: Path, workspace: Workspace
) -> None:
    onward = {"clcontinue": "7|x", "continue": "||pageprops"}
    server.faults["commons", 0] = _part("Category:Tower", **onward)
    run_scrape(workspace, fast_config(server), categories)
    first, second = (form for _, form in server.hits[:2])
    assert {name: second[name] for name in onward} == onward
    assert {name: second[name] for name in first} == first
    (kept,) = [one for one in kept_answers(workspace.path(COMMONS_PAGES)) if one.answer[1:]]
    assert [part.get("continue") for part in kept.answer] == [onward, None]
    assert statuses_of(workspace) == STATUSES


@pytest.mark.parametrize("is_counting", [False, True])
def test_an_answer_that_goes_on_without_end_fails(
    server: Server,
    categories: Path,
    workspace: Workspace,
    monkeypatch: pytest.MonkeyPatch,
    is_counting: bool,
) -> None:
    monkeypatch.setattr("hgld.scrape.services._MOST_CHUNKS", 20)
    parts = itertools.count()

    def another(handler: BaseHTTPRequestHandler) -> None:
        _part("x", clcontinue=str(next(parts) if is_counting else 7))(handler)

    server.always["commons"] = another
    report = run_scrape(workspace, fast_config(server), categories)
    assert report.manifest.failed == len(STATUSES) - 1  # one row names no page
    assert server.count("commons") <= 12 * (20 if is_counting else 2)
    assert not workspace.path("raw").exists()


@pytest.mark.parametrize("start", ["Q6", "Q105"], ids=["item", "class"])
def test_a_chain_of_merges_that_is_too_long_fails_its_row_and_is_not_followed_on(
    server: Server,
    categories: Path,
    workspace: Workspace,
    monkeypatch: pytest.MonkeyPatch,
    start: str,
) -> None:
    chain = [start, *(f"Q{n}" for n in range(5_000, 5_800))]
    merged = {**small_wikimedia.MERGED, **dict(itertools.pairwise(chain))}
    monkeypatch.setattr(small_wikimedia, "MERGED", merged)
    run_scrape(workspace, fast_config(server), categories)
    assert statuses_of(workspace) == STATUSES | {9: "failed"}
    (shard,) = workspace.shards(CATEGORIES)
    assert "more than 10 merges" in pq.read_table(shard)["error"][8].as_py()
    assert server.count("sparql") < 20
