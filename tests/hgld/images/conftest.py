"""What tests of this room share: the stage on a bucket."""

from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from tests.hgld.images.runs import Train
from tests.worlds.gldv2.folder_server import FolderServer


@pytest.fixture
def train(workspace: Workspace, bucket_server: FolderServer, bucket: Path) -> Train:
    """The stage on the bucket of the test file, and on that of the room where it has none."""
    tars = [*bucket.glob("train/*.tar")]
    return Train(workspace, bucket_server, bucket, len(tars))
