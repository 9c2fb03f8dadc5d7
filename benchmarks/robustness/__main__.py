"""When is a model wrong, and does it know? Failures, queries to refuse, rows from elsewhere.

    python -m hgld.benchmarks.robustness --out robustness.json --page robustness.html
    python -m hgld.benchmarks.robustness --root BUILD --run untrained --run NAME \
        --out robustness.json --page robustness.html

Without a build it measures what scikit-learn and the taxonomy bring along. Models of a build are
its runs (`--run`, `untrained` for the backbone before training), whose images it embeds itself, or
embeddings of any program, parquet or .npy, as `hgld benchmark --embeddings` takes them:
`--embeddings NAME=TRAIN QUERY INDEX`, once more for each model. What was stopped goes on with the
same command, what is done is not done again, and what another command measured into the same file
stays.
"""

import argparse
import logging
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
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
from hgld.benchmarks.robustness.data_sets.features import (
    EmbeddedBuild,
    build_sets,
    packaged_sets,
    read_embedded_build,
)
from hgld.benchmarks.robustness.data_sets.models import (
    FrozenModel,
    given_models,
    require_own_names,
    run_models,
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
    NO_LANDMARK,
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

_PACKAGES = ("numpy", "scikit-learn", "scipy", "torch")
_SPLITS = ("train", "test", "index")
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
        "--run",
        action="append",
        default=[],
        metavar="NAME",
        help="a run of the build, or untrained for its backbone; once for each",
    )
    parser.add_argument(
        "--embedded",
        type=Path,
        help="folder for what runs give; default: embeddings/ beside the JSON file",
    )
    parser.add_argument(
        "--solution",
        type=Path,
        action="append",
        default=[],
        help="recognition_solution_v2.1.csv or retrieval_solution_v2.1.csv of GLDv2: which test "
        "images are of no landmark",
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
        default=list(_PARTS),
        help="of the suite; all by default",
    )
    parser.add_argument(
        "--others",
        action="append",
        default=[],
        metavar="NAME=FOLDER",
        help="what data_sets.embedding wrote, by the name of the embeddings",
    )
    parser.add_argument("--note", default="", help="what else ran on the machine")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    try:
        models = _models(options)
        # Rows of some hundred: a second thread waits more than it works.
        with threadpool_limits(1):
            planned, missing = _plan(options, models)
            known = read_units(options.out)
            beside = units_beside(planned, known)
            described: dict[str, Json] = {one.name: one.about for one in models}

            def keep(units: Sequence[DoneUnit]) -> None:
                done = [*units, *beside]
                metadata: dict[str, Json] = {
                    **describe_environment(_PACKAGES),
                    "seeds": list[Json](sorted({unit.seed for unit in done} | set(options.seeds))),
                    "planned": len(planned) + len(beside),
                    "done": len(done),
                    "models": described,
                    "not_measured": list[Json](missing),
                    "note": options.note,
                }
                _write(options, metadata, done)

            keep(run_units(planned, known, keep))
    except HgldError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def plan_suite(builds: Sequence[EmbeddedBuild], seeds: Sequence[int]) -> list[MeasuredUnit]:
    """Returns the units of abstention and failures, those of one seed before those of the next.

    Args:
        builds: embeddings of the same or of several builds; may be none.
        seeds: of all parts.
    """
    sets = [*packaged_sets(), *(one for build in builds for one in build_sets(build))]
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
                has_seen_training=build.has_seen_training,
            )
        units += planned_failures(sets, [seed], FailureSettings())
    return units


def plan_shifts(
    root: Path | None,
    models: Sequence[FrozenModel],
    seeds: Sequence[int],
    solutions: Sequence[Path] = (),
) -> tuple[list[MeasuredUnit], list[str]]:
    """Returns the units of rows from elsewhere: out of distribution, and of another source.

    Args:
        root: of a build; None: packaged data alone.
        models: whose embeddings of the build are measured.
        seeds: of all parts.
        solutions: official ones, by which test images are of no landmark.

    Returns:
        The units, and in sentences what is not measured, and why.

    Raises:
        InputError: a file cannot be read.
    """
    heat, adapting = HeatConfig(), SelfLabelSettings()
    units = [
        *planned_packaged_out(seeds, heat),
        *planned_self_labelling(shifted_digits, seeds, adapting),
    ]
    missing = []
    if root is None:
        return units, [f"Without a build there are no {NO_LANDMARK}, nor any other."]
    for model in models:
        rows = landmark_class_rows(
            Workspace(root), model.files, model.others, name=model.name, solutions=solutions
        )
        units += planned_landmark_out(rows, seeds, heat)
        if NO_LANDMARK not in rows.far:
            missing.append(
                f"{model.name}: landmark against non-landmark queries. Every test image of this "
                f"build has a landmark; GLDv2's own test set has 116,000 without one "
                f"(--solution recognition_solution_v2.1.csv, on a build with its test images)."
            )
        if rows.train.spreads is None:
            missing.append(
                f"{model.name}: HEAT with the std of feature maps, which these embeddings lack."
            )
        try:
            pair = photo_sources(
                read_super_categories(Workspace(root), model.files),
                title=f"{model.name}: train to index",
            )
        except ValueError as error:
            missing.append(f"{model.name}: self-labelling. {error}.")
            continue
        units += planned_self_labelling(_always(pair), seeds, adapting)
    return units, missing


def _plan(
    options: argparse.Namespace, models: Sequence[FrozenModel]
) -> tuple[list[MeasuredUnit], list[str]]:
    """Returns what the options ask for, and what cannot be measured of it."""
    units: list[MeasuredUnit] = []
    missing: list[str] = []
    if {ABSTENTION, FAILURES} & set(options.parts):
        builds = [
            replace(
                read_embedded_build(
                    Workspace(options.root), one.name, *(one.files[split] for split in _SPLITS)
                ),
                has_seen_training=one.has_seen_training,
            )
            for one in models
        ]
        units += plan_suite(builds, options.seeds)
    if {OUT_PART, SELF_LABELLING} & set(options.parts):
        shifts, missing = plan_shifts(options.root, models, options.seeds, options.solution)
        units += shifts
    return [unit for unit in units if unit.part in options.parts], missing


def _always(pair: DomainPair) -> Callable[[int], DomainPair]:
    return lambda _: pair


def _models(options: argparse.Namespace) -> list[FrozenModel]:
    """Returns the models that the options name, and embeds those that are runs.

    Raises:
        InputError: a build without models, models without a build, or two of one name.
    """
    if (options.root is None) != (not options.embeddings and not options.run):
        raise InputError(
            "--root and --run or --embeddings must be given together: the build has the labels and "
            "its runs, the files the embeddings; give both, or neither for packaged data alone"
        )
    models = given_models(options.embeddings, options.others)
    require_own_names([*models, *(FrozenModel(name=run, files={}) for run in options.run)])
    if options.root is None:
        return []
    folder = options.embedded or options.out.resolve().parent / "embeddings"
    return [*run_models(Workspace(options.root), options.run, folder), *models]


def _write(
    options: argparse.Namespace, metadata: dict[str, Json], units: Sequence[DoneUnit]
) -> None:
    write_units(options.out, {"metadata": metadata}, units)
    records = [record for unit in units for record in unit.records]
    write_text(options.page, render_robustness(metadata, SECTIONS, records))


if __name__ == "__main__":
    sys.exit(main())
