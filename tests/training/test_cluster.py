"""The files in docs/cluster: both read, and the one for Slurm run with stand-ins for programs."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from hgld.training.recipes.reading import recipes

ROOT = Path(__file__).parents[2]
SBATCH = ROOT / "docs/cluster/train.sbatch"
MANIFEST = ROOT / "docs/cluster/train-job.yaml"
# srun starts its command once a node, and ends with the first status that is not 0.
SRUN = """#!/usr/bin/env bash
[[ "$1" == --kill-on-bad-exit=1 ]] || exit 64
shift
echo "$*" >> "$CALLS"
for node in 0 1; do "$@" > "$CALLS.$node" 2>&1 & started+=($!); done
for one in "${started[@]}"; do wait "$one" || status=$?; done
exit "${status:-0}"
"""
SCONTROL = """#!/usr/bin/env bash
[[ "$*" == "show hostnames node[1-2]" ]] || exit 64
printf '127.0.0.1\\nnode2\\n'
"""
TORCHRUN = f"""#!/usr/bin/env bash
exec {sys.executable} -m torch.distributed.run "$@"
"""


@pytest.fixture
def stand_ins(tmp_path: Path) -> Path:
    """A folder of programs that stand in for Slurm's."""
    folder = tmp_path / "stand-ins"
    folder.mkdir()
    for name, text in {"srun": SRUN, "scontrol": SCONTROL, "torchrun": TORCHRUN}.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    return folder


def free_job() -> int:
    """Returns a number of a job whose port is free."""
    for job in range(4_000, 5_000):
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", 20_000 + job)):
                return job
    raise OSError("no port is free")


def submitted(folder: Path, *words: str | Path, **more: str) -> "subprocess.CompletedProcess[str]":
    """Runs the script as Slurm does on the first node of two."""
    slurm = {
        "SLURM_JOB_ID": str(free_job()),
        "SLURM_JOB_NODELIST": "node[1-2]",
        "SLURM_JOB_NUM_NODES": "2",
    }
    environment = {**os.environ, **slurm, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), **more}
    environment["PATH"] = f"{folder}:{environment['PATH']}"
    environment["CALLS"] = str(folder / "calls")
    return subprocess.run(
        ["bash", SBATCH, *words],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def test_the_script_passes_gpus_on_and_says_what_is_missing(stand_ins: Path) -> None:
    (stand_ins / "torchrun").write_text("#!/usr/bin/env bash\nexit 3\n")
    ended = submitted(stand_ins, "build", SLURM_GPUS_ON_NODE="8")
    assert ended.returncode == 3
    (call,) = (stand_ins / "calls").read_text().splitlines()
    assert " --nproc-per-node 8 " in call
    assert call.endswith("-m hgld.training --root build")
    nothing = submitted(stand_ins)
    assert nothing.returncode == 1
    assert "sbatch" in nothing.stderr


def test_the_manifest_starts_torchrun_with_a_recipe_on_the_volume_of_the_build() -> None:
    service, job = yaml.safe_load_all(MANIFEST.read_text(encoding="utf-8"))
    pod = job["spec"]["template"]
    assert service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    (train,) = pod["spec"]["containers"]
    words = dict(word.removeprefix("--").split("=", 1) for word in train["args"] if "=" in word)
    assert train["command"] == ["torchrun"]
    assert "hgld.training" in train["args"]
    # A service without an address gives a pod the name JOB-INDEX.SUBDOMAIN.
    host = f"{job['metadata']['name']}-0.{pod['spec']['subdomain']}"
    assert words["rdzv-endpoint"] == f"{host}:{service['spec']['ports'][0]['port']}"
    assert int(words["nnodes"]) == job["spec"]["completions"] == job["spec"]["parallelism"]
    assert train["resources"]["limits"]["nvidia.com/gpu"] == int(words["nproc-per-node"])
    assert words["root"] in {one["mountPath"] for one in train["volumeMounts"]}
    (recipe,) = re.findall(r'recipe="(.*)"', words["set"])
    assert recipe in {one.name for one in recipes()}
