"""A worker is killed with a run of every job: another worker ends each as if undisturbed.

No job of prefect.yaml is left out. Each runs on a copy of a finished build that lacks what the job
makes; `parents` and `refresh` ask a small Wikimedia, all others nobody.
"""

import contextlib
import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from hgld.benchmarks.labels.agreement import AGREEMENT_FILE
from hgld.benchmarks.retrieval.config import result_files
from hgld.engine.workspace import Workspace
from hgld.flows.build import STEPS, keep_setting
from hgld.scrape.refresh import REFRESH_STAGE
from tests.flows.test_jobs import JOBS
from tests.servers.flows.site import (
    CONFIG,
    DEPLOY,
    POOL,
    SERVER,
    Site,
    end_after_kill,
    stages_of,
    take_away,
)
from tests.soak.fuzz import FinishedBuilds, digest_build
from tests.worlds.commands.once import made_once
from tests.worlds.commands.typed import said
from tests.worlds.wikimedia import small
from tests.worlds.wikimedia.lab import free_ports, wait_for

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
def wikimedia(*roots: Path) -> Iterator[None]:
    """Has builds ask the small Wikimedia, in which their categories are like those of there."""
    names = (f"Category:Place {number}" for number in (*range(1, 9), *range(101, 105)))
    places = dict(zip(small.PAGES, names, strict=False))
    with pytest.MonkeyPatch.context() as patch, small.serving() as server:
        for table in (small.PAGES, small.PARENTS):
            for title in places.keys() & table.keys():
                patch.setitem(table, places[title], table[title])
        for root in roots:
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
    with site.going_on(SERVER) as process:
        wait_for(site.port, process, limit_s=120)
        for command in (CONFIG, POOL, DEPLOY):
            site.typed(command)
        yield site
    site.client.close()


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
@pytest.mark.parametrize("jobs", [JOBS[::2], JOBS[1::2]], ids=("half", "rest"))
def test_jobs_that_were_killed_with_their_worker_end_clean_on_another(
    site: Site, whole: Path, tmp_path: Path, jobs: Sequence[str]
) -> None:
    roots = {job: Path(shutil.copytree(whole / "build", tmp_path / job)) for job in jobs}
    stages = {job: stages_of(root, *_STEPS_OF.get(job, (job,))) for job, root in roots.items()}
    for job, root in roots.items():
        if job == "refresh":
            stages[job].append(REFRESH_STAGE.name)  # the others are done again as they are
        else:
            take_away(root, stages[job])
    killed = {job: job if job in done else done[-1] for job, done in stages.items()}
    with wikimedia(*(roots[job] for job in jobs if job in _ASKING)):
        end_after_kill(site, killed, roots)
    for job, root in roots.items():
        expected = whole / ("asked" if job in _ASKING else "build")
        assert outputs_of(root, stages[job]) == outputs_of(expected, stages[job]), job
