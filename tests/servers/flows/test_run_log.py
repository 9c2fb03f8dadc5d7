"""What the page of a Prefect run says: the project's lines, and a refusal in one of them."""

import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hgld.engine.progress import progress
from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.tables import CATEGORIES, CLUSTERS
from tests.servers.flows.conftest import log_of, run_flow, scrape_settings
from tests.worlds.small_build import write_inputs
from tests.worlds.stopped import raising
from tests.worlds.wikimedia.faults import stall
from tests.worlds.wikimedia.small import serving

ROOT = Path(__file__).resolve().parents[3]

pytestmark = pytest.mark.usefixtures("prefect_server")


def steps_do(monkeypatch: pytest.MonkeyPatch, work: Callable[[], None]) -> None:
    """Lets every step of a flow do something else."""

    def run_step(*_arguments: object) -> list[object]:
        work()
        return []

    monkeypatch.setattr("hgld.flows.jobs.run_step", run_step)


def test_lines_and_progress_of_the_task_and_of_its_threads_are_in_the_log_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logger = logging.getLogger("hgld.scrape.questions")
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)  # a terminal would show a bar
    monkeypatch.setattr("hgld.engine.progress._FIRST_LINE_S", 0.0)

    def work() -> None:
        logger.info("said by the step")
        thread = threading.Thread(target=logger.warning, args=("said by a thread of it",))
        thread.start()
        thread.join()
        logger.debug("not said")
        with progress("annotate: images", 10) as advance:
            advance(4, problems=1)

    steps_do(monkeypatch, work)
    state = run_flow("annotate", tmp_path)
    assert state.is_completed()
    logger.info("said after it")
    messages = log_of(state.state_details.flow_run_id)
    expected = ["said by the step", "said by a thread of it"]
    assert [one for one in messages if "said" in one] == expected
    assert "annotate: images: 4 of 10" in "\n".join(messages)


@pytest.mark.fault(105, "refused run in Prefect")
def test_a_refused_run_is_one_line_in_log_and_state_and_a_bug_shows_its_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failed_by(error: Exception) -> tuple[str | None, list[str]]:
        steps_do(monkeypatch, raising(error))
        state = run_flow("annotate", tmp_path)
        assert state.is_failed()
        return state.message, log_of(state.state_details.flow_run_id)

    line = "alpha must be positive, got -1; mend it"
    message, log = failed_by(InputError(line.replace("positive", "\npositive")))
    assert (message, log[-1]) == (line, f"Finished in state Failed({line!r})")
    assert "Traceback" not in "\n".join(log)
    text = "\n".join(failed_by(ZeroDivisionError("a bug"))[1])
    assert "Traceback" in text
    assert "ZeroDivisionError: a bug" in text


@pytest.mark.fault(106, "SIGTERM of a Prefect run")
def test_a_run_that_is_terminated_says_so_and_the_next_one_ends_as_if_it_never_was(
    tmp_path: Path,
) -> None:
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_URL

    from hgld.flows import jobs

    clean, stopped = Workspace(tmp_path / "clean/build"), Workspace(tmp_path / "stopped/build")
    asked = threading.Event()

    def hang(handler: Any) -> None:  # noqa: ANN401 - what the server calls a fault with
        asked.set()
        stall(60)(handler)

    with serving() as wikimedia, get_client(sync_client=True) as client:
        for workspace in (clean, stopped):
            workspace.root.parent.mkdir()
            scrape_settings(workspace, wikimedia, "Tower", "Castle")
        assert run_flow("scrape", clean.root).is_completed()
        wikimedia.always["commons"] = hang
        run = client.create_flow_run(jobs.scrape, parameters={"root": str(stopped.root)})
        environment = os.environ | {
            "PREFECT_API_URL": str(PREFECT_API_URL.value()),
            "PREFECT__FLOW_ENTRYPOINT": f"{ROOT / 'flows/jobs.py'}:scrape",
            "PYTHONPATH": str(ROOT),
        }
        command = [sys.executable, "-m", "prefect.engine", str(run.id)]  # as a worker does
        with subprocess.Popen(command, env=environment, cwd=tmp_path) as process:
            assert asked.wait(120)
            process.send_signal(signal.SIGTERM)
            process.wait(60)
        assert client.read_flow_run(run.id).state_name == "Crashed"
        assert stopped.manifest("scrape") is None
        del wikimedia.always["commons"]
        assert run_flow("scrape", stopped.root).is_completed()
    assert stopped.finished(CATEGORIES).outputs == clean.finished(CATEGORIES).outputs


@pytest.mark.fault(107, "config changed mid-run")
def test_settings_that_change_while_a_flow_runs_count_for_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hgld.labels.embedding import stage as embed

    workspace = write_inputs(tmp_path)
    settings = workspace.path("hgld.toml")
    before = settings.read_text()
    assert run_flow("scrape", workspace.root).is_completed()
    run_embed = embed.run_embed

    def change_then_embed(*arguments: Any) -> object:  # noqa: ANN401 - those of run_embed
        settings.write_text(before.replace("clusters = 4", "clusters = 3"))
        return run_embed(*arguments)

    monkeypatch.setattr(embed, "run_embed", change_then_embed)
    for clusters in (4, 3):
        assert run_flow("cluster", workspace.root).is_completed()
        assert workspace.finished(CLUSTERS).settings["clusters"] == clusters
