"""Which changes to the published algorithm are worth it?

    python -m hgld.benchmarks.retrieval.changes --root build

Trains the published algorithm, each change of `changes.toml` and the recipe that was chosen of
them, each without 30% of the landmarks, and compares all on the pictures of these, which each
search all others: the report of `hgld benchmark`, in `benchmarks/comparisons/changes/` of the
build. The test images take no part. What was stopped goes on with the same command.
"""

import argparse
import logging
import sys
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import pyarrow as pa

from hgld.benchmarks.datasets.retrieval_data import RetrievalData
from hgld.benchmarks.retrieval.config import BenchmarkConfig
from hgld.benchmarks.retrieval.stage import run_methods
from hgld.engine.config import from_mapping
from hgld.engine.workspace import Workspace
from hgld.errors import HgldError
from hgld.training.config import TrainConfig
from hgld.training.data.labels import LabelledImages, training_images
from hgld.training.recipes import over_recipe
from hgld.training.run.watch import split_images

_CHANGES_FILE = Path(__file__).with_name("changes.toml")
_RECIPE = "gldv2-mini-cpu"
"""What was chosen of the changes."""
_HELD_OUT_SHARE = 0.3
# As many as a run can have and more: measured before its first step and after its last.
_NEVER = 1_000_000


def planned_changes(seeds: Sequence[int]) -> Iterator[TrainConfig]:
    """Yields the published algorithm, its changes, and the recipe, one seed of all after another.

    Args:
        seeds: of the runs; all hold out the same landmarks.
    """
    content = tomllib.loads(_CHANGES_FILE.read_text(encoding="utf-8"))
    sections = {
        name: {**content["train"], **change.get("train", {})}
        for name, change in content["changes"].items()
    }
    sections["recipe"] = dict(over_recipe({"recipe": _RECIPE}))
    for seed in seeds:
        for name, section in sections.items():
            yield replace(
                from_mapping(TrainConfig, section, where=f"{_CHANGES_FILE.name}, {name}"),
                name=f"change-{name}-{seed}",
                seed=seed,
                validation_share=_HELD_OUT_SHARE,
                validate_every_steps=_NEVER,
            )


def held_out(workspace: Workspace, config: TrainConfig) -> RetrievalData:
    """Returns the images of the landmarks that a run holds out, each of which searches all others.

    Raises:
        MissingInputError: the annotations or the images are not there yet.
    """
    # Every change holds some out.
    images = cast("LabelledImages", split_images(training_images(workspace), config)[1])
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


def main(arguments: Sequence[str] | None = None) -> int:
    """Makes the runs that are not there yet, and compares them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--root", type=Path, required=True, help="folder of a build")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    workspace = Workspace(options.root)
    try:
        runs = list(planned_changes(options.seeds))
        config = BenchmarkConfig(name="changes", runs=tuple(run.name for run in runs))
        run_methods(workspace, config, runs, held_out(workspace, runs[0]))
    except HgldError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
