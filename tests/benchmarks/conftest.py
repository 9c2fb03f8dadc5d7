"""What the tests of the benchmark share."""

import pytest

from hgld.workspace import Workspace
from tests.benchmarks.builds import write_build, write_run


@pytest.fixture
def build(workspace: Workspace) -> Workspace:
    """A build with pictures, labels and one run."""
    write_build(workspace)
    write_run(workspace)
    return workspace
