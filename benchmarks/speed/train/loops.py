"""Images a second: loading alone, the model alone, and loops of both."""

import argparse
import itertools
import math
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from hgld import losses
from hgld.benchmarks.speed.train.builds import write_build
from hgld.engine.workspace import Workspace
from hgld.memory import peak_memory_mb, reset_peak_memory
from hgld.training.data.augment import Augmentation
from hgld.training.data.config import AugmentConfig, PerLandmark
from hgld.training.data.epochs import AugmentedImages, RunPlace, move_batch, run_batches
from hgld.training.data.labels import training_images
from hgld.training.data.order import BatchOrder
from hgld.training.data.sampler import make_sampler
from hgld.training.model.config import ModelConfig, Precision
from hgld.training.model.devices import autocast, choose_device, kept_memory, place_model
from hgld.training.model.embedding import build_model

Step = Callable[[tuple[Tensor, ...]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is trained on."""

    name: str
    width: int
    height: int
    image_size: int
    backbone: str
    batch_size: int
    steps_per_epoch: int
    steps: int
    """Timed in a round."""
    precision: Precision = "float32"


ON_CPU = (
    Case(
        name="small",
        width=224,
        height=224,
        image_size=128,
        backbone="tf_efficientnet_lite0",
        batch_size=64,
        steps_per_epoch=14,
        steps=14,
    ),
    Case(
        name="large",
        width=800,
        height=600,
        image_size=224,
        backbone="resnet50",
        batch_size=8,
        steps_per_epoch=4,
        steps=4,
    ),
)
ON_GPU = (
    Case(
        name="large",
        width=800,
        height=600,
        image_size=224,
        backbone="resnet50",
        batch_size=256,
        steps_per_epoch=14,
        steps=28,
        precision="bfloat16",
    ),
)
TINY = Case(
    name="tiny",
    width=64,
    height=48,
    image_size=32,
    backbone="test_resnet",
    batch_size=8,
    steps_per_epoch=2,
    steps=3,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Throughput:
    """What one way achieved."""

    case: str
    method: str
    seconds: list[float]
    median_s: float
    spread_s: float
    """Slowest less fastest round."""
    images_per_s: float
    """In the median round."""
    peak_mb: float | None
    """Of the process that trains, libraries included; not of those that load."""


def measure_case(case: Case, options: argparse.Namespace) -> list[Throughput]:
    """Times each way in each round, one after the other: what else runs falls on all alike."""
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(Path(folder))
        groups = case.batch_size // 4 * case.steps_per_epoch  # of which a landmark gives two
        write_build(workspace, 4 * groups, groups // 2, (case.width, case.height), options.seed)
        images = training_images(workspace)
        order = make_sampler(
            images.labels, PerLandmark(), batch_size=case.batch_size, seed=options.seed
        )
        augmentation = Augmentation(AugmentConfig(), case.image_size)
        dataset = AugmentedImages(images, augmentation, options.seed)
        step = training_step(case, len(images.names[0]), options)
        epochs = 2 + math.ceil((case.steps + 4 * options.workers) / len(order))
        batch = next(run_batches(dataset, order, epochs=1))

        def loading() -> Iterator[tuple[Tensor, ...]]:
            return run_batches(dataset, order, epochs=epochs, workers=options.workers)

        def as_trained(*args: Any, **others: Any) -> float:  # noqa: ANN401 - of `timed`
            with kept_memory(choose_device(options.device)):
                return timed(*args, **others)

        ways: dict[str, Callable[[], float]] = {
            # Those that are ready before the clock starts are not counted.
            "loading alone": lambda: as_trained(loading(), case.steps, ready=2 * options.workers),
            "model alone": lambda: as_trained(itertools.repeat(batch), case.steps, step),
            "loop": lambda: as_trained(loading(), case.steps, step),
            "plain loop": lambda: timed(
                plain_batches(dataset, order, epochs, options.workers), case.steps, step
            ),
        }
        step(batch)
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        peaks: dict[str, float | None] = {}
        for _ in range(options.rounds):
            for name, measure in ways.items():
                reset_peak_memory()
                seconds[name].append(measure())
                peaks[name] = peak_memory_mb()
    count = case.steps * case.batch_size
    results = [throughput(case.name, name, seconds[name], count, peaks[name]) for name in ways]
    print(*(f"{case.name}, {one.method}: {one.images_per_s}/s" for one in results), flush=True)
    return results


def timed(
    batches: Iterator[tuple[Tensor, ...]], steps: int, step: Step | None = None, ready: int = 0
) -> float:
    """Times steps after the first batch is there, and those that are ready have been taken."""
    for batch in itertools.islice(batches, 1 + ready):
        if step is not None:
            step(batch)
    started = time.perf_counter()
    for batch in itertools.islice(batches, steps):
        if step is not None:
            step(batch)
    return time.perf_counter() - started


class EpochOf(Dataset[tuple[Tensor, Tensor]]):
    """One epoch of images by position, as a plain loader asks for them."""

    def __init__(self, images: AugmentedImages, epoch: int, order: list[int]) -> None:
        """Takes which image comes at which position."""
        self._images, self._epoch, self._order = images, epoch, order

    def __len__(self) -> int:
        """Returns how many there are."""
        return len(self._order)

    def __getitem__(self, position: int) -> tuple[Tensor, Tensor]:
        """Returns an image and its labels."""
        return self._images[RunPlace(self._epoch, position, self._order[position])]


def plain_batches(
    images: AugmentedImages, order: BatchOrder, epochs: int, workers: int
) -> Iterator[tuple[Tensor, ...]]:
    """Loads epoch by epoch, by a loader of torch's and processes of its own each."""
    for epoch in range(epochs):
        batches = order.epoch(epoch)
        dataset = EpochOf(images, epoch, batches.flatten().tolist())
        size = batches.shape[1]
        pinned = torch.cuda.is_available()
        yield from DataLoader(dataset, batch_size=size, num_workers=workers, pin_memory=pinned)


def training_step(case: Case, landmarks: int, options: argparse.Namespace) -> Step:
    """Returns a step of training as `hgld train` takes it: HAPPIER, Adam."""
    place = choose_device(options.device)
    config = ModelConfig(backbone=case.backbone, weights="random", image_size=case.image_size)
    model = place_model(build_model(config, seed=options.seed), place)
    model.batch_norm_is_frozen = True
    model.train()
    proxies = nn.Parameter(functional.normalize(torch.randn(landmarks, model.embedding_dim)))
    proxies = nn.Parameter(proxies.detach().to(place))
    optimiser = torch.optim.Adam([*model.parameters(), proxies], lr=1e-4)

    def step(batch: tuple[Tensor, ...]) -> None:
        pixels, labels = move_batch(batch, place)
        with autocast(place, case.precision):
            embeddings = model(pixels)
        loss = losses.sup_hap_loss(embeddings, labels)
        loss = 0.9 * loss + 0.1 * losses.clustering_loss(embeddings, labels, proxies)
        optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        optimiser.step()
        loss.item()  # waits for a GPU

    return step


def throughput(
    case: str, method: str, seconds: list[float], images: int, peak_mb: float | None
) -> Throughput:
    """Sums up the rounds of one way."""
    median = statistics.median(seconds)
    return Throughput(
        case=case,
        method=method,
        seconds=[round(one, 4) for one in seconds],
        median_s=round(median, 4),
        spread_s=round(max(seconds) - min(seconds), 4),
        images_per_s=round(images / median, 2),
        peak_mb=peak_mb,
    )


def ratios_of(case: str, measured: Sequence[Throughput]) -> dict[str, float]:
    """Compares the loops of a case with the slower of loading and model.

    Each is the median over the rounds: the ways of one round were timed one after the other, and
    whatever else slows the machine down changes less from one to the next than over all rounds.
    """
    times = {one.method: one.seconds for one in measured if one.case == case}
    named = ("loading alone", "model alone", "loop", "plain loop")
    rounds = zip(*(times[name] for name in named), strict=True)
    found: dict[str, list[float]] = {}
    for loading, model, loop, plain in rounds:
        slower = max(loading, model)
        for name, ratio in {
            "loop_over_slower": slower / loop,
            "plain_loop_over_slower": slower / plain,
            "slower_over_loop": loop / slower,
            "loop_over_plain": plain / loop,
            "shared_cores_bound": slower / (loading + model),
        }.items():
            found.setdefault(name, []).append(ratio)
    return {name: round(statistics.median(ratios), 3) for name, ratios in found.items()}
