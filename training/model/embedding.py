"""The embedding model: a timm backbone, pooling, unit vectors, and how it is built."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from hgld.errors import InputError
from hgld.metrics.arguments import check_tensors
from hgld.training.model.backbone import pretrained_backbone, takes_any_size, whole_patches
from hgld.training.model.config import ModelConfig, Pooling, first_line
from hgld.training.model.layer import NoBackbone, VectorLayer

_MAP = 4  # (B, C, H, W)
_TOKENS = 3  # (B, N, C)
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
        self._width = width
        self.projection: nn.Linear | None = None
        if config.frozen:
            self.projection = VectorLayer(width, config.embedding_dim, config.hidden_dim)
        elif config.embedding_dim:
            self.projection = nn.Linear(width, config.embedding_dim)
        self.embedding_dim = config.embedding_dim or width
        centre = torch.zeros(self.embedding_dim) if config.centring else None
        self.register_buffer("centre", centre)
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
        """Whether it embeds images of other sizes and proportions too; see its backbone's."""
        return takes_any_size(self.backbone)

    def forward(self, images: Tensor) -> Tensor:
        """Embeds a batch: in training as it is, and otherwise at the scales of the settings.

        Args:
            images: (B, 3, H, W) uint8, from 0 to 255; square where the model takes one size only.
                Floating point is refused, as nothing tells whether it goes to 1 or to 255, or is
                normalised already.

        Returns:
            (B, D) float32, unit norm.

        Raises:
            TypeError: images are no tensor, or not uint8.
            ValueError: images are not (B, 3, H, W), or smaller than a patch.
        """
        check_tensors(images=images)
        if images.dtype != torch.uint8:
            raise TypeError(
                f"images must be uint8 from 0 to 255, got {images.dtype}; pixels from 0 to 1 "
                f"become so with (255 * images).round().to(torch.uint8)"
            )
        if images.ndim != 4 or images.shape[1] != 3 or 0 in images.shape[2:]:  # noqa: PLR2004
            raise ValueError(
                f"images must have shape (B, 3, H, W), got {tuple(images.shape)}; images[None] "
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
            scales: as multiples of the height and the width that they have. What is made of them
                is bilinear and antialiased.

        Returns:
            (B, D) float32, unit norm.
        """
        found = [self._unit_vectors(_resized(images, scale)) for scale in scales]
        if self.config.frozen:
            return self.adapt(_summed(found))
        return _summed([self._centred(one) for one in found])

    def without_layer(self) -> "EmbeddingModel":
        """Returns the same backbone and pooling, shared with it, without what follows them."""
        made = EmbeddingModel(self.config.without_layer, self.backbone, self._width)
        made.mean.copy_(self.mean)
        made.std.copy_(self.std)
        return made.eval()

    def adapt(self, vectors: Tensor) -> Tensor:
        """Returns what a frozen model makes of the vectors that its backbone gives at all scales.

        Args:
            vectors: (B, C) unit norm, float32.

        Returns:
            (B, D) float32, unit norm.
        """
        return self._centred(vectors if self.projection is None else self.projection(vectors))

    def _centred(self, vectors: Tensor) -> Tensor:
        if self.centre is None:
            return vectors
        return functional.normalize(vectors - self.centre, dim=1)

    def _unit_vectors(self, images: Tensor) -> Tensor:
        pooled = self.describe(images)
        if self.projection is not None and not self.config.frozen:
            pooled = self.projection(pooled)
        return functional.normalize(pooled.float(), dim=1)

    def describe(self, images: Tensor) -> Tensor:
        """Returns what the linear layer is given, (B, C), of images from 0 to 255, any type."""
        pixels = (images / 255 - self.mean) / self.std
        pixels = pixels.contiguous(memory_format=torch.channels_last)
        return pooled_features(self.backbone, pixels, self.config)

    def train(self, mode: bool = True) -> "EmbeddingModel":
        """Sets training mode, in which batch normalisation keeps its statistics, as published.

        Activations leave their input as it is in training, which saves a copy of it, and overwrite
        it otherwise, which saves its memory. What comes out is the same.
        """
        super().train(mode)
        for activation in self._in_place:
            activation.inplace = not mode
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
    is_of_one_size = config.resize != "longest" and set(config.scales) == {1.0}
    if not is_of_one_size and not takes_any_size(backbone):
        raise InputError(
            f"backbone {config.backbone!r} takes images of image_size ({size}) px only, as timm "
            f'does not make it for any size; leave scales out, and set resize to "squash", '
            f'"crop" or "pad"'
        )
    smallest = round(size * min(config.scales))
    try:
        if isinstance(backbone, NoBackbone):
            return EmbeddingModel(config, backbone, backbone.width).eval()
        with torch.no_grad():
            pooled = pooled_features(backbone, torch.zeros(1, 3, smallest, smallest), config)
        model = EmbeddingModel(config, backbone, pooled.shape[1]).eval()
    except (AssertionError, RuntimeError, ValueError, MemoryError, OverflowError) as error:
        raise InputError(
            f"backbone {config.backbone!r} cannot be used at image_size {size} and embedding_dim "
            f"{config.embedding_dim}: {first_line(error)}"
        ) from error
    return model


def generalised_mean(features: Tensor, *, p: float = 3.0, eps: float = 1e-6) -> Tensor:
    """Pools a feature map to one vector: GeM_c = (mean over positions of max(x_c, eps)^p)^(1/p).

    p = 1 is average pooling, p -> infinity maximum pooling; 3 is the published exponent.

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


def pooled_features(backbone: nn.Module, pixels: Tensor, config: ModelConfig) -> Tensor:
    """Runs a backbone and pools what it gives: a map, or the tokens of a transformer.

    Of tokens, gem and average are taken over the patches alone: neither over the class token nor
    over registers. `cls+average` has the class token and the mean of the patches side by side.

    Args:
        backbone: of `create_backbone`, for these settings.
        pixels: (B, 3, H, W) normalised, float; see `whole_patches`.
        config: `pooling` and `inner_weight` count.

    Returns:
        (B, C), of any float type. With the map before the last convolution C is the sum of the
        channels of both; with `cls+average`, twice the width of a token.

    Raises:
        ValueError: the backbone gives nothing that can be pooled so, or the images are too small.

    Source: cls+average, Oquab et al., DINOv2: Learning Robust Visual Features without Supervision,
        TMLR 2024, where it is what a linear classifier is given.
    """
    pixels = whole_patches(backbone, pixels)
    if config.pooling == "backbone":
        given: Tensor = backbone(pixels)
        return given
    if config.inner_weight:
        last, inner = _last_two_maps(backbone, pixels)
        outer = functional.normalize(_pooled(last, config.pooling))
        return torch.cat([outer, config.inner_weight * functional.normalize(_mean(inner))], dim=1)
    features: Tensor = backbone(pixels)
    if features.ndim == _TOKENS:
        return _pooled_tokens(backbone, features, config.pooling)
    if features.ndim != _MAP or config.pooling not in ("gem", "average"):
        raise ValueError(
            f'pooling = "{config.pooling}" is not for what it gives, {tuple(features.shape)}; use '
            f'"backbone", or "gem" or "average" with a map (B, C, H, W)'
        )
    # Some give the channels last, as Swin transformers do.
    is_last = str(getattr(backbone, "output_fmt", "")) == "NHWC"
    return _pooled(features.permute(0, 3, 1, 2) if is_last else features, config.pooling)


def _pooled_tokens(backbone: Any, tokens: Tensor, pooling: Pooling) -> Tensor:  # noqa: ANN401 - of timm
    """Pools (B, N, C): the class token if there is one, registers, and then the patches.

    Raises:
        ValueError: the pooling is of a class token, and there is none.
    """
    has_class = getattr(backbone, "cls_token", None) is not None
    first = getattr(backbone, "num_prefix_tokens", int(has_class))
    patches = tokens[:, first:].mT.unsqueeze(-1)  # (B, C, patches, 1), a map
    if pooling in ("gem", "average"):
        return _pooled(patches, pooling)
    if not has_class:
        raise ValueError(
            f'it has no class token for pooling = "{pooling}"; use "backbone", "gem" or "average"'
        )
    return tokens[:, 0] if pooling == "cls" else torch.cat([tokens[:, 0], _mean(patches)], dim=1)


def _pooled(features: Tensor, pooling: Pooling) -> Tensor:
    return generalised_mean(features) if pooling == "gem" else _mean(features)


def _mean(features: Tensor) -> Tensor:
    return features.float().mean(dim=(2, 3))


def _last_two_maps(backbone: Any, pixels: Tensor) -> tuple[Tensor, Tensor]:  # noqa: ANN401 - of timm
    """Returns what a backbone gives, (B, C, H, W), and the map from which a convolution makes it.

    Raises:
        ValueError: there is no such map.
    """
    try:
        last, (inner,) = backbone.forward_intermediates(pixels, indices=1)
        has_map = last.ndim == _MAP and inner.shape[1] != last.shape[1]
    except (AttributeError, AssertionError, RuntimeError, TypeError, ValueError):
        has_map = False
    if not has_map:
        raise ValueError(
            "it has no map before a last convolution; leave inner_weight at 0, or use an "
            'EfficientNet, such as "tf_efficientnet_lite0"'
        )
    return last, inner


def _summed(found: Sequence[Tensor]) -> Tensor:
    """Returns the sum of unit vectors (B, D), scaled to length 1."""
    if len(found) == 1:
        return found[0]
    return functional.normalize(torch.stack([*found]).sum(dim=0), dim=1)


def _resized(images: Tensor, scale: float) -> Tensor:
    """Returns images (B, 3, H, W) from 0 to 255 at another scale, float where it differs."""
    if scale == 1:
        return images
    # Not `round`: of a side that is free in an export, ONNX has floor only.
    size = [max(1, math.floor(side * scale + 0.5)) for side in images.shape[-2:]]
    return functional.interpolate(
        images.float(), size=size, mode="bilinear", align_corners=False, antialias=True
    )
