"""What a Prefect run leaves on its page, as far as it came."""

import re
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from tests.servers.flows.conftest import artifacts_of, run_flow, scrape_settings
from tests.worlds.builders import write_proposals
from tests.worlds.review.sheets import CLASSES
from tests.worlds.wikimedia.faults import reply
from tests.worlds.wikimedia.small import serving

pytestmark = pytest.mark.usefixtures("prefect_server")


def rows_of(markdown: str) -> list[list[str]]:
    """Returns the cells of the tables, without the headers' rules."""
    lines = [line for line in markdown.splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    return [row for row in cells if set(row) != {"---"}]


def test_a_scrape_leaves_its_stages_also_where_rows_failed(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "build")
    with serving() as wikimedia:
        scrape_settings(workspace, wikimedia, "Tower", "Castle", "Bare", settings="attempts = 1")
        wikimedia.always["sparql"] = reply(400, b"no")
        state = run_flow("scrape", workspace.root)
        assert "sparql" in wikimedia.fired
    assert state.is_failed()
    assert "rows failed" in str(state.message)
    left = artifacts_of(state)
    assert set(left) == {"hgld-stages"}
    table = {row[0]: row[1:4] for row in rows_of(left["hgld-stages"])}
    assert table["metadata"][0] == "done"
    failed = workspace.manifest("scrape")
    assert failed is not None
    assert table["scrape"] == ["incomplete", str(failed.rows), str(failed.problems)]


def test_a_step_that_fails_leaves_the_stages_before_it_and_what_is_to_come(tmp_path: Path) -> None:
    state = run_flow("cluster", tmp_path)
    left = artifacts_of(state)
    assert left["hgld-stages"].startswith("embed: ")
    states = [row[:2] for row in rows_of(left["hgld-stages"])[1:]]
    pending = [[name, "pending"] for name in ("cluster", "decided", "propose")]
    assert states == [["embed", "missing"], *pending]


def test_a_review_that_is_due_leaves_how_to_open_it(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "my build")
    write_proposals(workspace, CLASSES)
    state = run_flow("annotate", workspace.root)
    assert state.name == "AwaitingReview"
    assert str(state.message).startswith("AwaitingReview: ")
    left = artifacts_of(state)
    assert set(left) == {"hgld-review", "hgld-stages"}
    page = left["hgld-review"]
    assert f"```bash\nhgld review --root '{workspace.root.resolve()}'\n```" in page
    assert "(http://127.0.0.1:8765/)" in page
