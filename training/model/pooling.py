"""From what a backbone gives of an image to one vector."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from hgld.errors import InputError
from hgld.training.model.config import ModelConfig, Pooling

_MAP = 4  # (B, C, H, W)
_TOKENS = 3  # (B, T, C)
_NO_INNER = (
    "it has no map before a last convolution; leave inner_weight at 0, or use an EfficientNet, "
    'such as "tf_efficientnet_lite0"'
)


def generalised_mean(features: Tensor, *, p: float | Tensor = 3.0, eps: float = 1e-6) -> Tensor:
    """Pools a feature map to one vector: GeM_c = (mean over positions of max(x_c, eps)^p)^(1/p).

    p = 1 is average pooling, p -> infinity maximum pooling.

    Args:
        features: (B, C, H, W), any float type; computed in at least float32, as x^3 overflows
            float16.
        p: the exponent; a tensor of one number where it is learned.
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


def pooled_features(
    backbone: nn.Module,
    pixels: Tensor,
    pooling: Pooling,
    *,
    p: float | Tensor,
    inner_weight: float = 0.0,
) -> Tensor:
    """Runs a backbone and pools what it gives.

    Args:
        backbone: of `create_backbone`, for this pooling.
        pixels: (B, 3, S, S) normalised, float.
        pooling: how.
        p: exponent of `gem`.
        inner_weight: of the map before the last convolution; 0: it is not looked at.

    Returns:
        (B, C), of any float type. With the map before the last convolution C is the sum of the
        channels of both.

    Raises:
        InputError: the backbone gives nothing that can be pooled so.
    """
    if inner_weight:
        last, inner = _last_two_maps(backbone, pixels)
        pooled = generalised_mean(last, p=p) if pooling == "gem" else _mean(last)
        both = functional.normalize(pooled), inner_weight * functional.normalize(_mean(inner))
        return torch.cat(both, dim=1)
    match pooling:
        case "gem":
            return generalised_mean(_feature_map(backbone, pixels), p=p)
        case "average":
            return _mean(_feature_map(backbone, pixels))
        case "cls":
            return _headed(backbone, _tokens(backbone, pixels)[:, 0])
        case "tokens":
            prefix: Any = backbone.num_prefix_tokens
            picture = _tokens(backbone, pixels)[:, prefix:]
            return _headed(backbone, picture.float().mean(dim=1))
        case "backbone":
            given: Tensor = backbone(pixels)
            return given


def check_pooling(config: ModelConfig, backbone: nn.Module) -> None:
    """Refuses a pooling of tokens that the backbone has not.

    Raises:
        InputError: it has no class token, or does not tell the tokens of the picture apart.
    """
    if config.pooling == "cls" and getattr(backbone, "cls_token", None) is None:
        raise InputError(
            f"backbone {config.backbone!r} has no class token to take; use pooling "
            f'{_others(backbone)}, or a vision transformer that has one, such as "vit_small_patch16'
            f'_224"'
        )
    if config.pooling == "tokens" and not hasattr(backbone, "num_prefix_tokens"):
        raise InputError(
            f"backbone {config.backbone!r} does not say which of its tokens are the picture's; use "
            f"pooling {_others(backbone)}, or a vision transformer"
        )


def _others(backbone: nn.Module) -> str:
    """Returns the settings of pooling that suit a backbone without such tokens."""
    return '"tokens" or "backbone"' if hasattr(backbone, "num_prefix_tokens") else '"gem"'


def _feature_map(backbone: nn.Module, pixels: Tensor) -> Tensor:
    """Returns (B, C, H, W)."""
    features: Tensor = backbone(pixels)
    if features.ndim != _MAP:
        raise InputError(
            f"it gives no feature map (B, C, H, W) to pool but {tuple(features.shape)}; use "
            f'pooling = "backbone", "cls" or "tokens", or a convolutional backbone'
        )
    # Some give the channels last, as Swin transformers do.
    return features.permute(0, 3, 1, 2) if _has_channels_last(backbone) else features


def _mean(features: Tensor) -> Tensor:
    return features.float().mean(dim=(2, 3))


def _last_two_maps(backbone: Any, pixels: Tensor) -> tuple[Tensor, Tensor]:  # noqa: ANN401 - of timm
    """Returns what a backbone gives, (B, C, H, W), and the map from which a convolution makes it.

    Raises:
        InputError: there is no such map.
    """
    try:
        last, (inner,) = backbone.forward_intermediates(pixels, indices=1)
    except (AttributeError, AssertionError, RuntimeError, TypeError, ValueError) as error:
        raise InputError(_NO_INNER) from error
    if last.ndim != _MAP or inner.shape[1] == last.shape[1]:
        raise InputError(_NO_INNER)
    return last, inner


def _has_channels_last(backbone: nn.Module) -> bool:
    return str(getattr(backbone, "output_fmt", "")) == "NHWC"


def _tokens(backbone: Any, pixels: Tensor) -> Tensor:  # noqa: ANN401 - of timm, without types
    """Returns (B, T, C), the class token and others that are no part of the picture first."""
    tokens: Tensor = backbone.forward_features(pixels)
    if tokens.ndim != _TOKENS:
        raise InputError(
            f"it gives no tokens (B, T, C) to pool but {tuple(tokens.shape)}; use pooling = "
            f'"gem", or a vision transformer'
        )
    return tokens


def _headed(backbone: nn.Module, pooled: Tensor) -> Tensor:
    """Normalises what was pooled as a backbone does that was trained with the mean of tokens."""
    norm = getattr(backbone, "fc_norm", None)
    headed: Tensor = norm(pooled) if norm is not None else pooled
    return headed
