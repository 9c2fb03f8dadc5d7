"""The methods that are compared: trained models, the same untrained, backbones, and embeddings.

What each gives the images is measured query by query.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hgld.benchmarks.datasets.pictures import query_crops
from hgld.benchmarks.retrieval.config import BenchmarkConfig, EmbeddingFiles
from hgld.benchmarks.retrieval.facts import protocol_facts, require_facts
from hgld.benchmarks.retrieval.protocol import Protocol
from hgld.benchmarks.retrieval.reranking import Search
from hgld.benchmarks.retrieval.results import Kind, Method
from hgld.benchmarks.retrieval.runs import (
    OWN,
    TrainedRun,
    name_of_runs,
    read_trained_run,
    runs_by_method,
    take_vectors,
    training_words,
)
from hgld.benchmarks.retrieval.untrained import untrained_model
from hgld.engine.workspace import Workspace
from hgld.errors import HgldError, InputError
from hgld.training.config import model_files
from hgld.training.index.embedding_files import read_embeddings
from hgld.training.index.embeddings import BLOCK, EmbeddingCache, Environment, distinct
from hgld.training.model.config import ModelConfig, facts_digest, width_of_vectors
from hgld.training.model.embed import embed_images
from hgld.training.model.embedding import EmbeddingModel, build_model
from hgld.training.model.saved import embedding_facts, load_model, model_digest

logger = logging.getLogger(__name__)

Values = NDArray[np.float64]
"""(Q,), NaN where a query has no value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrievalMethod:
    """A way to embed images: by a model here, or as files say."""

    name: str
    title: str
    kind: Kind
    model: EmbeddingModel | None = None
    files: EmbeddingFiles | None = None
    """What was embedded elsewhere: what is measured, or what a model of vectors is given."""
    image_size: int = 0
    """Side of the square that the model sees, in pixels."""
    baseline: str = ""
    """Name of the method it is compared with."""
    run: str = ""
    """Name of the run that trained it; empty where none did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredMethod:
    """A way to embed images, and what was measured of it."""

    method: RetrievalMethod
    per_query: Mapping[str, Values]
    """By metric."""
    nearest: Tensor
    """(Q, k) int64, positions in the index, nearest first."""
    embedding_dim: int
    images_per_s: float | None
    """When they were embedded; None where that is not known."""
    facts: Mapping[str, Any]
    """What was done to the pictures, with what, and how the index is ranked (`Method.facts`)."""
    others: "Mapping[str, MeasuredMethod]" = field(default_factory=dict)
    """Other rankings by the same embeddings, by what they are called."""


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


def load_methods(
    workspace: Workspace, config: BenchmarkConfig, cache: EmbeddingCache
) -> list[RetrievalMethod]:
    """Loads the runs, each after the bare backbone, and after the same model untrained.

    A bare backbone has nothing that is added to it: no inner map, linear layer or centre. What
    training gives is counted from the untrained model, which has all of it (`untrained_model`);
    where that cannot be had, from the backbone, and the log says why. Runs share both where they
    are the same. The gain of a run that takes vectors is counted from these, a rival's embeddings.

    Raises:
        InputError: a model cannot be read, or cannot take images of the size asked for.
        FetchError: weights cannot be fetched.
    """
    backbones: dict[ModelConfig, EmbeddingModel] = {}
    without_training: dict[str, RetrievalMethod] = {}  # by the digest of the model
    methods: list[tuple[int, RetrievalMethod]] = []
    on_vectors = take_vectors(workspace, config.runs)
    runs = {run: load_model(workspace.path(model_files(run)[0])) for run in config.runs}
    models = {run: model for run, model in runs.items() if run not in on_vectors}
    is_one = len({model.config.before_training for model in models.values()}) == 1
    for run, model in models.items():
        if config.image_size is not None and not model.takes_any_size:
            raise InputError(
                f"run {run!r} only takes images of {model.image_size} px; leave image_size out of "
                f"[benchmark]"
            )
        before, size = model.config.before_training, config.image_size or model.image_size
        if before not in backbones:
            backbones[before] = build_model(before)
        title = "Backbone" if is_one else f"Backbone ({before.backbone}, {before.image_size} px)"
        started = _untrained(workspace, run, model, cache) or backbones[before]
        own = RetrievalMethod(
            name=f"after {run}",
            title=run if len(models) > 1 else "After training",
            kind="run",
            model=model,
            image_size=size,
            run=run,
        )
        bare = replace(own, name=f"backbone {run}", title=title, kind="backbone", run="")
        bare = replace(bare, model=backbones[before])
        bare = without_training.setdefault(model_digest(backbones[before]), bare)
        baseline = replace(bare, name=f"untrained {run}", kind="untrained", model=started)
        baseline = without_training.setdefault(model_digest(started), baseline)
        # Runs of one backbone may be named apart from each other; they are shown together.
        place = list(backbones).index(before)
        methods += [(place, one) for one in (bare, baseline, replace(own, baseline=baseline.name))]
    methods.sort(key=lambda one: (one[0], get_args(Kind).index(one[1].kind)))
    found = list({one.name: one for _, one in methods}.values())
    for one in config.rivals:
        title = f"{one.name}, embeddings" if one.name in runs else one.name
        found.append(RetrievalMethod(name=one.name, title=title, kind="embeddings", files=one))
    for run in on_vectors:
        if len(config.rivals) != 1:
            raise InputError(
                f"run {run!r} takes vectors, as it was trained on embeddings of a file: embeddings "
                f"must name one pair of files for it, got {len(config.rivals)}; add --embeddings "
                f"NAME=QUERY INDEX of the same origin"
            )
        (rival,) = config.rivals
        own = RetrievalMethod(name=f"after {run}", title=run, kind="run", model=runs[run], run=run)
        found.append(replace(own, baseline=rival.name, files=rival))
    return found


def _untrained(
    workspace: Workspace, run: str, model: EmbeddingModel, cache: EmbeddingCache
) -> EmbeddingModel | None:
    """Returns the model of a run without its training; None, with a warning, if it is not known."""
    try:
        return untrained_model(workspace, model.config, read_trained_run(workspace, run), cache)
    except HgldError as error:
        what = "benchmark: run %s is compared with its bare backbone, not with itself untrained: %s"
        logger.warning(what, run, error)
        return None


def measure(
    cache: EmbeddingCache, method: RetrievalMethod, protocol: Protocol, search: Search
) -> MeasuredMethod:
    """Embeds queries and index, or reads their embeddings, and measures every ranking.

    Raises:
        InputError: an image or a file cannot be read, or a file is not of these images.
        DamagedError: an image is not what was recorded.
    """
    count = (f"{len(one):,}" for one in (protocol.queries, protocol.index))
    logger.info("benchmark: %s: %s queries, %s index images", method.name, *count)
    speed = None
    if method.files is not None:
        facts = require_facts(method.files, protocol_facts(protocol))
        queries, index = _of_files(method.files, protocol)
        if method.model is not None:
            path = method.files.index
            queries, index = (adapted(method.model, one, path) for one in (queries, index))
    elif method.model is not None:
        queries, index, speed, made_with = _of_model(
            method.model, method.image_size, cache, protocol
        )
        facts = {
            **embedding_facts(method.model, method.image_size, cache.precision),
            "pictures": facts_digest([protocol.queries.digest(), protocol.index.digest()])[:16],
            "embedded_with": made_with,
        }
    measured, leading = {}, protocol.metrics[0]
    for one in search.rankings(queries, index, protocol):
        found = protocol.evaluate(one, search.distractors).per_query
        mean = float(found[leading.key].nanmean())
        name = f"{method.name} {one.label}".strip()
        logger.info("benchmark: %s: %s %.4f", name, leading.name, mean)
        measured[one.label] = MeasuredMethod(
            method=method,
            per_query={key: each.numpy() for key, each in found.items()},
            nearest=protocol.nearest(one),
            embedding_dim=queries.shape[1],
            images_per_s=speed,
            facts={**facts, "ranking": one.description},
        )
    return replace(measured.pop(""), others=measured)


def _of_model(
    model: EmbeddingModel, image_size: int, cache: EmbeddingCache, protocol: Protocol
) -> tuple[Tensor, Tensor, float | None, list[Environment]]:
    """Returns embeddings of queries and index, images a second or None, and what made them."""
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
    made_with = distinct(one for part in kept for one in part.made_with)
    return queries, kept[-1].embeddings, speed, made_with


def adapted(model: EmbeddingModel, vectors: Tensor, path: Path) -> Tensor:
    """Returns what a model that takes vectors makes of them, (n, D).

    Args:
        model: on the CPU.
        vectors: (n, C) unit norm.
        path: where they are from, for an error.

    Raises:
        InputError: they are of another width.
    """
    width = width_of_vectors(model.config.backbone)
    if vectors.shape[1] != width:
        raise InputError(
            f"{path} must have vectors of {width} numbers, as those that the run was trained on, "
            f"got {vectors.shape[1]}; use embeddings of the same model"
        )
    with torch.inference_mode():
        return torch.cat([model.adapt(block) for block in torch.split(vectors, BLOCK)])


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
    by_name = {one.method.name: one for one in measured}
    runs = {one.method.run: one for one in measured if one.method.run}
    trained = {run: read_trained_run(workspace, run) for run in runs}
    taken = set(runs)
    by_themselves = (one for one in measured if one.method.kind in {"backbone", "embeddings"})
    found = {one.method.name: _summed_up([one], one.method) for one in by_themselves}
    baselines: dict[tuple[str, ...], str] = {(name,): name for name in found}
    is_one_model = sum(one.method.kind == "untrained" for one in measured) == 1
    for names in runs_by_method(trained):
        group = [runs[name] for name in names]
        seeds = {name: one.seed if (one := trained[name]) else None for name in names}
        called, several = names[0], f", {len(names)} seeds" if len(names) > 1 else ""
        if several:
            called = name_of_runs(seeds)
            # Another run, or others together, may be called so.
            called = ", ".join(seeds) if called in taken else called
            taken.add(called)
        # Without training several seeds are one model, unless something of it is random.
        began = {one.method.baseline: seeds[one.method.run] for one in group}
        if (bases := tuple(began)) not in baselines:
            name = baselines[bases] = bases[0] if len(bases) == 1 else f"untrained {called}"
            title = "Same model, untrained" if is_one_model else f"{called}, untrained"
            about = replace(by_name[bases[0]].method, name=name, title=title)
            began = began if len(bases) > 1 else {}
            found[name] = _summed_up([by_name[one] for one in bases], about, began)
        name, title = f"after {called}", f"{called}{several}" if several else group[0].method.title
        about = replace(group[0].method, name=name, title=title, baseline=baselines[bases])
        known = [one for name in names if (one := trained[name])]
        found[name] = _summed_up(group, about, seeds, known)
    order = list(by_name)
    return sorted(found.values(), key=lambda one: order.index(one.runs[0].method.name))


def _summed_up(
    runs: Sequence[MeasuredMethod],
    about: RetrievalMethod,
    seeds: Mapping[str, int | None] | None = None,
    trained: Sequence[TrainedRun] = (),
) -> Compared:
    """Returns runs that are one method, which has the name, title and baseline of `about`."""
    facts = dict(runs[0].facts)
    if trained:
        told = {field.name for field in fields(ModelConfig)} | {*OWN}
        facts |= {
            "training": {key: one for key, one in trained[0].settings.items() if key not in told},
            "trained_on": dict(trained[0].inputs),
            "trained_with": distinct(each for one in trained for each in one.made_with),
        }
    method = Method(
        name=about.name,
        title=about.title,
        kind=about.kind,
        description=describe(about, trained),
        baseline=about.baseline,
        runs=dict(seeds or {}),
        facts=facts,
    )
    return Compared(method=method, runs=tuple(runs), trained=tuple(trained))


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
                description=f"{runs[0].facts['ranking']}; {method.description}",
                baseline=method.name,
                facts={**method.facts, "ranking": runs[0].facts["ranking"]},
            )
            yield Compared(method=ranked, runs=runs, trained=one.trained)


def describe(method: RetrievalMethod, trained: Sequence[TrainedRun] = ()) -> str:
    """Returns what a method is made of, in a line.

    Args:
        method: which; of several runs that differ only in their seed one of them.
        trained: what is recorded of their training, if anything is.
    """
    model, given = method.model, f"{method.image_size} px"
    if method.files is not None:
        given = f"embeddings of {method.files.query.name} and {method.files.index.name}"
    if model is None:
        return given
    config = model.config
    bare = asdict(config.before_training)
    added = [key for key, one in asdict(config).items() if one != bare[key]]
    words = ", ".join(f"{key.replace('_', ' ')} {getattr(config, key)}" for key in added)
    how = "a model whose training is of no record in this build"
    if method.kind == "backbone":
        how = f"weights {Path(config.weights).name}, pooling {config.pooling}"
    elif method.kind == "untrained":
        how = "before any training here"
    elif trained:
        seeds = [one.seed for one in trained if one.seed is not None]
        how = training_words(trained[0].settings, seeds)
    return (
        f"{config.backbone}, {how}; {words or 'nothing added'}: {model.embedding_dim} "
        f"dimensions, {given}"
    )
