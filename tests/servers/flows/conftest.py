"""A Prefect server of the tests' own, and what it was told."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from hgld.engine.workspace import Workspace
from hgld.labels.embedding.cache import CACHE_FOLDER
from tests.worlds.gldv2.files import write_tables
from tests.worlds.wikimedia.small import Server

if TYPE_CHECKING:
    from prefect import State

os.environ["DO_NOT_TRACK"] = "1"
os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] = "false"


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A throw-away Prefect server, in a home of its own: one for all tests of a worker."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PREFECT_HOME", str(tmp_path_factory.mktemp("prefect")))
        from prefect.testing.utilities import prefect_test_harness

        with prefect_test_harness(server_startup_timeout=120):
            yield


# Prefect is imported late: it reads where its home is, which `prefect_server` says.


def run_flow(name: str, root: Path, **parameters: object) -> "State":
    """Runs a flow on a folder; returns the state in which it ends."""
    from hgld.flows import jobs

    asked = {"retries": 0, **parameters}
    state: State = getattr(jobs, name)(str(root), return_state=True, **asked)
    return state


def log_of(flow_run_id: UUID | None) -> list[str]:
    """Returns what the page of a flow run shows as its log."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId
    from prefect.logging.handlers import APILogHandler

    assert flow_run_id is not None
    APILogHandler().flush()
    chosen = LogFilter(flow_run_id=LogFilterFlowRunId(any_=[flow_run_id]))
    with get_client(sync_client=True) as client:
        return [log.message for log in client.read_logs(log_filter=chosen)]


def artifacts_of(state: "State") -> dict[str, str]:
    """Returns the artifacts of a flow run: by `stages`, `review` or `training`, each once."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId

    assert state.state_details.flow_run_id is not None
    run = ArtifactFilterFlowRunId(any_=[state.state_details.flow_run_id])
    with get_client(sync_client=True) as client:
        found = client.read_artifacts(artifact_filter=ArtifactFilter(flow_run_id=run))
    assert {one.type for one in found} <= {"markdown"}
    by_key = {str(one.key).split("-")[1]: str(one.data) for one in found}
    assert len(by_key) == len(found)
    return by_key


def scrape_settings(workspace: Workspace, wikimedia: Server, *categories: str) -> None:
    """Writes the tables of some landmarks beside a build, and settings that scrape those."""
    tables = write_tables(workspace.root.parent / "metadata")
    wiki = "http://commons.wikimedia.org/wiki/Category:"
    rows = [f"{10 * number},{wiki}{name}\n" for number, name in enumerate(categories, start=1)]
    text = "".join(["landmark_id,category\n", *rows])
    (tables / "train_label_to_category.csv").write_text(text)
    workspace.root.mkdir()
    workspace.path("hgld.toml").write_text(
        f"""
        [metadata]
        base_url = "{tables}"
        [scrape]
        commons = "{wikimedia.commons}"
        sparql = "{wikimedia.sparql}"
        """
    )


@pytest.fixture(scope="session")
def word_vectors(demo: Path) -> Path:
    """The vectors of the taxonomy's 3,400 words, and of its classes, which the demo has encoded."""
    return demo / "demo-build" / CACHE_FOLDER
