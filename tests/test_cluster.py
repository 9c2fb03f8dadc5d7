"""docs/cluster.md and its files: Slurm's scripts and Kubernetes' manifests, without a cluster."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from hgld.flows.cli.looking import IndexOptions
from tests.worlds.commands.readme import ROOT, fenced
from tests.worlds.commands.typed import parsed

CLUSTER = ROOT / "docs/cluster"
SCRIPTS = sorted(CLUSTER.glob("*.sbatch"))
MANIFESTS = sorted(CLUSTER.glob("*.yaml"))
TOLD = ["--root", "/build", "--split", "index"]


def manifests(path: Path) -> dict[str, Any]:
    """Returns those of a file by kind and name."""
    return {
        f"{one['kind']} {one['metadata']['name']}": one
        for one in yaml.safe_load_all(path.read_text("utf-8"))
    }


def typed(command: list[str], environment: dict[str, str], folder: Path) -> IndexOptions:
    """Returns the options of the `hgld index` that a command runs."""
    hgld = folder / "hgld"
    hgld.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    hgld.chmod(0o755)
    paths = f"{folder}:{os.environ['PATH']}"
    told = subprocess.check_output(command, env={"PATH": paths, **environment}, text=True)
    name, *words = told.splitlines()
    assert name == "index"
    params = parsed(name, words).params
    given = {key[1:]: value for key, value in params.items() if value is not None}
    return IndexOptions(**given)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_a_script_is_clean_to_shellcheck(path: Path) -> None:
    shellcheck = Path(sys.executable).with_name("shellcheck")
    done = subprocess.run([shellcheck, path], capture_output=True, text=True)
    assert done.stdout == ""
    assert done.returncode == 0


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
@pytest.mark.parametrize("version", ["1.33", "1.37"])
def test_a_manifest_is_what_kubernetes_takes(path: Path, version: str) -> None:
    for one in manifests(path).values():
        kubernetes_validate.validate(one, version, strict=True)


def test_each_job_of_an_array_embeds_its_share_and_the_last_call_the_whole(tmp_path: Path) -> None:
    command = ["bash", str(CLUSTER / "index.sbatch"), *TOLD]
    task = {"SLURM_ARRAY_TASK_ID": "3", "SLURM_ARRAY_TASK_COUNT": "16", "SLURM_CPUS_PER_TASK": "8"}
    one = typed(command, task, tmp_path)
    assert (one.rank, one.world, one.workers, one.split) == (3, 16, 8, "index")
    again = {**task, "SLURM_ARRAY_TASK_COUNT": "1", "WORLD": "16"}  # only one, submitted again
    assert typed(command, again, tmp_path) == one
    whole = typed(command, {"SLURM_CPUS_PER_TASK": "8"}, tmp_path)
    assert (whole.rank, whole.split) == (None, "index")


def test_each_pod_of_an_indexed_job_embeds_its_share_and_the_last_job_the_whole(
    tmp_path: Path,
) -> None:
    shares, whole = manifests(CLUSTER / "index-job.yaml").values()
    count = shares["spec"]["completions"]
    (pod,) = shares["spec"]["template"]["spec"]["containers"]
    one = typed([*pod["command"], *pod["args"]], {"JOB_COMPLETION_INDEX": "3"}, tmp_path)
    assert (one.rank, one.world, shares["spec"]["parallelism"]) == (3, count, count)
    (pod,) = whole["spec"]["template"]["spec"]["containers"]
    last = typed([*pod["command"], *pod["args"]], {}, tmp_path)
    assert (last.rank, last.root, last.split) == (None, one.root, one.split)


def test_the_arithmetic_of_the_page_gives_its_table(capsys: pytest.CaptureFixture[str]) -> None:
    page = ROOT / "docs/cluster.md"
    (program,) = fenced(page, "python")
    exec(program, {})  # noqa: S102 - of the page
    assert capsys.readouterr().out in page.read_text("utf-8")
