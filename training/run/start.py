"""How a run starts: its model, and what is fitted to training images, at its end too."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from hgld.engine.files import file_digest
from hgld.engine.progress import progress
from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.training.config import TrainConfig
from hgld.training.data.images import EvalImages
from hgld.training.data.labels import LabelledImages
from hgld.training.data.loading import load_batches
from hgld.training.methods.loss import MethodLoss
from hgld.training.model.devices import choose_device, enough_memory, place_model
from hgld.training.model.embedding import EmbeddingModel, build_model
from hgld.training.model.saved import load_model
from hgld.training.run.optimiser import make_optimiser
from hgld.training.run.state import RunState

_MOST_FITTED = 20_000
"""Images that a whitening or a mean is fitted to: many times a backbone's 2048 dimensions."""
_AT_ONCE = 64


def start_run(config: TrainConfig, landmarks: Tensor) -> RunState:
    """Builds the model, the loss and the optimiser of a run, before its first step.

    Args:
        config: of the run.
        landmarks: (C, L) int64, the labels of each landmark.

    Returns:
        The run, on the device of the settings.

    Raises:
        InputError: a backbone, weights or a device that cannot be had, or a method that does not
            fit the levels.
        FetchError: weights cannot be fetched.
    """
    place = choose_device(config.device)
    # A run that goes on from another one's model needs no weights of its backbone.
    built = dataclasses.replace(config.model, weights="random") if config.init else config.model
    model = place_model(build_model(built, seed=config.seed), place)
    if config.crop_side != config.image_size and not model.takes_any_size:
        raise InputError(
            f"[train] crop_size must be image_size ({config.image_size}) or left out, got "
            f"{config.crop_size}: {config.backbone} takes images of one size alone"
        )
    model.config = config.model
    model.batch_norm_is_frozen = config.freeze_batch_norm
    model.train()
    try:
        loss = MethodLoss(
            config.method,
            landmarks,
            model.embedding_dim,
            seed=config.seed,
            memory_size=config.memory_size,
        ).to(place)
    except ValueError as error:
        raise InputError(f"[train] {error}") from error
    average = None
    if config.average_decay:
        decayed = get_ema_multi_avg_fn(config.average_decay)  # type: ignore[no-untyped-call]
        average = AveragedModel(model, multi_avg_fn=decayed)
    return RunState(
        model=model,
        loss=loss,
        optimiser=make_optimiser(model, loss.proxies, config),
        scaler=torch.amp.GradScaler(place.type, enabled=config.precision == "float16"),
        average=average,
    )


def init_settings(workspace: Workspace, config: TrainConfig) -> dict[str, object]:
    """Returns what a run's fingerprint says of the model it starts from, beside its name.

    Args:
        workspace: of the build.
        config: of the run.

    Raises:
        InputError: there is no model.
    """
    if not config.init:
        return {}
    path = workspace.path(config.init) / "model.safetensors"
    if not path.is_file():
        raise InputError(
            f"init must name a run of this build that has ended, such as runs/first, got "
            f"{config.init!r}: {path} is not there"
        )
    return {"init_digest": file_digest(path)}


def take_over(model: EmbeddingModel, workspace: Workspace, config: TrainConfig) -> None:
    """Gives a model the weights of an earlier run's, fitted to its own image size.

    Args:
        model: of a new run.
        workspace: of the build.
        config: of the run; `init` names the earlier one.

    Raises:
        InputError: there is no model, or it is of another architecture.
        DamagedError: it is not what its run wrote.
    """
    earlier = load_model(workspace.path(config.init), image_size=config.image_size).state_dict()
    earlier.pop("centre", None)  # of its own training images, taken once all was learned
    own = model.state_dict()
    wanted = {name: value for name, value in own.items() if name != "centre"}
    for name in sorted(wanted.keys() | earlier.keys()):
        has = [one[name].shape if name in one else "none" for one in (wanted, earlier)]
        if has[0] != has[1]:
            raise InputError(
                f"init must name a run of the same architecture: {name} is {has[0]} here and "
                f"{has[1]} in {config.init}; set backbone, pooling and embedding_dim as in that run"
            )
    model.load_state_dict({**own, **earlier})


def fit_to_images(
    fit: Callable[[EmbeddingModel, Iterable[Tensor]], None],
    model: EmbeddingModel,
    images: LabelledImages,
    config: TrainConfig,
) -> None:
    """Fits a part of a model to training images, evenly spaced among all.

    Args:
        fit: `whiten_projection`, before the first step; `centre_vectors`, after the last.
        model: of the run; left in the mode that it is in.
        images: that it is trained on.
        config: of the run.

    Raises:
        InputError: an image cannot be read, or there is not enough memory.
        DamagedError: an image is not what was recorded.
    """
    with enough_memory(next(model.parameters()).device, _AT_ONCE, config.image_size):
        fit(model, _evenly_spaced(images, config))


def _evenly_spaced(images: LabelledImages, config: TrainConfig) -> Iterator[Tensor]:
    every = -(-len(images) // _MOST_FITTED)
    chosen = EvalImages(images.files()[::every], config.image_size, config.crop_pct)
    with progress("train: vectors of training images", len(chosen)) as advance:
        for batch in load_batches(chosen, batch_size=_AT_ONCE, workers=config.workers):
            yield batch
            advance(len(batch))
