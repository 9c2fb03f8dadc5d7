"""The model of a run without its training: what the gain of training is counted from.

It has the run's backbone, pooling, scales and linear layer as they were before the first step; a
whitening and a centre, which need pictures but no training, are fitted to the pictures that the run
was trained on.
"""

import dataclasses
import tempfile
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from hgld.benchmarks.retrieval.runs import TrainedRun
from hgld.engine.config import from_mapping, setting_fields
from hgld.engine.workspace import Workspace
from hgld.errors import MissingInputError
from hgld.pictures import DECODING
from hgld.training.config import TrainConfig
from hgld.training.data.labels import images_of_run
from hgld.training.index.embeddings import EmbeddingCache
from hgld.training.model.config import ModelConfig
from hgld.training.model.embed import choose_device, place_model
from hgld.training.model.embedding import EmbeddingModel, build_model
from hgld.training.run.fitting import centre_vectors, fit_to_images, whiten_projection
from hgld.training.run.vectors import load_vectors
from hgld.training.run.watch import split_images

_CHOOSING = ("labels", "min_confidence", "validation_share")
"""Settings that choose pictures of the data of a run."""


def untrained_model(
    workspace: Workspace, config: ModelConfig, trained: TrainedRun | None, cache: EmbeddingCache
) -> EmbeddingModel:
    """Returns the model of a run as it would be without training.

    What is fitted to pictures is kept beside embeddings: runs of one model share it, and once it is
    there no training picture is needed.

    Args:
        workspace: a build with the run.
        config: of its model.
        trained: what is recorded of its training, if anything is.
        cache: keeps the fit, and says where it is computed.

    Returns:
        The model, on the CPU, in evaluation mode.

    Raises:
        MissingInputError: the training, or its pictures, which the model depends on, are not
            recorded, not there any more, or changed.
        InputError: weights, the recorded settings or an image cannot be read.
        DamagedError: an image is not what was recorded.
        FetchError: weights cannot be fetched.
    """
    is_fitted = config.whitening or config.centring
    is_random = config.weights == "random" or (
        config.embedding_dim is not None and not config.whitening
    )
    if not is_fitted and not is_random:
        return build_model(config)
    if trained is None:
        raise MissingInputError("no training of this build left it: seed and pictures are unknown")
    known = {field.name for field in setting_fields(TrainConfig)}
    given = trained.settings.items()  # None stands for a default
    settings = {name: value for name, value in given if name in known and value is not None}
    of_run = from_mapping(TrainConfig, settings, where="the recorded settings")
    of_run = dataclasses.replace(of_run, workers=cache.workers, device=cache.device)
    model = build_model(config, seed=of_run.seed)
    if is_fitted:
        # What decides the pictures; and no seed where nothing is random, so that seeds share a fit.
        chosen = [getattr(of_run, name) for name in _CHOOSING]
        seed = of_run.seed if is_random else None
        parts = [DECODING, dataclasses.asdict(config), seed, dict(trained.inputs), chosen]
        kept = cache.keep(parts, lambda: _fitted(workspace, model, of_run, trained.inputs))
        vector_to_parameters(kept.embeddings, _head_of(model))
    return model


def _fitted(
    workspace: Workspace, model: EmbeddingModel, config: TrainConfig, inputs: Mapping[str, str]
) -> Tensor:
    """Fits the head of a model to a run's pictures, and returns it as one vector on the CPU.

    Raises:
        MissingInputError: the pictures are not there, or changed.
    """
    if workspace.input_digests(config.stage.inputs, ()) != inputs:
        raise MissingInputError("its training pictures or their labels changed since")
    images = images_of_run(workspace, config)
    if config.frozen:
        with tempfile.TemporaryDirectory() as folder:
            vectors, images = load_vectors(workspace, config, images, Path(folder) / "vectors")
            vectors.start(split_images(images, config)[0])
            return parameters_to_vector(_head_of(vectors.with_layer(vectors.layer))).detach()
    images, _ = split_images(images, config)
    place_model(model, choose_device(config.device))
    if config.whitening:
        fit_to_images(whiten_projection, model, images, config)
    if config.centring:
        fit_to_images(centre_vectors, model, images, config)
    return parameters_to_vector(_head_of(model.cpu())).detach()


def _head_of(model: EmbeddingModel) -> list[Tensor]:
    """Returns what is fitted to pictures; a change of it changes the model."""
    layer = () if model.projection is None else model.projection.parameters()
    return [*layer, *(() if model.centre is None else (model.centre,))]
