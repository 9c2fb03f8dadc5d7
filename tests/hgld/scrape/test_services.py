"""Answers that MediaWiki gives in parts."""

import itertools
import json
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.scrape.archive import COMMONS_PAGES
from hgld.scrape.stage import run_scrape
from tests.worlds.wikimedia.faults import Fault, reply
from tests.worlds.wikimedia.kept import kept_answers
from tests.worlds.wikimedia.scraping import STATUSES, fast_config, statuses_of
from tests.worlds.wikimedia.small import Server


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
