"""How a run starts: its weights, and what is fitted to training images, at its end too."""

from collections.abc import Callable, Iterable, Iterator

from torch import Tensor

from hgld.engine.files import file_digest
from hgld.engine.progress import progress
from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.training.config import TrainConfig
from hgld.training.data.images import EvalImages
from hgld.training.data.labels import LabelledImages
from hgld.training.data.loading import load_batches
from hgld.training.model.devices import enough_memory
from hgld.training.model.embedding import EmbeddingModel
from hgld.training.model.saved import load_model

_MOST_FITTED = 20_000
"""Images that a whitening or a mean is fitted to: many times a backbone's 2048 dimensions."""
_AT_ONCE = 64


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
