"""What are labels worth that end at the landmark?

    python -m hgld.benchmarks.retrieval.partial --root build
    python -m hgld.benchmarks.retrieval.partial --root build --recipe gldv2-mini-cpu --shares 0.3

Takes all but the landmark from the labels of some training landmarks, drawn by the seed of a run,
and trains without these, with each way of `unknown`, and with nothing taken. All are compared on
30% of the landmarks, held out and labelled, which each search all others. Everything is written
beside the build, to `build-partial/RECIPE/`, with the report in `benchmarks/comparisons/partial/`.
What was stopped goes on with the same command.

A recipe of a frozen backbone trains on vectors of the pictures that are made once.
"""

import argparse
import logging
import shutil
import sys
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from hgld.benchmarks.retrieval.changes import held_out
from hgld.benchmarks.retrieval.config import BenchmarkConfig
from hgld.benchmarks.retrieval.stage import run_benchmark
from hgld.engine.config import from_mapping
from hgld.engine.dataset import rows_digest
from hgld.engine.stage import Stage, StageWriter, run_stage
from hgld.engine.workspace import Workspace
from hgld.errors import InputError, exit_status
from hgld.losses.pairs import Unknown
from hgld.tables import ANNOTATIONS, IMAGE_FILES, PARTIAL
from hgld.training.config import TrainConfig
from hgld.training.data.labels import images_of_run
from hgld.training.methods import Happier
from hgld.training.recipes import over_recipe
from hgld.training.run.stage import run_train
from hgld.training.run.vectors import load_vectors
from hgld.training.run.watch import split_images

logger = logging.getLogger(__name__)

_HELD_OUT_SHARE = 0.3
_FULL, _PARTIAL = ANNOTATIONS["train"], PARTIAL["train"]
_PICTURES = IMAGE_FILES["train"].stage
_STAGE = Stage(name=_FULL.stage, version=1, outputs=(_FULL, _PARTIAL))
_WAYS: Mapping[str, Unknown | None] = {"without": None, "leave_out": "leave_out", "depth": "depth"}
"""What becomes of landmarks whose labels end early: left out of training, or `unknown` of it."""


def shortened_landmarks(landmarks: Collection[int], share: float, seed: int) -> list[int]:
    """Returns the landmarks whose labels end early, at random; those of a larger share, too.

    Args:
        landmarks: of all that are trained on.
        share: of them, from 0 to 1, rounded to whole ones.
        seed: another one shortens others.

    Example:
        >>> shortened_landmarks(range(10), 0.2, 0), shortened_landmarks(range(10), 0.3, 0)
        ([4, 6], [2, 4, 6])
    """
    order = np.random.default_rng(seed).permutation(sorted(landmarks))
    return sorted(order[: round(share * len(order))].tolist())


def divide_labels(
    rows: pa.Table, landmarks: Collection[int], shortened: Collection[int]
) -> tuple[pa.Table, pa.Table]:
    """Returns the rows that keep their labels, and those with nothing but the landmark.

    Args:
        rows: of ANNOTATIONS.
        landmarks: that are trained on; rows of others are in neither.
        shortened: those of them whose labels end early.

    Returns:
        Rows of ANNOTATIONS, and rows of PARTIAL.
    """
    is_trained, is_short = (
        pc.is_in(rows["landmark_id"], value_set=pa.array(some, pa.int64()))
        for some in (sorted(landmarks), sorted(shortened))
    )
    short = rows.filter(pc.and_(is_trained, is_short))
    unknown = {level.column: pa.nulls(len(short), pa.string()) for level in _PARTIAL.levels[1:]}
    known = {name: short[name] for name in short.column_names}
    depth = {"depth": pa.array([1] * len(short), pa.int8())}
    return rows.filter(pc.and_not(is_trained, is_short)), pa.table({**known, **unknown, **depth})


def planned_ways(config: TrainConfig, share: float, seed: int) -> Iterator[TrainConfig]:
    """Yields the runs of one share and seed: of share 0 the one with nothing taken.

    Args:
        config: what all have in common.
        share: of the landmarks whose labels end early.
        seed: of the runs.

    Raises:
        InputError: they are not of HAPPIER.
    """
    method = config.method
    if not isinstance(method, Happier):
        raise InputError(
            f"the method must be happier, whose unknown is compared, got {method.name}"
        )
    if not share:
        yield replace(config, name=f"all-{seed}", seed=seed)
        return
    for way, unknown in _WAYS.items():
        yield replace(
            config,
            name=f"{way}-{round(100 * share)}-{seed}",
            seed=seed,
            method=replace(method, unknown=unknown or method.unknown),
            partial_labels=unknown is not None,
        )


class PartialTrial:
    """The runs on a build, in a folder that has its pictures, and labels of its own."""

    def __init__(self, build: Workspace, folder: Path, config: TrainConfig) -> None:
        """Begins, or goes on where a trial of the same settings in the same folder was.

        Args:
            build: with annotations and images.
            folder: for all that is written.
            config: what the runs have in common.

        Raises:
            HgldError: as `held_out`, and of a frozen backbone as `load_vectors`.
        """
        held = replace(config, validation_share=_HELD_OUT_SHARE)
        self._data, images = held_out(build, held), images_of_run(build, held)
        # Of those that are held out, none has a name among the others.
        self._landmarks = list(map(int, split_images(images, held)[0].names[0]))
        self._rows, self._config = build.read(_FULL), config
        self._embeddings: tuple[str, ...] = ()
        self._workspace = Workspace(folder)
        self._workspace.path("stages").mkdir(parents=True, exist_ok=True)
        shutil.copy(build.manifest_path(_PICTURES), self._workspace.manifest_path(_PICTURES))
        if not (pictures := self._workspace.path("images")).exists():
            pictures.symlink_to(build.path("images").absolute())
        if config.frozen:
            path = self._workspace.path("vectors.parquet")
            with tempfile.TemporaryDirectory() as here:
                vectors, images = load_vectors(build, config, images, Path(here) / "vectors")
                rows = pa.array([*vectors.of(images).numpy()], pa.list_(pa.float32()))
            pq.write_table(pa.table({"image_id": images.image_ids, "embedding": rows}), path)
            self._config = replace(config, embeddings=path)
            self._embeddings = (f"untrained={path}", str(path))

    def train(self, share: float, seed: int) -> list[str]:
        """Trains each way of one share and seed, and returns the names of the runs."""
        shortened = shortened_landmarks(self._landmarks, share, seed)
        logger.info("cut short: %s of %s", f"{len(shortened):,}", f"{len(self._landmarks):,}")
        tables = divide_labels(self._rows, self._landmarks, shortened)

        def produce(writer: StageWriter) -> None:
            for dataset, table in zip(_STAGE.outputs, tables, strict=True):
                writer.write(dataset, "00000-of-00001", table)

        run_stage(self._workspace, _STAGE, {"rows": [*map(rows_digest, tables)]}, produce)
        runs = list(planned_ways(self._config, share, seed))
        for run in runs:
            logger.info("run %s", run.name)
            run_train(self._workspace, run)
        return [run.name for run in runs]

    def compare(self, runs: Sequence[str]) -> None:
        """Compares runs, of all shares and seeds."""
        config = BenchmarkConfig(name="partial", runs=tuple(runs), embeddings=self._embeddings)
        run_benchmark(self._workspace, config, self._data)


@exit_status
def main(arguments: Sequence[str] | None = None) -> None:
    """Makes the runs that are not there yet, and compares them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--root", type=Path, required=True, help="folder of a build")
    parser.add_argument("--recipe", default="gldv2-mini-frozen")
    parser.add_argument("--shares", type=float, nargs="+", default=[0.1, 0.3, 0.5])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    settings, where = over_recipe({"recipe": options.recipe}), f"recipe {options.recipe}"
    config = from_mapping(TrainConfig, settings, where=where)
    folder = Path(f"{options.root}-partial", options.recipe)
    trial = PartialTrial(Workspace(options.root), folder, config)
    # All labels last, as they then are what an untrained model is fitted to.
    trials = [(share, seed) for share in (*options.shares, 0.0) for seed in options.seeds]
    runs = [name for share, seed in trials for name in trial.train(share, seed)]
    trial.compare(runs)


if __name__ == "__main__":
    sys.exit(main())
