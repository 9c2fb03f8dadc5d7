"""The flows, on a real Prefect server."""

from pathlib import Path
from typing import Any

import pytest

from hgld.engine.workspace import Workspace
from hgld.scrape.archive import newest_generation
from hgld.scrape.refresh import REFRESH_REPORT
from tests.flows.test_jobs import ROOT, deployments
from tests.servers.flows.conftest import run_flow, scrape_settings
from tests.worlds.wikimedia.small import serving

pytestmark = pytest.mark.usefixtures("prefect_server")


def test_each_entrypoint_is_a_flow_of_that_name_that_takes_the_parameters() -> None:
    from prefect.flows import Flow, load_flow_from_entrypoint

    for deployment in deployments():
        path, name = deployment["entrypoint"].split(":")
        flow: Flow[..., Any] = load_flow_from_entrypoint(f"{ROOT / path}:{name}")
        assert flow.name == deployment["name"]
        flow.validate_parameters(deployment["parameters"])


def test_the_scrape_flow_refreshes_where_that_is_asked_for(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "build")
    with serving() as wikimedia:
        scrape_settings(workspace, wikimedia, "Tower", "Castle")
        assert run_flow("scrape", workspace.root).is_completed()
        assert newest_generation(workspace) == 0
        asked = len(wikimedia.hits)
        assert run_flow("scrape", workspace.root, refresh=True).is_completed()
    assert asked > 0
    assert len(wikimedia.hits) == 2 * asked
    assert newest_generation(workspace) == 1
    assert workspace.path(REFRESH_REPORT).exists()
