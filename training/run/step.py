"""One step of training: embed a batch, compute its loss, follow the gradient.

The loss is computed on embeddings cut off from the model, and its gradient taken back through the
model afterwards. In one piece this is what autograd does anyway; and it lets a batch be embedded
in parts, in the memory of one, and by several processes.

Source: Revaud et al., Learning with Average Precision: Training Image Retrieval with a Listwise
Loss, ICCV 2019, section 3.3, for the two passes.
"""

import math

import torch
from torch import Tensor, nn

from hgld.errors import DivergedError
from hgld.training.config import TrainConfig
from hgld.training.data.loading import seed_of
from hgld.training.methods import Cost
from hgld.training.model.devices import autocast
from hgld.training.run.state import RunState
from hgld.training.watching.validation import mean_similarity


def take_step(
    run: RunState, config: TrainConfig, pixels: Tensor, labels: Tensor, *, steps: int
) -> None:
    """Takes one step on a batch.

    Args:
        run: what the step changes.
        config: of the run.
        pixels: (B, 3, S, S) uint8, the images of this process.
        labels: (B, L) int64.
        steps: of the whole run.

    Raises:
        DivergedError: the loss or the gradient is not finite; the weights are as they were.
    """
    # From pinned memory, without waiting for the copy: what is computed next waits for it there.
    pixels, labels = (one.to(run.place, non_blocking=True) for one in (pixels, labels))
    for group in run.optimiser.param_groups:
        group["lr"] = group["factor"] * learning_rate(config, run.step, steps)

    parts = _parts(pixels, config, run)
    graph = None
    if len(parts) == 1:
        graph = _embed(run, config, *parts[0])
        own = graph.detach()
    else:
        with torch.no_grad():
            own = torch.cat([_embed(run, config, *part) for part in parts])
    embeddings = run.ranks.gathered(own).requires_grad_()  # (B of all, D) float32
    all_labels = run.ranks.gathered(labels)
    cost = run.loss(embeddings, all_labels)

    run.optimiser.zero_grad(set_to_none=True)
    torch.autograd.backward(run.scaler.scale(cost.total))
    slopes = run.ranks.own(embeddings.grad if embeddings.grad is not None else torch.zeros(0))
    if graph is not None:
        torch.autograd.backward(graph, slopes)
    else:
        for (at, images), slope in zip(parts, torch.split(slopes, len(parts[0][1])), strict=True):
            torch.autograd.backward(_embed(run, config, at, images), slope)
    run.ranks.sum_gradients(run.model.parameters())
    _follow(run, config, cost, mean_similarity(embeddings))
    if run.step > config.memory_from_step:
        run.loss.remember(embeddings.detach(), all_labels)


def learning_rate(config: TrainConfig, step: int, steps: int) -> float:
    """Returns the learning rate of a step: up from 0 in `warm_up_steps`, then half a cosine down.

    Args:
        config: of the run.
        step: steps done.
        steps: of the whole run.
    """
    warm_up = config.warm_up_steps
    if step < warm_up:
        share = (step + 1) / (warm_up + 1)
    else:
        share = (1 + math.cos(math.pi * (step - warm_up) / max(1, steps - warm_up))) / 2
    return config.learning_rate * share


def _parts(pixels: Tensor, config: TrainConfig, run: RunState) -> list[tuple[int, Tensor]]:
    """Returns the images that are embedded at once, with the place of the first in the batch."""
    first = run.ranks.rank * len(pixels)
    size = config.images_at_once or len(pixels)
    return [(first + at, pixels[at : at + size]) for at in range(0, len(pixels), size)]


def _embed(run: RunState, config: TrainConfig, first: int, images: Tensor) -> Tensor:
    """Embeds images, (B, D) float32: the same ones alike, whenever in a step."""
    place = images.device
    with torch.random.fork_rng(devices=[place] if place.type == "cuda" else []):
        # Dropout is drawn anew for each part, and alike in both passes.
        torch.manual_seed(seed_of(f"dropout, seed {config.seed}, step {run.step}, from {first}"))
        with autocast(place, config.precision):
            embeddings: Tensor = run.model(images)
    return embeddings


def _follow(run: RunState, config: TrainConfig, cost: Cost, similarity: float) -> None:
    """Moves the weights along the gradient, if it is one, and notes the loss.

    Raises:
        DivergedError: the loss or the gradient is not finite.
    """
    run.scaler.unscale_(run.optimiser)
    limit = math.inf if config.gradient_clip is None else config.gradient_clip
    learned = [*run.model.parameters(), *run.loss.parameters()]
    norm = nn.utils.clip_grad_norm_(learned, limit)
    named = {"loss": cost.total, **cost.parts, "gradient_norm": norm}
    values = torch.stack([one.detach().double().cpu() for one in named.values()])
    seen = dict(zip(named, values.tolist(), strict=True))
    is_overflow = run.scaler.is_enabled() and not math.isfinite(seen["gradient_norm"])
    is_overflow = is_overflow and math.isfinite(seen["loss"]) and run.scaler.get_scale() > 1
    if not values.isfinite().all() and not is_overflow:
        told = ", ".join(f"{name} {value:.4g}" for name, value in seen.items())
        raise DivergedError(
            f"training diverged at step {run.step + 1}: every value must be finite, got {told}; "
            f'lower learning_rate (now {config.learning_rate:g}) or set precision = "float32", '
            f"and rerun"
        )
    # Of float16, a gradient that overflows takes no step; the next one is scaled less.
    run.scaler.step(run.optimiser)
    run.scaler.update()
    run.step += 1
    if is_overflow:
        return
    if run.average is not None:
        run.average.update_parameters(run.model)
    run.note({**seen, "mean_similarity": similarity})
