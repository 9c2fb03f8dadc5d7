"""`docs/reliability.md`: its table is read from the markers of the tests.

python -m tests.reliability.page > docs/reliability.md

Read with `ast`, not collected by pytest: a test that is skipped for want of a package keeps its
row. In return every marker has to stand in a decorator of a test, with its number and name.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

PAGE = Path("docs/reliability.md")
PROSE = Path(__file__).with_name("promise.md")
RENEW = f"python -m tests.reliability.page > {PAGE}"

_MARKERS = "<!-- Made by `{}`; edit `tests/reliability/{}`, or a test's marker. -->"
ROOMS = {
    "Engine and workspace": (*range(1, 20), *range(190, 210)),
    "Decisions": (*range(20, 30), *range(130, 134)),
    "HTTP, downloads and metadata": (*range(30, 50), *range(134, 150)),
    "Scrape": (*range(50, 65), *range(150, 160)),
    "Pictures and tars": (*range(65, 85), *range(160, 175)),
    "Training and benchmark": (*range(85, 105), *range(175, 190)),
    "Flows and the command line": (*range(105, 115),),
    "Whole builds": (*range(115, 130),),
}
"""Where a fault is at home, and its numbers."""


class FaultMarker(NamedTuple):
    """A marker of a test."""

    number: int
    name: str
    test: str
    """As pytest takes it, from the folder of the tests on."""


def fault_markers(tests: Path) -> list[FaultMarker]:
    """Returns the markers of all tests below a folder, by number and test.

    Raises:
        ValueError: a marker is on no test, or on one that is left out; it has no number and name,
            or a number of no room or with another name.
    """
    found = {one for path in tests.rglob("test_*.py") for one in _of_file(path, tests)}
    names: dict[int, str] = {}
    for number, name, test in found:
        if names.setdefault(number, name) != name:
            raise ValueError(
                f"{test}: fault {number} is {name!r} here, {names[number]!r} elsewhere"
            )
        if not any(number in numbers for numbers in ROOMS.values()):
            raise ValueError(f"{test}: fault {number} is in no range of {__name__}")
    return sorted(found)


def _of_file(path: Path, tests: Path) -> Iterator[FaultMarker]:
    tree, relative = ast.parse(path.read_text(encoding="utf-8")), path.relative_to(tests).as_posix()
    left = len(_marks(tree, "fault"))
    for test in tree.body:
        if isinstance(test, ast.FunctionDef) and test.name.startswith("test_"):
            decorators = ast.Tuple(elts=test.decorator_list)
            for call in _marks(decorators, "fault"):
                match call:
                    case ast.Call(args=[ast.Constant(value=int(number)), ast.Constant(value=name)]):
                        left -= not _marks(decorators, "skip", "xfail")
                        yield FaultMarker(number, str(name), f"{relative}::{test.name}")
    if left:
        raise ValueError(
            f"{relative}: a fault(number, name) must be a decorator of a test that runs"
        )


def _marks(tree: ast.AST, *names: str) -> list[ast.AST]:
    """Returns the markers of these names: the calls, then those that are not called."""
    marks = {f"pytest.mark.{name}" for name in names}
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    heads = {id(node) for node in nodes if ast.unparse(node) in marks}
    calls = [one for one in ast.walk(tree) if isinstance(one, ast.Call) and id(one.func) in heads]
    called = {id(one.func) for one in calls}
    return [*calls, *(node for node in nodes if id(node) in heads - called)]


def reliability_page(tests: Path) -> str:
    """Returns the whole page for the tests in a folder."""
    markers = fault_markers(tests)
    title, _, promise = PROSE.read_text(encoding="utf-8").partition("\n")
    lines = [title, "", _MARKERS.format(RENEW, PROSE.name), promise.rstrip(), ""]
    for room, numbers in ROOMS.items():
        if rows := list(_rows([marker for marker in markers if marker.number in numbers])):
            lines += [f"### {room}", "", "| | fault | shown by |", "|---|---|---|", *rows, ""]
    return "\n".join(lines)


def _rows(markers: list[FaultMarker]) -> Iterator[str]:
    """Yields a row a fault."""
    for number, name in sorted({(marker.number, marker.name) for marker in markers}):
        tests = [f"`{marker.test}`" for marker in markers if marker.number == number]
        yield f"| {number} | {name} | {'<br>'.join(tests)} |"


if __name__ == "__main__":
    sys.stdout.write(reliability_page(Path(__file__).resolve().parents[1]))
