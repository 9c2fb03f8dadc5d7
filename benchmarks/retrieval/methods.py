"""The methods that are compared: trained models, and their backbones before training.

Runs whose recorded settings and data are the same but for name and seed are one method.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from hgld.benchmarks.datasets.pictures import query_crops
from hgld.benchmarks.retrieval.config import BenchmarkConfig, EmbeddingFiles
from hgld.benchmarks.retrieval.embedding_files import read_embeddings
from hgld.benchmarks.retrieval.protocol import Protocol
from hgld.engine.files import file_digest
from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, InputError, MissingInputError
from hgld.training.config import TrainConfig, model_files, train_stage
from hgld.training.index.embeddings import EmbeddingCache
from hgld.training.model.config import ModelConfig
from hgld.training.model.embed import embed_images
from hgld.training.model.embedding import EmbeddingModel, build_model, load_model
from hgld.training.model.exporting import training_hours
from hgld.training.run.lines import peak_memory, read_lines

logger = logging.getLogger(__name__)

# What may differ between runs that are one method.
_OWN = ("name", "seed")


@dataclass(frozen=True, slots=True)
class QueryAndIndex:
    """What a method gives the images of a benchmark."""

    queries: Tensor
    """(Q, D), of unit norm."""
    index: Tensor
    """(N, D), of unit norm."""
    images_per_s: float | None = None
    """When they were made; None where that is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrievalMethod:
    """A way to embed images: by a model here, or as files say."""

    name: str
    title: str
    model: EmbeddingModel | None = None
    image_size: int = 0
    """Side of the square that the model sees, in pixels."""
    files: EmbeddingFiles | None = None
    baseline: str = ""
    """Name of the method it is compared with."""
    run: str = ""
    """Name of the run that trained it; empty where none did."""

    def embeddings(self, cache: EmbeddingCache, protocol: Protocol) -> QueryAndIndex:
        """Returns what it gives queries and index images.

        Raises:
            InputError: an image or a file cannot be read, or a file is not of these images.
            DamagedError: an image is not what was recorded.
        """
        if self.files is not None:
            return _of_files(self.files, protocol)
        if self.model is None:
            raise ValueError(f"method {self.name!r} must have a model or files, got neither")
        return _of_model(self.model, self.image_size, cache, protocol)


def _of_model(
    model: EmbeddingModel, image_size: int, cache: EmbeddingCache, protocol: Protocol
) -> QueryAndIndex:
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
    return QueryAndIndex(queries, kept[-1].embeddings, speed)


def _of_files(source: EmbeddingFiles, protocol: Protocol) -> QueryAndIndex:
    ids = [images.image_ids.to_pylist() for images in (protocol.queries, protocol.index)]
    queries = read_embeddings(source.query, ids[0], split=protocol.queries.split, other_ids=ids[1])
    index = read_embeddings(source.index, ids[1], split=protocol.index.split, other_ids=ids[0])
    if queries.shape[1] != index.shape[1]:
        raise InputError(
            f"embeddings of queries and index must be of one model, got {queries.shape[1]} numbers "
            f"in {source.query} and {index.shape[1]} in {source.index}; make both with one model"
        )
    return QueryAndIndex(queries, index)


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

    def is_like(self, other: "TrainedRun") -> bool:
        """Says whether both have the same settings and data, but for name and a known seed."""
        own, others = (
            {name: value for name, value in one.settings.items() if name not in _OWN}
            for one in (self, other)
        )
        is_seeded = self.seed is not None and other.seed is not None
        return is_seeded and own == others and self.inputs == other.inputs


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
            there = sorted(
                found.parent.name for found in path.parents[1].glob("*/model.safetensors")
            )
            choice = f", or set runs of [benchmark] to one of {', '.join(there)}" if there else ""
            raise MissingInputError(f"{path} is not there yet; run {train}{choice}")
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
                    model=build_model(before),
                    image_size=config.image_size or before.image_size,
                )
            )
        methods.append(
            RetrievalMethod(
                name=f"after {run}",
                title=run if len(models) > 1 else "After training",
                model=model,
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
        methods.append(RetrievalMethod(name=one.name, title=title, files=one))
    return methods


def describe(method: RetrievalMethod, trained: Sequence[TrainedRun] = ()) -> str:
    """Returns what a method is made of, in a line.

    Args:
        method: which; of several runs that differ only in their seed one of them.
        trained: what is recorded of their training, if anything is.
    """
    model, files = method.model, method.files
    if model is None:
        names = [path.name for path in (files.query, files.index)] if files else []
        return f"embeddings of {' and '.join(names)}"
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
    methods: list[list[str]] = []
    for name, run in runs.items():
        for others in methods:
            known = [one for one in map(runs.get, others) if one]
            seeds = {one.seed for one in known}
            if run and known and run.seed not in seeds and run.is_like(known[0]):
                others.append(name)
                break
        else:
            methods.append([name])
    return methods


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
    numbers = {one: settings.get(one) for one in ("epochs", "batch_size", "learning_rate")}
    numbers["image_size"] = settings.get("image_size")
    known = [
        f"{one.replace('_', ' ')} {value:g}"
        for one, value in numbers.items()
        if isinstance(value, int | float)
    ]
    if seeds:
        known.append(f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}")
    return ", ".join([f"trained by {name}", *known])
