"""The ways through the code that `docs/architecture.md` draws, made from the code as it runs.

python -m tests.ways
"""

import inspect
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import FrameType

from hgld.engine.workspace import Workspace
from hgld.flows.build import build_steps, read_sections, run_step
from hgld.flows.steps import BuildStep
from hgld.review.applying import ApplyChoices, apply_file
from tests.worlds.commands.typed import said
from tests.worlds.small_build import fill_in, write_inputs

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs/architecture.md"
RENEW = "python -m tests.ways"
_OURS = tuple(f"{ROOT}/{top}/" for top in ("hgld", "training", "benchmarks"))
_STEPS = {"scrape", "embed", "cluster", "propose", "review", "annotate"}
"""What leads from a category to its landmark's row."""


def files_entered(run: Callable[[], object]) -> list[str]:
    """Returns the files of ours whose functions ran, in order, but for those of `flows`."""
    entered: dict[str, None] = {}

    def note(frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code  # of a module or a class, as it is imported, without locals of its own
        is_function = event == "call" and code.co_flags & inspect.CO_NEWLOCALS
        if is_function and code.co_filename.startswith(_OURS):
            entered.setdefault(Path(code.co_filename).resolve().relative_to(ROOT).as_posix())

    sys.setprofile(note)
    try:
        run()
    finally:
        sys.setprofile(None)
    return [name for name in entered if not name.startswith("flows/")]


def way_of_a_landmark(workspace: Workspace) -> dict[str, list[str]]:
    """Runs the steps; returns for each, by its name, the files that none before it entered."""
    seen = set[str]()
    new = {}
    for step in steps_of(workspace):
        entered = files_entered(partial(run_step, workspace.root, step))
        new[step.name] = [name for name in entered if name not in seen]
        seen.update(entered)
    return new


def steps_of(workspace: Workspace) -> list[BuildStep]:
    return [one for one in build_steps(read_sections(workspace.root, None)) if one.name in _STEPS]


def way_of_a_sheet(workspace: Workspace, sheet: Path) -> dict[str, list[str]]:
    """Exports a sheet, fills it in and applies it; returns the files that applying it entered."""
    said("review", "--root", workspace.root, "--export", sheet)
    fill_in(sheet)
    choices = ApplyChoices()
    return {"apply": files_entered(lambda: apply_file(workspace, sheet, "Ann", choices))}


def drawn(way: dict[str, list[str]]) -> Iterator[str]:
    """Yields the lines of a list: the steps, one after the other, with their files by room."""
    files = [name for found in way.values() for name in found]
    yield from (f"<!-- {len(files)} files -->", "")
    for step, found in way.items():
        rooms: dict[str, list[str]] = {}
        for name in map(Path, found):
            rooms.setdefault(name.parent.as_posix(), []).append(name.stem)
        told = "; ".join(f"`{room}`: {', '.join(rooms[room])}" for room in rooms)
        yield f"1. **{step}**: {told or 'no file more'}"
    yield ""


def page(folder: Path) -> str:
    """Returns the page with its pictures as the code is now; builds are made in the folder."""
    first, workspace = write_inputs(folder / "first"), write_inputs(folder / "second")
    for one in (first, workspace):
        said("metadata", "--root", one.root)
    for step in steps_of(first):  # imports what is heavy: where a run does, more is entered
        run_step(first.root, step)
    landmark = way_of_a_landmark(workspace)
    text = PAGE.read_text(encoding="utf-8")
    for name, way in (
        ("landmark", landmark),
        ("sheet", way_of_a_sheet(workspace, folder / "sheet.csv")),
    ):
        start, end = f"<!-- way of a {name}: {RENEW} -->", "<!-- end -->"
        picture = "\n".join([start, *drawn(way), end])
        text = re.sub(f"{start}.*?{end}", picture, text, count=1, flags=re.S)
    return text


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        PAGE.write_text(page(Path(made)), encoding="utf-8")
