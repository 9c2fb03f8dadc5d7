"""The embedding model: a timm backbone, pooling, unit vectors; and how it is built."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from hgld.errors import InputError
from hgld.metrics.arguments import check_tensors
from hgld.training.model.backbone import pretrained_backbone
from hgld.training.model.config import ModelConfig
from hgld.training.model.sealed import first_line

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
        """Puts a model together; `build_model` and `hgld.load_model` are the ways to get one.

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

    @property
    def image_size(self) -> int:
        """Side of the square that it was made for, in pixels."""
        return self.config.image_size

    def forward(self, images: Tensor) -> Tensor:
        """Embeds a batch.

        Args:
            images: (B, 3, S, S) uint8, from 0 to 255. Floating point is refused, as nothing tells
                whether it goes to 1 or to 255, or is normalised already.

        Returns:
            (B, D) float32, unit norm.

        Raises:
            TypeError: images are no tensor, or not uint8.
            ValueError: images are not (B, 3, S, S).
        """
        check_tensors(images=images)
        if images.dtype != torch.uint8:
            raise TypeError(
                f"images must be uint8 from 0 to 255, got {images.dtype}; pixels from 0 to 1 "
                f"become so with (255 * images).round().to(torch.uint8)"
            )
        if images.ndim != 4 or images.shape[1] != 3 or 0 in images.shape[2:]:  # noqa: PLR2004
            raise ValueError(
                f"images must have shape (B, 3, S, S), got {tuple(images.shape)}; images[None] "
                f"adds a batch dimension, images.permute(0, 3, 1, 2) puts channels first and "
                f"images.expand(-1, 3, -1, -1) repeats a grey one"
            )
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
        model = assemble_model(config, backbone)
    model.mean.copy_(torch.tensor(mean).view(1, 3, 1, 1))
    model.std.copy_(torch.tensor(std).view(1, 3, 1, 1))
    return model


def assemble_model(config: ModelConfig, backbone: nn.Module) -> EmbeddingModel:
    """Puts a head on a backbone, after a look at what the backbone gives for one image."""
    backbone.eval()
    size = config.image_size
    try:
        with torch.no_grad():
            features = backbone(torch.zeros(1, 3, size, size))
    except (AssertionError, RuntimeError, ValueError, MemoryError, OverflowError) as error:
        raise InputError(
            f"backbone {config.backbone!r} takes no images of image_size {size}: "
            f"{first_line(error)}"
        ) from error
    if config.pooling == "gem" and features.ndim != 4:  # noqa: PLR2004 - (B, C, H, W)
        raise InputError(
            f"backbone {config.backbone!r} gives no feature map (B, C, H, W) to pool but "
            f'{tuple(features.shape)}; use pooling = "backbone" or a convolutional backbone'
        )
    try:
        return EmbeddingModel(config, backbone, features.shape[1]).eval()
    except (RuntimeError, MemoryError) as error:
        raise InputError(
            f"there is no memory for embedding_dim {config.embedding_dim}: {first_line(error)}"
        ) from error
