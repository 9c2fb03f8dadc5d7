"""`docs/reliability.md`: its table is read from the markers of the tests.

python -m tests.reliability.page > docs/reliability.md
python -m tests.reliability.page --check

Read with `ast`, not collected by pytest: that takes a third of a second and no package, and a test
that is skipped for want of one keeps its row. In return every marker has to stand where it is
understood, with its number and name written out; any other is refused.
"""

import ast
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeGuard

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


@dataclass(frozen=True, slots=True, order=True)
class FaultMarker:
    """A marker of a test."""

    number: int
    name: str
    test: str
    """As pytest takes it, from the folder of the tests on."""


class MarkerError(Exception):
    """A marker that cannot be read, or contradicts another."""


def fault_markers(tests: Path) -> list[FaultMarker]:
    """Returns the markers of all tests below a folder, by number and test.

    Raises:
        MarkerError: a marker that stands where it is not understood or on no test, has no number
            and name written out, or is on a test that is left out; one number with two names.
    """
    found = sorted(
        {marker for path in sorted(tests.rglob("test_*.py")) for marker in _of_file(path, tests)}
    )
    names: dict[int, FaultMarker] = {}
    for marker in found:
        first = names.setdefault(marker.number, marker)
        if first.name != marker.name:
            raise MarkerError(
                f"fault {marker.number} must have one name, got {first.name!r} ({first.test}) and "
                f"{marker.name!r} ({marker.test}); give one of them another number"
            )
        if not any(marker.number in numbers for numbers in ROOMS.values()):
            raise MarkerError(f"{marker.test}: fault {marker.number} is in no range of {__name__}")
    return found


def reliability_page(tests: Path) -> str:
    """Returns the whole page for the tests in a folder."""
    markers = fault_markers(tests)
    title, _, promise = PROSE.read_text(encoding="utf-8").partition("\n")
    lines = [title, "", _MARKERS.format(RENEW, PROSE.name), promise.rstrip(), ""]
    for room, numbers in ROOMS.items():
        rows = list(_rows([marker for marker in markers if marker.number in numbers]))
        if rows:
            lines += [f"### {room}", "", "| | fault | shown by |", "|---|---|---|", *rows, ""]
    return "\n".join(lines)


def _rows(markers: list[FaultMarker]) -> Iterator[str]:
    """Yields a row a fault."""
    for number, name in sorted({(marker.number, marker.name) for marker in markers}):
        tests = [f"`{marker.test}`" for marker in markers if marker.number == number]
        yield f"| {number} | {name} | {'<br>'.join(tests)} |"


def _of_file(path: Path, tests: Path) -> Iterator[FaultMarker]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    relative = path.relative_to(tests).as_posix()
    assigned = _assigned(tree)
    read = set[int]()
    for around, test in _tests(tree):
        places = [*around, *test.decorator_list]
        # Parameters may be written down apart, by a name at the top of the module.
        names = {node.id for node in _inside(places) if isinstance(node, ast.Name)}
        places += [value for name, value in assigned.items() if name in names]
        marks = [node for node in _inside(places) if _is_mark(node, "skip", "xfail")]
        for call in _fault_calls(_inside(places)):
            read.add(id(call.func))
            if marks:
                raise MarkerError(f"{relative}::{test.name} is left out, and so shows no fault")
            number, name = _arguments(call, relative)
            yield FaultMarker(number, name, f"{relative}::{test.name}")
    for node in ast.walk(tree):
        if _is_mark(node, "fault") and id(node) not in read:
            raise MarkerError(
                f"{relative}:{node.lineno}: the marker must be called in a decorator of a test or "
                f"its class, in its parameters, or in pytestmark"
            )


def _tests(tree: ast.Module) -> Iterator[tuple[list[ast.expr], ast.FunctionDef]]:
    """Yields every test with the decorators of what is around it."""
    module = [value for name, value in _assigned(tree).items() if name == "pytestmark"]
    for node in tree.body:
        match node:
            case ast.FunctionDef(name=name) if name.startswith("test_"):
                yield module, node
            case ast.ClassDef(name=name, body=body, decorator_list=decorators):
                for inner in body:
                    if isinstance(inner, ast.FunctionDef) and inner.name.startswith("test_"):
                        yield [*module, *decorators], inner
            case _:
                pass


def _assigned(tree: ast.Module) -> Mapping[str, ast.expr]:
    """Returns what is assigned at the top of a module, by name."""
    return {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def _inside(places: Iterable[ast.expr]) -> Iterator[ast.AST]:
    for place in places:
        yield from ast.walk(place)


def _is_mark(node: ast.AST, *names: str) -> TypeGuard[ast.Attribute]:
    """Says whether a node is `pytest.mark.<one of the names>`."""
    match node:
        case ast.Attribute(value=ast.Attribute(value=ast.Name(id="pytest"), attr="mark")):
            return node.attr in names
        case _:
            return False


def _fault_calls(nodes: Iterable[ast.AST]) -> Iterator[ast.Call]:
    for node in nodes:
        if isinstance(node, ast.Call) and _is_mark(node.func, "fault"):
            yield node


def _arguments(call: ast.Call, relative: str) -> tuple[int, str]:
    match call:
        case ast.Call(
            args=[ast.Constant(value=int(number)), ast.Constant(value=str(name))], keywords=[]
        ):
            return number, name
        case _:
            raise MarkerError(
                f"{relative}:{call.lineno}: the marker must be fault(number, name), written out"
            )


def main(arguments: list[str]) -> int:
    """Prints the page, or says whether that of this folder is up to date."""
    try:
        text = reliability_page(Path(__file__).resolve().parents[1])
    except MarkerError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    if arguments != ["--check"]:
        sys.stdout.write(text)
    elif PAGE.read_text(encoding="utf-8") != text:
        sys.stderr.write(f"{PAGE} is not up to date; renew it: {RENEW}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
