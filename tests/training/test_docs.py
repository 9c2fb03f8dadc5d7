"""What docs/training.md and docs/cluster say of training is what happens."""

import dataclasses
import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from hgld.engine.config import from_mapping, setting_fields
from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.losses import pairwise
from hgld.training import methods
from hgld.training.config import TrainConfig
from hgld.training.methods import Happier
from hgld.training.run.loop import run_train
from tests.worlds.training_runs import TINY, log_of

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "training.md").read_text(encoding="utf-8")


def test_the_settings_of_the_page_are_taken_and_every_method_is_on_it() -> None:
    (text,) = re.findall(r"^```toml\n(.*?)^```", PAGE, re.S | re.M)
    config = from_mapping(TrainConfig, tomllib.loads(text)["train"], where="the page")
    assert config.method == Happier(alpha=2.0)
    assert (config.memory_size, config.colour_jitter) == (4096, 0.4)
    (method,) = [one for one in setting_fields(TrainConfig) if one.name == "method"]
    assert sorted(re.findall(r"^\| `(\w+)` \|", PAGE, re.M)) == sorted(method.choices)


def test_a_loss_with_its_method_is_added_in_two_files(
    tiny_build: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = PAGE.partition("## A loss of your own\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"In `(\S+)`[^`]*```python\n(.*?)^```", told, re.S | re.M)
    modules = {"hgld/losses/pairwise.py": pairwise, "training/methods.py": methods}
    assert [path for path, _ in blocks] == list(modules)
    monkeypatch.setattr(methods, "TrainingMethod", methods.TrainingMethod)  # put back at the end
    for name, module in (("mean_gap_loss", pairwise), ("MeanGap", methods)):
        monkeypatch.setattr(module, name, None, raising=False)
    for path, code in blocks:
        exec(code, vars(modules[path]))  # noqa: S102 - as if it stood in the file
    monkeypatch.setitem(TrainConfig.__annotations__, "method", methods.TrainingMethod)

    stated = {"name": "mean_gap", "margin": 1.5}
    method = from_mapping(TrainConfig, {"method": stated}, where="[train]").method
    run_train(tiny_build, dataclasses.replace(TINY, method=method, name="happier", epochs=8))
    losses = [line["loss"] for line in log_of(tiny_build)]
    assert sum(losses[-4:]) < sum(losses[:4])
    with pytest.raises(InputError, match="margin"):
        from_mapping(TrainConfig, {"method": stated | {"margin": 4.0}}, where="[train]")


def test_the_script_for_slurm_starts_torchrun_and_passes_its_status_on(tmp_path: Path) -> None:
    programs = {
        "srun": '[[ "$1" == --kill-on-bad-exit=1 ]] && shift && exec "$@"',
        "scontrol": '[[ "$*" == "show hostnames node[1-2]" ]] && printf "node1\\nnode2\\n"',
        "torchrun": 'echo "$@"; exit 3',
    }
    for name, text in programs.items():
        (tmp_path / name).write_text(f"#!/usr/bin/env bash\n{text}\n")
        (tmp_path / name).chmod(0o755)
    environment = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "SLURM_JOB_ID": "4321",
        "SLURM_JOB_NODELIST": "node[1-2]",
        "SLURM_JOB_NUM_NODES": "2",
        "SLURM_GPUS_ON_NODE": "8",
    }
    words = ["bash", DOCS / "cluster/train.sbatch", "build", "epochs=20"]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert done.stdout.strip() == (
        "--nnodes 2 --nproc-per-node 8 --rdzv-backend c10d --rdzv-id 4321 "
        "--rdzv-endpoint node1:24321 -m hgld.training --root build --set epochs=20"
    )
