"""The builds that are damaged and killed, each made as a user would come to have it."""

import signal
from pathlib import Path

from tests.soak.commands import run_forked
from tests.soak.fuzz import FinishedBuilds
from tests.soak.kills import WatchedOperations, bare_copy
from tests.worlds.small_build import finish_build, write_inputs


def prepare_builds(folder: Path) -> tuple[FinishedBuilds, list[str]]:
    """Makes the builds of the small world.

    Returns:
        The builds, and the file operations of an undisturbed one, a line each.

    Raises:
        RuntimeError: a command ended otherwise than it should.
    """
    roots = []
    for generation, name in enumerate(("finished", "earlier")):
        workspace = write_inputs(folder / name, generation)
        finish_build(workspace, generation)
        roots.append(workspace.root)
    finished, earlier = roots
    operations = _build_again(finished, folder / "again/build")
    # One operation after a checkpoint has come to its place, and before the results do.
    moments = {
        "train": 1 + _places(operations, "train", "/checkpoint.pt")[0],
        "benchmark": _places(operations, "benchmark", "results.csv")[0],
    }
    stopped = []
    for stage, number in moments.items():
        root = folder / f"{stage}-stopped/build"
        _build_again(finished, root, stage, number)
        stopped.append(root)
    builds = FinishedBuilds(
        finished=finished,
        earlier=earlier,
        training_stopped=stopped[0],
        benchmark_stopped=stopped[1],
    )
    return builds, operations


def _places(operations: list[str], stage: str, end: str) -> list[int]:
    """Returns which operations of a stage touch a file, from 1."""
    lines = [line for line in operations if line.split()[0] == stage]
    return [number for number, line in enumerate(lines, 1) if line.endswith(end)]


def _build_again(finished: Path, root: Path, stage: str = "", number: int = 0) -> list[str]:
    """Builds from the inputs of a finished build, and kills it where a stage is named."""
    bare_copy(finished, root)
    log = root.parent / "operations"
    watch = WatchedOperations(root=root, log=log, stage=stage, number=number, sent=signal.SIGKILL)
    ended = run_forked(["build", "--root", str(root)], before=watch)
    if ended.status != (-signal.SIGKILL if stage else 0):
        raise RuntimeError(f"the build ended with {ended.status}: {ended.said}")
    return log.read_text(encoding="utf-8").splitlines()
