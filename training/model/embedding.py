"""The embedding model: a timm backbone, pooling, unit vectors; and how it is built."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from hgld.errors import InputError
from hgld.metrics.arguments import check_tensors
from hgld.training.model.backbone import pretrained_backbone
from hgld.training.model.config import ModelConfig
from hgld.training.model.pooling import check_pooling, pooled_features
from hgld.training.model.sealed import first_line

_BATCH_NORM = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
# Their gradient is computed from their input: where they overwrite it, torch copies it before.
_COPIED_IN_PLACE = (nn.Hardtanh, nn.Hardsigmoid, nn.Hardswish, nn.Mish, nn.SiLU)


class EmbeddingModel(nn.Module):
    """From images to unit vectors: normalise, backbone, pooling, optional linear layer."""

    mean: Tensor
    std: Tensor
    centre: Tensor | None
    """(D,), what is taken from every vector once training is over; 0 before."""

    def __init__(self, config: ModelConfig, backbone: nn.Module, width: int) -> None:
        """Puts a model together; `build_model` and `hgld.load_model` are the ways to get one.

        Args:
            config: what it is made of.
            backbone: what `create_backbone` makes for these settings.
            width: C, of its vectors after the pooling.
        """
        super().__init__()
        self.config = config
        self.backbone = backbone
        self.gem_p = nn.Parameter(torch.tensor(config.gem_p)) if config.learn_gem_p else None
        self.layer_norm = nn.LayerNorm(width) if config.projection_norm == "layer" else None
        self.projection = nn.Linear(width, config.embedding_dim) if config.embedding_dim else None
        self.embedding_dim = config.embedding_dim or width
        centre = torch.zeros(self.embedding_dim) if config.centring else None
        self.register_buffer("centre", centre)
        self.batch_norm_is_frozen = False
        of_backbone = (one for one in backbone.modules() if isinstance(one, _COPIED_IN_PLACE))
        self._in_place = [one for one in of_backbone if one.inplace]
        self.register_buffer("mean", torch.full((1, 3, 1, 1), 0.5))
        self.register_buffer("std", torch.full((1, 3, 1, 1), 0.5))

    @property
    def image_size(self) -> int:
        """Side of the square that it was made for, in pixels."""
        return self.config.image_size

    @property
    def takes_any_size(self) -> bool:
        """Whether it embeds images of other sizes too; most transformers take those of one."""
        settings: Any = self.backbone.pretrained_cfg
        return not settings.get("fixed_input_size", False)

    def forward(self, images: Tensor) -> Tensor:
        """Embeds a batch: in training as it is, and otherwise at the scales of the settings.

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
        if self.training:
            return self._unit_vectors(images)
        return self.at_scales(images, self.config.scales)

    def at_scales(self, images: Tensor, scales: Sequence[float]) -> Tensor:
        """Embeds a batch at some scales, and sums the unit vectors.

        Args:
            images: as `forward` takes them.
            scales: as multiples of the size they have. What is made of them is bilinear and
                antialiased.

        Returns:
            (B, D) float32, unit norm.
        """
        sizes = [round(images.shape[-1] * scale) for scale in scales]
        found = [self._unit_vectors(_resized(images, size)) for size in sizes]
        if self.centre is not None:
            found = [functional.normalize(one - self.centre, dim=1) for one in found]
        if len(found) == 1:
            return found[0]
        return functional.normalize(torch.stack(found).sum(dim=0), dim=1)

    def _unit_vectors(self, images: Tensor) -> Tensor:
        pooled = self.describe(images)
        if self.projection is not None:
            pooled = self.projection(pooled)
        return functional.normalize(pooled.float(), dim=1)

    def describe(self, images: Tensor) -> Tensor:
        """Returns what the linear layer is given, (B, C), of images from 0 to 255, any type."""
        pixels = (images / 255 - self.mean) / self.std
        pixels = pixels.contiguous(memory_format=torch.channels_last)
        p = self.config.gem_p if self.gem_p is None else self.gem_p
        pooled = pooled_features(
            *(self.backbone, pixels, self.config.pooling),
            p=p,
            inner_weight=self.config.inner_weight,
        )
        match self.config.projection_norm:
            case "l2":
                return functional.normalize(pooled.float(), dim=1)
            case "layer" if self.layer_norm is not None:
                normed: Tensor = self.layer_norm(pooled.float())
                return normed
        return pooled

    def train(self, mode: bool = True) -> "EmbeddingModel":
        """Sets training mode, in which frozen batch normalisation keeps its statistics.

        Activations leave their input as it is in training, which saves a copy of it, and overwrite
        it otherwise, which saves its memory. What comes out is the same.
        """
        super().train(mode)
        for activation in self._in_place:
            activation.inplace = not mode
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
    if config.gradient_checkpointing:
        _checkpoint_gradients(config, backbone)
    if config.compile:
        model.compile()  # in place: the names of its weights stay
    return model


def assemble_model(config: ModelConfig, backbone: nn.Module) -> EmbeddingModel:
    """Puts a head on a backbone, after a look at what the backbone gives for one image."""
    check_pooling(config, backbone)
    backbone.eval()
    size = config.image_size
    try:
        with torch.no_grad():
            pixels = torch.zeros(1, 3, size, size)
            pooled = pooled_features(
                *(backbone, pixels, config.pooling),
                p=config.gem_p,
                inner_weight=config.inner_weight,
            )
    except (AssertionError, RuntimeError, ValueError, MemoryError, OverflowError) as error:
        raise InputError(
            f"backbone {config.backbone!r} takes no images of image_size {size}: "
            f"{first_line(error)}"
        ) from error
    except InputError as error:
        raise InputError(f"backbone {config.backbone!r} cannot be used: {error}") from error
    try:
        model = EmbeddingModel(config, backbone, pooled.shape[1]).eval()
    except (RuntimeError, MemoryError) as error:
        raise InputError(
            f"there is no memory for embedding_dim {config.embedding_dim}: {first_line(error)}"
        ) from error
    if set(config.scales) != {1.0} and not model.takes_any_size:
        raise InputError(
            f"backbone {config.backbone!r} takes images of one size alone; leave scales out"
        )
    return model


def _resized(images: Tensor, size: int) -> Tensor:
    """Returns square images (B, 3, S, S) from 0 to 255 at another size, float where it differs."""
    if images.shape[-1] == size:
        return images
    return functional.interpolate(
        images.float(), size=(size, size), mode="bilinear", align_corners=False, antialias=True
    )


def _checkpoint_gradients(config: ModelConfig, backbone: Any) -> None:  # noqa: ANN401 - of timm
    try:
        backbone.set_grad_checkpointing(enable=True)
    except (AttributeError, AssertionError) as error:
        raise InputError(
            f"backbone {config.backbone!r} takes no gradient_checkpointing ({first_line(error)}); "
            f"leave it out, or lower batch_size to save memory"
        ) from error
