"""What a Prefect run leaves on its page, as far as it came."""

import dataclasses
import re
import threading
from pathlib import Path
from typing import Any

import pytest

from hgld.engine.workspace import Workspace
from hgld.tables import WORDS
from tests.servers.flows.conftest import artifacts_of, run_flow, scrape_settings
from tests.worlds.builders import table_of, write_proposals, write_stage
from tests.worlds.review.sheets import CLASSES
from tests.worlds.wikimedia.faults import reply
from tests.worlds.wikimedia.small import serving

pytestmark = pytest.mark.usefixtures("prefect_server")


def rows_of(markdown: str) -> list[list[str]]:
    """Returns the cells of the tables, without the headers' rules."""
    lines = [line for line in markdown.splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    return [row for row in cells if set(row) != {"---"}]


def test_a_scrape_leaves_its_stages_with_their_rows_also_where_some_failed(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "build")
    with serving() as wikimedia:
        scrape_settings(workspace, wikimedia, "Tower", "Castle", "Bare")
        wikimedia.always["sparql"] = reply(400, b"no")
        state = run_flow("scrape", workspace.root)
        assert "sparql" in wikimedia.fired
        assert state.is_failed()
        assert "rows failed" in str(state.message)
        left = artifacts_of(state)
        assert set(left) == {"stages"}
        table = {row[0]: row[1:4] for row in rows_of(left["stages"])}
        assert table["evidence"][0] == "missing"  # was never begun
        assert table["metadata"][0] == "done"
        failed = workspace.manifest("scrape")
        assert failed is not None
        assert table["scrape"] == ["incomplete", str(failed.rows), str(failed.problems)]
        del wikimedia.always["sparql"]
        left = artifacts_of(run_flow("scrape", workspace.root))
    ended = {row[0]: row[1:3] for row in rows_of(left["stages"])[1:]}
    found = {name: workspace.manifest(name) for name in ended}
    states = dict.fromkeys(ended, "done") | {"metadata": "up to date"}
    assert ended == {name: [states[name], str(one.rows)] for name, one in found.items() if one}


def test_a_step_that_fails_leaves_the_stages_before_it_and_what_is_to_come(tmp_path: Path) -> None:
    state = run_flow("cluster", tmp_path)
    left = artifacts_of(state)
    assert left["stages"].startswith("embed: ")
    states = [row[:2] for row in rows_of(left["stages"])[1:]]
    pending = [[name, "pending"] for name in ("cluster", "decided", "propose")]
    assert states == [["embed", "missing"], *pending]


def test_a_review_that_is_due_leaves_how_to_open_it(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "my build")
    write_proposals(workspace, CLASSES)
    state = run_flow("annotate", workspace.root)
    assert state.name == "AwaitingReview"
    assert str(state.message).startswith("AwaitingReview: ")
    left = artifacts_of(state)
    assert set(left) == {"review", "stages"}
    page = left["review"]
    assert f"```bash\nhgld review --root '{workspace.root.resolve()}'\n```" in page
    assert "(http://127.0.0.1:8765/)" in page


def test_the_page_shows_the_stage_that_runs_the_curves_of_a_training_and_where_reports_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The step waits until the page has shown both."""
    from prefect.artifacts import create_markdown_artifact

    shown: list[str] = []
    has_curves = threading.Event()
    log = tmp_path / "runs/a/metrics.jsonl"

    def noted(key: str, markdown: str, **more: Any) -> object:  # noqa: ANN401 - of Prefect
        shown.append(markdown)
        if key.startswith("hgld-training"):
            has_curves.set()
        return create_markdown_artifact(key=key, markdown=markdown, **more)

    def train(*_: object) -> list[object]:
        log.parent.mkdir(parents=True)
        log.write_text('{"step": 1, "loss": 0.9}\n{"step": 9, "loss": 0.25}\n')
        assert has_curves.wait(60)
        report = write_stage(Workspace(tmp_path), [(WORDS, table_of(WORDS, []))])
        return [dataclasses.replace(report, result=tmp_path / "benchmarks/report.html")]

    monkeypatch.setattr("hgld.flows.artifacts._EVERY_S", 0.01)
    monkeypatch.setattr("hgld.flows.artifacts.create_markdown_artifact", noted)
    monkeypatch.setattr("hgld.flows.jobs.run_step", train)
    state = run_flow("train", tmp_path)
    assert "images: running" in shown[0]
    left = artifacts_of(state)
    (row,) = rows_of(left["training"])[1:]
    assert row == ["loss", "0.9", "0.25", "█▁"]
    for name, page in (("training", "runs/a/run.html"), ("report", "benchmarks/report.html")):
        assert f"(http://127.0.0.1:8770/{page}), the file {tmp_path}/{page}" in left[name].replace(
            "\\", ""
        )
        assert f"hgld browse --root {tmp_path}\n" in left[name]
