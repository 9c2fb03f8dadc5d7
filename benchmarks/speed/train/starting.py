"""From the start of a program to its first batch at full size, and the order of an epoch."""

import argparse
import json
import math
import multiprocessing
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from torch import Tensor

from hgld.benchmarks.speed.train.builds import write_build
from hgld.engine.workspace import Workspace
from hgld.memory import peak_memory_mb
from hgld.training.data.augment import Augmentation
from hgld.training.data.config import AugmentConfig, PerLandmark, PerSuperCategory, SamplerConfig
from hgld.training.data.epochs import AugmentedImages, run_batches
from hgld.training.data.labels import training_images
from hgld.training.data.sampler import make_sampler
from hgld.training.model.config import ModelConfig
from hgld.training.model.devices import choose_device, place_model
from hgld.training.model.embedding import build_model


def measure_full_size(options: argparse.Namespace) -> dict[str, Any]:
    """Starts a program on a build of the full size, and times the orders of epochs."""
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(Path(folder))
        write_build(workspace, options.images, options.landmarks, (800, 600), options.seed)
        command = [sys.executable, "-m", "hgld.benchmarks.speed.train", "--out", "none"]
        command += ["--start-in", folder, *(["--tiny"] if options.tiny else [])]
        for name in ("workers", "seed", "threads", "device"):
            command += [f"--{name}", str(getattr(options, name))]
        started = time.perf_counter()
        done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - our own command line
        whole = time.perf_counter() - started
        labels = training_images(workspace).labels
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    orders = {
        config.name: time_orders(labels, config, options.rounds, 8 if options.tiny else 256)
        for config in (PerLandmark(), PerSuperCategory())
    }
    return {
        "images": options.images,
        "landmarks": options.landmarks,
        "start_to_first_batch_s": round(whole, 2),  # and to the program's end
        **found,
        "orders": orders,
    }


def start_up(root: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Does what a run does before its first step, with a model of the published size."""
    seconds: dict[str, float] = {}
    began = time.perf_counter()

    def note(what: str) -> None:
        nonlocal began
        now = time.perf_counter()
        seconds[what] = round(now - began, 2)
        began = now

    images = training_images(Workspace(root))
    note("tables and files")
    batch_size, size = (8, 32) if options.tiny else (256, 224)
    order = make_sampler(images.labels, PerLandmark(), batch_size=batch_size, seed=options.seed)
    note("sampler")
    backbone = "test_resnet" if options.tiny else "resnet101"
    config = ModelConfig(backbone=backbone, weights="random", image_size=size)
    place_model(build_model(config), choose_device(options.device))
    note("model")
    dataset = AugmentedImages(images, Augmentation(AugmentConfig(), size), options.seed)
    batches = run_batches(dataset, order, epochs=20, workers=options.workers)
    pixels, _ = next(batches)
    note("first batch")
    peaks = {"training": peak_memory_mb() or math.nan}
    for number, process in enumerate(multiprocessing.active_children()):
        peaks[f"loading {number}"] = peak_of(process.pid)
    return {"seconds": seconds, "batch": list(pixels.shape), "peak_mb": peaks}


def time_orders(
    labels: Tensor, config: SamplerConfig, rounds: int, batch_size: int
) -> dict[str, Any]:
    """Times a sampler's making, and the order of an epoch as a loader takes it."""
    started = time.perf_counter()
    order = make_sampler(labels, config, batch_size=batch_size)
    made = time.perf_counter() - started
    seconds = []
    for epoch in range(rounds):
        order.set_epoch(epoch)
        started = time.perf_counter()
        batches = sum(1 for _ in order)
        seconds.append(round(time.perf_counter() - started, 4))
    return {
        "made_s": round(made, 3),
        "seconds": seconds,
        "median_s": statistics.median(seconds),
        "batches": batches,
        "waiting_groups": order.waiting_groups,
    }


def peak_of(pid: int | None) -> float:
    """Returns the peak memory of another process, in MB; NaN where the system does not tell."""
    status = Path(f"/proc/{pid}/status")
    lines = status.read_text(encoding="ascii").splitlines() if status.exists() else []
    peaks_kb = [int(line.split()[1]) for line in lines if line.startswith("VmHWM")]
    return round(peaks_kb[0] / 1024, 1) if peaks_kb else math.nan
