from pathlib import Path

import pytest

from hgld.annotations.stage import AnnotateConfig
from hgld.engine.workspace import Workspace
from tests.hgld.annotations.release.worlds import kept, release


@pytest.fixture
def released(reviewed: Workspace) -> Path:
    """A release with two shards of train and of index, without its build."""
    config = AnnotateConfig(train="all", images_per_shard=1)
    return kept(release(reviewed, annotate=config), "release")
