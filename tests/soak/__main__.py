"""The soak: what takes hours, before a release and after a change of the engine.

    make soak
    make soak ARGS="--hours 2 --only kills"

Every piece of work writes a line into the records as it ends, so that a soak which was stopped goes
on where it was, on the same commit. What was covered, and what came of it, is then written to
`benchmarks/results/reliability.json`:

- `damages`: a file of a finished build is damaged, a hundred times for each kind of file. Does
  `hgld verify` or `hgld build` name it, and is the build the clean one afterwards? (`fuzz.py`)
- `wholes`: a file is damaged together with what proves it, a folder is gone, a FIFO is in a file's
  place. Is it named, and does no command hang? (`wholes.py`)
- `kills`: a build is killed in every stage at a file operation drawn by a seed, by SIGKILL, SIGTERM
  and SIGHUP. Is it the clean one in the end? (`kills.py`)
- `tests`: each `tests/soak/test_*.py`, which run long what `make test` runs short.
"""

import argparse
import functools
import json
import math
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from rich.console import Console

from hgld.benchmarks.environment import describe_environment
from tests.soak.builds import prepare_builds
from tests.soak.damages import files_by_kind
from tests.soak.fuzz import BAD, FinishedBuilds, digest_build, fuzz
from tests.soak.kills import STATUSES, bare_copy, kill_in_every_stage
from tests.soak.wholes import WRONG, try_wholes

ROOT = Path(__file__).resolve().parents[2]
RECORDS = ROOT / "soak.jsonl"
RESULTS = ROOT / "benchmarks/results/reliability.json"
_DAMAGES_A_KIND = 100
_DAMAGES_A_PIECE = 20
_WHOLES = 320
_WHOLES_A_PIECE = 32
_KILL_ROUNDS = 20

Record = dict[str, Any]
Piece = tuple[str, Callable[[], Record]]
"""A name that no other piece has, and what does it."""


class Prepared:
    """The builds that are damaged and killed, made when the first piece asks for them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @functools.cached_property
    def made(self) -> tuple[FinishedBuilds, list[str]]:
        """The builds, and the file operations of an undisturbed one."""
        return prepare_builds(self.folder / "builds")


def damage_pieces(prepared: Prepared) -> Iterator[Piece]:
    """Yields a piece for each kind of file and seed."""
    for seed in range(_DAMAGES_A_KIND // _DAMAGES_A_PIECE):
        for kind in prepared.made[0].kinds():
            yield f"damages/{kind}/{seed}", partial(_damage, prepared, kind, seed)


def _damage(prepared: Prepared, kind: str, seed: int) -> Record:
    # What changed no file is drawn again with the next number: far apart, so that seeds share none.
    outcomes = fuzz(prepared.made[0], kind, _DAMAGES_A_PIECE, seed * 1000)
    bad = [
        {"how": one.damage.how, "file": one.damage.relative, "outcome": one.outcome}
        | {"said": one.said}
        for one in outcomes
        if one.outcome in BAD
    ]
    return {"kind": kind, "outcomes": Counter(one.outcome for one in outcomes), "bad": bad}


def whole_pieces(prepared: Prepared) -> Iterator[Piece]:
    """Yields a piece for each seed."""
    for seed in range(_WHOLES // _WHOLES_A_PIECE):
        yield f"wholes/{seed}", partial(_wholes, prepared, seed)


def _wholes(prepared: Prepared, seed: int) -> Record:
    outcomes = try_wholes(prepared.made[0].finished, _WHOLES_A_PIECE, seed)
    bad = [asdict(one) for one in outcomes if one.outcome in WRONG]
    return {"outcomes": Counter(f"{one.damage.how}: {one.outcome}" for one in outcomes), "bad": bad}


def kill_pieces(prepared: Prepared) -> Iterator[Piece]:
    """Yields a piece for each round of kills."""
    for number in range(_KILL_ROUNDS):
        yield f"kills/{number}", partial(kill_round, prepared, number)


def kill_round(prepared: Prepared, number: int) -> Record:
    """Kills a build once in every stage; all of it is bad where it is not the clean one."""
    builds, operations = prepared.made
    root = prepared.folder / f"kills-{number}/build"
    bare_copy(builds.finished, root)
    # One signal on in each round, so that every stage meets every signal.
    kills = list(kill_in_every_stage(root, operations, random.Random(number), number))
    files = [one for found in files_by_kind(builds.finished).values() for one in found]
    is_same = digest_build(root, files) == digest_build(builds.finished, files)
    wrong = [kill for kill in kills if kill.status not in STATUSES[kill.signal]]
    bad = [asdict(kill) for kill in (wrong if is_same else kills)]
    return {"kills": Counter(f"{kill.stage} {kill.signal}" for kill in kills), "bad": bad}


def file_pieces(prepared: Prepared) -> Iterator[Piece]:
    """Yields a piece for each file of tests."""
    for path in sorted((ROOT / "tests/soak").rglob("test_*.py")):
        relative = path.relative_to(ROOT).as_posix()
        yield f"tests/{relative}", partial(_test, prepared.folder, relative)


def _test(folder: Path, relative: str) -> Record:
    report = folder / f"{relative.replace('/', '-')}.xml"
    command = [sys.executable, "-m", "pytest", "-q", "--timeout=0", f"--junitxml={report}"]
    done = subprocess.run([*command, relative], cwd=ROOT, capture_output=True, text=True)
    if not report.exists():
        return {"cases": {}, "bad": [{"file": relative, "said": done.stdout[-4000:] + done.stderr}]}
    bad, cases = [], Counter[str]()
    for case in ElementTree.parse(report).iter("testcase"):  # noqa: S314 - pytest wrote it
        wrong = [one for one in case if one.tag in {"failure", "error"}]
        cases["failed" if wrong else "skipped" if case.find("skipped") is not None else "ok"] += 1
        bad += [{"file": relative, "test": case.get("name"), "said": one.text} for one in wrong]
    return {"cases": cases, "bad": bad}


PARTS: Mapping[str, Callable[[Prepared], Iterator[Piece]]] = {
    "damages": damage_pieces,
    "wholes": whole_pieces,
    "kills": kill_pieces,
    "tests": file_pieces,
}


def summarize(records: Mapping[str, Record]) -> dict[str, Any]:
    """Returns what was covered, and all that is bad, of the records by name of the piece."""
    covered: dict[str, Any] = {}
    outcomes: dict[str, Counter[str]] = {}
    for name, record in records.items():
        part, _, rest = name.partition("/")
        match part:
            case "damages":
                outcomes.setdefault(record["kind"], Counter()).update(record["outcomes"])
                covered[part] = {kind: dict(counts) for kind, counts in outcomes.items()}
            case "kills" | "wholes":
                counts = record.get("kills") or record["outcomes"]
                covered[part] = dict(Counter(covered.get(part, {})) + Counter(counts))
            case _:
                covered.setdefault(part, {})[rest] = record["cases"]
    bad = [{"piece": name, **one} for name, record in records.items() for one in record["bad"]]
    return {"covered": covered, "bad": bad}


def read_records(path: Path, commit: str) -> dict[str, Record]:
    """Returns what earlier runs on the same commit have finished, by name of the piece."""
    if not path.exists():
        return {}
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines() if line[-1:] == "}"]
    return {line["piece"]: line["record"] for line in lines if line["commit"] == commit}


def main(arguments: Sequence[str] | None = None) -> int:
    """Does the pieces that are left, and writes what all of them covered."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak")
    parser.add_argument("--only", nargs="*", choices=PARTS, default=list(PARTS))
    parser.add_argument("--hours", type=float, default=math.inf, help="no piece starts after them")
    parser.add_argument("--records", type=Path, default=RECORDS, help="what is finished")
    parser.add_argument("--out", type=Path, default=RESULTS, help="JSON file to write")
    options = parser.parse_args(arguments)
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # two commands run at a time
    console, ends = Console(stderr=True), time.monotonic() + 3600 * options.hours
    environment = describe_environment(["pyarrow", "torch", "pillow"])
    commit = str(environment["git_commit"])
    records, left = read_records(options.records, commit), 0
    with tempfile.TemporaryDirectory(prefix="hgld-soak-") as folder:
        prepared = Prepared(Path(folder))
        # In turns: a soak of an hour covers something of each part.
        pieces = zip_longest(*(PARTS[part](prepared) for part in options.only))
        for name, work in filter(None, chain.from_iterable(pieces)):
            if name in records:
                continue
            if time.monotonic() > ends:
                left += 1
                continue
            started = time.monotonic()
            records[name] = json.loads(json.dumps(work(), default=str))
            took_s = time.monotonic() - started
            with options.records.open("a", encoding="utf-8") as file:
                line = {"commit": commit, "piece": name, "record": records[name]}
                file.write(json.dumps(line) + "\n")
            console.print(f"{name}: {took_s:.0f} s, {len(records[name]['bad'])} bad")
    report = {"metadata": environment, "pieces_left": left, **summarize(records)}
    options.out.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    done = f"{len(records)} pieces done, {left} left, {len(report['bad'])} bad"
    console.print(f"{done}: {options.out}")
    return 1 if report["bad"] else 0


if __name__ == "__main__":
    sys.exit(main())
