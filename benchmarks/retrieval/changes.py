"""Which changes to a way of training are worth it, and what do they cost?

    python -m hgld.benchmarks.retrieval.changes --root build
    python -m hgld.benchmarks.retrieval.changes --root build --changes mine.toml --seeds 0 1 2

Trains each change of a list, by default of `changes.toml` beside this file, without 30% of the
landmarks, and compares all on the pictures of these, which each search all others: the report of
`hgld benchmark`, in the build's `benchmarks/comparisons/`, in a folder named after the list. The
test images take no part. What was stopped goes on with the same command.

In a list, `[train]` has what all changes share, `[changes.NAME]` what one sets instead, and
`[benchmark]` settings of `hgld benchmark`. A change that names a recipe begins with that alone.
"""

import argparse
import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pyarrow as pa

from hgld.benchmarks.datasets.retrieval_data import RetrievalData
from hgld.benchmarks.retrieval.config import BenchmarkConfig
from hgld.benchmarks.retrieval.stage import run_methods
from hgld.engine.config import from_mapping, read_toml
from hgld.engine.workspace import Workspace
from hgld.errors import InputError, exit_status
from hgld.metrics.relevance import has_unknown
from hgld.training.config import TrainConfig
from hgld.training.data.labels import LabelledImages, images_of_run
from hgld.training.recipes import over_recipe
from hgld.training.run.watch import split_images

_CHANGES = Path(__file__).with_name("changes.toml")
_HELD_OUT_SHARE = 0.3
# As many as a run can have and more: measured before its first step and after its last.
_NEVER = 1_000_000


def planned_changes(content: Mapping[str, Any], seeds: Sequence[int]) -> Iterator[TrainConfig]:
    """Yields the runs of the changes, one seed of all after another.

    Args:
        content: of a list of changes.
        seeds: of the runs; all hold out the same landmarks.

    Raises:
        InputError: a setting that there is not, or of another kind, or no such recipe.
    """
    for seed in seeds:
        for name, change in content["changes"].items():
            own = {key: one for key, one in change.items() if key not in {"title", "about"}}
            shared = {} if "recipe" in own else content.get("train", {})
            yield replace(
                from_mapping(TrainConfig, over_recipe({**shared, **own}), where=f"change {name}"),
                name=f"change-{name}-{seed}",
                seed=seed,
                validation_share=_HELD_OUT_SHARE,
                validate_every_steps=_NEVER,
            )


def held_out(workspace: Workspace, config: TrainConfig) -> RetrievalData:
    """Returns the images of the landmarks that a run holds out, each of which searches all others.

    Raises:
        MissingInputError: the annotations or the images are not there yet.
        InputError: a label of theirs is unknown.
    """
    # Every change holds some out.
    images = cast("LabelledImages", split_images(images_of_run(workspace, config), config)[1])
    if has_unknown(images.labels):
        raise InputError(f"hierarchy must have no unknown labels here, got {config.hierarchy!r}")
    labels = {
        level.column: pa.array([names[one] for one in images.labels[:, column].tolist()])
        for column, (level, names) in enumerate(zip(images.levels, images.names, strict=True))
    }
    rows = pa.table({"image_id": images.image_ids, "path": images.paths, **labels})
    return RetrievalData(
        name="held-out landmarks",
        folder=images.root,
        levels=images.levels,
        train=rows.slice(0, 0),
        queries=rows,
        index=rows,
        is_one_set=True,
    )


@exit_status
def main(arguments: Sequence[str] | None = None) -> None:
    """Makes the runs that are not there yet, and compares them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--root", type=Path, required=True, help="folder of a build")
    parser.add_argument("--changes", type=Path, default=_CHANGES, help="list, in TOML")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    workspace = Workspace(options.root)
    content = read_toml(options.changes)
    planned = content.get("changes", {})
    if not planned or not all(isinstance(change, dict) for change in planned.values()):
        raise InputError(f"{options.changes} must have a table [changes.NAME] for each change")
    runs = list(planned_changes(content, options.seeds))
    settings = {"name": options.changes.stem, "runs": [run.name for run in runs]}
    section = {**content.get("benchmark", {}), **settings}
    config = from_mapping(BenchmarkConfig, section, where=f"{options.changes}, [benchmark]")
    run_methods(workspace, config, runs, held_out(workspace, runs[0]))


if __name__ == "__main__":
    sys.exit(main())
