"""How fast are labels encoded, and are the vectors those of the plain loop?

The plain loop is the published code's: tokenize, and run the whole context of 77 tokens in float32.
Ours is `hgld.labels.embedding`. CLIP's text towers are those of the named architectures with random
weights, which cost what trained ones do. Of the plain loop, whose cost a label is the same for
every label, fewer are timed. MiniLM's plain loop is its package's own.

    python -m hgld.benchmarks.speed.embed --threads 1 --out embed.json
"""

import random
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import open_clip
import torch
from numpy.typing import NDArray

from hgld.benchmarks.speed.measuring import (
    extra_memory_mb,
    measure_in_turns,
    read_options,
    run_apart,
    write_report,
)
from hgld.labels.embedding.encoders import MiniLmEncoder, OpenClipEncoder, prompted
from hgld.labels.embedding.stage import EmbedConfig
from hgld.labels.embedding.words import taxonomy_words

OURS, PLAIN = "float32", "plain"
_MINILM = "MiniLM"
_PLAIN_BATCH = 256
# A tower for pictures is part of the model, and none is encoded: a small one.
_SMALL = {"image_size": 32, "patch_size": 32, "width": 64, "layers": 1}

Encode = Callable[[list[str]], NDArray[np.float32]]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures and writes the result."""
    options = read_options(
        __doc__,
        arguments,
        models=["ViT-B-32", "ViT-L-14", _MINILM],
        labels=512,
        plain_labels=64,
        rounds=3,
        seed=0,
        threads=torch.get_num_threads(),
    )
    results, ratios, differences = [], {}, {}
    for model in options.models:
        ours, plain, difference = measure_model(model, options)
        results += [plain, ours]
        ratios[model] = round(plain["labels_per_s"] / ours["labels_per_s"], 3)
        differences[model] = difference
    write_report(
        options,
        ["torch", "numpy", "open_clip_torch"],
        results,
        time_a_label_over_plain=ratios,
        largest_cosine_difference_from_plain=differences,
    )


def measure_model(model: str, options: Namespace) -> tuple[dict[str, Any], dict[str, Any], float]:
    """Measures both ways to encode by a model.

    Returns:
        What ours costs, what the plain loop costs, and the largest 1 - cosine of the same text.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(options.threads)
    texts = label_texts(options.labels, options.seed)
    few = texts[: options.plain_labels]
    work = {OURS: texts, PLAIN: texts if model == _MINILM else few}
    ways = encoders_of(model, options.seed)
    vectors = {way: encode(few) for way, encode in ways.items()}  # and the first run is done
    costs = measure_in_turns(
        {OURS: lambda: ways[OURS](work[OURS]), PLAIN: lambda: ways[PLAIN](work[PLAIN])},
        options.rounds,
    )
    torch.set_num_threads(before)
    ours, plain = (
        {
            "model": model,
            "method": way,
            "labels": len(work[way]),
            **cost,
            "labels_per_s": round(len(work[way]) / cost["median_s"], 1),
            "extra_mb": run_apart(memory_apart, model, way, options),
        }
        for way, cost in costs.items()
    )
    cosine = (vectors[OURS].astype(np.float64) * vectors[PLAIN]).sum(axis=1)
    return ours, plain, float((1 - cosine).max())


def memory_apart(model: str, way: str, options: Namespace) -> float:
    """Returns how far memory rises while a few labels are encoded, in MB."""
    torch.set_num_threads(options.threads)
    texts, encode = (
        label_texts(options.plain_labels, options.seed),
        encoders_of(model, options.seed)[way],
    )
    encode(texts[:1])
    return extra_memory_mb(lambda: encode(texts))


def label_texts(count: int, seed: int) -> list[str]:
    """Draws phrases of the shipped taxonomy, under the default prompt."""
    phrases = taxonomy_words(None)["phrase"].to_pylist()
    drawn = random.Random(seed).sample(phrases, count)  # noqa: S311 - no secret
    return [prompted(EmbedConfig().prompt, label) for label in drawn]


def encoders_of(model: str, seed: int) -> Mapping[str, Encode]:
    """Returns our way to encode by a model, and the plain one."""
    if model == _MINILM:
        minilm = MiniLmEncoder()

        def plain(texts: list[str]) -> NDArray[np.float32]:
            package = minilm._model  # noqa: SLF001 - the same weights
            return np.asarray(
                package.encode(texts, normalize_embeddings=True, show_progress_bar=False)
            )

        return {OURS: minilm.encode, PLAIN: plain}
    torch.manual_seed(seed)
    tower: Any = open_clip.create_model(model, load_weights=False, vision_cfg=_SMALL).eval()
    # Both start near zero, and texts near each other: make them matter.
    torch.nn.init.normal_(tower.positional_embedding)
    torch.nn.init.normal_(tower.token_embedding.weight)
    tokenize = open_clip.get_tokenizer(model)

    def whole_context(texts: list[str]) -> NDArray[np.float32]:
        batches = [texts[s : s + _PLAIN_BATCH] for s in range(0, len(texts), _PLAIN_BATCH)]
        with torch.inference_mode():
            parts = [tower.encode_text(tokenize(batch), normalize=True) for batch in batches]
            return np.asarray(torch.cat(parts).numpy())

    return {OURS: OpenClipEncoder(tower, tokenize).encode, PLAIN: whole_context}


if __name__ == "__main__":
    main()
