"""Each extra alone: its job runs without the packages of the others, or one line names them.

The others are tried in the soak: their packages take seconds to import.
"""

import os
import shutil
import sys
import tomllib
from functools import cache
from importlib import metadata
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from hgld.engine.workspace import Workspace
from hgld.errors import how_to_install
from tests.worlds.commands.linked import projects_of
from tests.worlds.commands.typed import run_typed
from tests.worlds.forked import run_forked

_LABELS = "import torch; eye, labels = torch.eye(3), torch.tensor([[0, 0], [0, 0], [1, 0]])"
LOSS = f"{_LABELS}; import hgld; hgld.losses.sup_hap_loss(eye, labels)"
TRIPLET = f"{_LABELS}; from hgld.losses import triplet_loss; triplet_loss(eye, labels)"
METRIC = f"{_LABELS}; import hgld; hgld.metrics.HierarchicalAveragePrecision().update(eye, labels)"
WHERE = "hgld subset --per-class 1 --out chosen.csv --where landmark_id>0"

JOBS = {
    "": {
        "hgld metadata --force": "",
        "hgld scrape --force": "",
        "hgld review --export sheet.csv": "",
        "hgld annotate --force": "",
        "hgld subset --per-class 1 --out chosen.csv": "",
        "import hgld; hgld.load('build').index.labels()": "",
        "hgld cluster --force": "cluster",
        "hgld review": "review",
        "hgld browse": "review",
        "hgld build": "",  # what is up to date needs no package
        "hgld train --force": "train",
        "hgld benchmark --force": "train",
        "from hgld.losses import sup_hap_loss": "train",
        "from hgld import embed_images": "train",
        "from hgld.metrics import evaluate": "train",
        "import hgld; hgld.load('build').train.torch('.')": "torch",
        "hgld demo": "all",
        "hgld pull hf:owner/name --out r": "hub",
        "from hgld.flows.jobs import build": "flows",
        WHERE: "query",
    },
    "cluster": {"hgld cluster --force": ""},
    "export": {"hgld export": "train"},
    "hub": {"hgld pull hf:owner/name --out r": "cannot"},  # there is no network
    "keyring": {"import keyring; from hgld.http.config import HttpConfig": ""},
    "metric-learning": {TRIPLET: ""},
    "query": {WHERE: ""},
    "review": {"hgld browse --static site": ""},
    "tensorboard": {"hgld train --force": "train"},
    "torchmetrics": {METRIC: ""},
    "train": {
        LOSS: "",
        TRIPLET: "metric-learning",
        METRIC: "torchmetrics",
        "hgld export": "export",
    },
}
"""Extra to what is typed, and what is then asked for: nothing, or the packages of another extra."""

TRIED_AS_WHEEL = {
    "docs": {"import sphinx, furo, myst_parser": ""},
    "flows": {"from hgld.flows.jobs import build": ""},
    "offline": {"from hgld.labels.embedding.encoders import MiniLmEncoder; MiniLmEncoder()": ""},
    "ray": {"import ray.data": "", "hgld index --split index --run happier": "train"},
}


@cache
def _owners() -> dict[str, set[str]]:
    """Returns which projects bring a top-level module."""
    found = metadata.packages_distributions()
    return {name: {canonicalize_name(one) for one in several} for name, several in found.items()}


def hide_all_but(extra: str) -> None:
    """Has this process, a fork, import only what an extra brings, and hgld anew."""
    # What runs the tests takes part in every import.
    kept = projects_of(f"hgld[{extra}]" if extra else "hgld") | projects_of("pytest")
    hidden = {name for name, owners in _owners().items() if not owners & kept}
    hidden.discard("sphinx")  # scikit-learn takes any entry in sys.modules for the package itself
    for name in list(sys.modules):
        if name.partition(".")[0] in {*hidden, "hgld", "huggingface_hub"}:
            del sys.modules[name]
    patch = pytest.MonkeyPatch()
    for name in hidden:
        patch.setitem(sys.modules, name, None)
    found = metadata.distribution

    def distribution(name: str) -> metadata.Distribution:
        if canonicalize_name(name) not in kept:
            raise metadata.PackageNotFoundError(name)
        return found(name)

    patch.setattr(metadata, "distribution", distribution)


def outcome(typed: str) -> str:
    """Returns what a command or statement is refused with; empty if it is not."""
    if typed.startswith("hgld "):
        done = run_typed(typed.split()[1:])
        return done.stderr if done.returncode else ""
    try:
        exec(typed, {})  # noqa: S102 - of the table above
    except ImportError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("extra", JOBS)
def test_an_extra_alone_does_its_job_or_what_is_missing_is_named(
    extra: str, small_build: Workspace, tmp_path: Path
) -> None:
    _owners()

    def try_all() -> None:
        os.environ["HF_HUB_OFFLINE"] = "1"
        os.chdir(shutil.copytree(small_build.root, tmp_path / "build").parent)
        hide_all_but(extra)
        for typed, asked in JOBS[extra].items():
            said = outcome(typed)
            wanted = how_to_install(asked) if asked in extras() else asked
            assert "Traceback" not in said, said
            assert wanted in said if wanted else not said, (typed, said)

    assert run_forked(try_all) == 0


def extras() -> set[str]:
    text = (Path(__file__).resolve().parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    return {*tomllib.loads(text)["project"]["optional-dependencies"]}


def test_every_extra_is_tried() -> None:
    assert {*JOBS, *TRIED_AS_WHEEL} == {"", *extras() - {"all", "dev"}}
