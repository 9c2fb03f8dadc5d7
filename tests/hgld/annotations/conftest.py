import pytest

from hgld.annotations.stage import AnnotateConfig, run_annotate
from hgld.engine.workspace import Workspace
from tests.hgld.annotations.world import write_inputs


@pytest.fixture
def reviewed(workspace: Workspace) -> Workspace:
    """A build that may be annotated."""
    write_inputs(workspace)
    return workspace


@pytest.fixture
def annotated(reviewed: Workspace) -> Workspace:
    """The same, annotated as it is where nothing is set."""
    run_annotate(reviewed, AnnotateConfig())
    return reviewed
