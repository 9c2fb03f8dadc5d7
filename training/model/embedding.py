"""The embedding model: a timm backbone, GeM pooling, unit vectors. How it is built, kept, used."""

import dataclasses
import pickle
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from hgld.engine.progress import progress
from hgld.errors import InputError
from hgld.training.config import ModelConfig, Precision
from hgld.training.data.labels import EvalImages
from hgld.training.data.loading import load_batches
from hgld.training.model.backbone import create_backbone, pretrained_backbone

_BATCH_NORM = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


def generalised_mean(features: Tensor, *, p: float = 3.0, eps: float = 1e-6) -> Tensor:
    """Pools a feature map to one vector: GeM_c = (mean over positions of max(x_c, eps)^p)^(1/p).

    p = 1 is average pooling, p -> infinity maximum pooling.

    Args:
        features: (B, C, H, W), any float type; computed in at least float32, as x^3 overflows
            float16.
        p: the exponent.
        eps: the smallest value that counts, so that the root has a gradient.

    Returns:
        (B, C) float32, or float64 where the features are.

    Example:
        >>> generalised_mean(torch.tensor([[[[1.0, 2.0]]]]))  # ((1 + 8) / 2)^(1/3)
        tensor([[1.6510]])

    Source: Radenovic, Tolias, Chum, Fine-tuning CNN Image Retrieval with No Human Annotation,
        TPAMI 2019, eq. 3.
    """
    features = features.to(torch.promote_types(features.dtype, torch.float32))
    return features.clamp(min=eps).pow(p).mean(dim=(2, 3)).pow(1 / p)


class EmbeddingModel(nn.Module):
    """From images to unit vectors: normalise, backbone, pooling, optional linear layer."""

    mean: Tensor
    std: Tensor

    def __init__(self, config: ModelConfig, backbone: nn.Module, width: int) -> None:
        """Puts a model together; `build_model` and `load_model` are the ways to get one.

        Args:
            config: what it is made of.
            backbone: gives a feature map (B, C, H, W), or (B, C) with its own pooling.
            width: C.
        """
        super().__init__()
        self.config = config
        self.backbone = backbone
        self.projection = nn.Linear(width, config.embedding_dim) if config.embedding_dim else None
        self.embedding_dim = config.embedding_dim or width
        self.batch_norm_is_frozen = False
        self.register_buffer("mean", torch.full((1, 3, 1, 1), 0.5))
        self.register_buffer("std", torch.full((1, 3, 1, 1), 0.5))

    def forward(self, images: Tensor) -> Tensor:
        """Embeds a batch.

        Args:
            images: (B, 3, S, S) uint8.

        Returns:
            (B, D) float32, unit norm.
        """
        pixels = (images / 255 - self.mean) / self.std
        features = self.backbone(pixels.contiguous(memory_format=torch.channels_last))
        pooled = generalised_mean(features) if self.config.pooling == "gem" else features
        if self.projection is not None:
            pooled = self.projection(pooled)
        return functional.normalize(pooled.float(), dim=1)

    def train(self, mode: bool = True) -> "EmbeddingModel":
        """Sets training mode, in which frozen batch normalisation keeps its statistics."""
        super().train(mode)
        if self.batch_norm_is_frozen:
            for module in self.modules():
                if isinstance(module, _BATCH_NORM):
                    module.eval()
        return self


def build_model(config: ModelConfig, *, seed: int = 0) -> EmbeddingModel:
    """Builds a model whose backbone starts from the weights the settings name.

    Args:
        config: what it is made of.
        seed: of what starts at random: a linear layer, and all of it with `random` weights.

    Returns:
        The model, on the CPU, in evaluation mode.

    Raises:
        InputError: unknown backbone, one without a feature map, weights that do not fit or are
            not installed.
        FetchError: the hub cannot be reached.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        backbone, mean, std = pretrained_backbone(config)
        model = _assemble(config, backbone)
    model.mean.copy_(torch.tensor(mean).view(1, 3, 1, 1))
    model.std.copy_(torch.tensor(std).view(1, 3, 1, 1))
    return model


def save_model(model: EmbeddingModel, path: Path) -> None:
    """Writes all that `load_model` needs; the same weights give the same bytes.

    Args:
        model: on any device.
        path: the file to write, in place: rename it when it is whole.
    """
    state = {key: value.cpu().contiguous() for key, value in model.state_dict().items()}
    content = {"config": dataclasses.asdict(model.config), "state": state}
    # Through an open file: given a path, torch writes the file's name into the archive.
    with path.open("wb") as file:
        torch.save(content, file)


def load_model(path: Path) -> EmbeddingModel:
    """Reads a model that `save_model` wrote. Nothing in the file is run as code.

    Returns:
        The model, on the CPU, in evaluation mode.

    Raises:
        InputError: no such file, or not a model's.
    """
    try:
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
        config = ModelConfig(**content["config"])
        model = _assemble(config, create_backbone(config))
        model.load_state_dict(content["state"])
    except OSError as error:
        raise InputError(
            f"cannot read model {path}: {error.strerror}; `hgld train` writes one"
        ) from error
    except (pickle.UnpicklingError, RuntimeError, EOFError, KeyError, TypeError) as error:
        raise InputError(
            f"{path} is no model of this program; train it again with `hgld train`"
        ) from error
    return model


def embed_images(
    model: EmbeddingModel,
    dataset: EvalImages,
    *,
    batch_size: int = 64,
    precision: Precision = "float32",
    workers: int = 0,
    device: str = "auto",
) -> Tensor:
    """Embeds images, in their order.

    Args:
        model: left in evaluation mode on the device.
        dataset: N images.
        batch_size: images at a time.
        precision: of the forward pass.
        workers: processes that read images, at most one a core.
        device: as in `TrainConfig`.

    Returns:
        (N, D) float32 on the CPU, unit norm; (0, D) where there are no images.

    Raises:
        InputError: an image cannot be read, or there is no such device.
    """
    place = choose_device(device)
    place_model(model, place).eval()
    embeddings = torch.empty(len(dataset), model.embedding_dim)
    start = 0
    with torch.inference_mode(), progress("embed images", len(dataset)) as advance:
        for images in load_batches(dataset, batch_size=batch_size, workers=workers):
            with autocast(place, precision):
                batch = model(images.to(place))
            embeddings[start : start + len(batch)] = batch.cpu()
            start += len(batch)
            advance(len(batch))
    return embeddings


def choose_device(device: str) -> torch.device:
    """Returns the device a setting names; `auto` is the first GPU where there is one.

    Raises:
        InputError: there is no such device.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        place = torch.device(device)
        torch.empty(0, device=place)
    # A build without CUDA answers with an AssertionError.
    except (RuntimeError, AssertionError) as error:
        raise InputError(
            f"device {device!r} is not there; use auto, cpu or, with a GPU, cuda"
        ) from error
    return place


def place_model(model: EmbeddingModel, place: torch.device) -> EmbeddingModel:
    """Moves a model to a device, its convolutions in the layout that is fastest there."""
    nn.utils.convert_conv2d_weight_memory_format(model.to(place), torch.channels_last)
    return model


def autocast(place: torch.device, precision: Precision) -> torch.autocast:
    """Returns a context in which matrix products run at the precision."""
    return torch.autocast(place.type, torch.bfloat16, enabled=precision == "bfloat16")


def _assemble(config: ModelConfig, backbone: nn.Module) -> EmbeddingModel:
    """Puts a head on a backbone, after a look at what the backbone gives for one image."""
    backbone.eval()
    size = config.image_size
    try:
        with torch.no_grad():
            features = backbone(torch.zeros(1, 3, size, size))
    except (AssertionError, RuntimeError, ValueError) as error:
        raise InputError(
            f"backbone {config.backbone!r} takes no images of image_size {size}: {error}"
        ) from error
    if config.pooling == "gem" and features.ndim != 4:  # noqa: PLR2004 - (B, C, H, W)
        raise InputError(
            f"backbone {config.backbone!r} gives no feature map (B, C, H, W) to pool but "
            f'{tuple(features.shape)}; use pooling = "backbone" or a convolutional backbone'
        )
    return EmbeddingModel(config, backbone, features.shape[1]).eval()
