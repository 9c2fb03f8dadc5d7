"""Trying the failed rows again: those, and no others."""

import re
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.scrape.stage import run_scrape
from tests.worlds.wikimedia.lab import STATUSES, fast_config, statuses_of
from tests.worlds.wikimedia.small import Server


def test_a_retry_asks_for_the_failed_rows_and_nothing_else(
    server: Server, categories: Path, workspace: Workspace
) -> None:
    server.refuses = lambda name, text: name == "sparql" and "wd:Q6 " in text
    assert run_scrape(workspace, fast_config(server), categories).manifest.failed == 1
    assert server.fired
    server.refuses = None
    before = len(server.hits)
    report = run_scrape(workspace, fast_config(server, retry="failed"), categories)
    assert report.manifest.failed == 0
    assert statuses_of(workspace) == STATUSES
    # The item, and then its class: no row that had not failed.
    queries = [form["query"] for name, form in server.hits[before:] if name == "sparql"]
    assert len(queries) == len(server.hits) - before
    asked = {qid for query in queries for qid in re.findall(r"wd:(Q\d+) ", query)}
    assert asked == {"Q6", "Q105"}
    assert run_scrape(workspace, fast_config(server, retry="failed"), categories).skipped


def test_a_retry_of_other_rows_or_of_nothing_is_refused(
    server: Server, categories: Path, workspace: Workspace
) -> None:
    retry = fast_config(server, retry="failed")
    with pytest.raises(InputError, match="needs a scrape that has ended"):
        run_scrape(workspace, retry, categories)
    run_scrape(workspace, fast_config(server), categories)
    asked = len(server.hits)
    other = fast_config(server, retry="failed", follow_moves=True)
    with pytest.raises(InputError, match=r"another one \(setting follow_moves: False -> True\)"):
        run_scrape(workspace, other, categories)
    lines = categories.read_text(encoding="utf-8").splitlines()
    categories.write_text("\n".join(lines[:-1]) + "\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"another one \(setting categories"):
        run_scrape(workspace, retry, categories)
    assert len(server.hits) == asked
