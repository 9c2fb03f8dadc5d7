"""Runs, each in a process of its own; what is there already is not made again."""

import json
import logging
import math
import multiprocessing
import os
import signal
import threading
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import cast

from hgld.benchmarks.environment import describe_environment
from hgld.benchmarks.retrieval.results import Json, nan_to_null
from hgld.benchmarks.training.measured_on import QueriesAndIndex
from hgld.benchmarks.training.plan import UNTRAINED, Trial
from hgld.engine.config import row_settings
from hgld.engine.files import file_digest, write_text, writing
from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.metrics import evaluate
from hgld.tables import ANNOTATIONS
from hgld.training.config import TrainConfig, model_files
from hgld.training.data.labels import LabelledImages, training_images
from hgld.training.model.embed import embed_images
from hgld.training.model.embedding import EmbeddingModel, build_model
from hgld.training.model.exporting import training_hours
from hgld.training.model.saved import load_model
from hgld.training.run.loop import run_train
from hgld.training.run.watch import split_images
from hgld.training.watching.lines import (
    peak_memory,
    read_lines,
    training_curves,
    validation_curves,
)
from hgld.training.watching.validation import level_keys, measure_embeddings

_RECORDS_FOLDER = "benchmarks/training"  # of the workspace
PACKAGES = ("torch", "torchvision", "timm", "pillow")
"""Whose versions bear on what is measured."""
_FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialRecord:
    """What a run was, took and reached."""

    part: str
    group: str
    title: str
    about: str
    seed: int
    run: str
    """Its name; empty for the backbone before training."""
    settings: dict[str, object]
    """Of the run, those that decide its weights."""
    measures: dict[str, float]
    """From 0 to 1, NaN where undefined: `h_ap`, `map_landmark` and so on."""
    before: dict[str, float]
    """Of a change: the same before the first step."""
    at_crop_size: dict[str, float]
    """Of a method: the same where pictures are no larger than the crops of its training."""
    queries: int
    index_images: int
    train_s: float | None
    """Of its steps, with reading pictures; None where nothing was trained."""
    peak_memory_mb: float | None
    """Of the process that trained."""
    losses: list[list[float]]
    """Step and mean loss since the line before."""
    environment: dict[str, Json]
    """Date, commit, versions, processor or card."""


def run_trial(
    workspace: Workspace, trial: Trial, measured_on: QueriesAndIndex | None = None
) -> TrialRecord:
    """Makes a run and measures it, or returns the record that is there of the same.

    A run that was stopped goes on from its checkpoint.

    Args:
        workspace: a build with annotations and images.
        trial: which run.
        measured_on: the queries and index that a method is measured on, such as those with other
            labels; by default this build's own.

    Returns:
        Its record, which also lies in `benchmarks/training/`.

    Raises:
        HgldError: what `run_train` and `embed_images` raise.
        InputError: the process that trained was killed.
    """
    is_trained = trial.group != UNTRAINED
    name = trial.config.name
    path = workspace.path(f"{_RECORDS_FOLDER}/{name}.json")
    fingerprint = _train(workspace, trial.config) if is_trained else ""
    weights = file_digest(workspace.path(model_files(name)[0])) if is_trained else ""
    measured_on = QueriesAndIndex(build=workspace) if measured_on is None else measured_on
    key = [fingerprint, weights, *_depends_on(workspace, trial, measured_on)]
    known = _known(path)
    if known is not None and known[0] == key:
        # What it is called may have changed since.
        return replace(known[1], title=trial.title, about=trial.about)
    record = _measured(workspace, trial, measured_on)
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        content = {"format": _FORMAT, "key": key, "record": asdict(record)}
        write_text(path, json.dumps(nan_to_null(content), indent=1, allow_nan=False) + "\n")
    return record


def _train(workspace: Workspace, config: TrainConfig) -> str:
    """Trains in a process of its own; returns the run's fingerprint."""
    spawn = multiprocessing.get_context("spawn")
    try:
        with ProcessPoolExecutor(1, spawn, initializer=_begin) as pool:
            return pool.submit(_train_here, workspace.root, config).result()
    except BrokenProcessPool as error:
        raise InputError(
            f"the process that trains {config.name} was killed, as the system does where memory "
            f"runs out; the same command goes on from its checkpoint"
        ) from error


def _begin() -> None:
    """Logs as the command does, and ends with it, however it ended."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        # A run writes its checkpoint first.
        os.kill(os.getpid(), signal.SIGTERM)


def _train_here(root: Path, config: TrainConfig) -> str:
    return run_train(Workspace(root), config).manifest.fingerprint


def _depends_on(workspace: Workspace, trial: Trial, measured_on: QueriesAndIndex) -> list[object]:
    """Returns what a measurement depends on beside the model."""
    tables = (
        measured_on.digests()
        if trial.part == "method"
        else [workspace.finished(ANNOTATIONS["train"]).outputs[ANNOTATIONS["train"].path]]
    )
    return [trial.part, row_settings(trial.config.model), *tables]


def _known(path: Path) -> tuple[object, TrialRecord] | None:
    """Returns the key of a record and the record; None where there is none, or a damaged one."""
    try:
        content = json.loads(path.read_bytes())
        if content["format"] != _FORMAT:
            return None
        record = TrialRecord(**content["record"])
        # JSON has null for NaN.
        each = [
            {name: math.nan if value is None else value for name, value in one.items()}
            for one in (record.measures, record.before, record.at_crop_size)
        ]
        return content["key"], replace(
            record, measures=each[0], before=each[1], at_crop_size=each[2]
        )
    except (OSError, ValueError, TypeError, LookupError, AttributeError):
        return None


def _measured(workspace: Workspace, trial: Trial, measured_on: QueriesAndIndex) -> TrialRecord:
    config = trial.config
    is_trained = trial.group != UNTRAINED
    log = workspace.path(f"runs/{config.name}/metrics.jsonl")
    lines = read_lines(log) if is_trained else []
    measures: dict[str, float]
    before: dict[str, float] = {}
    at_crop_size: dict[str, float] = {}
    if trial.part == "change":
        # The model that the run left: the last of its own measurements came before the centring.
        model = load_model(workspace.path(model_files(config.name)[0]))
        parts = split_images(training_images(workspace), config)
        held_out = cast("LabelledImages", parts[1])  # as every change holds some out
        found = measure_embeddings(embed_images(model, held_out.files()), held_out.labels)
        measures = found.means
        queries = index_images = found.queries
        curves = validation_curves(lines)
        before = {name: curves[name].values[0] for name in measures}
    else:
        model = (
            load_model(workspace.path(model_files(config.name)[0]))
            if is_trained
            else build_model(config.model.before_training)
        )
        split = measured_on.images()
        queries, index_images = map(len, split)
        measures = _on_test_queries(model, split, config.image_size)
        if config.crop_side != config.image_size:
            at_crop_size = _on_test_queries(model, split, config.crop_side, scales=(1.0,))
    loss = training_curves(lines).get("loss")
    hours = training_hours(log.read_text().splitlines(), config.batch_size) if is_trained else None
    return TrialRecord(
        part=trial.part,
        group=trial.group,
        title=trial.title,
        about=trial.about,
        seed=trial.seed,
        run=config.name if is_trained else "",
        settings=row_settings(config),
        measures=measures,
        before=before,
        at_crop_size=at_crop_size,
        queries=queries,
        index_images=index_images,
        train_s=None if hours is None else round(3600 * hours, 1),
        peak_memory_mb=peak_memory(lines),
        losses=[list(one) for one in zip(*loss, strict=True)] if loss else [],
        environment=describe_environment(PACKAGES),
    )


def _on_test_queries(
    model: EmbeddingModel,
    split: tuple[LabelledImages, LabelledImages],
    image_size: int,
    scales: Sequence[float] | None = None,
) -> dict[str, float]:
    """Returns the metrics of a model that sees queries and index images at a size."""
    queries, index = split
    keys = level_keys(queries.labels.shape[1])
    embedded = [
        embed_images(model, images.files(), image_size=image_size, scales=scales)
        for images in split
    ]
    means = evaluate(
        *(embedded[0], queries.labels, embedded[1], index.labels), level_names=keys
    ).means()
    shown = {"h_ap": "h_ap", "ndcg": "ndcg", "asi": "asi"}
    shown |= {f"map_{key}": f"ap_{key}" for key in keys}
    shown |= {f"r_at_1_{key}": f"r_at_1_{key}" for key in keys}
    return {name: means[key] for name, key in shown.items()}
