"""What does it cost to make an index of pictures, to make it again, and to search a large one?

- `make`: `hgld index` on drawn JPEGs of 800 x 600 pixels, with a small network, against the plain
  `embed_images` of the same pictures, in turns; then the same command with nothing to do, and
  after one picture has changed.
- `search`: one picture's vector in an array of `--items` random ones of `--dimensions`, part by
  part; and in one of `--whole-items`, against `top_k` on an array that is loaded whole.

    python -m hgld.benchmarks.speed.train.index --out index.json
"""

import argparse
import functools
import gc
import hashlib
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from hgld.benchmarks.environment import describe_environment
from hgld.engine.files import FileRecord
from hgld.memory import peak_memory_mb, reset_peak_memory
from hgld.training.index.config import IndexConfig
from hgld.training.index.finding.looking import nearest_in
from hgld.training.index.folder import ARRAY_FILE, EmbeddedIndex, ShardFile
from hgld.training.index.making.listing import PictureSource
from hgld.training.index.making.run import run_index
from hgld.training.index.search import top_k
from hgld.training.model.config import ModelConfig
from hgld.training.model.embed import embed_images
from hgld.training.model.embedding import build_model
from hgld.training.model.saved import save_model

_K = 10
_BLOCK = 100_000  # vectors that are drawn at a time


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures and writes the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    numbers = {"pictures": 400, "rounds": 3, "items": 5_000_000, "dimensions": 512}
    numbers["whole_items"] = 1_000_000
    for name, default in numbers.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=default)
    parser.add_argument("--folder", type=Path, help="where to work; needs 4 bytes a number")
    parser.add_argument("--note", default="", help="what else ran on the machine")
    options = parser.parse_args(arguments)
    load = os.getloadavg()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        made = measure_making(Path(folder), options.pictures, options.rounds)
        searched = {
            f"{items:,}": measure_search(Path(folder), items, options, whole=whole)
            for items, whole in ((options.items, False), (options.whole_items, True))
        }
    report = {
        "metadata": {
            **describe_environment(["torch", "torchvision", "timm", "numpy", "pyarrow"]),
            **{name: getattr(options, name) for name in numbers},
            "threads": torch.get_num_threads(),
            "load_average": {"before": load, "after": os.getloadavg()},
            "note": options.note,
        },
        "make": made,
        "search": searched,
    }
    options.out.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(json.dumps({"make": made, "search": searched}, indent=2))


def measure_making(folder: Path, pictures: int, rounds: int) -> dict[str, Any]:
    """Measures pictures a second, and seconds of a run that has little to do."""
    files = draw_photos(folder / "photos", pictures)
    model = build_model(ModelConfig(backbone="mobilenetv3_small_100", weights="random"))
    (folder / "run").mkdir()
    save_model(model, folder / "run")
    source, config = PictureSource(folder=folder / "photos"), IndexConfig(workers=0, device="cpu")
    plain, made = list[float](), list[float]()
    for number in range(rounds):
        plain.append(seconds_of(lambda: embed_images(model, files, device="cpu")))
        make = functools.partial(
            run_index, folder / "run", source, folder / f"made-{number}", config
        )
        made.append(seconds_of(make))
    again = seconds_of(make)
    draw_photos(folder / "photos", 1, seed=1)
    changed = seconds_of(make)
    return {
        "plain_pictures_per_s": _rates(pictures, plain),
        "index_pictures_per_s": _rates(pictures, made),
        "index_to_plain": round(statistics.median(plain) / statistics.median(made), 4),
        "again_with_nothing_to_do_s": round(again, 3),
        "again_after_one_change_s": round(changed, 3),
    }


def measure_search(
    folder: Path, items: int, options: argparse.Namespace, *, whole: bool
) -> dict[str, Any]:
    """Measures seconds and memory of one search, in parts and, where asked, loaded whole."""
    index = random_index(folder / f"items-{items}-{whole}", items, options.dimensions)
    query = torch.from_numpy(np.array(index.vectors(items // 2, items // 2 + 1), np.float32))
    ways: dict[str, Callable[[], Any]] = {"in parts": lambda: nearest_in(index, query, _K)}
    if whole:
        path = index.folder / ARRAY_FILE
        ways["loaded whole"] = lambda: top_k(query, torch.from_numpy(np.load(path)), _K)
    taken: dict[str, Any] = {}
    places = {}
    for name, way in ways.items():  # the peak of one must not hide in that of the other
        gc.collect()
        reset_peak_memory()
        before = peak_memory_mb()
        seconds = []
        for _ in range(options.rounds):
            started = time.perf_counter()
            places[name] = way().indices.tolist()
            seconds.append(round(time.perf_counter() - started, 3))
        peak = peak_memory_mb()
        taken[name] = {
            "seconds": seconds,
            "median_s": statistics.median(seconds),
            "more_memory_mb": None if peak is None or before is None else round(peak - before, 1),
        }
    if len({str(one) for one in places.values()}) > 1:
        raise ValueError(f"both ways must find the same pictures, got {places}")
    return {"array_mb": round(index.array.size / 1e6, 1), **taken}


def random_index(folder: Path, items: int, dimensions: int) -> EmbeddedIndex:
    """Writes the array of an index of random unit vectors, and returns what it would say."""
    folder.mkdir()
    path = folder / ARRAY_FILE
    array = np.lib.format.open_memmap(path, "w+", np.float32, (items, dimensions))
    generator = torch.Generator().manual_seed(0)
    for start in range(0, items, _BLOCK):
        count = min(_BLOCK, items - start)
        drawn = torch.randn(count, dimensions, generator=generator)
        array[start : start + count] = torch.nn.functional.normalize(drawn, dim=1).numpy()
    array.flush()
    del array
    record = FileRecord(path.stat().st_size, "")
    shard = ShardFile(name="none", key="", rows=items, ok=items, bad=0, record=record)
    return EmbeddedIndex(
        folder=folder,
        source=folder,
        split="",
        run=folder,
        model=hashlib.sha256().hexdigest(),
        image_size=224,
        precision="float32",
        numbers="float32",
        dimensions=dimensions,
        shards=(shard,),
        array=record,
    )


def draw_photos(folder: Path, count: int, seed: int = 0) -> list[Path]:
    """Draws JPEGs of 800 x 600 pixels, as smooth as photographs are."""
    folder.mkdir(exist_ok=True)
    files = []
    for number in range(count):
        random = np.random.default_rng([seed, number])
        small = Image.fromarray(random.integers(0, 255, (30, 40, 3)).astype("uint8"))
        files.append(folder / f"{number:05d}.jpg")
        small.resize((800, 600), Image.Resampling.BICUBIC).save(files[-1], quality=90)
    return files


def seconds_of(work: Callable[[], object]) -> float:
    """Returns how long some work takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _rates(pictures: int, seconds: Sequence[float]) -> dict[str, Any]:
    rates = [round(pictures / one, 2) for one in seconds]
    return {"rounds": rates, "median": statistics.median(rates)}


if __name__ == "__main__":
    main()
