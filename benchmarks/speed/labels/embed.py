"""How fast are labels encoded, and are the vectors those of the plain loop?

The plain loop is the published code's: tokenize, and run the whole context of 77 tokens in float32.
Ours is `hgld.labels.embedding`. CLIP's text towers are those of the named
architectures with random weights, which cost what trained ones do. Of the plain loop, whose cost a
label is the same for every label, fewer are timed. MiniLM's plain loop is its package's own.

    python -m hgld.benchmarks.speed.labels.embed --out embed.json
"""

import argparse
import csv
import math
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
from numpy.typing import NDArray

from hgld.benchmarks.environment import describe_environment
from hgld.benchmarks.speed.measuring import write_report
from hgld.labels.embedding.encoders import MiniLmEncoder, OpenClipEncoder, prompted
from hgld.labels.embedding.stage import EmbedConfig
from hgld.labels.embedding.words import taxonomy_words
from hgld.memory import peak_memory_mb, reset_peak_memory

PLAIN = "plain"
_MINILM = "MiniLM"
_PLAIN_BATCH = 256
_MOST_TIME = round(1 / 3, 3)
_MOST_DIFFERENCE = 1e-3
# A tower for pictures is part of the model, and none is encoded: a small one.
_SMALL = {"image_size": 32, "patch_size": 32, "width": 64, "layers": 1}

Encode = Callable[[list[str]], NDArray[np.float32]]


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodingCost:
    """What one way to encode cost."""

    model: str
    method: str
    labels: int
    seconds: list[float]
    median_s: float
    spread_s: float
    """Slowest less fastest round."""
    labels_per_s: float
    """In the median round."""
    extra_mb: float
    """Most memory meanwhile beyond what was held before, models included; in a process that does
    nothing else, as memory that was used once is not given back."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures, writes the result, and exits with 1 where a bar is not met."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--models", nargs="*", default=["ViT-B-32", "ViT-L-14", _MINILM])
    parser.add_argument("--file", type=Path, help="CSV with a column label; else the taxonomy's")
    parser.add_argument("--labels", type=int, default=512)
    parser.add_argument("--plain-labels", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--note", default="", help="what else ran on the machine")
    parser.add_argument("--memory-of", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    texts = label_texts(options.file, options.labels, options.seed)
    if options.memory_of:
        model, method = options.memory_of
        encode = ways_of(model, options.seed)[method]
        encode(texts[:1])
        print(extra_memory_mb(encode, texts[: options.plain_labels]))
        return
    load = os.getloadavg()
    costs: list[EncodingCost] = []
    differences: dict[str, float] = {}
    for model in options.models:
        measured, vectors = measure(model, texts, options)
        costs += measured
        differences |= {
            f"{model}, {method}": largest_difference(vectors[PLAIN], found)
            for method, found in vectors.items()
            if method != PLAIN
        }
        print(*(f"{cost.model}, {cost.method}: {cost.labels_per_s}/s" for cost in measured))
    ratios = time_ratios(costs)
    packages = ["torch", "numpy", "open_clip_torch"]
    report = {
        "metadata": {
            **describe_environment(packages),
            "seed": options.seed,
            "rounds": options.rounds,
            "labels": "a file's" if options.file else "the shipped taxonomy's phrases",
            "prompt": EmbedConfig().prompt,
            "load_average_before": list(load),
            "load_average_after": list(os.getloadavg()),
            "note": options.note,
        },
        "results": [asdict(cost) for cost in costs],
        "time_a_label_over_plain": ratios,
        "largest_cosine_difference_from_plain": differences,
    }
    bars = {
        f"time over plain: {name}": (ratio, _MOST_TIME)
        for name, ratio in ratios.items()
        if not name.startswith(_MINILM)
    }
    bars |= {
        f"cosine difference: {name}": (difference, _MOST_DIFFERENCE)
        for name, difference in differences.items()
    }
    write_report(parser, options.out, report, bars)


def label_texts(file: Path | None, count: int, seed: int) -> list[str]:
    """Draws labels of a file, or phrases of the shipped taxonomy, under the default prompt."""
    if file is None:
        labels = taxonomy_words(None)["phrase"].to_pylist()
    else:
        with file.open(encoding="utf-8", newline="") as lines:
            labels = [row["label"] for row in csv.DictReader(lines)]
    drawn = random.Random(seed).sample(labels, min(count, len(labels)))  # noqa: S311 - no secret
    return [prompted(EmbedConfig().prompt, label) for label in drawn]


def ways_of(model: str, seed: int) -> dict[str, Encode]:
    """Returns the ways to encode by a model."""
    return minilm_ways() if model == _MINILM else clip_ways(model, seed)


def clip_ways(model: str, seed: int) -> dict[str, Encode]:
    """Returns the ways to encode by a CLIP text tower; the plain one is the published code's."""
    tower = text_tower(model, seed)
    tokenize = open_clip.get_tokenizer(model)

    def plain(texts: list[str]) -> NDArray[np.float32]:
        batches = [texts[s : s + _PLAIN_BATCH] for s in range(0, len(texts), _PLAIN_BATCH)]
        with torch.inference_mode():
            parts = [tower.encode_text(tokenize(batch), normalize=True) for batch in batches]
            return np.asarray(torch.cat(parts).numpy())

    return {
        PLAIN: plain,
        "float32": OpenClipEncoder(tower, tokenize).encode,
    }


def text_tower(model: str, seed: int) -> Any:  # noqa: ANN401 - open_clip's
    """Returns a CLIP with the text tower of an architecture and random weights."""
    torch.manual_seed(seed)
    made = open_clip.create_model(model, load_weights=False, vision_cfg=_SMALL)
    # Both start near zero, and texts near each other: make them matter.
    torch.nn.init.normal_(made.positional_embedding)
    torch.nn.init.normal_(made.token_embedding.weight)
    return made.eval()


def minilm_ways() -> dict[str, Encode]:
    """Returns the ways to encode by MiniLM; the plain one is its package's, on all threads."""
    encoder = MiniLmEncoder()

    def plain(texts: list[str]) -> NDArray[np.float32]:
        return np.asarray(
            encoder._model.encode(texts, normalize_embeddings=True, show_progress_bar=False)  # noqa: SLF001 - the same model
        )

    return {PLAIN: plain, "float32": encoder.encode}


def measure(
    model: str, texts: list[str], options: argparse.Namespace
) -> tuple[list[EncodingCost], dict[str, NDArray[np.float32]]]:
    """Times each way in each round, one after the other: what else runs falls on all alike.

    Returns:
        The costs, and by method the vectors of the first `plain_labels` texts.
    """
    ways, few = ways_of(model, options.seed), texts[: options.plain_labels]
    work = {method: few if method == PLAIN and model != _MINILM else texts for method in ways}
    seconds: dict[str, list[float]] = {method: [] for method in ways}
    vectors: dict[str, NDArray[np.float32]] = {}
    for encode in ways.values():
        encode(texts[:1])
    for _ in range(options.rounds):
        for method, encode in ways.items():
            started = time.perf_counter()
            vectors[method] = encode(work[method])[: len(few)]
            seconds[method].append(time.perf_counter() - started)
    costs = [
        EncodingCost(
            model=model,
            method=method,
            labels=len(work[method]),
            seconds=[round(one, 4) for one in times],
            median_s=round(statistics.median(times), 4),
            spread_s=round(max(times) - min(times), 4),
            labels_per_s=round(len(work[method]) / statistics.median(times), 1),
            extra_mb=memory_apart(model, method, options),
        )
        for method, times in seconds.items()
    ]
    return costs, vectors


def memory_apart(model: str, method: str, options: argparse.Namespace) -> float:
    """Measures in a new process how far memory rises while labels are encoded."""
    command = [sys.executable, "-m", "hgld.benchmarks.speed.labels.embed", "--out", "none"]
    command += [
        "--memory-of",
        model,
        method,
        *(["--file", str(options.file)] if options.file else []),
    ]
    for name in ("labels", "plain_labels", "seed", "threads"):
        command += [f"--{name.replace('_', '-')}", str(getattr(options, name))]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - our own command line
    return float(done.stdout.splitlines()[-1])


def extra_memory_mb(encode: Encode, texts: list[str]) -> float:
    """Returns the most memory that is held while texts are encoded, beyond what was before."""
    reset_peak_memory()
    held = peak_memory_mb() or math.nan
    encode(texts)
    return round((peak_memory_mb() or math.nan) - held, 1)


def largest_difference(expected: NDArray[np.float32], found: NDArray[np.float32]) -> float:
    """Returns the largest 1 - cosine between two encodings of the same texts, unit norm."""
    return float((1 - (expected.astype(np.float64) * found).sum(axis=1)).max())


def time_ratios(costs: Sequence[EncodingCost]) -> dict[str, float]:
    """Returns by way what a label costs over what it costs the plain loop of the same model."""
    plain = {cost.model: cost for cost in costs if cost.method == PLAIN}
    return {
        f"{cost.model}, {cost.method}": round(plain[cost.model].labels_per_s / cost.labels_per_s, 3)
        for cost in costs
        if cost.method != PLAIN
    }


if __name__ == "__main__":
    main()
