"""What does it cost to write the data set, at the size of GLDv2?

4,132,914 train images of 203,094 landmarks, each with its labels, where these came from, and who
made the picture. Each way runs in a process of its own, from the tables on the disk:

- `annotate`: the stage, with all that it writes beside the images;
- `pandas`: the labels and the credits alone, joined with `merge` and written with `to_parquet`,
  from the landmarks' labels that the stage has found.

    python -m hgld.benchmarks.speed.release.annotate --out annotate.json
"""

import argparse
import math
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from hgld.annotations.stage import AnnotateConfig, run_annotate
from hgld.benchmarks.environment import describe_environment
from hgld.benchmarks.speed.measuring import write_report
from hgld.benchmarks.speed.release.resolving import (
    Outcome,
    Run,
    measure_in_turns,
    write_columns,
    write_tables,
)
from hgld.engine.workspace import Workspace
from hgld.tables import ANNOTATIONS, ATTRIBUTIONS, CREDITS, IMAGES, LANDMARK_LABELS, LANDMARKS

_LANDMARKS = 203_094
_IMAGES = 4_132_914
_AUTHORS = 200_000
_UNCREDITED_EVERY = 50
MOST_S = 60.0
MOST_MB = 2_500.0
_LICENSES = [
    f"https://creativecommons.org/licenses/{kind}/{version}"
    for kind in ("by", "by-sa")
    for version in ("1.0", "2.0", "2.5", "3.0", "4.0")
]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures, writes the result, and fails where a bar is not met."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    numbers = {"rounds": 3, "seed": 0, "landmarks": _LANDMARKS, "images": _IMAGES}
    for name, default in numbers.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--note", default="", help="what else ran on the machine")
    options = parser.parse_args(arguments)
    load = os.getloadavg()
    with tempfile.TemporaryDirectory(prefix="hgld-annotate-") as name:
        root = Path(name) / "build"
        write_world(Workspace(root), options.landmarks, options.images, options.seed)
        runs: dict[str, Run] = {
            "annotate": partial(annotate_all, root),
            "pandas": partial(annotate_with_pandas, root),
        }
        ours, plain = measure_in_turns(runs, options.landmarks, options.rounds)
    if ours.result["rows"] != plain.result["rows"]:
        parser.exit(1, f"the stage wrote {ours.result}, pandas {plain.result}\n")
    report = {
        "metadata": {
            **describe_environment(["pyarrow", "numpy", "pandas"]),
            **{name: getattr(options, name) for name in (*numbers, "note")},
            "load_average": {"before": load, "after": os.getloadavg()},
        },
        "results": [asdict(measurement) for measurement in (ours, plain)],
        "annotate / pandas": {
            "time": round(ours.median_s / plain.median_s, 4),
            "memory": round((ours.peak_mb or math.nan) / (plain.peak_mb or math.nan), 4),
        },
    }
    bars = {
        "annotate: median_s": (ours.median_s, MOST_S),
        "annotate: peak_mb": (ours.peak_mb or math.nan, MOST_MB),
    }
    write_report(parser, options.out, report, bars)


def write_world(workspace: Workspace, landmarks: int, images: int, seed: int) -> None:
    """Writes a build whose landmarks all have a label, with images and who made them.

    Landmarks have one to thousands of images. Images and credits come in orders of their own, as in
    GLDv2, and one image in fifty has no credit.
    """
    write_tables(workspace, landmarks, seed, ignored=0)
    known = workspace.read(LANDMARKS)
    chance = np.random.default_rng(seed)
    share = chance.pareto(1.0, landmarks) + 1
    rows = chance.choice(landmarks, images, p=share / share.sum())
    ids = pa.array([f"{number:016x}" for number in chance.permutation(images) * 0x9E3779B1])
    credited = ids.filter(pa.array(np.arange(images) % _UNCREDITED_EVERY > 0))
    credited = credited.take(pa.array(chance.permutation(len(credited))))
    authors = chance.integers(0, _AUTHORS, len(credited)) // (
        1 + chance.integers(0, 100, len(credited))
    )
    names = [f"Somebody Number {number}" for number in range(_AUTHORS)]
    title = pc.binary_join_element_wise("File:Picture of a landmark, ", credited, ".jpg", "")
    write_columns(
        workspace,
        {
            LANDMARKS: {name: known[name] for name in known.column_names},
            IMAGES: {
                "split": pa.repeat("train", images),
                "image_id": ids,
                "landmark_id": known["landmark_id"].combine_chunks().take(pa.array(rows)),
                "in_clean": pa.repeat(True, images),
            },
            ATTRIBUTIONS: {
                "image_id": credited,
                "title": title,
                "author": pa.array(names).take(pa.array(authors)),
                "license": pa.array(_LICENSES).take(
                    pa.array(chance.integers(0, len(_LICENSES), len(credited)))
                ),
                "url": pc.binary_join_element_wise(
                    "https://commons.wikimedia.org/wiki/", title, ""
                ),
            },
        },
    )


def annotate_all(root: Path) -> Callable[[], Outcome]:
    """Runs the stage."""
    workspace = Workspace(root, remakes=True)
    run_annotate(workspace, AnnotateConfig(train="all"))

    def outcome() -> Outcome:
        shards = [*workspace.shards(ANNOTATIONS["train"]), *workspace.shards(CREDITS)]
        return {
            "rows": sum(pq.read_metadata(path).num_rows for path in shards),
            "bytes": sum(path.stat().st_size for path in shards),
        }

    return outcome


def annotate_with_pandas(root: Path) -> Callable[[], Outcome]:
    """Joins and writes as one would in a notebook."""
    import pandas as pd

    def read(name: str, columns: list[str]) -> "pd.DataFrame":
        return pd.read_parquet(root / name, columns=columns)

    images = read(IMAGES.path, ["image_id", "landmark_id", "in_clean"])
    names = [
        name for name in LANDMARK_LABELS.schema.names if name in ANNOTATIONS["train"].schema.names
    ]
    landmarks = read(LANDMARK_LABELS.path, names)
    data = images.merge(landmarks, on="landmark_id")
    del images, landmarks
    data = data.sort_values(["hierarchical_label", "landmark_id", "image_id"])
    folder = root / "pandas"
    folder.mkdir(exist_ok=True)
    data.to_parquet(folder / "data.parquet", compression="zstd", index=False)
    ids = data[["image_id"]]
    del data
    credits_ = ids.merge(read(ATTRIBUTIONS.path, ATTRIBUTIONS.schema.names), "left", "image_id")
    credits_.to_parquet(folder / "credits.parquet", compression="zstd", index=False)

    def outcome() -> Outcome:
        paths = list(folder.iterdir())
        return {
            "rows": sum(pq.read_metadata(path).num_rows for path in paths),
            "bytes": sum(path.stat().st_size for path in paths),
        }

    return outcome


if __name__ == "__main__":
    main()
