"""What the questions of speed share: options, rounds in turns, memory, a file of results."""

import argparse
import gc
import json
import math
import multiprocessing
import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from hgld.benchmarks.environment import describe_environment
from hgld.memory import peak_memory_mb, reset_peak_memory

P = ParamSpec("P")
T = TypeVar("T")


def read_options(
    about: str | None, arguments: Sequence[str] | None, **sizes: float | str | list[int] | list[str]
) -> argparse.Namespace:
    """Reads the options of a script: where to write, and how much to measure.

    Args:
        about: what the script asks: its docstring.
        arguments: those typed; None: of the command line.
        **sizes: option to its default: a number, a text, or a list of either.
    """
    as_written = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=about, formatter_class=as_written)
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--note", default="", help="what else ran on the machine")
    for name, default in sizes.items():
        one = default[0] if isinstance(default, list) else default
        many = "+" if isinstance(default, list) else None
        option = f"--{name.replace('_', '-')}"
        parser.add_argument(option, type=type(one), nargs=many, default=default)
    return parser.parse_args(arguments)


def measure_in_turns(
    ways: Mapping[str, Callable[[], object]], rounds: int, *, shortest_s: float = 0.0
) -> dict[str, dict[str, Any]]:
    """Runs each way in every round, so that what else the machine does falls on all alike.

    Args:
        ways: what is run, by name.
        rounds: how often.
        shortest_s: a round of a way lasts so long; what is shorter is run again, as in training.

    Returns:
        By way the seconds of a run in each round, their median, their spread (slowest less
        fastest), the median of the processor time of all threads, and the peak memory of the
        process, libraries included.
    """
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    cpu: dict[str, list[float]] = {way: [] for way in ways}
    peaks: dict[str, float | None] = {}
    for _ in range(rounds):
        for way, run in ways.items():
            gc.collect()
            reset_peak_memory()
            started, cpu_started, runs, taken_s = time.perf_counter(), time.process_time(), 0, 0.0
            while not runs or taken_s < shortest_s:
                run()
                runs, taken_s = runs + 1, time.perf_counter() - started
            seconds[way].append(round(taken_s / runs, 6))
            cpu[way].append(round((time.process_time() - cpu_started) / runs, 6))
            peaks[way] = peak_memory_mb()
            print(f"{way}: {seconds[way][-1]:.4g} s, {peaks[way]} MB", flush=True)
    return {
        way: {
            "seconds": taken,
            "median_s": round(statistics.median(taken), 6),
            "spread_s": round(max(taken) - min(taken), 6),
            "cpu_s": round(statistics.median(cpu[way]), 6),
            "peak_mb": peaks[way],
        }
        for way, taken in seconds.items()
    }


def extra_memory_mb(run: Callable[[], object]) -> float:
    """Returns the most memory that a way takes beyond what the process held before, in MB.

    Ask in a process that does nothing else (`run_apart`): memory used once is not given back.
    """
    reset_peak_memory()
    held = peak_memory_mb() or math.nan
    run()
    return round((peak_memory_mb() or math.nan) - held, 1)


def run_apart(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Returns what a function of a module returns in a new process."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, spawn) as pool:
        return pool.submit(work, *args, **kwargs).result()


def write_report(
    options: argparse.Namespace, packages: Sequence[str], results: object, **more: object
) -> None:
    """Writes what was measured, and with what, and prints what sums it up.

    Args:
        options: of `read_options`.
        packages: distributions whose versions bear on the result.
        results: a row for each way.
        **more: ratios and the like.
    """
    asked = {name: value for name, value in vars(options).items() if name != "out"}
    metadata: dict[str, object] = {
        **describe_environment(packages),
        "load_average_after": os.getloadavg(),
        **asked,
    }
    report = {"metadata": metadata, "results": results, **more}
    text = json.dumps(report, indent=2, default=str)
    options.out.write_text(text + "\n", encoding="utf-8")
    print(json.dumps(more, indent=2))
