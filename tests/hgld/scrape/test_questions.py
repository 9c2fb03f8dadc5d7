"""Each question alone: what it is made of, what of its archive counts, and how it asks."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from hgld.engine.workspace import Workspace
from hgld.errors import AnswerError
from hgld.scrape.archive import COMMONS_PAGES, RawAnswer, RawArchive
from hgld.scrape.config import ScrapeConfig
from hgld.scrape.questions import Ask, Question, open_questions
from hgld.scrape.services import open_services
from hgld.scrape.wikimedia.commons import CommonsPages
from tests.worlds.wikimedia.commons_answers import answer_of
from tests.worlds.wikimedia.kept import kept_answers

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
