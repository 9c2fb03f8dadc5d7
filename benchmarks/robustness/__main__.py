"""When is a model wrong, and does it know? Failure prediction and abstention, over several seeds.

    python -m hgld.benchmarks.robustness --out robustness.json --page robustness.html
    python -m hgld.benchmarks.robustness --root BUILD --embeddings TRAIN QUERY INDEX \
        --out robustness.json --page robustness.html

Without a build it measures what scikit-learn brings along. Embeddings are those of any program:
parquet or .npy, as `hgld benchmark --embeddings` takes them, once more for each model
(`--embeddings NAME=TRAIN QUERY INDEX`). What was stopped goes on with the same command, and what is
done is not done again.
"""

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from threadpoolctl import threadpool_limits

from hgld.benchmarks.environment import describe_environment
from hgld.benchmarks.retrieval.results import Json
from hgld.benchmarks.robustness.abstention.part import (
    AbstentionSettings,
    SearchedSet,
    own_index,
    planned_abstention,
)
from hgld.benchmarks.robustness.data_sets import (
    EmbeddedBuild,
    embedded_sets,
    packaged_sets,
    read_embedded_build,
)
from hgld.benchmarks.robustness.failures.part import FailureSettings, planned_failures
from hgld.benchmarks.robustness.records import (
    DoneUnit,
    MeasuredUnit,
    read_units,
    run_units,
    write_units,
)
from hgld.benchmarks.robustness.report.page import render_robustness
from hgld.benchmarks.robustness.report.sections import SECTIONS
from hgld.engine.files import write_text
from hgld.engine.workspace import Workspace
from hgld.errors import HgldError, InputError

_PACKAGES = ("numpy", "scikit-learn", "scipy", "torch")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures what is not measured yet, and writes all there is after each unit."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--root", type=Path, help="folder of a build; without: packaged data alone")
    parser.add_argument(
        "--embeddings",
        nargs=3,
        action="append",
        default=[],
        metavar=("[NAME=]TRAIN", "QUERY", "INDEX"),
        help="of the build's training, test and index images; once for each model",
    )
    parser.add_argument(
        "--out", type=Path, required=True, help="JSON file to write, or to go on with"
    )
    parser.add_argument("--page", type=Path, required=True, help="HTML file to write")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--note", default="", help="what else ran on the machine")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    try:
        # Rows of some hundred: a second thread waits more than it works.
        with threadpool_limits(1):
            planned = plan_suite(_builds(options.root, options.embeddings), options.seeds)
            known = read_units(options.out)

            def keep(units: Sequence[DoneUnit]) -> None:
                _write(options, units, len(planned))

            keep(run_units(planned, known, keep))
    except HgldError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def plan_suite(builds: Sequence[EmbeddedBuild], seeds: Sequence[int]) -> list[MeasuredUnit]:
    """Returns all units of the suite, those of one seed before those of the next.

    Args:
        builds: embeddings of the same or of several builds; may be none.
        seeds: of all parts.
    """
    sets = [
        *packaged_sets(),
        *(
            one
            for build in builds
            for one in embedded_sets(build.name, build.training, build.training_labels)
        ),
    ]
    units: list[MeasuredUnit] = []
    for seed in seeds:
        for build in builds:
            units += planned_abstention(
                build.name,
                own_index(build.training, build.training_labels),
                SearchedSet(
                    queries=build.queries,
                    query_labels=build.query_labels,
                    index=build.index,
                    index_labels=build.index_labels,
                ),
                [seed],
                AbstentionSettings(),
            )
        units += planned_failures(sets, [seed], FailureSettings())
    return units


def _builds(root: Path | None, embeddings: Sequence[Sequence[str]]) -> list[EmbeddedBuild]:
    if (root is None) != (not embeddings):
        raise InputError(
            "--root and --embeddings must be given together: the build has the labels, the files "
            "the embeddings; give both, or neither for packaged data alone"
        )
    if root is None:
        return []
    builds = []
    for first, queries, index in embeddings:
        name, is_named, training = first.rpartition("=")
        paths = (Path(training), Path(queries), Path(index))
        title = name if is_named else Path(training).resolve().parent.name
        builds.append(read_embedded_build(Workspace(root), title, *paths))
    names = [build.name for build in builds]
    if len(set(names)) < len(names):
        raise InputError(
            f"each --embeddings must have a name of its own, got {', '.join(names)}; write "
            f"--embeddings NAME=TRAIN QUERY INDEX"
        )
    return builds


def _write(options: argparse.Namespace, units: Sequence[DoneUnit], planned: int) -> None:
    metadata: dict[str, Json] = {
        **describe_environment(_PACKAGES),
        "seeds": options.seeds,
        "planned": planned,
        "done": len(units),
        "note": options.note,
    }
    write_units(options.out, {"metadata": metadata}, units)
    records = [record for unit in units for record in unit.records]
    write_text(options.page, render_robustness(metadata, SECTIONS, records))


if __name__ == "__main__":
    sys.exit(main())
