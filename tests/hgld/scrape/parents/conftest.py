import shutil
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.scrape.archive import COMMONS_PARENTS
from hgld.scrape.parents.stage import STAGE
from hgld.scrape.stage import run_scrape
from hgld.tables import PARENTS
from tests.hgld.scrape.parents.asking import run_small
from tests.worlds.wikimedia.scraping import fast_config
from tests.worlds.wikimedia.small import Server


@pytest.fixture
def scraped(server: Server, categories: Path, workspace: Workspace) -> Workspace:
    """A scrape; what it asked is forgotten."""
    run_scrape(workspace, fast_config(server), categories)
    server.hits.clear()
    return workspace


@pytest.fixture
def whole(server: Server, scraped: Workspace) -> dict[str, str]:
    """The digests that an undisturbed run leaves, which is forgotten."""
    outputs = run_small(scraped, server).manifest.outputs
    shutil.rmtree(scraped.path(COMMONS_PARENTS))
    shutil.rmtree(scraped.path(PARENTS.path))
    scraped.manifest_path(STAGE.name).unlink()
    server.hits.clear()
    return outputs
