"""The methods that are compared: trained models, and their backbones before training."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from hgld.benchmarks.retrieval.config import BenchmarkConfig, EmbeddingFiles
from hgld.benchmarks.retrieval.embedding_files import read_embeddings
from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, InputError, MissingInputError
from hgld.training.config import TrainConfig, model_files, train_stage
from hgld.training.data.labels import LabelledImages
from hgld.training.index.embeddings import EmbeddingCache
from hgld.training.model.config import ModelConfig
from hgld.training.model.embedding import EmbeddingModel, build_model
from hgld.training.model.saved import load_model

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelEmbeddings:
    """Embeddings that a model gives here."""

    model: EmbeddingModel
    image_size: int
    """Side of the square it sees, in pixels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrievalMethod:
    """A way to embed images."""

    name: str
    title: str
    source: ModelEmbeddings | EmbeddingFiles
    baseline: str = ""
    """Name of the method it is compared with."""

    def embeddings(
        self, cache: EmbeddingCache, queries: LabelledImages, index: LabelledImages
    ) -> tuple[Tensor, Tensor]:
        """Returns what it gives queries (Q, D) and index images (N, D), of unit norm.

        Raises:
            InputError: an image or a file cannot be read, or a file is not of these images.
            DamagedError: an image is not what was recorded.
        """
        match self.source:
            case ModelEmbeddings(model=model, image_size=size):
                return cache.embed(model, queries, size), cache.embed(model, index, size)
            case EmbeddingFiles(query=query, index=of_index):
                found = [
                    read_embeddings(path, images.image_ids.to_pylist(), split=images.split)
                    for path, images in ((query, queries), (of_index, index))
                ]
                if found[0].shape[1] != found[1].shape[1]:
                    raise InputError(
                        f"embeddings of queries and index must be of one model, got "
                        f"{found[0].shape[1]} numbers in {query} and {found[1].shape[1]} in "
                        f"{of_index}"
                    )
                return found[0], found[1]


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
                f"run {run!r} takes images of {model.image_size} px alone; leave image_size out of "
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
                    source=ModelEmbeddings(
                        model=build_model(before),
                        image_size=config.image_size or before.image_size,
                    ),
                )
            )
        detail = f" ({run})" if len(models) > 1 else ""
        methods.append(
            RetrievalMethod(
                name=f"after {run}",
                title=f"After training{detail}",
                source=ModelEmbeddings(
                    model=model, image_size=config.image_size or model.image_size
                ),
                baseline=baselines[before],
            )
        )
    # Runs of one baseline may be named apart from each other; they are shown together.
    order = list(baselines.values())
    methods.sort(key=lambda method: order.index(method.baseline or method.name))
    rivals = (RetrievalMethod(name=one.name, title=one.name, source=one) for one in config.rivals)
    return [*methods, *rivals]


def describe(method: RetrievalMethod) -> str:
    """Returns what a method is made of, in a line."""
    match method.source:
        case EmbeddingFiles(query=query, index=index):
            return f"embeddings of {query.name} and {index.name}"
        case ModelEmbeddings(model=model, image_size=size):
            config = model.config
            parameters = sum(parameter.numel() for parameter in model.parameters())
            return (
                f"{config.backbone}, weights {Path(config.weights).name}, pooling "
                f"{config.pooling}, {model.embedding_dim} dimensions, {parameters / 1e6:.1f} M "
                f"parameters, {size} px"
            )
