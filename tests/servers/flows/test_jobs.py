"""The flows, on a real Prefect server."""

import threading
from pathlib import Path
from typing import Any

import pytest

from hgld.engine.workspace import Workspace
from hgld.scrape.archive import newest_generation
from hgld.scrape.refresh import REFRESH_REPORT
from tests.servers.flows.conftest import run_flow, scrape_settings
from tests.worlds.wikimedia.faults import reply
from tests.worlds.wikimedia.small import serving

pytestmark = pytest.mark.usefixtures("prefect_server")


def test_a_step_whose_rows_failed_runs_again_until_they_are_there_or_it_asks_all_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = Workspace(tmp_path / "build")
    monkeypatch.setattr("hgld.flows.jobs.RETRY_AFTER_S", 0.01)
    with serving() as wikimedia:
        scrape_settings(workspace, wikimedia, "Tower", "Castle")
        for number in (1, 2, 3):  # both items, and each by itself
            wikimedia.faults["sparql", number] = reply(400, b"no")
        state = run_flow("scrape", workspace.root, retries=1)
        assert [*wikimedia.fired].count("sparql") == 3
        assert state.is_completed(), state.message
        assert newest_generation(workspace) == 0
        asked = len(wikimedia.hits)
        assert run_flow("scrape", workspace.root, refresh=True).is_completed()
    assert len(wikimedia.hits) - asked == 9  # as many as where nothing fails
    assert newest_generation(workspace) == 1
    assert workspace.path(REFRESH_REPORT).exists()


def test_a_step_that_takes_too_long_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hang(*_: object) -> None:
        for _moment in range(6000):  # pytest has the alarm that would interrupt one long wait
            threading.Event().wait(0.01)

    monkeypatch.setattr("hgld.flows.jobs.run_step", hang)
    state = run_flow("metadata", tmp_path, step_hours=0.1 / 3600)
    assert state.is_failed()
    assert "step_hours" in str(state.message)


def test_settings_of_a_run_override_the_file_and_an_unknown_section_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    got: list[Any] = []

    def note(_: object, step: object) -> list[object]:
        got.append(step)
        return []

    monkeypatch.setattr("hgld.flows.jobs.run_step", note)
    (tmp_path / "hgld.toml").write_text('[release]\ntitle = "x"\n[cluster]\nclusters = 4\n')
    settings = {"release": {"contact": "me"}}
    state = run_flow("annotate", tmp_path, accept_proposals=True, settings=settings)
    assert state.is_completed(), state.message
    assert [step.name for step in got] == ["review", "annotate"]
    release = got[1].stage_settings["release"]
    assert (release.title, release.contact) == ("x", "me")
    assert "accept_proposals = true" in (tmp_path / "hgld.toml").read_text()
    refused = str(run_flow("embed", tmp_path, settings={"lables": {}}).message)
    assert "lables" in refused
    assert "metadata, scrape, " in refused
