"""Does a build notice whatever happens to it?

Three questions on small builds of every stage, made as a user makes them:

- a file of a finished build is damaged, some hundred times for each kind of file: does `hgld
  verify` or `hgld build` name it, and is the build the clean one afterwards? (`fuzz.py`)
- a build is killed in every stage, by SIGKILL, SIGTERM and SIGHUP: is it the clean one in the end?
  (`kills.py`)
- what does a build with millions of rows cost that has nothing to do? (`noop.py`)

    python -m hgld.benchmarks.faults.reliability --out reliability.json

With `--peers PYTHON`, an interpreter that has DVC and pooch, those get damaged tables too.

"""

import argparse
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hgld.benchmarks.environment import describe_environment
from hgld.benchmarks.faults.builds import prepare_builds
from hgld.benchmarks.faults.damages import files_by_kind, plan_damages, write_damaged
from hgld.benchmarks.faults.fuzz import BAD, FinishedBuilds, FuzzOutcome, counts_by_kind, fuzz
from hgld.benchmarks.faults.kills import (
    BUILD_ORDER,
    KillRecord,
    bare_copy,
    is_same_build,
    kill_in_every_stage,
    kills_by_stage,
    operations_by_stage,
)
from hgld.benchmarks.faults.noop import MOST_BUILD_S, MOST_STATUS_S, measure_noop
from hgld.benchmarks.faults.peers import try_peers
from hgld.benchmarks.speed.measuring import write_report

_LEAST_KILLS_A_STAGE = 5
_TOLD = 3
"""Bad outcomes of a kind that are written down with all that was said."""

_Bars = dict[str, tuple[float, float]]


def main(arguments: Sequence[str] | None = None) -> None:
    """Asks the questions, writes the answers, and fails where a bar is not met."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--damages", type=int, default=100, help="of each kind of file; 0: none")
    parser.add_argument("--kinds", nargs="*", default=[], help="of file; none: all")
    parser.add_argument("--kills", type=int, default=60, help="at least so many; 0: none")
    parser.add_argument("--rows", type=int, default=5_000_000, help="of a large build; 0: none")
    parser.add_argument("--pictures", type=int, default=20_000, help="of that build")
    parser.add_argument("--rounds", type=int, default=5, help="of what is timed")
    parser.add_argument("--peers", type=Path, help="a Python that has DVC and pooch; none: not")
    parser.add_argument("--peer-damages", type=int, default=120)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--note", default="", help="what else ran on the machine")
    options = parser.parse_args(arguments)
    results: dict[str, Any] = {}
    bars: _Bars = {}
    with tempfile.TemporaryDirectory(prefix="hgld-reliability-") as name:
        if options.damages or options.kills or options.peers:
            builds, operations = prepare_builds(Path(name) / "builds")
        if options.damages:
            kinds = options.kinds or list(builds.kinds())
            outcomes = list[FuzzOutcome]()
            for kind in kinds:
                outcomes += (of_kind := fuzz(builds, [kind], options.damages, options.seed))
                print(counts_by_kind(of_kind), flush=True)
            results["damages"] = tell_damages(outcomes)
            bars |= {outcome: (_count(outcomes, outcome), 0) for outcome in BAD}
        if options.peers:
            results["peers"] = damage_peers(
                builds, options.peers, Path(name) / "peers", options.peer_damages, options.seed
            )
        if options.kills:
            told, kill_bars = kill_builds(
                builds, operations, Path(name) / "kills", options.kills, options.seed
            )
            results["kills"], bars = told, bars | kill_bars
        if options.rows:
            noop = measure_noop(
                Path(name) / "large", options.rows, options.pictures, options.rounds
            )
            results["nothing to do"] = noop
            for command, most in (("build", MOST_BUILD_S), ("status", MOST_STATUS_S)):
                bars[f"{command}_s"] = (noop["seconds"][f"hgld {command}"]["median_s"], most)
    report = {
        "metadata": {
            **describe_environment(["pyarrow", "torch", "pillow"]),
            "seed": options.seed,
            "damages_a_kind": options.damages,
            "note": options.note,
        },
        **results,
    }
    write_report(parser, options.out, report, bars)


def tell_damages(outcomes: Sequence[FuzzOutcome]) -> dict[str, Any]:
    """Returns the counts by kind and by way, and the first bad outcomes of each kind."""
    by_way: dict[str, Counter[str]] = {}
    told: dict[str, list[dict[str, str]]] = {}
    for one in outcomes:
        by_way.setdefault(one.damage.how, Counter())[one.outcome] += 1
        bad = told.setdefault(one.damage.kind, [])
        if one.outcome in BAD and len(bad) < _TOLD:
            place = {"how": one.damage.how, "file": one.damage.relative, "outcome": one.outcome}
            bad.append({**place, "said": one.said})
    return {
        "all": dict(Counter(one.outcome for one in outcomes).most_common()),
        "by_kind": counts_by_kind(outcomes),
        "by_way": {way: dict(sorted(counts.items())) for way, counts in by_way.items()},
        "bad": {kind: bad for kind, bad in told.items() if bad},
    }


def kill_builds(
    builds: FinishedBuilds, operations: Iterable[str], folder: Path, least: int, seed: int
) -> tuple[dict[str, Any], _Bars]:
    """Kills builds, each once in every stage, until there were enough kills.

    Returns:
        The kills, and the bars that they have to meet.
    """
    counts, moments = operations_by_stage(operations), random.Random(seed)
    files = [one for found in files_by_kind(builds.finished).values() for one in found]
    kills, others = list[KillRecord](), 0
    while len(kills) < least:
        root = folder / f"{len(kills)}/build"
        bare_copy(builds.finished, root)
        # One signal on, so that every stage meets every signal.
        kills += kill_in_every_stage(root, counts, moments, len(kills) // len(BUILD_ORDER))
        others += not is_same_build(root, builds.finished, files)
    by_stage = kills_by_stage(kills)
    told = {
        "by_stage": by_stage,
        "by_signal": dict(Counter(kill.signal for kill in kills)),
        "by_status": dict(Counter(str(kill.status) for kill in kills)),
        "kills": [asdict(kill) for kill in kills],
    }
    seldom = [stage for stage in BUILD_ORDER if by_stage.get(stage, 0) < _LEAST_KILLS_A_STAGE]
    bars: _Bars = {
        "builds that a kill made another one": (others, 0),
        "stages killed less than five times": (len(seldom), 0),
    }
    return told, bars


def damage_peers(
    builds: FinishedBuilds, python: Path, folder: Path, count: int, seed: int
) -> dict[str, Any]:
    """Gives DVC and pooch the tables of a build, damaged as ours are."""
    clean = folder / "clean"
    tables = [
        relative
        for kind, files in files_by_kind(builds.finished).items()
        if kind.startswith("table ")
        for relative in files
    ]
    for relative in tables:
        (clean / relative).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(builds.finished / relative, clean / relative)
    planned = plan_damages("table", tables, count, seed)
    damages = write_damaged(clean, builds.earlier, planned, folder)
    return {"damages": len(damages), **try_peers(python, damages, folder)}


def _count(outcomes: Sequence[FuzzOutcome], outcome: str) -> int:
    return sum(one.outcome == outcome for one in outcomes)


if __name__ == "__main__":
    main()
