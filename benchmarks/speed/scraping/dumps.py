"""What does it cost to scrape from dump files?

Synthetic SQL dumps of 5 million rows in all, shaped as those of Commons and Wikidata, and a dump of
entities; each of 203,094 landmarks, as many as GLDv2 has, has its page in them. The whole scrape
runs in a process of its own. Baselines, in the same run and in processes of their own:

- `gunzip`: no more than to decompress each of the files once;
- `parse`: our parser over every row of SQL once, giving the first two columns;
- `plain`: the same the plain way, character by character, over the first rows of the table `page`,
  scaled to the rows of all dumps.

The scrape reads some of the tables twice, and besides them the entities, three times.

    python -m hgld.benchmarks.speed.scraping.dumps --out dumps.json
"""

import argparse
import gzip
import math
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from itertools import islice
from pathlib import Path

from hgld.benchmarks.environment import describe_environment
from hgld.benchmarks.speed.measuring import write_report
from hgld.benchmarks.speed.scraping.synthetic_dumps import DUMP_COLUMNS, write_dumps
from hgld.engine.workspace import Workspace
from hgld.memory import peak_memory_mb
from hgld.scrape.dumps.files import read_blocks
from hgld.scrape.dumps.sql import SqlDump
from hgld.scrape.stage import ScrapeConfig, run_scrape
from hgld.tables import CATEGORIES

_LANDMARKS = 203_094
ROWS = 5_000_000
SAMPLED_ROWS = 100_000
MOST_S = 180.0
MOST_MB = 1000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DumpsCost:
    """What one way cost."""

    method: str
    seconds: list[float]
    median_s: float
    spread_s: float
    """Slowest less fastest round."""
    row_us: float
    """Median time for one row of SQL."""
    cpu_s: float
    """Median time of the processor, which other work on the machine disturbs less; scaled alike."""
    peak_mb: float | None
    """Most memory of its process, libraries included."""
    result: dict[str, int]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures, writes the result, and fails where a bar is not met."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--landmarks", type=int, default=_LANDMARKS)
    parser.add_argument("--note", default="", help="what else ran on the machine")
    options = parser.parse_args(arguments)
    if options.rows < 15 * options.landmarks:
        parser.error("--rows must be at least 15 times --landmarks")
    load = os.getloadavg()
    with tempfile.TemporaryDirectory(prefix="hgld-dumps-") as name:
        folder = Path(name)
        rows = write_dumps(folder, options.rows, options.landmarks, options.seed)
        sizes = {path.name: path.stat().st_size for path in sorted(folder.glob("*.gz"))}
        runs: dict[str, Callable[[], tuple[dict[str, int], float]]] = {
            "scrape": partial(scrape_dumps, folder),
            "gunzip": partial(gunzip, folder),
            "parse": partial(parse, folder),
            "plain": partial(read_plainly, folder, rows),
        }
        measured = measure_in_turns(runs, rows, options.rounds)
    report = {
        "metadata": {
            **describe_environment(["pyarrow"]),
            "seed": options.seed,
            "rounds": options.rounds,
            "sql_rows": rows,
            "landmarks": options.landmarks,
            "bytes": sizes,
            "sampled_rows": SAMPLED_ROWS,
            "load_average_before": list(load),
            "load_average_after": list(os.getloadavg()),
            "note": options.note,
        },
        "results": [asdict(measurement) for measurement in measured],
        "ratios_of_cpu_s": _ratios({one.method: one.cpu_s for one in measured}),
    }
    bars = {
        "median_s": (measured[0].median_s, MOST_S),
        "peak_mb": (measured[0].peak_mb or math.nan, MOST_MB),
    }
    write_report(parser, options.out, report, bars)


def _ratios(medians: dict[str, float]) -> dict[str, float]:
    """Returns how the median times of the processor compare."""
    pairs = (("scrape", "gunzip"), ("parse", "gunzip"), ("parse", "plain"))
    return {f"{one} / {other}": round(medians[one] / medians[other], 4) for one, other in pairs}


def scrape_dumps(folder: Path) -> tuple[dict[str, int], float]:
    """Scrapes from the dumps; returns the rows by status, and a scale of 1."""
    with tempfile.TemporaryDirectory(prefix="hgld-build-") as name:
        workspace = Workspace(Path(name))
        run_scrape(workspace, ScrapeConfig(dumps=folder), folder / "categories.csv")
        statuses = workspace.read(CATEGORIES)["status"].value_counts().to_pylist()
    return {status["values"]: status["counts"] for status in statuses}, 1.0


def gunzip(folder: Path) -> tuple[dict[str, int], float]:
    """Decompresses every dump once."""
    sizes = [sum(map(len, read_blocks(path))) for path in folder.glob("*.gz")]
    return {"bytes": sum(sizes)}, 1.0


def parse(folder: Path) -> tuple[dict[str, int], float]:
    """Reads every row of SQL once."""
    rows = 0
    for table, columns in DUMP_COLUMNS.items():
        dump = SqlDump(next(folder.glob(f"*-{table}.sql.gz")), table)
        rows += sum(1 for _ in dump.rows(columns.split()[:2]))
    return {"rows": rows}, 1.0


def read_plainly(folder: Path, rows: int) -> tuple[dict[str, int], float]:
    """Reads the first rows of the largest table character by character."""
    with gzip.open(next(folder.glob("*-page.sql.gz")), "rt", encoding="utf-8") as file:
        found = sum(1 for _ in islice(plain_rows(file), SAMPLED_ROWS))
    return {"rows": found}, rows / found


def plain_rows(lines: Iterable[str]) -> Iterator[list[str]]:  # noqa: C901 - plain on purpose
    """Yields the rows of a dump's INSERT statements."""
    for line in lines:
        if not line.startswith("INSERT INTO"):
            continue
        row, value = list[str](), ""
        is_text = is_escaped = False
        for char in line[line.index("(") :]:
            if is_escaped:
                value, is_escaped = value + char, False
            elif char == "\\":
                is_escaped = True
            elif char == "'":
                is_text = not is_text
            elif is_text or char not in "(),;":
                value += char
            elif char == ")":
                yield [*row, value]
                row, value = [], ""
            elif char == "," and (row or value):
                row.append(value)
                value = ""


def measure_in_turns(
    runs: dict[str, Callable[[], tuple[dict[str, int], float]]], rows: int, rounds: int
) -> list[DumpsCost]:
    """Runs each way in turns, each time in a fresh process, so that its peak is its own."""
    seconds: dict[str, list[float]] = {method: [] for method in runs}
    cpu_seconds: dict[str, list[float]] = {method: [] for method in runs}
    peaks: dict[str, float | None] = {}
    results: dict[str, dict[str, int]] = {}
    for _ in range(rounds):
        for method, run in runs.items():
            context = multiprocessing.get_context("spawn")
            with ProcessPoolExecutor(max_workers=1, mp_context=context) as pool:
                taken, cpu, peak, results[method] = pool.submit(timed, run).result()
            seconds[method].append(taken)
            cpu_seconds[method].append(cpu)
            peaks[method] = max(filter(None, (peak, peaks.get(method))), default=None)
            print(
                f"{method}: {taken:.1f} s, {cpu:.1f} s of CPU, {peak} MB, {results[method]}",
                flush=True,
            )
    return [
        DumpsCost(
            method=method,
            seconds=[round(s, 3) for s in taken],
            median_s=round(statistics.median(taken), 3),
            spread_s=round(max(taken) - min(taken), 3),
            row_us=round(statistics.median(taken) / rows * 1e6, 3),
            cpu_s=round(statistics.median(cpu_seconds[method]), 3),
            peak_mb=peaks[method],
            result=results[method],
        )
        for method, taken in seconds.items()
    ]


def timed(
    run: Callable[[], tuple[dict[str, int], float]],
) -> tuple[float, float, float | None, dict[str, int]]:
    """Returns seconds and CPU seconds of a run, scaled; this process's peak in MB; the result."""
    started, cpu = time.perf_counter(), time.process_time()
    result, scale = run()
    taken, cpu = time.perf_counter() - started, time.process_time() - cpu
    return taken * scale, cpu * scale, peak_memory_mb(), result


if __name__ == "__main__":
    main()
