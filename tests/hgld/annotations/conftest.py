import pytest

from hgld.engine.workspace import Workspace
from tests.hgld.annotations.world import write_inputs


@pytest.fixture
def reviewed(workspace: Workspace) -> Workspace:
    write_inputs(workspace)
    return workspace
