"""Measures what `hgld.benchmarks.speed.train` says, and writes it."""

import argparse
import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import torch

from hgld.benchmarks.environment import describe_environment
from hgld.benchmarks.speed import train
from hgld.benchmarks.speed.measuring import write_report
from hgld.benchmarks.speed.train.loops import ON_CPU, ON_GPU, TINY, measure_case, ratios_of
from hgld.benchmarks.speed.train.starting import measure_full_size, start_up
from hgld.training.model.devices import choose_device

IMAGES, LANDMARKS = 970_981, 46_593
_MOST_OVER_SLOWER = 1 / 0.9  # of the time of the slower of the two
_MOST_START_S, _MOST_START_MB, _MOST_ORDER_S = 30.0, 4096.0, 1.0


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures, writes the result, and exits with 1 where a bar is not met."""
    parser = argparse.ArgumentParser(description=(train.__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=IMAGES, help="of the full size")
    parser.add_argument("--landmarks", type=int, default=LANDMARKS, help="of the full size")
    parser.add_argument("--tiny", action="store_true", help="a case that takes seconds, for a test")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--device", default="auto")
    parser.add_argument("--note", default="", help="what else ran on the machine")
    parser.add_argument("--start-in", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    if options.start_in:
        print(json.dumps(start_up(options.start_in, options)))
        return
    load = os.getloadavg()
    on_gpu = choose_device(options.device).type == "cuda"
    cases = (TINY,) if options.tiny else ON_GPU if on_gpu else ON_CPU
    measured = [one for case in cases for one in measure_case(case, options)]
    ratios = {case.name: ratios_of(case.name, measured) for case in cases}
    full = measure_full_size(options)
    report = {
        "metadata": {
            **describe_environment(["torch", "torchvision", "timm", "pillow", "pyarrow"]),
            "device": "GPU" if on_gpu else "CPU: no GPU was measured",
            "workers": options.workers,
            "seed": options.seed,
            "rounds": options.rounds,
            "load_average_before": list(load),
            "load_average_after": list(os.getloadavg()),
            "note": options.note,
        },
        "cases": [asdict(case) for case in cases],
        "results": [asdict(one) for one in measured],
        "ratios": ratios,
        "full_size": full,
    }
    bars = {
        f"time of the loop over the slower: {name}": (found["slower_over_loop"], _MOST_OVER_SLOWER)
        for name, found in ratios.items()
    }
    bars |= {
        "start to first batch, s": (full["start_to_first_batch_s"], _MOST_START_S),
        "memory of a process, MB": (max(full["peak_mb"].values()), _MOST_START_MB),
    }
    bars |= {
        f"order of an epoch, s: {name}": (found["median_s"], _MOST_ORDER_S)
        for name, found in full["orders"].items()
    }
    write_report(parser, options.out, report, bars)


if __name__ == "__main__":
    main()
