"""Builds that lack what one job of prefect.yaml makes, and what they are once it is done.

`parents` and `refresh` ask a small Wikimedia, all others nobody.
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
from hgld.flows.build import STEPS, keep_setting, load_step, read_sections
from hgld.scrape.refresh import REFRESH_STAGE
from tests.soak.fuzz import digest_build
from tests.worlds.commands.typed import said
from tests.worlds.small_build import finish_build, write_inputs
from tests.worlds.wikimedia import small

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
ASKING = {"parents": ("parents",), "refresh": ("scrape", "--refresh")}
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


def do_every_job(folder: Path) -> None:
    """Makes a build in which all was done that asks nobody, and one in which that was done too."""
    import open_clip
    import torch

    weights = folder / "weights.pt"
    torch.manual_seed(0)
    torch.save(open_clip.create_model(_CLIP).half().state_dict(), weights)
    workspace = write_inputs(folder)
    finish_build(workspace, 0)
    official = shutil.copy(workspace.path("annotations/train_label_to_hierarchical.csv"), folder)
    root, asked = workspace.root, folder / "asked"
    for section, name, value in (
        *(("look", "model", _CLIP), ("look", "weights", str(weights))),
        *(("fill", "pictures", True), ("agree", "official", [str(official)])),
    ):
        keep_setting(root / "hgld.toml", section, name, value)
    for step in ("look", "fill", "agree", "export"):
        said(step, "--root", root)
    shutil.copytree(root, asked)
    with wikimedia(asked):
        for words in ASKING.values():
            said(*words, "--root", asked)


def stages_to_do(root: Path, job: str) -> list[str]:
    """Takes from a build what a job makes; returns the job's stages."""
    sections = read_sections(root, None)
    steps = [load_step(step, sections) for step in _STEPS_OF.get(job, (job,))]
    stages = [stage.name for step in steps for stage in step.stages]
    if job == "refresh":
        return [*stages, REFRESH_STAGE.name]  # the others are done again without being removed
    for done in filter(None, map(Workspace(root).manifest, stages)):
        for path in (*map(root.joinpath, done.records), root / f"stages/{done.stage}.json"):
            path.unlink()
    return stages


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
