"""The ways through the code that `docs/architecture.md` draws, made from the code as it runs.

python -m tests.ways
"""

import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import FrameType

from hgld.engine.workspace import Workspace
from hgld.flows.build import build_steps, read_sections, run_step
from hgld.flows.steps import BuildStep
from hgld.review.applying import ApplyChoices, apply_file
from tests.worlds.commands.typed import run_typed
from tests.worlds.small_build import fill_in, write_inputs

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs/architecture.md"
RENEW = "python -m tests.ways"
_TOPS = ("hgld", "training", "benchmarks", "flows")
_NEW_LOCALS = 2
"""Flag of code that is a function's, and no module's or class's (`inspect.CO_NEWLOCALS`)."""


def files_entered(run: Callable[[], object]) -> dict[str, str]:
    """Returns the files of ours whose functions ran, in order, each with the file that called it.

    Empty where none of ours did. What runs as a module is imported does not count.
    """
    entered: dict[str, str] = {}

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code.co_flags & _NEW_LOCALS:
            name = _ours(frame)
            if name and name not in entered:
                caller = frame.f_back
                while caller and not _ours(caller):
                    caller = caller.f_back
                entered[name] = _ours(caller) if caller else ""

    sys.setprofile(note)
    try:
        run()
    finally:
        sys.setprofile(None)
    return entered


def _ours(frame: FrameType) -> str:
    """Returns a file of ours relative to the checkout, else nothing."""
    path = Path(frame.f_code.co_filename)
    if not path.is_relative_to(ROOT) or path.parts[len(ROOT.parts)] not in _TOPS:
        return ""
    return path.resolve().relative_to(ROOT).as_posix()


def steps_of_a_landmark(workspace: Workspace) -> list[BuildStep]:
    """Returns the steps that lead from a category to its row."""
    named = {"scrape", "embed", "cluster", "propose", "review", "annotate"}
    steps = build_steps(read_sections(workspace.root, None))
    return [step for step in steps if step.name in named]


def way_of_a_landmark(workspace: Workspace) -> dict[str, list[str]]:
    """Runs these steps; returns for each, by its name, the files that none before it entered."""
    seen: set[str] = set()
    new = {}
    for step in steps_of_a_landmark(workspace):
        entered = files_entered(partial(run_step, workspace.root, step))
        new[step.name] = [name for name in entered if name not in seen and "flows/" not in name]
        seen |= entered.keys()
    return new


def way_of_a_sheet(workspace: Workspace, sheet: Path) -> dict[str, str]:
    """Exports a sheet, fills it in and applies it; returns the files that applying it entered."""
    run_typed(["review", "--root", str(workspace.root), "--export", str(sheet)])
    fill_in(sheet)
    choices = ApplyChoices()
    return files_entered(lambda: apply_file(workspace, sheet, "Ann", choices))


def drawn_steps(steps: Sequence[BuildStep], new: Mapping[str, list[str]]) -> Iterator[str]:
    """Yields the lines of a picture: steps with their files, and the tables between them."""
    writer = {
        one.path: step.name for step in steps for stage in step.stages for one in stage.outputs
    }
    tables: dict[tuple[str, str], list[str]] = {}
    for step in steps:
        for one in dict.fromkeys(one.path for stage in step.stages for one in stage.inputs):
            if writer.get(one, step.name) != step.name:
                tables.setdefault((writer[one], step.name), []).append(one)
    yield "flowchart TD"
    for name, files in new.items():
        yield f'  {name}["{"<br>".join([f"<b>{name}</b>", *_by_room(files)])}"]'
    for (before, after), paths in tables.items():
        yield f'  {before} -->|"{"<br>".join(paths)}"| {after}'


def _by_room(files: list[str]) -> Iterator[str]:
    for folder in dict.fromkeys(Path(name).parent.as_posix() for name in files):
        names = [Path(name).stem for name in files if Path(name).parent.as_posix() == folder]
        yield f"{folder}: {', '.join(names)}"


def drawn_calls(entered: dict[str, str]) -> Iterator[str]:
    """Yields the lines of a picture: files in the order in which they are entered, by whom."""
    yield "flowchart LR"
    number = {name: place for place, name in enumerate(entered)}
    for name, place in number.items():
        yield f'  f{place}["{name}"]'
    for name, caller in entered.items():
        if caller in number:
            yield f"  f{number[caller]} --> f{number[name]}"


def page(folder: Path) -> str:
    """Returns the page with its pictures as the code is now; builds are made in the folder."""
    first, workspace = write_inputs(folder / "first"), write_inputs(folder / "second")
    for one in (first, workspace):
        run_typed(["metadata", "--root", str(one.root)])
    steps = steps_of_a_landmark(first)
    for step in steps:  # imports what is heavy: followed, that would take ten times as long
        run_step(first.root, step)
    new, sheet = way_of_a_landmark(workspace), way_of_a_sheet(workspace, folder / "sheet.csv")
    text = PAGE.read_text(encoding="utf-8")
    for name, count, lines in (
        ("landmark", sum(map(len, new.values())), drawn_steps(steps, new)),
        ("sheet", len(sheet), drawn_calls(sheet)),
    ):
        drawn = "\n".join([f"<!-- {count} files -->", "```mermaid", *lines, "```"])
        start, end = f"<!-- way of a {name}: {RENEW} -->", "<!-- end -->"
        text = re.sub(f"{start}.*?{end}", f"{start}\n{drawn}\n{end}", text, count=1, flags=re.S)
    return text


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        PAGE.write_text(page(Path(made)), encoding="utf-8")
