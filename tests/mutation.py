"""What share of small changes to the critical rooms `make test` notices, by room.

    python -m tests.mutation
    python -m tests.mutation --revision f88f555 --rooms engine tables
    python -m tests.mutation --again --tests tests/hgld tests/flows

mutmut changes the code of a clone in small ways; of all changes a seeded sample is tried, each
against the tests that cover it. A change of nothing but the words of an error or a log is not
among them: no test of ours pins a sentence. Survivors are written down by name: `mutmut show NAME`
in the clone shows one. Results go to `benchmarks/results/mutation.json`, below the label of the
run; its other rooms stay as they were. What survived there can be tried again, against more tests
than were quick enough for all.
"""

import argparse
import ast
import json
import os
import random
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hgld.benchmarks.environment import describe_environment, git_commit

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks/results/mutation.json"

ROOMS = {
    "label rule": "hgld/annotations/rule.py",
    "tables": "hgld/tables",
    "engine": "hgld/engine",
    "decision log": "hgld/review/log",
    "wikimedia": "hgld/scrape/wikimedia",
    "losses": "hgld/losses",
    "metrics": "hgld/metrics",
    "protocol": "hgld/benchmarks/retrieval/protocol.py",
}
"""Room to its code."""

_NOTICED = {1, 3, 36, 24, -24, 152, 255, -11, -9}
"""Exit codes of mutmut: a test failed, or the tests hung or crashed."""

_COPIED = ["hgld", "training", "benchmarks", "flows", "docs", "README.md", "prefect.yaml"]

# Those of the rooms and of what reads their tables: all would be learned from for an hour.
_TESTS = tuple(
    f"tests/{room}"
    for room in (
        *("hgld/annotations", "hgld/engine", "hgld/labels", "hgld/loading", "hgld/losses"),
        *("hgld/metadata", "hgld/metrics", "hgld/review", "hgld/scrape", "hgld/test_csv_files.py"),
        *("benchmarks/retrieval", "flows/test_lists.py", "flows/test_picture_list.py"),
    )
)


def write_config(clone: Path, rooms: Sequence[str], tests: Sequence[str]) -> None:
    """Tells mutmut what to change and which tests to run."""
    sources = [ROOMS[room] for room in rooms]
    lines = [
        "\n[tool.mutmut]",
        f"source_paths = {json.dumps(sources)}",
        f"also_copy = {json.dumps(_COPIED)}",
        f"pytest_add_cli_args_test_selection = {json.dumps([*tests])}",
        'pytest_add_cli_args = ["-p", "no:randomly", "--timeout=60"]',
        "timeout_multiplier = 3.0",  # what else runs here is no test that notices
        "timeout_constant = 30.0",
        'process_isolation = "forkserver"',  # torch's threads, once started, do not outlive a fork
        "track_dependencies = false",
    ]
    with (clone / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")


def make_clone(clone: Path, revision: str, rooms: Sequence[str], tests: Sequence[str]) -> None:
    """Makes a clone in which mutmut changes the rooms' code of a revision and runs the tests."""
    subprocess.run(["git", "clone", "-q", "--shared", ROOT, clone], check=True)
    subprocess.run(["git", "checkout", "-q", revision], cwd=clone, check=True)
    write_config(clone, rooms, tests)
    # Python does not look again into a folder of its path that was not there as it began.
    (clone / "mutants").mkdir()
    # A test's own processes cannot note what they call: mutmut's settings are not theirs.
    (clone / "mutants/sitecustomize.py").write_text(_NOT_NOTED, encoding="utf-8")
    if (ROOT.parent / "shared").is_dir():
        (clone / "shared").symlink_to(ROOT.parent / "shared")


_NOT_NOTED = """
import os
if os.environ.get("MUTANT_UNDER_TEST") == "stats":
    del os.environ["MUTANT_UNDER_TEST"]
"""


def verdicts(clone: Path) -> dict[str, int | None]:
    """Returns the exit code of each mutant by its name; None: it was not tried."""
    found: dict[str, int | None] = {}
    for path in (clone / "mutants").rglob("*.meta"):
        found |= json.loads(path.read_text(encoding="utf-8"))["exit_code_by_key"]
    return found


def called_at_import(clone: Path, rooms: Sequence[str]) -> set[str]:
    """Returns the functions that run when their modules are imported, as `module.name`.

    Tests begin after that, so a change to one that makes a schema is never seen by mutmut.
    """
    paths = [
        path
        for place in (clone / ROOMS[room] for room in rooms)
        for path in (place.rglob("*.py") if place.is_dir() else [place])
    ]
    names = [path.relative_to(clone).with_suffix("").as_posix() for path in paths]
    modules = [name.replace("/", ".").removesuffix(".__init__") for name in names]
    command = [sys.executable, "-c", _PROFILED, *modules]
    environment = os.environ | {"PYTHONPATH": str(clone)}
    return set(subprocess.check_output(command, cwd=clone, env=environment, text=True).split())


_PROFILED = """
import importlib, sys
called = set()
def note(frame, event, _):
    if event == "call":
        called.add(f"{frame.f_globals.get('__name__')}.{frame.f_code.co_name}")
sys.setprofile(note)
for name in sys.argv[1:]:
    importlib.import_module(name)
sys.setprofile(None)
print("\\n".join(called))
"""


def of_words(clone: Path) -> set[str]:
    """Returns the mutants that change only what an error or a log says."""
    found = set()
    for path in (clone / "mutants/hgld").rglob("*.py"):
        if not path.with_name(f"{path.name}.meta").exists():
            continue
        module = path.relative_to(clone / "mutants").with_suffix("").as_posix().replace("/", ".")
        tree = ast.parse(path.read_text(encoding="utf-8"))
        bodies = {
            node.name: ast.dump(ast.Module([_Wordless().visit(one) for one in node.body], []))
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef) and "__mutmut_" in node.name
        }
        for name, body in bodies.items():
            if body == bodies[re.sub("mutmut_[0-9]+$", "mutmut_orig", name)]:
                found.add(f"{module.removesuffix('.__init__')}.{name}")
    return found


class _Wordless(ast.NodeTransformer):
    """Blanks sentences, and what is given to an error that is raised or to a log."""

    def visit_Raise(self, node: ast.Raise) -> ast.Raise:
        if isinstance(node.exc, ast.Call):
            node.exc.args, node.exc.keywords = [], []
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        function = node.func
        if isinstance(function, ast.Attribute) and ast.unparse(function.value) == "logger":
            node.args, node.keywords = [], []
        return self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        return ast.Constant("") if " " in str(node.value) else node


def function_of(mutant: str) -> str:
    """Returns the function that a mutant is of, as `module.name`; of a method as mutmut has it."""
    module, _, name = mutant.rpartition(".")
    return f"{module}.{re.sub(r'__mutmut_[0-9]+$', '', name).removeprefix('x_')}"


def room_of(mutant: str) -> str:
    """Returns the room of a mutant, whose name begins with the module."""
    path = mutant.replace(".", "/")
    return next(room for room, code in ROOMS.items() if path.startswith(code.removesuffix(".py")))


def sample(mutants: Sequence[str], most: int, seed: int) -> Iterator[str]:
    """Yields at most so many mutants of each room, the same for a seed."""
    for room in sorted(ROOMS):
        names = sorted(mutant for mutant in mutants if room_of(mutant) == room)
        yield from random.Random(f"{seed} {room}").sample(names, min(most, len(names)))


def summarize(
    tried: Mapping[str, int | None], before: Mapping[str, Any]
) -> dict[str, dict[str, object]]:
    """Returns by room how many mutants were tried and noticed, and which survived.

    Those of `before` that were noticed, and are not tried again, count with them.
    """
    rooms: dict[str, dict[str, str]] = {}
    for mutant, code in sorted(tried.items()):
        outcome = "noticed" if code in _NOTICED else "untested" if code == 33 else "survived"
        rooms.setdefault(room_of(mutant), {})[mutant] = outcome
    found: dict[str, dict[str, object]] = {}
    for room, outcomes in rooms.items():
        counts = Counter(outcomes.values())
        counts["noticed"] += before.get(room, {}).get("noticed", 0)
        found[room] = {
            "survivors": [mutant for mutant, outcome in outcomes.items() if outcome != "noticed"],
            "mutants": counts.total(),
            **counts,
            "score": round(counts["noticed"] / counts.total(), 4),
        }
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Tries a sample of mutants; returns 0 where that came to its end."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation")
    parser.add_argument("--revision", default="HEAD", help="whose code and tests")
    parser.add_argument("--label", default="now", help="of the run in the results")
    parser.add_argument("--rooms", nargs="*", choices=ROOMS, default=list(ROOMS))
    parser.add_argument("--most", type=int, default=90, help="mutants of a room")
    parser.add_argument("--again", action="store_true", help="those that survived by the label")
    parser.add_argument("--tests", nargs="*", default=list(_TESTS), help="words for pytest")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--clone", type=Path, required=True, help="folder; goes on where it is")
    options = parser.parse_args(arguments)
    clone: Path = options.clone
    if not clone.exists():
        make_clone(clone, options.revision, options.rooms, options.tests)
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(clone / "mutants")}
    mutmut = Path(sys.executable).with_name("mutmut")
    if not verdicts(clone):
        # Makes the mutants and learns which test covers what; there is none of that name to try.
        subprocess.run([mutmut, "run", "none"], cwd=clone, env=environment, check=False)
        if not (clone / "mutants/mutmut-stats.json").exists():
            sys.exit("the tests must pass first; mend them, and delete the clone")
    results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    known = results.get(options.label, {}).get("rooms", {})
    found = verdicts(clone)
    if options.again:
        names = [name for room in options.rooms for name in known[room]["survivors"]]
    else:
        unseen, words = called_at_import(clone, options.rooms), of_words(clone)
        seen = [name for name in found.keys() - words if function_of(name) not in unseen]
        names = list(sample(seen, options.most, options.seed))
    left = [name for name in names if found.get(name) is None]
    if left:
        subprocess.run([mutmut, "run", *left], cwd=clone, env=environment, check=True)
    found = verdicts(clone)
    tried = summarize({name: found[name] for name in names}, known if options.again else {})
    results[options.label] = {
        "metadata": describe_environment(["mutmut"]) | {"git_commit": git_commit(clone)},
        "tests": " ".join(options.tests),
        "seed": options.seed,
        "rooms": known | tried,
    }
    RESULTS.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
