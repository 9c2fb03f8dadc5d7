"""Logs of runs that were never run: good ones and bad ones, with noise."""

import math
import random
from typing import Any

Log = list[dict[str, Any]]


def good_log(
    lines: int = 60, *, every: int = 10, noise: float = 0.02, seed: int = 0, rate: float = 1e-4
) -> Log:
    """Returns the log of a run that learns: its loss falls, and its H-AP rises."""
    draw = random.Random(seed)
    log: Log = []
    for number in range(1, lines + 1):
        done = number / lines
        loss = 0.2 + 0.5 * math.exp(-4 * done)
        log.append(
            {
                "step": every * number,
                "epoch": number // 10,
                "loss": loss * (1 + draw.gauss(0, noise)),
                "sup_hap": 0.9 * loss,
                "clustering": 9 * loss,
                "gradient_norm": math.exp(draw.gauss(0, 0.4)),
                "learning_rate": rate * (1 + math.cos(math.pi * done)) / 2,
                "images_per_s": 100 + draw.gauss(0, 5),
                "mean_similarity": 0.1 + 0.5 * math.exp(-3 * done),
            }
        )
        if number % max(lines // 6, 1) == 0:
            log.append(validation_line(every * number, 0.5 + 0.15 * (1 - math.exp(-4 * done))))
    return log


def validation_line(step: int, h_ap: float | None) -> dict[str, Any]:
    means = {
        "h_ap": h_ap,
        "map_landmark": None if h_ap is None else h_ap + 0.02,
        "map_supercategory": None if h_ap is None else h_ap - 0.06,
        "map_top": 0.8,
    }
    more = {"mean_similarity": 0.3, "queries": 312}
    return {"step": step, "epoch": 0, "validation": {**means, **more}}
