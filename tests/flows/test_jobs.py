import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
JOBS = ["scrape", "cluster", "review", "annotate", "train", "benchmark", "agree", "build"]


def deployments() -> list[dict[str, Any]]:
    document = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))
    return list(document["deployments"])


def test_each_job_has_one_deployment_and_none_is_scheduled() -> None:
    assert [deployment["name"] for deployment in deployments()] == JOBS
    assert all(deployment["schedules"] == [] for deployment in deployments())


@pytest.mark.usefixtures("prefect_server")
def test_each_entrypoint_is_a_flow_of_that_name_that_takes_the_parameters() -> None:
    from prefect.flows import Flow, load_flow_from_entrypoint

    for deployment in deployments():
        path, name = deployment["entrypoint"].split(":")
        flow: Flow[..., Any] = load_flow_from_entrypoint(f"{ROOT / path}:{name}")
        assert flow.name == deployment["name"]
        flow.validate_parameters(deployment["parameters"])


@pytest.mark.slow
@pytest.mark.usefixtures("prefect_server")
def test_the_scrape_flow_runs_and_the_review_flow_waits_for_a_person(
    tmp_path: Path, word_vectors: Path, drawn_demo: Path
) -> None:
    from hgld.engine.status import stage_status
    from hgld.engine.workspace import Workspace
    from hgld.flows import jobs
    from hgld.flows.demo import write_settings
    from hgld.labels.embedding.cache import CACHE_FOLDER
    from hgld.tables import CATEGORIES

    workspace = Workspace(tmp_path / "build")
    shutil.copytree(drawn_demo, workspace.root)
    write_settings(workspace, contact="")
    shutil.rmtree(workspace.path("review"))
    shutil.copytree(word_vectors, workspace.path(CACHE_FOLDER))

    assert jobs.scrape(str(workspace.root), return_state=True).is_completed()
    assert set(workspace.read(CATEGORIES)["status"].to_pylist()) == {"ok"}
    assert jobs.cluster(str(workspace.root), return_state=True).is_completed()
    state = jobs.review(str(workspace.root), return_state=True)
    assert state.name == "AwaitingReview"
    assert str(state.message).startswith("AwaitingReview: ")
    assert "--accept-above 0.95" in str(state.message)
    from hgld.review.stage import STAGE

    assert stage_status(workspace, STAGE).state == "missing"


@pytest.mark.slow
@pytest.mark.usefixtures("prefect_server")
def test_the_scrape_flow_refreshes_where_that_is_asked_for(tmp_path: Path) -> None:
    from hgld.engine.workspace import Workspace
    from hgld.flows import jobs
    from hgld.scrape.archive import newest_generation
    from hgld.scrape.refresh import REFRESH_REPORT
    from tests.worlds.gldv2.files import write_tables
    from tests.worlds.wikimedia.small import serving

    workspace = Workspace(tmp_path / "build")
    tables = write_tables(tmp_path / "metadata")
    wiki = "http://commons.wikimedia.org/wiki/Category:"
    rows = f"landmark_id,category\n10,{wiki}Tower\n20,{wiki}Castle\n"
    (tables / "train_label_to_category.csv").write_text(rows)
    with serving() as wikimedia:
        settings = f"""
            [metadata]
            base_url = "{tables}"
            [scrape]
            commons = "{wikimedia.commons}"
            sparql = "{wikimedia.sparql}"
        """
        workspace.root.mkdir()
        workspace.path("hgld.toml").write_text(settings)
        assert jobs.scrape(str(workspace.root), return_state=True).is_completed()
        assert newest_generation(workspace) == 0
        asked = len(wikimedia.hits)
        assert jobs.scrape(str(workspace.root), refresh=True, return_state=True).is_completed()
    assert asked > 0
    assert len(wikimedia.hits) == 2 * asked
    assert newest_generation(workspace) == 1
    assert "compared with the generation before" in workspace.path(REFRESH_REPORT).read_text()


@pytest.mark.slow
@pytest.mark.usefixtures("prefect_server")
def test_a_flow_whose_step_fails_fails_and_says_why(tmp_path: Path) -> None:
    from hgld.flows import jobs

    state = jobs.annotate(str(tmp_path), return_state=True)
    assert state.is_failed()
    assert "run `hgld" in str(state.message)
