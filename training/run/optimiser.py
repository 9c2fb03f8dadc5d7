"""The optimiser of a run, and how fast each part of the model learns at each step."""

import math

import torch
from timm.optim import param_groups_layer_decay  # type: ignore[attr-defined]  # not in its __all__
from torch import nn

from hgld.training.config import TrainConfig
from hgld.training.model.embedding import EmbeddingModel

BACKBONE, HEAD, PROXIES = "backbone", "head", "proxies"


def make_optimiser(
    model: EmbeddingModel, proxies: nn.Parameter | None, config: TrainConfig
) -> torch.optim.Optimizer:
    """Returns an optimiser of a model and its proxies.

    Each of its groups has a `part` of the model and a `factor` of the learning rate.

    Args:
        model: on the device where it is trained.
        proxies: (C, D), where the method has them.
        config: of the run.

    Returns:
        Adam or AdamW.
    """
    groups = _backbone_groups(model.backbone, config)
    of_backbone = {id(parameter) for parameter in model.backbone.parameters()}
    head = [one for one in model.parameters() if id(one) not in of_backbone]
    factor = config.head_learning_rate_factor
    for is_number, weight_decay in ((False, config.weight_decay), (True, 0.0)):
        # GeM's exponent is a number, which has no reason to be near 0.
        if some := [one for one in head if (one.ndim == 0) == is_number]:
            groups.append(_group(HEAD, some, factor, weight_decay))
    if proxies is not None:
        groups.append(_group(PROXIES, [proxies], config.proxy_learning_rate_factor, 0.0))
    match config.optimiser:
        case "adam":
            return torch.optim.Adam(groups, lr=config.learning_rate)
        case "adamw":
            return torch.optim.AdamW(groups, lr=config.learning_rate)


def set_learning_rates(
    optimiser: torch.optim.Optimizer, config: TrainConfig, step: int, steps: int
) -> None:
    """Sets the learning rates of a step.

    Over the first `warm_up_steps` the rate grows linearly, then it falls as half a cosine; what is
    frozen has 0.

    Args:
        optimiser: of `make_optimiser`.
        config: of the run.
        step: steps done.
        steps: of the whole run.
    """
    warm_up = config.warm_up_steps
    if step < warm_up:
        share = (step + 1) / (warm_up + 1)
    else:
        share = (1 + math.cos(math.pi * (step - warm_up) / max(1, steps - warm_up))) / 2
    for group in optimiser.param_groups:
        is_frozen = group["part"] == BACKBONE and step < config.frozen_backbone_steps
        group["lr"] = 0.0 if is_frozen else config.learning_rate * share * group["factor"]


def _backbone_groups(backbone: nn.Module, config: TrainConfig) -> list[dict[str, object]]:
    if config.layer_decay == 1:
        return [_group(BACKBONE, list(backbone.parameters()), 1.0, config.weight_decay)]
    groups = param_groups_layer_decay(
        backbone, weight_decay=config.weight_decay, layer_decay=config.layer_decay
    )
    return [_group(BACKBONE, one["params"], one["lr_scale"], one["weight_decay"]) for one in groups]


def _group(
    part: str, parameters: list[nn.Parameter], factor: float, weight_decay: float
) -> dict[str, object]:
    return {"part": part, "params": parameters, "factor": factor, "weight_decay": weight_decay}
