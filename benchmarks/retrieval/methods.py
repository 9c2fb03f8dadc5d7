"""The methods that are compared: trained models, their backbones before training, and embeddings.

What each gives the images is measured query by query. Runs whose recorded settings and data are the
same but for name and seed are one method.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from hgld.benchmarks.datasets.pictures import query_crops
from hgld.benchmarks.retrieval.config import BenchmarkConfig, EmbeddingFiles
from hgld.benchmarks.retrieval.embedding_files import read_embeddings
from hgld.benchmarks.retrieval.protocol import Protocol
from hgld.benchmarks.retrieval.reranking import Search
from hgld.benchmarks.retrieval.results import Method
from hgld.engine.files import file_digest
from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, InputError, MissingInputError
from hgld.training.config import TrainConfig, model_files, train_stage
from hgld.training.index.embeddings import EmbeddingCache
from hgld.training.model.config import ModelConfig
from hgld.training.model.embed import embed_images
from hgld.training.model.embedding import EmbeddingModel, build_model
from hgld.training.model.exporting import training_hours
from hgld.training.model.saved import load_model
from hgld.training.run.lines import peak_memory, read_lines

logger = logging.getLogger(__name__)

Values = NDArray[np.float64]
"""(Q,), NaN where a query has no value."""

# What may differ between runs that are one method.
_OWN = ("name", "seed")


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrievalMethod:
    """A way to embed images: by a model here, or as files say."""

    name: str
    title: str
    source: EmbeddingModel | EmbeddingFiles
    image_size: int = 0
    """Side of the square that the model sees, in pixels."""
    baseline: str = ""
    """Name of the method it is compared with."""
    run: str = ""
    """Name of the run that trained it; empty where none did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredMethod:
    """A run, a backbone before training, or embeddings, and what was measured of it."""

    method: RetrievalMethod
    per_query: Mapping[str, Values]
    """By metric."""
    nearest: Tensor
    """(Q, k) int64, positions in the index, nearest first."""
    embedding_dim: int
    images_per_s: float | None
    """When they were embedded; None where that is not known."""
    ranking: str = ""
    """How the index is ranked, where it is not by these embeddings as they are."""
    others: "Mapping[str, MeasuredMethod]" = field(default_factory=dict)
    """Other rankings by the same embeddings, by what they are called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedRun:
    """A run whose training ended in this build and left the model that is there."""

    settings: Mapping[str, object]
    """Those that decide its weights."""
    inputs: Mapping[str, str]
    """Digests of what it was trained on."""
    hours: float | None
    peak_memory_mb: float | None

    @property
    def seed(self) -> int | None:
        """Of the weights, the batches and the crops; None where it is not recorded."""
        found = self.settings.get("seed")
        return found if isinstance(found, int) else None

    @property
    def shared(self) -> tuple[object, ...]:
        """What all runs of one method have in common: settings but for name and seed, and data."""
        return {key: one for key, one in self.settings.items() if key not in _OWN}, self.inputs


@dataclass(frozen=True, kw_only=True)  # without slots, since what follows from it is kept
class Compared:
    """One method: a single measured one, or runs that differ only in their seed."""

    method: Method
    runs: tuple[MeasuredMethod, ...]
    """Pictures are shown of the first."""
    trained: tuple[TrainedRun, ...] = ()
    """What is recorded of each run; none where nothing is."""

    @cached_property
    def per_query(self) -> dict[str, Values]:
        """The mean over the runs, which have a value for the same queries."""
        keys = self.runs[0].per_query
        return {key: np.mean([one.per_query[key] for one in self.runs], axis=0) for key in keys}


def require_runs(workspace: Workspace, runs: Sequence[str]) -> None:
    """Refuses to start without the models, or with one that is not as its training left it.

    A model that no training of this build wrote, put there by hand, is taken and said so.

    Raises:
        MissingInputError: a run has left no model; the text names those that have.
        DamagedError: a model does not have the bytes that the training wrote.
    """
    for run in runs:
        path = workspace.path(model_files(run)[0])
        train = workspace.command("train" if run == TrainConfig().name else f"train --name {run}")
        if not path.exists():
            there = ", ".join(
                sorted(one.parent.name for one in path.parents[1].glob(f"*/{path.name}"))
            )
            raise MissingInputError(
                f"{path} is not there yet; run {train}, or name one of: {there or 'none is there'}"
            )
        done = workspace.manifest(train_stage(run).name)
        if done is None:
            logger.warning("%s is of no finished training of this build; taken as it is", path)
        else:
            for damage in workspace.damages(done.records, ()):
                damaged = workspace.path(damage.path)
                raise DamagedError(f"{damaged} {damage.what}; run {train} to make it again")


def load_methods(workspace: Workspace, config: BenchmarkConfig) -> list[RetrievalMethod]:
    """Loads the runs, each after its baseline: the same backbone before training.

    A baseline has no linear layer: before training that would be a random projection, which
    only takes away from what the backbone gives. Runs of the same model share a baseline.

    Raises:
        InputError: a model cannot be read, or cannot take images of the size asked for.
        FetchError: weights cannot be fetched.
    """
    methods: list[RetrievalMethod] = []
    baselines: dict[ModelConfig, str] = {}
    models = {run: load_model(workspace.path(model_files(run)[0])) for run in config.runs}
    distinct = {model.config.before_training for model in models.values()}
    for run, model in models.items():
        if config.image_size is not None and not model.takes_any_size:
            raise InputError(
                f"run {run!r} only takes images of {model.image_size} px; leave image_size out of "
                f"[benchmark]"
            )
        before = model.config.before_training
        if before not in baselines:
            baselines[before] = f"before {run}"
            detail = f" ({before.backbone}, {before.image_size} px)" if len(distinct) > 1 else ""
            methods.append(
                RetrievalMethod(
                    name=baselines[before],
                    title=f"Before training{detail}",
                    source=build_model(before),
                    image_size=config.image_size or before.image_size,
                )
            )
        methods.append(
            RetrievalMethod(
                name=f"after {run}",
                title=run if len(models) > 1 else "After training",
                source=model,
                image_size=config.image_size or model.image_size,
                baseline=baselines[before],
                run=run,
            )
        )
    # Runs of one baseline may be named apart from each other; they are shown together.
    order = list(baselines.values())
    methods.sort(key=lambda method: order.index(method.baseline or method.name))
    for one in config.rivals:
        title = f"{one.name}, embeddings" if one.name in models else one.name
        methods.append(RetrievalMethod(name=one.name, title=title, source=one))
    return methods


def measure(
    cache: EmbeddingCache, method: RetrievalMethod, protocol: Protocol, search: Search
) -> MeasuredMethod:
    """Embeds queries and index, or reads their embeddings, and measures every ranking.

    Raises:
        InputError: an image or a file cannot be read, or a file is not of these images.
        DamagedError: an image is not what was recorded.
    """
    count = (len(protocol.queries), len(protocol.index))
    logger.info("benchmark: %s: %d queries, %d index images", method.name, *count)
    speed = None
    if isinstance(method.source, EmbeddingFiles):
        queries, index = _of_files(method.source, protocol)
    else:
        queries, index, speed = _of_model(method.source, method.image_size, cache, protocol)
    measured, leading = {}, protocol.metrics[0]
    for one in search.rankings(queries, index, protocol):
        both, first = (one.queries, one.index), one.first
        found = protocol.evaluate(*both, first=first, distractors=search.distractors).per_query
        mean = float(found[leading.key].nanmean())
        name = f"{method.name} {one.label}".strip()
        logger.info("benchmark: %s: %s %.4f", name, leading.name, mean)
        measured[one.label] = MeasuredMethod(
            method=method,
            per_query={key: each.numpy() for key, each in found.items()},
            nearest=protocol.nearest(*both, first),
            embedding_dim=queries.shape[1],
            images_per_s=speed,
            ranking=one.description,
        )
    return replace(measured.pop(""), others=measured)


def _of_model(
    model: EmbeddingModel, image_size: int, cache: EmbeddingCache, protocol: Protocol
) -> tuple[Tensor, Tensor, float | None]:
    """Returns embeddings of queries and index, and images a second unless some were kept."""
    boxes = protocol.data.boxes if protocol.data else ()
    parts = (protocol.index,) if boxes else (protocol.queries, protocol.index)
    kept = [cache.embed(model, images, image_size) for images in parts]
    spent = [one.seconds for one in kept if one.seconds]
    speed = round(sum(map(len, parts)) / sum(spent), 1) if len(spent) == len(kept) else None
    queries = kept[0].embeddings
    if protocol.data and boxes:  # some parts of pictures, which are quicker to embed than to keep
        queries = embed_images(
            *(model, query_crops(protocol.data)),
            image_size=image_size,
            batch_size=cache.batch_size,
            precision=cache.precision,
            device=cache.device,
        )
    return queries, kept[-1].embeddings, speed


def _of_files(source: EmbeddingFiles, protocol: Protocol) -> tuple[Tensor, Tensor]:
    ids = [images.image_ids.to_pylist() for images in (protocol.queries, protocol.index)]
    queries = read_embeddings(source.query, ids[0], split=protocol.queries.split, other_ids=ids[1])
    index = read_embeddings(source.index, ids[1], split=protocol.index.split, other_ids=ids[0])
    if queries.shape[1] != index.shape[1]:
        raise InputError(
            f"embeddings of queries and index must be of one model, got {queries.shape[1]} numbers "
            f"in {source.query} and {index.shape[1]} in {source.index}; make both with one model"
        )
    return queries, index


def by_method(workspace: Workspace, measured: Sequence[MeasuredMethod]) -> list[Compared]:
    """Puts runs together that differ only in their seed.

    Args:
        workspace: where the runs lie.
        measured: each baseline before the runs that started from it.

    Returns:
        The methods, each where its first run is.
    """
    runs = {one.method.run: one for one in measured if one.method.run}
    trained = {run: read_trained_run(workspace, run) for run in runs}
    taken = set(runs)
    groups = [[one] for one in measured if not one.method.run]
    groups += [[runs[one] for one in names] for names in runs_by_method(trained)]
    order = [one.method.name for one in measured]
    found = []
    for group in sorted(groups, key=lambda one: order.index(one[0].method.name)):
        first = group[0].method
        records = {one.method.run: trained[one.method.run] for one in group if first.run}
        seeds = {run: one.seed if one else None for run, one in records.items()}
        name, title = first.name, first.title
        if len(group) > 1:
            called = name_of_runs(seeds)
            # Another run, or others together, may be called so.
            called = ", ".join(seeds) if called in taken else called
            taken.add(called)
            name, title = f"after {called}", f"{called}, {len(seeds)} seeds"
        known = tuple(filter(None, records.values()))
        method = Method(
            name=name,
            title=title,
            description=describe(first, known),
            baseline=first.baseline,
            runs=seeds,
        )
        found.append(Compared(method=method, runs=tuple(group), trained=known))
    return found


def with_other_rankings(compared: Iterable[Compared]) -> Iterator[Compared]:
    """Yields every method, and after it the other rankings by its embeddings, against it.

    Raises:
        InputError: a re-ranker's ranking is there of some of the runs that are one method.
    """
    for one in compared:
        yield one
        method = one.method
        for label in dict.fromkeys(label for run in one.runs for label in run.others):
            runs = tuple(run.others[label] for run in one.runs if label in run.others)
            if len(runs) < len(one.runs):
                raise InputError(
                    f"rerank must have a file {label} of each run of {method.title}, which differ "
                    f"only in their seed, got {len(runs)} of {len(one.runs)}"
                )
            ranked = replace(
                method,
                name=f"{method.name} + {label}",
                title=f"{method.title} + {label}",
                description=f"{runs[0].ranking}; {method.description}",
                baseline=method.name,
            )
            yield Compared(method=ranked, runs=runs, trained=one.trained)


def describe(method: RetrievalMethod, trained: Sequence[TrainedRun] = ()) -> str:
    """Returns what a method is made of, in a line.

    Args:
        method: which; of several runs that differ only in their seed one of them.
        trained: what is recorded of their training, if anything is.
    """
    model = method.source
    if isinstance(model, EmbeddingFiles):
        return f"embeddings of {model.query.name} and {model.index.name}"
    seen = f"{model.embedding_dim} dimensions, {method.image_size} px"
    if not method.run:
        weights = Path(model.config.weights).name
        return (
            f"{model.config.backbone} as it is before training here, weights {weights}, pooling "
            f"{model.config.pooling}, no linear layer: {seen}"
        )
    how = "a model whose training is of no record in this build"
    if trained:
        seeds = [one.seed for one in trained if one.seed is not None]
        how = training_words(trained[0].settings, seeds)
    return f"{model.config.backbone}, {how}: {seen}"


def read_trained_run(workspace: Workspace, run: str) -> TrainedRun | None:
    """Returns what is recorded of a run.

    Args:
        workspace: a build with the run's model.
        run: its name.

    Returns:
        What is known; None of a model that no finished training of this build wrote.
    """
    done = workspace.manifest(train_stage(run).name)
    weights = model_files(run)[0]
    if done is None or done.outputs.get(weights) != file_digest(workspace.path(weights)):
        return None
    log = workspace.path(f"runs/{run}/metrics.jsonl")
    lines = log.read_text("utf-8", "replace").splitlines() if log.exists() else []
    batch_size = done.settings.get("batch_size")
    return TrainedRun(
        settings=done.settings,
        inputs=done.inputs,
        hours=training_hours(lines, batch_size) if isinstance(batch_size, int) else None,
        peak_memory_mb=peak_memory(read_lines(log)),
    )


def runs_by_method(runs: Mapping[str, TrainedRun | None]) -> list[list[str]]:
    """Puts runs together that differ only in their seed.

    Args:
        runs: by name, what is recorded of each; one without a seed stays by itself.

    Returns:
        Names, in the order in which they are given; a second run of one seed is no further seed,
        and starts a method of its own.
    """
    methods: dict[str, list[str]] = {}
    for name, run in runs.items():
        seed, shared = (run.seed, run.shared) if run else (None, None)
        for first, names in methods.items():
            known = runs[first]
            # As many known seeds as runs: all differ.
            seeds = {seed, *(one.seed for one in map(runs.get, names) if one)} - {None}
            if known and known.shared == shared and len(seeds) > len(names):
                names.append(name)
                break
        else:
            methods[name] = [name]
    return list(methods.values())


def name_of_runs(seeds: Mapping[str, int | None]) -> str:
    """Returns what runs of several seeds are called together.

    Args:
        seeds: by run.

    Example:
        >>> name_of_runs({"csl-0": 0, "csl-1": 1}), name_of_runs({"csl": 0, "again": 1})
        ('csl', 'csl, again')
    """
    stems = {run.removesuffix(str(seed)).rstrip("-_. ") for run, seed in seeds.items()}
    is_shared = len(stems) == 1 and all(run.endswith(str(seed)) for run, seed in seeds.items())
    return stems.pop() if is_shared and all(stems) else ", ".join(seeds)


def training_words(settings: Mapping[str, object], seeds: Sequence[int] = ()) -> str:
    """Returns in a few words how runs were trained.

    Args:
        settings: of one of them.
        seeds: of all.

    Example:
        >>> training_words({"method": {"name": "happier"}, "epochs": 2}, [0, 1])
        'trained by happier, epochs 2, seeds 0, 1'
    """
    method = settings.get("method")
    name = method.get("name") if isinstance(method, Mapping) else method
    known = [
        f"{one.replace('_', ' ')} {value:g}"
        for one in ("epochs", "batch_size", "learning_rate", "image_size")
        if isinstance(value := settings.get(one), int | float)
    ]
    if seeds:
        known.append(f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}")
    return ", ".join([f"trained by {name}", *known])
