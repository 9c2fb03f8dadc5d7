import dataclasses
import logging
import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from hgld.engine.config import from_mapping, row_settings, setting_fields
from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.losses import pairwise
from hgld.training import methods
from hgld.training.__main__ import main
from hgld.training.config import TrainConfig
from hgld.training.methods import Happier, RecallAtK, Roadmap
from hgld.training.recipes import over_recipe, recipes
from hgld.training.run.stage import run_train
from tests.worlds.training_runs import TINY, log_of


def read(section: dict[str, object]) -> TrainConfig:
    return from_mapping(TrainConfig, over_recipe(section), where="[train]")


def test_a_method_is_its_name_or_a_table_with_what_differs_and_names_the_run() -> None:
    assert read({"method": "roadmap"}).method == Roadmap()
    assert read({"method": {"name": "happier", "alpha": 2}}).method == Happier(alpha=2.0)
    config = read({"method": {"name": "recall_at_k", "ks": [1, 4]}})
    assert (config.method, config.name) == (RecallAtK(ks=(1, 4)), "recall_at_k")
    assert read({"method": "roadmap", "name": "seed-1"}).name == "seed-1"


def test_the_fingerprint_has_the_settings_of_the_method_and_nothing_that_only_costs_time() -> None:
    settings = row_settings(TrainConfig(method=Roadmap(), workers=0, log_every_steps=1))
    assert settings == row_settings(TrainConfig(method=Roadmap(), device="cpu"))
    assert settings != row_settings(TrainConfig(method=Roadmap(), seed=1))
    assert settings["method"] == {
        "name": "roadmap",
        "decomposability_weight": 0.5,
        "positive_similarity": 0.9,
        "negative_similarity": 0.6,
    }


def test_every_recipe_makes_settings_and_that_of_the_paper_is_what_was_published() -> None:
    made = {recipe.name: read({"recipe": recipe.name}) for recipe in recipes()}
    # SupRank at 99041e8: model/resnet_101_LM.yaml, dataset/gldv2_hier.yaml, evaluate_landmark.py;
    # all else that it states is a default.
    published = {
        "backbone": "resnet101.tv_in1k",
        "embedding_dim": 2048,
        "whitening": True,
        "resize": "squash",
        "precision": "float16",
    }
    stated = row_settings(TrainConfig()) | published
    assert row_settings(made["h-gldv2-resnet101"]) == stated
    sampling = [stated[f"{name}_per_landmark"] for name in ("samples", "max")]
    assert [stated["batch_size"], *sampling, stated["min_crop"]] == [256, 4, 8, 0.16]
    assert all(recipe.title and recipe.source and recipe.cost for recipe in recipes())
    config = read({"recipe": "demo", "epochs": 3, "method": "roadmap"})
    assert (config.epochs, config.method, config.image_size) == (3, Roadmap(), 80)
    with pytest.raises(InputError, match="gldv2-mini-cpu"):
        read({"recipe": "dem"})


@pytest.mark.parametrize(
    ("setting", "word"),
    [
        ({"batch_size": 10}, "samples_per_landmark"),
        ({"name": "../model"}, "name"),
        ({"hierarchy": "country"}, "hierarchy"),
        ({"hierarchy": "landmark_id"}, "hierarchy"),
        ({"hierarchy": "landmark_id,continent,country"}, "hierarchy"),
        ({"learning_rate": float("nan")}, "learning_rate"),
        ({"weight_decay": float("inf")}, "weight_decay"),
        ({"method": "roadmpa"}, "roadmpa"),
        ({"method": {"name": "nsm", "alpha": 1.0}}, "alpha"),
        ({"method": {"name": "recall_at_k", "ks": [0]}}, "ks"),
        ({"batchsize": 8}, "batchsize"),
        ({"keep": "best"}, "validation_share"),
        ({"max_per_landmark": 3}, "max_per_landmark"),
        ({"whitening": True}, "embedding_dim"),
        ({"inner_weight": 0.7, "pooling": "cls"}, "inner_weight"),
        ({"precision": "float8"}, "precision"),
        ({"min_confidence": 1.5}, "min_confidence"),
        ({"hidden_dim": 8}, "frozen"),
        ({"embeddings": "train.parquet"}, "frozen"),
        ({"frozen": True, "init": "runs/first"}, "init"),
    ],
)
def test_a_wrong_setting_is_refused(setting: dict[str, object], word: str) -> None:
    with pytest.raises(InputError, match=word):
        read(setting)


def test_without_torchrun_it_says_how_to_start(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging, "basicConfig", lambda **_: None)  # of the tests' own process
    frozen = (["--set", "frozen=true"], "frozen")
    for words, told in (([], "torchrun"), (["--set", "epochs"], "--set"), frozen):
        assert main(["--root", "none", *words]) == 1
        said = capsys.readouterr().err
        assert told in said
        assert said.count("\n") == 1


DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "training.md").read_text(encoding="utf-8")


def test_the_settings_of_the_page_are_taken_and_every_method_is_on_it() -> None:
    blocks = re.findall(r"^```toml\n(.*?)^```", PAGE, re.S | re.M)
    (text,) = (one for one in blocks if "[train]" in one)
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
    words = ["bash", str(DOCS / "cluster/train.sbatch"), "build", "epochs=20"]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert done.stdout.strip() == (
        "--nnodes 2 --nproc-per-node 8 --rdzv-backend c10d --rdzv-id 4321 "
        "--rdzv-endpoint node1:24321 -m hgld.training --root build --set epochs=20"
    )
