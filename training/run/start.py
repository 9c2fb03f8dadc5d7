"""How a run starts: from a backbone's weights, or from the model of an earlier run."""

import torch

from hgld.engine.files import file_digest
from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.training.config import TrainConfig
from hgld.training.data.images import EvalImages
from hgld.training.data.labels import LabelledImages
from hgld.training.data.loading import load_batches
from hgld.training.model.embedding import EmbeddingModel
from hgld.training.model.saved import load_model
from hgld.training.model.whitening import whiten_projection

_MOST_WHITENED = 20_000
"""Images that a whitening is fitted to: many times the 2048 dimensions of a backbone."""
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
    wanted = model.state_dict()
    for name in sorted(wanted.keys() | earlier.keys()):
        has = [one[name].shape if name in one else "none" for one in (wanted, earlier)]
        if has[0] != has[1]:
            raise InputError(
                f"init must name a run of the same architecture: {name} is {has[0]} here and "
                f"{has[1]} in {config.init}; set backbone, pooling and embedding_dim as in that run"
            )
    model.load_state_dict(earlier)


def whiten(model: EmbeddingModel, images: LabelledImages, config: TrainConfig) -> None:
    """Starts a model's linear layer as a whitening of training images, evenly spaced among all.

    Args:
        model: of a new run; left in the mode that it is in.
        images: that it is to be trained on.
        config: of the run.

    Raises:
        InputError: an image cannot be read.
        DamagedError: it is not what was recorded.
    """
    every = -(-len(images) // _MOST_WHITENED)
    chosen = EvalImages(images.files()[::every], config.image_size, config.crop_pct)
    place, was_training = next(model.parameters()).device, model.training
    batches = load_batches(chosen, batch_size=_AT_ONCE, workers=config.workers)
    with torch.no_grad():
        whiten_projection(model.eval(), (batch.to(place) for batch in batches))
    model.train(was_training)
