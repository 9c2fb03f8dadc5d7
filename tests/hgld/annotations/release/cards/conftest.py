from pathlib import Path

import pytest

from hgld.annotations.stage import AnnotateConfig
from hgld.engine.workspace import Workspace
from hgld.tables import BAD_IMAGES
from tests.hgld.annotations.release.worlds import kept, release
from tests.hgld.annotations.world import write_fills
from tests.worlds.builders import table_of, write_stage


@pytest.fixture
def released(reviewed: Workspace) -> Path:
    """A release with two shards of train and of index, without its build."""
    config = AnnotateConfig(train="all", images_per_shard=1)
    return kept(release(reviewed, annotate=config), "release")


@pytest.fixture
def released_with_fills(reviewed: Workspace) -> Path:
    """One in two shards of train whose labels no class gives."""
    write_fills(reviewed)
    config = AnnotateConfig(train="all", fills=True, images_per_shard=1)
    return kept(release(reviewed, annotate=config), "filled-release")


@pytest.fixture
def released_with_bad(reviewed: Workspace) -> Path:
    """One of whose pictures one is bad."""
    bad = {"image_id": "a0", "tar": "images_000.tar", "reason": "truncated"}
    for split, dataset in BAD_IMAGES.items():
        rows = [bad] if split == "train" else []
        write_stage(reviewed, [(dataset, table_of(dataset, rows))])
    return release(reviewed, annotate=AnnotateConfig(train="all", pictures=True))
