"""When is a model wrong, and does it know? Failures, queries to refuse, rows from elsewhere.

    python -m hgld.benchmarks.robustness --out robustness.json --page robustness.html
    python -m hgld.benchmarks.robustness --root BUILD --embeddings TRAIN QUERY INDEX \
        --out robustness.json --page robustness.html

Abstention and failure prediction are measured by default; `--parts` names what else is: out of
distribution, and self-labelling on another source, a minute or two for each data set and seed.
Without a build it measures what scikit-learn brings along. Embeddings are those of any program:
parquet or .npy, as `hgld benchmark --embeddings` takes them, once more for each model
(`--embeddings NAME=TRAIN QUERY INDEX`). What was stopped goes on with the same command, what is
done is not done again, and what another command measured into the same file stays.
"""

import argparse
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from threadpoolctl import threadpool_limits

from hgld.benchmarks.environment import describe_environment
from hgld.benchmarks.retrieval.results import Json
from hgld.benchmarks.robustness.abstention.part import (
    ABSTENTION,
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
from hgld.benchmarks.robustness.failures.part import (
    FAILURES,
    FailureSettings,
    planned_failures,
)
from hgld.benchmarks.robustness.out_of_distribution.heat.detector import HeatConfig
from hgld.benchmarks.robustness.out_of_distribution.measuring import OUT_PART
from hgld.benchmarks.robustness.out_of_distribution.part import (
    planned_landmark_out,
    planned_packaged_out,
)
from hgld.benchmarks.robustness.out_of_distribution.problems.landmarks import (
    landmark_class_rows,
    read_super_categories,
)
from hgld.benchmarks.robustness.records import (
    DoneUnit,
    MeasuredUnit,
    read_units,
    run_units,
    units_beside,
    write_units,
)
from hgld.benchmarks.robustness.report.page import render_robustness
from hgld.benchmarks.robustness.report.sections import SECTIONS
from hgld.benchmarks.robustness.self_labelling.adapting import SelfLabelSettings
from hgld.benchmarks.robustness.self_labelling.domains import (
    DomainPair,
    photo_sources,
    shifted_digits,
)
from hgld.benchmarks.robustness.self_labelling.part import SELF_LABELLING, planned_self_labelling
from hgld.engine.files import write_text
from hgld.engine.workspace import Workspace
from hgld.errors import HgldError, InputError

logger = logging.getLogger(__name__)

_PACKAGES = ("numpy", "scikit-learn", "scipy", "torch")
_PARTS = (ABSTENTION, FAILURES, OUT_PART, SELF_LABELLING)


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
    parser.add_argument(
        "--parts",
        nargs="+",
        choices=_PARTS,
        default=[ABSTENTION, FAILURES],
        help="of the suite; the last two take longer: HEAT a minute or two a data set and seed",
    )
    parser.add_argument(
        "--others",
        action="append",
        default=[],
        metavar="NAME=FOLDER",
        help="what out_of_distribution.problems.embedding wrote, by the name of the embeddings",
    )
    parser.add_argument("--note", default="", help="what else ran on the machine")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    try:
        # Rows of some hundred: a second thread waits more than it works.
        with threadpool_limits(1):
            builds = _builds(options.root, options.embeddings)
            planned = [
                *plan_suite(builds, options.seeds),
                *(
                    plan_shifts(options.root, options.embeddings, options.others, options.seeds)
                    if {OUT_PART, SELF_LABELLING} & set(options.parts)
                    else []
                ),
            ]
            planned = [unit for unit in planned if unit.part in options.parts]
            known = read_units(options.out)

            beside = units_beside(planned, known)

            def keep(units: Sequence[DoneUnit]) -> None:
                _write(options, [*units, *beside], len(planned) + len(beside))

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


def plan_shifts(
    root: Path | None,
    embeddings: Sequence[Sequence[str]],
    others: Sequence[str],
    seeds: Sequence[int],
) -> list[MeasuredUnit]:
    """Returns the units of rows from elsewhere: out of distribution, and of another source.

    Args:
        root: of a build; None: packaged data alone.
        embeddings: as the command takes them.
        others: `NAME=FOLDER`, as the command takes them.
        seeds: of all parts.

    Raises:
        InputError: a folder has no name of embeddings, or a file cannot be read.
    """
    heat, adapting = HeatConfig(), SelfLabelSettings()
    units = [
        *planned_packaged_out(seeds, heat),
        *planned_self_labelling(shifted_digits, seeds, adapting),
    ]
    named = [_named(*files) for files in embeddings]
    folders = {name: Path(folder) for name, _, folder in (one.partition("=") for one in others)}
    unknown = folders.keys() - {name for name, _ in named}
    if unknown:
        raise InputError(
            f"--others must be NAME=FOLDER with a name of --embeddings, got {min(unknown)!r}; "
            f"there are {', '.join(name for name, _ in named) or 'none'}"
        )
    if root is None:
        return units
    for name, (training, queries, index) in named:
        files = {"train": training, "test": queries, "index": index}
        rows = landmark_class_rows(Workspace(root), files, folders.get(name), name=name)
        units += planned_landmark_out(rows, seeds, heat)
        try:
            pair = photo_sources(
                read_super_categories(Workspace(root), files), title=f"{name}: train to index"
            )
        except ValueError as error:
            logger.warning("%s: no self-labelling: %s", name, error)
            continue
        units += planned_self_labelling(_always(pair), seeds, adapting)
    return units


def _always(pair: DomainPair) -> Callable[[int], DomainPair]:
    return lambda _: pair


def _named(first: str, queries: str, index: str) -> tuple[str, tuple[Path, Path, Path]]:
    """Returns the name of embeddings and their files, from what is given of them."""
    name, is_named, training = first.rpartition("=")
    title = name if is_named else Path(training).resolve().parent.name
    return title, (Path(training), Path(queries), Path(index))


def _builds(root: Path | None, embeddings: Sequence[Sequence[str]]) -> list[EmbeddedBuild]:
    if (root is None) != (not embeddings):
        raise InputError(
            "--root and --embeddings must be given together: the build has the labels, the files "
            "the embeddings; give both, or neither for packaged data alone"
        )
    if root is None:
        return []
    builds = []
    for files in embeddings:
        title, paths = _named(*files)
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
