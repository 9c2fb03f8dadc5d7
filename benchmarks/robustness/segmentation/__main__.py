"""Do a spatial prior and self-labelling help where few volumes are labelled? A demonstration.

    python -m hgld.benchmarks.robustness.segmentation --out segmentation.json

Dice at 1, 2, 5 and 10 labelled volumes of the network alone, with the prior, with self-labelling,
and with both, on volumes made by a seed: what it shows holds for these.
"""

import argparse
import json
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from hgld.benchmarks.environment import describe_environment
from hgld.benchmarks.retrieval.results import nan_to_null
from hgld.benchmarks.robustness.records import RobustnessRecord
from hgld.benchmarks.robustness.segmentation.segmenting import SegmentationSettings, segment
from hgld.benchmarks.robustness.segmentation.volumes import make_volumes
from hgld.engine.files import write_text
from hgld.errors import HgldError

SEGMENTATION_PART = "segmentation"
_COUNTS = (1, 2, 5, 10)
_UNLABELLED, _TEST = 10, 10
_ROUNDS = 2
SEGMENTATION_METHODS = {
    "Network": SegmentationSettings(uses_prior=False, rounds=0),
    "Network, self-labelling": SegmentationSettings(uses_prior=False, rounds=_ROUNDS),
    "Network, prior": SegmentationSettings(uses_prior=True, rounds=0),
    "Network, prior, self-labelling": SegmentationSettings(uses_prior=True, rounds=_ROUNDS),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures and writes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--labelled", type=int, nargs="+", default=list(_COUNTS))
    options = parser.parse_args(arguments)
    if min(options.labelled) < 1:
        parser.error(f"--labelled must be 1 or more, got {min(options.labelled)}")
    torch.set_num_threads(1)
    records = [
        record
        for seed in options.seeds
        for count in options.labelled
        for record in measure_segmentation(count, seed)
    ]
    report = {
        "metadata": {
            **describe_environment(["numpy", "scipy", "torch"]),
            "is_demonstration": True,
            "unlabelled": _UNLABELLED,
            "test": _TEST,
        },
        "summary": summarise_dice(records),
        "records": [
            {"data_set": one.data_set, "method": one.method, "seed": one.seed, **one.measures}
            for one in records
        ],
    }
    try:
        write_text(options.out, json.dumps(nan_to_null(report), indent=1, allow_nan=False) + "\n")
    except HgldError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def measure_segmentation(count: int, seed: int) -> list[RobustnessRecord]:
    """Measures every method with so many labelled volumes.

    Args:
        count: labelled volumes, >= 1.
        seed: of the volumes, the weights and the order.

    Returns:
        A record a method. The unlabelled and the test volumes are the same for every count.
    """
    others = make_volumes(_UNLABELLED + _TEST, 2 * seed)
    labelled = make_volumes(count, 2 * seed + 1)
    unlabelled, test = others.part(0, _UNLABELLED), others.part(_UNLABELLED, _UNLABELLED + _TEST)
    return [
        RobustnessRecord(
            part=SEGMENTATION_PART,
            data_set=f"Made volumes, {count} labelled",
            method=method,
            seed=seed,
            measures=segment(labelled, unlabelled.images, test, settings, seed=seed),
            curves={},
        )
        for method, settings in SEGMENTATION_METHODS.items()
    ]


def summarise_dice(records: Sequence[RobustnessRecord]) -> dict[str, dict[str, list[float]]]:
    """Returns mean and standard deviation of the Dice over seeds, by data set and method."""
    found: dict[str, dict[str, list[float]]] = {}
    for one in records:
        found.setdefault(one.data_set, {}).setdefault(one.method, []).append(one.measures["dice"])
    return {
        data_set: {
            method: [
                round(statistics.mean(values), 4),
                round(statistics.stdev(values), 4) if len(values) > 1 else 0.0,
            ]
            for method, values in by_method.items()
        }
        for data_set, by_method in found.items()
    }


if __name__ == "__main__":
    sys.exit(main())
