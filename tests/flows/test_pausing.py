"""What the end of a review does to runs that wait for it, without a server."""

from pathlib import Path

import pytest

from hgld.engine.files import write_text
from hgld.engine.workspace import Workspace
from hgld.flows.pausing import resume_suspended
from tests.worlds.builders import write_proposals
from tests.worlds.review.sheets import CLASSES
from tests.worlds.wikimedia.lab import free_ports


def waiting(workspace: Workspace) -> Path:
    """Notes a run that waits, on a server that is not there."""
    path = workspace.path(".flows/waiting/6f0f27a5-1c07-4c0e-8a1b-0d4e7b7c9f11")
    path.parent.mkdir(parents=True)
    write_text(path, f"http://127.0.0.1:{free_ports(1)[0]}/api")
    return path


def test_a_run_goes_on_waiting_while_classes_are_open(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    workspace = Workspace(tmp_path / "build")
    write_proposals(workspace, CLASSES)
    path = waiting(workspace)
    resume_suspended(workspace)
    assert path.exists()
    assert not caplog.records


def test_a_server_that_does_not_answer_is_no_error_of_the_review(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = waiting(Workspace(tmp_path))
    resume_suspended(Workspace(tmp_path), is_settled=True)
    assert path.exists()
    assert path.name in caplog.text
