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
from tests.worlds.wikimedia.lab import fast_config
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
    assert told == f"parents: done, 8 rows, 0 problems: {root / PARENTS.path}\n"
    assert Workspace(root).read(PARENTS)["page_title"].to_pylist() == sorted(FOUND_PARENTS)
    assert all("you@example.org" in form["user-agent"] for _, form in server.hits)
    stages = json.loads(_typed("hgld status --json", root))["stages"]
    (stage,) = [one for one in stages if one["stage"] == "parents"]
    assert (stage["state"], stage["rows"]) == ("done", 8)
    assert "as they were written" in _typed("hgld verify", root)
    (kept, *_) = sorted((root / COMMONS_PARENTS).glob("*.json.gz"))
    kept.write_bytes(kept.read_bytes()[:-1])
    assert run_typed(["verify", "--root", str(root)]).returncode == 1
    _typed("hgld parents --force", root)
    _typed("hgld verify", root)


def test_another_setting_makes_it_run_again_and_a_replay_asks_nobody(
    server: Server, root: Path
) -> None:
    _typed("hgld parents", root)
    assert "up to date" in _typed("hgld parents", root)
    asked = len(server.hits)
    assert "done" in _typed("hgld parents --levels 1 --replay", root)
    assert len(server.hits) == asked
    assert not any(Workspace(root).read(PARENTS)["grandparents"].to_pylist())


def test_rows_that_failed_are_one_line_and_a_status(server: Server, root: Path) -> None:
    server.refusal = reply(200, b'{"error":{"code":"internal_api_error_Thing","info":"no"}}')
    server.refuses = lambda _, text: "Category:Castle" in text
    line = _typed("hgld parents", root, status=1).splitlines()[-1]
    assert line.startswith("error: parents: 1 rows failed")
    server.refuses = None
    assert "done, 8 rows, 0 problems" in _typed("hgld parents", root)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--levels 3", "[parents]: levels must be 1 or 2, got 3"),
        ("--dumps no/dumps", "got no/dumps; it is not there"),
        ("--dumps no/dumps --replay", "[scrape]: dumps and replay exclude each other"),
    ],
)
def test_what_cannot_be_done_is_refused(root: Path, arguments: str, message: str) -> None:
    assert message in _typed(f"hgld parents {arguments}", root, status=1)


def test_it_needs_a_scrape(tmp_path: Path) -> None:
    told = _typed("hgld parents --contact you@example.org", tmp_path / "build", status=1)
    assert "run `hgld scrape`" in told
