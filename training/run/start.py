"""How a run starts: from a backbone's weights, or from the model of an earlier run."""

from pathlib import Path

import torch
from timm.layers import resample_abs_pos_embed  # type: ignore[attr-defined]  # not in its __all__
from torch import Tensor

from hgld.engine.files import file_digest
from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.training.model.embedding import EmbeddingModel
from hgld.training.model.saved import load_model


def init_settings(workspace: Workspace, init: str) -> dict[str, object]:
    """Returns what a run's fingerprint says of the model it starts from, beside its name.

    Args:
        workspace: of the build.
        init: a folder of a run, relative to the build's; empty: none.

    Raises:
        InputError: there is no model.
    """
    return {"init_digest": file_digest(_model_file(workspace, init))} if init else {}


def earlier_model(workspace: Workspace, init: str) -> EmbeddingModel | None:
    """Returns the model of an earlier run, or None where a run starts from none.

    Raises:
        InputError: there is no model.
        DamagedError: it is not what its run wrote.
    """
    return load_model(_model_file(workspace, init).parent) if init else None


def take_over(model: EmbeddingModel, earlier: EmbeddingModel) -> None:
    """Gives a model the weights of an earlier one.

    Where they see images of two sizes, the positions of a vision transformer are interpolated.

    Args:
        model: of a new run.
        earlier: of the same architecture.

    Raises:
        InputError: it is of another architecture; the text says where they differ first.
    """
    wanted, state = model.state_dict(), earlier.state_dict()
    for name in wanted.keys() & state.keys():
        if name.endswith("pos_embed") and state[name].shape != wanted[name].shape:
            state[name] = _resized(state[name], model)
    odd = [
        name
        for name in sorted(wanted.keys() | state.keys())
        if name not in wanted or name not in state or wanted[name].shape != state[name].shape
    ]
    if odd:
        raise InputError(
            f"init must name a run of the same architecture: {odd[0]} is there in one of them, or "
            f"of another shape; set backbone, pooling and embedding_dim as in that run"
        )
    model.load_state_dict(state)


def _resized(positions: Tensor, model: EmbeddingModel) -> Tensor:
    grid = model.backbone.patch_embed.grid_size  # type: ignore[union-attr]
    prefix = getattr(model.backbone, "num_prefix_tokens", 1)
    with torch.no_grad():
        resized: Tensor = resample_abs_pos_embed(
            positions,
            list(grid),  # type: ignore[arg-type]
            num_prefix_tokens=prefix,
        )
    return resized


def _model_file(workspace: Workspace, init: str) -> Path:
    path = workspace.path(init) / "model.safetensors"
    if not path.is_file():
        raise InputError(
            f"init must name a run of this build that has ended, such as runs/first, got {init!r}: "
            f"{path} is not there"
        )
    return path
