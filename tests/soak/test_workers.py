"""A deployed job is killed with its worker and done by another worker: it ends as if undisturbed.

No job of prefect.yaml is left out. Each runs on a copy of a finished build that lacks what the job
makes; `parents` and `refresh` ask a small Wikimedia, all others nobody.
"""

import contextlib
import json
import os
import shutil
import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from hgld.benchmarks.labels.agreement import AGREEMENT_FILE
from hgld.benchmarks.retrieval.config import result_files
from hgld.engine.stage import started_path
from hgld.engine.workspace import Workspace
from hgld.flows.build import STEPS, keep_setting, load_step, read_sections
from hgld.scrape.refresh import REFRESH_STAGE
from tests.flows.test_jobs import JOBS
from tests.servers.flows.test_operating import PAGE, Site
from tests.soak.fuzz import FinishedBuilds, digest_build
from tests.worlds.commands.once import made_once
from tests.worlds.commands.readme import commands, fenced
from tests.worlds.commands.typed import said
from tests.worlds.wikimedia import small
from tests.worlds.wikimedia.lab import free_ports, wait_for

_SERVER, _CONFIG, _POOL, _DEPLOY, _, _WORKER, _ = commands(fenced(PAGE, "bash")[0])
_STEPS_OF = {
    "scrape": ("metadata", "scrape"),
    "refresh": ("metadata", "scrape"),
    "cluster": ("embed", "cluster", "propose"),
    "review": ("propose", "review"),
    "annotate": ("review", "annotate"),
    "train": ("images", "train"),
    "build": STEPS,
}
"""Job to its steps, unless it is one step of the same name."""
_ASKING = {"parents": ("parents",), "refresh": ("scrape", "--refresh")}
"""Job that asks Wikimedia to the words of its command."""
_CLIP = "ViT-S-32-alt"  # the smallest that open_clip knows


@contextlib.contextmanager
def wikimedia(root: Path) -> Iterator[None]:
    """Has a build ask the small Wikimedia, in which its categories are like those of there."""
    names = (f"Category:Place {number}" for number in (*range(1, 9), *range(101, 105)))
    places = dict(zip(small.PAGES, names, strict=False))
    with pytest.MonkeyPatch.context() as patch, small.serving() as server:
        for table in (small.PAGES, small.PARENTS):
            for title in places.keys() & table.keys():
                patch.setitem(table, places[title], table[title])
        at = {"commons": server.commons, "sparql": server.sparql, "replay": False}
        for name, value in at.items():
            keep_setting(root / "hgld.toml", "scrape", name, value)
        yield


@pytest.fixture(scope="session")
def whole(builds: FinishedBuilds, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a build in which all was done that asks nobody, and of one that then asked."""

    def make(folder: Path) -> None:
        import open_clip
        import torch

        weights, root, asked = (folder / name for name in ("weights.pt", "build", "asked"))
        torch.manual_seed(0)
        torch.save(open_clip.create_model(_CLIP).half().state_dict(), weights)
        shutil.copytree(builds.finished, root)
        official = builds.earlier() / "annotations/train_label_to_hierarchical.csv"
        for section, name, value in (
            *(("look", "model", _CLIP), ("look", "weights", str(weights))),
            *(("fill", "pictures", True), ("agree", "official", [str(official)])),
        ):
            keep_setting(root / "hgld.toml", section, name, value)
        for step in ("look", "fill", "agree", "export"):
            said(step, "--root", root)
        shutil.copytree(root, asked)
        with wikimedia(asked):
            for words in _ASKING.values():
                said(*words, "--root", asked)

    return made_once(tmp_path_factory, "soak-workers", make)


@pytest.fixture(scope="session")  # `make soak` mixes the tests of all modules
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server with all deployments, where no job starts another one."""
    triggers = {"PREFECT_SERVER_SERVICES_TRIGGERS_ENABLED": "false"}
    (port,) = free_ports(1)
    site = Site(tmp_path_factory.mktemp("prefect"), port, more=triggers)
    with site.going_on(_SERVER) as process:
        wait_for(site.port, process, limit_s=120)
        for command in (_CONFIG, _POOL, _DEPLOY):
            site.typed(command)
        yield site
    site.client.close()


def kill_in(site: Site, root: Path, stage: str) -> None:
    """Starts a worker, and kills it and its run as soon as the run has begun a stage."""
    started, ends = started_path(Workspace(root), stage), time.monotonic() + 300
    with site.going_on(_WORKER) as worker:
        while not started.exists():
            assert time.monotonic() < ends, (site.home / "log").read_text()[-6000:]
            time.sleep(0.001)  # small stages are over soon
        for pid in (int(started.read_text().split()[1]), worker.pid):
            os.kill(pid, signal.SIGKILL)
    assert Workspace(root).manifest(stage) is None, f"{stage} was over before the kill"


def outputs_of(root: Path, stages: Sequence[str]) -> dict[str, str]:
    """Returns output of stages to digest, or to text, without when and how fast it was made."""
    found = dict[str, str]()
    for stage in stages:
        done = Workspace(root).manifest(stage)
        assert done is not None, stage
        found |= done.outputs
    found |= digest_build(root, [name for name in found if name in result_files()])
    if AGREEMENT_FILE in found:
        told = json.loads((root / AGREEMENT_FILE).read_bytes())
        found[AGREEMENT_FILE] = json.dumps(told | {"metadata": {**told["metadata"], "date": ""}})
    return found


@pytest.mark.fault(112, "kill -9 of a Prefect worker and its run")
@pytest.mark.parametrize("job", JOBS)
def test_a_job_that_was_killed_with_its_worker_ends_clean_on_another(
    site: Site, whole: Path, tmp_path: Path, job: str
) -> None:
    root = Path(shutil.copytree(whole / "build", tmp_path / "build"))
    sections = read_sections(root, None)
    steps = [load_step(step, sections) for step in _STEPS_OF.get(job, (job,))]
    stages = [stage.name for step in steps for stage in step.stages]
    if job == "refresh":
        stages.append(REFRESH_STAGE.name)  # the others are done again without being removed
    else:
        for done in filter(None, map(Workspace(root).manifest, stages)):
            for path in (*map(root.joinpath, done.records), root / f"stages/{done.stage}.json"):
                path.unlink()
    with wikimedia(root) if job in _ASKING else contextlib.nullcontext():
        site.start(job, root, retries=0)
        kill_in(site, root, job if job in stages else stages[-1])
        with site.going_on(_WORKER):
            again = site.start(job, root, retries=0)
            state = site.await_state(again, "Completed", "Failed", "Crashed")["state"]
    assert state["name"] == "Completed", state["message"]
    expected = whole / ("asked" if job in _ASKING else "build")
    assert outputs_of(root, stages) == outputs_of(expected, stages)
