"""What does Sup-H-AP cost, forward and backward, as the batch grows, and what do the others?

Ours against the plain way of the published code, which compares all pairs of items for every query
in tensors of B x B x B. Each size of each loss is measured in a process of its own, so that its
peak of memory is its own; `agreement` says how far the two gradients are apart.

    python -m hgld.benchmarks.speed.loss --out loss.json --threads 2
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import normalize

from hgld import losses
from hgld.benchmarks.environment import describe_environment
from hgld.memory import peak_memory_mb, reset_peak_memory
from hgld.metrics.relevance import (
    item_relevance,
    level_counts,
    published_decay_relevance,
    shared_levels,
)

_LEVELS = 3
_DIMENSIONS = 512
_IMAGES_PER_LANDMARK = 4
SUPERCATEGORIES, NATURAL = 78, 18
FIT_FROM = 512  # below, fixed costs show
MAIN_BATCH = 256

Loss = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class LossCost:
    """What one loss cost at one batch size."""

    loss: str
    batch: int
    seconds: list[float]
    median_s: float
    spread_s: float
    """Slowest less fastest round."""
    extra_mb: float
    """Most memory meanwhile beyond what the process held before: libraries, batch, a warm-up."""
    value: float
    """Of the loss."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures and writes the result, or, asked for one loss, measures it in this process."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, help="JSON file to write")
    parser.add_argument("--batches", type=int, nargs="+", default=[256, 512, 1024, 2048, 4096])
    parser.add_argument("--plain-up-to", type=int, default=512, help="largest batch of the plain")
    parser.add_argument("--others-at", type=int, nargs="*", default=[256, 1024])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--note", default="", help="what else ran on the machine")
    parser.add_argument("--measure", choices=list(LOSSES), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    if options.measure:
        print(json.dumps(asdict(measure_loss(options.measure, options.batches[0], options))))
        return
    if options.out is None:
        parser.error("--out is needed: the JSON file to write")
    load = os.getloadavg()
    # Side by side, so that what else the machine does falls on both alike.
    wanted = [
        (name, batch)
        for batch in options.batches
        for name in ("plain", "sup_hap")
        if name == "sup_hap" or batch <= options.plain_up_to
    ]
    others = [name for name in LOSSES if name not in {"plain", "sup_hap"}]
    wanted += [(name, batch) for batch in options.others_at for name in others]
    measured = [measure_apart(name, batch, options) for name, batch in wanted]
    report = {
        "metadata": {
            **describe_environment(["torch", "numpy"]),
            "device": options.device,
            "seed": options.seed,
            "rounds": options.rounds,
            "dimensions": _DIMENSIONS,
            "levels": _LEVELS,
            "dtype": "float32",
            "load_average_before": list(load),
            "load_average_after": list(os.getloadavg()),
            "note": options.note,
        },
        "results": [asdict(measurement) for measurement in measured],
        "plain_over_ours": plain_over_ours(measured),
        "exponents": {
            f"{value}, from B = {FIT_FROM}": exponent(measured, value)
            for value in ("median_s", "extra_mb")
        },
        "agreement": agreement(options.seed, torch.device(options.device)),
    }
    options.out.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    summary = {key: report[key] for key in ("plain_over_ours", "exponents", "agreement")}
    print(json.dumps(summary, indent=2))


def measure_apart(loss: str, batch: int, options: argparse.Namespace) -> LossCost:
    """Measures in a new process."""
    command = [sys.executable, "-m", "hgld.benchmarks.speed.loss", "--measure", loss]
    command += ["--batches", str(batch), "--device", options.device]
    for name in ("rounds", "seed", "threads"):
        command += [f"--{name}", str(getattr(options, name))]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - our own command line
    measurement = LossCost(**json.loads(done.stdout.splitlines()[-1]))
    print(
        f"{loss} B = {batch}: {measurement.median_s:.3f} s, {measurement.extra_mb:.0f} MB extra",
        flush=True,
    )
    return measurement


def measure_loss(loss: str, batch: int, options: argparse.Namespace) -> LossCost:
    """Times a loss and its gradient, and how far memory rises."""
    device = torch.device(options.device)
    embeddings, labels = landmark_batch(batch, options.seed, device)
    step(loss, *landmark_batch(4 * _IMAGES_PER_LANDMARK, options.seed, device))
    held = start_counting_memory(device)
    seconds, value = [], math.nan
    for _ in range(options.rounds):
        started = time.perf_counter()
        value, _ = step(loss, embeddings, labels)
        seconds.append(time.perf_counter() - started)
    return LossCost(
        loss=loss,
        batch=batch,
        seconds=[round(s, 4) for s in seconds],
        median_s=round(statistics.median(seconds), 4),
        spread_s=round(max(seconds) - min(seconds), 4),
        extra_mb=round(peak_mb(device) - held, 1),
        value=value,
    )


def landmark_batch(batch: int, seed: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Draws a batch of landmarks in super-categories, shares as in H-GLDv2.

    Returns:
        (B, 512) embeddings of unit length, near their landmark's; (B, 3) labels.
    """
    generator = torch.Generator().manual_seed(seed)
    landmark = torch.arange(batch) // _IMAGES_PER_LANDMARK
    places = int(landmark[-1]) + 1
    human_made = torch.rand(places, generator=generator) < 0.76  # noqa: PLR2004 - as in H-GLDv2
    supercategory = torch.where(
        human_made,
        torch.randint(NATURAL, SUPERCATEGORIES, (places,), generator=generator),
        torch.randint(0, NATURAL, (places,), generator=generator),
    )
    coarse = torch.randn(SUPERCATEGORIES, _DIMENSIONS, generator=generator)
    fine = torch.randn(places, _DIMENSIONS, generator=generator)
    embeddings = torch.randn(batch, _DIMENSIONS, generator=generator)
    embeddings += fine[landmark] + 0.5 * coarse[supercategory[landmark]]
    labels = torch.stack([landmark, supercategory[landmark], human_made[landmark].long()], dim=1)
    return normalize(embeddings).to(device), labels.to(device)


def step(loss: str, embeddings: Tensor, labels: Tensor) -> tuple[float, Tensor]:
    """Computes a loss and its gradient on the embeddings."""
    leaf = embeddings.clone().requires_grad_()
    value = LOSSES[loss](leaf, labels)
    (gradient,) = torch.autograd.grad(value, leaf)
    return value.item(), gradient  # .item() waits for a GPU


def plain_loss(embeddings: Tensor, labels: Tensor) -> Tensor:
    """Sup-H-AP as published: every pair of items of every query, by the definition."""
    tau, rho, delta, start, offset = 0.01, 100.0, 0.05, 0.5, 1.44
    scores = embeddings @ embeddings.T
    level = shared_levels(labels, labels)
    table = published_decay_relevance(level_counts(level, _LEVELS))
    relevance = item_relevance(level, table).to(scores.dtype)
    x = scores[:, None, :] - scores[:, :, None]  # (B, B, B): query, k, j
    others = 1 - torch.eye(len(scores), dtype=scores.dtype, device=scores.device)
    ahead = (x >= 0).to(scores.dtype)
    sigmoid = torch.sigmoid(x / tau)
    smooth = torch.where(x <= delta, start + sigmoid, rho * (x - delta) + offset)
    smooth = torch.where(x <= 0, sigmoid, smooth)
    lower = level[:, None, :] < level[:, :, None]
    rank = 1 + (torch.where(lower, smooth, ahead) * others).sum(2)
    shared = torch.minimum(relevance[:, None, :], relevance[:, :, None])
    h_rank = relevance + (shared * ahead * others).sum(2)
    return (1 - (h_rank / rank).sum(1) / relevance.sum(1)).mean()


def with_proxies(loss: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Loss:
    """Gives a loss one proxy for each landmark of the batch, with a gradient of its own."""

    def function(embeddings: Tensor, labels: Tensor) -> Tensor:
        own = embeddings[::_IMAGES_PER_LANDMARK].detach().clone().requires_grad_()
        return loss(embeddings, labels, own)

    return function


LOSSES: dict[str, Loss] = {
    "plain": plain_loss,
    "sup_hap": losses.sup_hap_loss,
    "sup_hap, smooth H-rank": partial(losses.sup_hap_loss, smooth_h_ranks=True),
    "smooth_hap": losses.smooth_hap_loss,
    "sup_ap": losses.sup_ap_loss,
    "smooth_ap": losses.smooth_ap_loss,
    "soft_bin_ap": losses.soft_bin_ap_loss,
    "roadmap": losses.roadmap_loss,
    "sup_ndcg": losses.sup_ndcg_loss,
    "smooth_ndcg": losses.smooth_ndcg_loss,
    "recall_at_k": losses.recall_at_k_loss,
    "decomposability": losses.decomposability_loss,
    "triplet": losses.triplet_loss,
    "clustering": with_proxies(losses.clustering_loss),
    "arcface": with_proxies(losses.arcface_loss),
    "csl": with_proxies(losses.csl_loss),
}


def agreement(seed: int, device: torch.device) -> dict[str, float]:
    """Measures how far ours in single precision is from the plain way in double, at B = 256."""
    embeddings, labels = landmark_batch(MAIN_BATCH, seed, device)
    ours, gradient = step("sup_hap", embeddings, labels)
    plain, expected = step("plain", embeddings.double(), labels)
    difference = (gradient.double() - expected).norm() / expected.norm()
    return {
        "batch": MAIN_BATCH,
        "loss_relative": abs(ours - plain) / plain,
        "gradient_relative_to_norm": difference.item(),
    }


def plain_over_ours(measured: Sequence[LossCost]) -> dict[str, dict[str, float]]:
    """Computes how many times what ours costs the plain way costs, by batch size."""
    by_key = {(m.loss, m.batch): m for m in measured}
    return {
        f"B = {batch}": {
            "time": round(plain.median_s / by_key["sup_hap", batch].median_s, 1),
            "memory": round(plain.extra_mb / max(0.1, by_key["sup_hap", batch].extra_mb), 1),
        }
        for (loss, batch), plain in by_key.items()
        if loss == "plain"
    }


def exponent(measured: Sequence[LossCost], value: str) -> float | None:
    """Fits the slope of log cost over log batch, of ours; None with fewer than two sizes."""
    ours = [m for m in measured if m.loss == "sup_hap" and m.batch >= FIT_FROM]
    if len(ours) < 2:  # noqa: PLR2004 - a line
        return None
    x = [math.log(m.batch) for m in ours]
    y = [math.log(max(0.1, getattr(m, value))) for m in ours]
    return round(statistics.linear_regression(x, y).slope, 2)


def start_counting_memory(device: torch.device) -> float:
    """Starts counting the peak anew; returns what is held now, in MB."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return torch.cuda.memory_allocated(device) / 2**20
    reset_peak_memory()
    return peak_mb(device)


def peak_mb(device: torch.device) -> float:
    """Returns the peak since then, in MB."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    return peak_memory_mb() or math.nan


if __name__ == "__main__":
    main()
