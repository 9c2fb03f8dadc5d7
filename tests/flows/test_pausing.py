"""What the end of a review does to runs that wait for it, without a server."""

from pathlib import Path

import pytest

from hgld.engine.files import write_text
from hgld.engine.workspace import Workspace
from hgld.flows.pausing import resume_suspended
from tests.worlds.builders import write_proposals
from tests.worlds.review.sheets import CLASSES
from tests.worlds.wikimedia.lab import free_ports


def test_a_run_goes_on_waiting_while_classes_are_open_or_its_server_does_not_answer(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    workspace = Workspace(tmp_path / "build")
    write_proposals(workspace, CLASSES)
    path = workspace.path(".flows/waiting/6f0f27a5-1c07-4c0e-8a1b-0d4e7b7c9f11")
    path.parent.mkdir(parents=True)
    write_text(path, f"http://127.0.0.1:{free_ports(1)[0]}/api")  # a server that is not there
    resume_suspended(workspace)
    assert not caplog.records
    resume_suspended(workspace, is_settled=True)
    assert path.name in caplog.text
    assert path.exists()
