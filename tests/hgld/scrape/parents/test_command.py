"""`hgld parents` as a user types it, and what other commands say of it."""

import json
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.scrape.archive import COMMONS_PARENTS
from hgld.scrape.stage import run_scrape
from hgld.tables import PARENTS
from tests.worlds.commands.typed import run_typed
from tests.worlds.wikimedia.faults import reply
from tests.worlds.wikimedia.scraping import fast_config
from tests.worlds.wikimedia.small import FOUND_PARENTS, Server


@pytest.fixture
def root(server: Server, categories: Path, workspace: Workspace) -> Path:
    """The folder of a build that is scraped, and whose settings name the small Wikimedia."""
    run_scrape(workspace, fast_config(server), categories)
    addresses = f'commons = "{server.commons}"\nsparql = "{server.sparql}"\n'
    settings = f'[scrape]\n{addresses}categories = "{categories}"\nattempts = 1\nbackoff_s = 0.01\n'
    workspace.path("hgld.toml").write_text(settings, encoding="utf-8")
    server.hits.clear()
    return workspace.root


def _typed(line: str, root: Path, status: int = 0) -> str:
    done = run_typed([*line.split()[1:], "--root", str(root)])
    assert done.returncode == status, done.stdout + done.stderr
    return done.stderr if status else done.stdout


def test_it_says_what_it_did_and_status_and_verify_know_it(server: Server, root: Path) -> None:
    told = _typed("hgld parents --contact you@example.org", root)
    assert str(root / PARENTS.path) in told
    assert len(told.splitlines()) == 1
    assert Workspace(root).read(PARENTS)["page_title"].to_pylist() == sorted(FOUND_PARENTS)
    assert all("you@example.org" in form["user-agent"] for _, form in server.hits)
    stages = json.loads(_typed("hgld status --json", root))["stages"]
    (stage,) = [one for one in stages if one["stage"] == "parents"]
    assert (stage["state"], stage["rows"]) == ("done", 8)
    _typed("hgld verify", root)
    (kept, *_) = sorted((root / COMMONS_PARENTS).glob("*.json.gz"))
    kept.write_bytes(kept.read_bytes()[:-1])
    assert run_typed(["verify", "--root", str(root)]).returncode == 1
    _typed("hgld parents --force", root)
    _typed("hgld verify", root)


def test_rows_that_failed_are_one_line_and_a_status(server: Server, root: Path) -> None:
    server.refusal = reply(200, b'{"error":{"code":"internal_api_error_Thing","info":"no"}}')
    server.refuses = lambda _, text: "Category:Castle" in text
    line = _typed("hgld parents", root, status=1).splitlines()[-1]
    assert line.startswith("error:")
    assert "1 rows" in line
    server.refuses = None
    assert "done" in _typed("hgld parents", root)


def test_what_cannot_be_done_is_one_line_that_names_it(root: Path, tmp_path: Path) -> None:
    assert "levels" in _typed("hgld parents --levels 3", root, status=1)
    told = _typed("hgld parents --contact you@example.org", tmp_path / "nothing", status=1)
    assert "hgld scrape" in told
    assert len(told.splitlines()) == 1
