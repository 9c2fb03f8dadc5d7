"""docs/operating.md, typed in its order: a server, two workers one after the other, and their runs.

All of it is one story, which takes one server and overlaps the waits; the tests look at its parts.
"""

import contextlib
import json
import os
import re
import shlex
import shutil
import signal
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.flows.build import keep_setting
from hgld.tables import LANDMARK_LABELS
from tests.flows.test_jobs import JOBS
from tests.servers.flows.site import (
    AUTOMATE,
    CONFIG,
    DEPLOY,
    FIRST_RUN,
    PAGE,
    POOL,
    SERVER,
    WORKER,
    Run,
    Site,
    children_of,
    end_after_kill,
    stages_of,
    take_away,
)
from tests.worlds.builders import TrigramEncoder
from tests.worlds.commands.readme import ROOT, commands_on, fenced
from tests.worlds.commands.typed import said
from tests.worlds.small_build import write_inputs
from tests.worlds.wikimedia.faults import listening, stall
from tests.worlds.wikimedia.lab import free_ports, wait_for


def ready(folder: Path) -> Path:
    """Makes a build whose labels are encoded, so that the runs load no model."""
    workspace = write_inputs(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hgld.labels.embedding.stage.load_encoder", lambda _: TrigramEncoder())
        for step in ("metadata", "scrape", "embed", "cluster", "propose"):
            said(step, "--root", str(workspace.root))
    return workspace.root


@contextlib.contextmanager
def hanging_run(site: Site, root: Path) -> Iterator[str]:
    """Yields a run that fetches from a server that does not answer; kills it, and its worker."""
    asked = threading.Event()

    def hang(handler: BaseHTTPRequestHandler) -> None:
        asked.set()
        stall(600)(handler)

    with listening(hang) as server, site.going_on(WORKER) as process:
        address = f"http://127.0.0.1:{server.server_port}"
        run = site.start("metadata", root, settings={"metadata": {"base_url": address}})
        site.until(asked.is_set)
        process.send_signal(signal.SIGSTOP)  # it takes no other run
        try:
            yield run
        finally:
            for pid in (process.pid, *children_of(process.pid)):
                os.kill(pid, signal.SIGKILL)


def ended(site: Site, root: Path, last: str, times: int) -> list[Run]:
    """Returns the completed runs on a build once one of them is the last, so many times."""

    def completed() -> list[Run]:
        return [one for one in site.runs_of(root) if one["state"]["name"] == "Completed"]

    site.until(lambda: sum(one["name"].startswith(last) for one in completed()) == times)
    return completed()


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """What happens, in its order; the tests say what it has to come to."""
    folder = tmp_path_factory.mktemp("operating")
    (folder / "home").mkdir()
    (port,) = free_ports(1)
    site = Site(folder / "home", port)
    seen = site.seen
    (settle,) = commands_on(PAGE, "The review")
    with site.going_on(SERVER) as process, ThreadPoolExecutor() as threads:
        root = ready(folder)
        Workspace(root).manifest_path("metadata").unlink()
        wait_for(site.port, process, limit_s=120)
        for command in (CONFIG, POOL):
            site.typed(command)
        # Three signs of life that do not come are long to wait for: here it is two.
        sooner = (ROOT / "flows/automations.yaml").read_text().replace("within: 90", "within: 60")
        (folder / "automations.yaml").write_text(sooner)
        at_once = AUTOMATE.replace("flows/automations.yaml", str(folder / "automations.yaml"))
        automated = threads.submit(site.typed, at_once)
        site.typed(DEPLOY)
        automated.result()
        with contextlib.ExitStack() as stack:
            with hanging_run(site, root) as killed:
                stack.enter_context(site.going_on(WORKER))
                scrape = site.start("scrape", root)
                seen["queued"] = [site.await_state(scrape, "Queued")]
            seen["first"] = ended(site, root, "annotate", 1)
            keep_setting(root / "hgld.toml", "review", "accept_proposals", False)
            site.typed(FIRST_RUN.replace("root=build", f"root={root}"))
            site.until(lambda: any(one["state_name"] == "Suspended" for one in site.runs_of(root)))
            (suspended,) = (one for one in site.runs_of(root) if one["state_name"] == "Suspended")
            seen["suspended"] = [suspended]
            seen["page"] = [site.artifacts_of(suspended["id"])]
            site.typed(settle.replace("root build", f"root {root}"))
            seen["second"] = ended(site, root, "annotate", 2)
            seen["zombie"] = [site.await_state(killed, "Crashed")]
        yield site
    site.client.close()


def test_every_job_is_deployed(story: Site) -> None:
    deployed = {one["name"] for one in story.ask("deployments/filter", {"limit": 100})}
    assert deployed == set(JOBS)
    (refresh,) = story.ask("deployments/filter", {"deployments": {"name": {"any_": ["refresh"]}}})
    described = refresh["parameter_openapi_schema"]["properties"]
    assert all(one["description"] for one in described.values())


def test_events_lead_from_a_scrape_to_a_release_twice(story: Site) -> None:
    chain = ["scrape", "cluster", "review", "annotate"]
    first = [one["name"].split()[0] for one in story.seen["first"]]
    assert first == chain
    second = [one["name"].split()[0] for one in story.seen["second"][len(first) :]]
    assert second == chain
    root = story.home.parent / "build"
    assert Workspace(root).finished(LANDMARK_LABELS).rows
    assert story.seen["second"][-1]["name"] == "annotate build v1.0.0"
    assert set(story.seen["second"][-1]["tags"]) == {str(root), "v1.0.0"}


def test_a_run_queues_behind_another_job_on_the_same_build(story: Site) -> None:
    (queued,) = story.seen["queued"]
    assert "waits for metadata build" in queued["state"]["message"]


def test_a_review_suspends_a_run_and_its_end_resumes_it(story: Site) -> None:
    (suspended,) = story.seen["suspended"]
    assert suspended["name"].startswith("review build")
    assert "accept-proposals" in suspended["state"]["message"]  # as a notification shows it
    (page,) = (text for key, text in story.seen["page"][0].items() if "review" in key)
    assert "accept_proposals" in page
    assert suspended["id"] in {one["id"] for one in story.seen["second"]}


@pytest.mark.fault(112, "kill -9 of a Prefect worker and its run")
def test_a_run_that_was_killed_with_its_worker_is_found(story: Site) -> None:
    assert story.seen["zombie"][0]["state"]["type"] == "CRASHED"


@pytest.mark.fault(112, "kill -9 of a Prefect worker and its run")
def test_jobs_of_the_chain_that_were_killed_with_their_worker_end_clean_on_another(
    story: Site, tmp_path: Path
) -> None:
    """As `make soak` has it of every job."""
    chain = {
        "scrape": ("metadata", "scrape"),
        "cluster": ("cluster", "propose"),
        "review": ("review",),
        "annotate": ("annotate",),
    }
    for one in story.ask("automations/filter", {}):
        story.ask(f"automations/{one['id']}", {"enabled": False}, "PATCH")
    whole = story.home.parent / "build"
    roots = {job: Path(shutil.copytree(whole, tmp_path / job)) for job in chain}
    stages = {job: stages_of(roots[job], *steps) for job, steps in chain.items()}
    for job, root in roots.items():
        take_away(root, stages[job])
    end_after_kill(story, {job: job for job in chain}, roots)
    for job, root in roots.items():
        made, expected = ([*map(Workspace(one).manifest, stages[job])] for one in (root, whole))
        assert [one and one.outputs for one in made] == [one and one.outputs for one in expected]
        assert all(made)


def test_a_notification_is_sent_by_the_lines_of_the_page(story: Site) -> None:
    """The block is one that posts to this machine."""
    told: list[str] = []
    got = threading.Event()

    def take(handler: BaseHTTPRequestHandler) -> None:
        told.append(handler.rfile.read(int(handler.headers["Content-Length"])).decode())
        handler.send_response(200)
        handler.end_headers()
        got.set()

    (lines,) = fenced(PAGE, "python")
    with listening(take) as server:
        address = f"http://127.0.0.1:{server.server_port}"
        own = (
            'CustomWebhookNotificationBlock(name="x", url={!r}, json_data={{"t": "{{{{body}}}}"}})'
        )
        code = re.sub(r"SlackWebhook\(.*\)", own.format(address), lines)
        code = code.replace("SlackWebhook", "CustomWebhookNotificationBlock")
        story.typed(shlex.join([sys.executable, "-c", code]))
        run = story.start("metadata", story.home.parent / "none")
        body = {"state": {"type": "FAILED", "message": "by hand"}, "force": True}
        story.ask(f"flow_runs/{run}/set_state", body)
        story.until(got.is_set)
    assert "by hand" in json.loads(told[0])["t"]
