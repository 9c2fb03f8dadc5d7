"""The files in docs/cluster: both read, and the one for Slurm run with stand-ins for programs."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from hgld.training.recipes.reading import recipes

ROOT = Path(__file__).parents[3]
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


def test_the_script_parses_and_asks_slurm_for_what_it_uses() -> None:
    subprocess.run(["bash", "-n", SBATCH], check=True, timeout=10)
    text = SBATCH.read_text(encoding="utf-8")
    asked = dict(re.findall(r"^#SBATCH --([a-z-]+)(?:=(\S+))?$", text, re.MULTILINE))
    assert len(asked) == text.count("#SBATCH")
    # One torchrun a node, which starts the others itself; ended in time for a checkpoint.
    assert asked["ntasks-per-node"] == "1"
    assert {"nodes", "gpus-per-node", "cpus-per-task", "time", "requeue"} <= asked.keys()
    assert re.fullmatch(r"TERM@\d+", asked["signal"])
    # Slurm reads no line of these after the first command.
    assert text.index("set -euo") > text.rindex("#SBATCH")


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


def test_the_manifest_has_pods_that_find_one_another_and_a_gpu_a_process() -> None:
    service, job = yaml.safe_load_all(MANIFEST.read_text(encoding="utf-8"))
    assert (service["apiVersion"], service["kind"]) == ("v1", "Service")
    assert (job["apiVersion"], job["kind"]) == ("batch/v1", "Job")
    pod = job["spec"]["template"]
    # A service without an address gives a pod the name JOB-INDEX.SUBDOMAIN.
    assert service["spec"]["clusterIP"] == "None"
    assert service["spec"]["publishNotReadyAddresses"] is True
    assert service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    assert pod["spec"]["subdomain"] == service["metadata"]["name"]
    assert job["spec"]["completionMode"] == "Indexed"
    assert pod["spec"]["restartPolicy"] == "Never"
    (train,) = pod["spec"]["containers"]
    launch, (module, *stated) = split(train["args"])
    assert (train["command"], module) == (["torchrun"], "hgld.training")
    (port,) = (one["port"] for one in service["spec"]["ports"])
    assert (
        launch["rdzv-endpoint"] == f"{job['metadata']['name']}-0.{pod['spec']['subdomain']}:{port}"
    )
    assert [one["containerPort"] for one in train["ports"]] == [port]
    nodes = int(launch["nnodes"])
    assert job["spec"]["completions"] == job["spec"]["parallelism"] == nodes > 1
    assert train["resources"]["limits"]["nvidia.com/gpu"] == int(launch["nproc-per-node"])
    mounted = {one["mountPath"]: one["name"] for one in train["volumeMounts"]}
    volumes = {one.pop("name"): one for one in pod["spec"]["volumes"]}
    assert set(mounted.values()) == set(volumes)
    assert volumes[mounted["/dev/shm"]]["emptyDir"]["medium"] == "Memory"  # noqa: S108
    assert "persistentVolumeClaim" in volumes[mounted[options(stated)["root"]]]
    (recipe,) = re.findall(r'recipe="(.*)"', options(stated)["set"])
    assert recipe in {one.name for one in recipes()}


def split(words: list[str]) -> tuple[dict[str, str], list[str]]:
    """Returns the options of torchrun, and the module with what it is told."""
    at = words.index("-m")
    return options(words[:at]), words[at + 1 :]


def options(words: list[str]) -> dict[str, Any]:
    """Returns the values of options by their names."""
    return dict(word.removeprefix("--").split("=", 1) for word in words)
