"""When is a model wrong, and does it know? Failures, queries to refuse, rows from elsewhere.

    python -m hgld.benchmarks.robustness --out robustness.csv --page robustness.html
    python -m hgld.benchmarks.robustness mine.parquet --out robustness.csv --page robustness.html

Without a table of rows it measures those that come along with packages. A table is a parquet or
.npz file of anybody's embeddings with labels (see `hgld.benchmarks.robustness.rows`). Embeddings
without labels, as `hgld benchmark --embeddings` takes them, are joined with those of --labels.
What --seeds and --parts leave of a command gives the same figures as the whole.
"""

import argparse
import itertools
import json
import logging
import shlex
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from threadpoolctl import threadpool_limits

from hgld.benchmarks.environment import describe_environment
from hgld.benchmarks.robustness import results
from hgld.benchmarks.robustness.abstention import ABSTENTION
from hgld.benchmarks.robustness.failures import FAILURES
from hgld.benchmarks.robustness.out_of_distribution import OUT_OF_DISTRIBUTION
from hgld.benchmarks.robustness.rows import (
    RowTable,
    UnfitRowsError,
    embedded_table,
    packaged_tables,
    read_rows,
)
from hgld.benchmarks.robustness.segmentation import SEGMENTATION
from hgld.benchmarks.robustness.self_labelling import SELF_LABELLING
from hgld.engine.files import write_text
from hgld.errors import InputError, exit_status

logger = logging.getLogger(__name__)

MEASURED = {
    "abstention": ABSTENTION,
    "failures": FAILURES,
    "out_of_distribution": OUT_OF_DISTRIBUTION,
    "self_labelling": SELF_LABELLING,
    "segmentation": SEGMENTATION,
}
Unit = tuple[str, RowTable, int]
"""Part, table, seed."""


@exit_status
def main(arguments: Sequence[str] | None = None) -> None:
    """Measures, and writes all there is after each part of a table with a seed."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    given = list(sys.argv[1:] if arguments is None else arguments)
    _measure_all(options, "python -m hgld.benchmarks.robustness " + shlex.join(given))


def tables_of(options: argparse.Namespace) -> list[RowTable]:
    """Returns the tables that the options name; those that come along, if they name none.

    Raises:
        InputError: a file cannot be read, or two tables have one name.
    """
    far = dict(map(_named, options.far))
    found = [read_rows(path, name) for name, path in map(_named, options.tables)]
    for first, query, index in options.embeddings:
        name, train = _named(first)
        if options.labels is None:
            raise InputError("--embeddings must come with --labels; a table of rows has both")
        files = {"train": train, "query": Path(query), "index": Path(index)}
        found.append(embedded_table(options.labels, files, name, far))
    names = [one.name for one in found]
    if not set(options.trained_on_train) <= set(names) or len(set(names)) < len(names):
        raise InputError(
            f"every table must have a name of its own, and --trained-on-train one of these, got "
            f"{', '.join(names)}; write NAME=FILE"
        )
    if far and not options.embeddings:
        raise InputError("--far must come with --embeddings; in a table a far set is a split")
    own = [replace(one, is_trained_on_train=one.name in options.trained_on_train) for one in found]
    is_packaged = options.packaged or not own
    return [*(packaged_tables() if is_packaged else []), *own]


def _measure_all(options: argparse.Namespace, command: str) -> None:
    tables = tables_of(options)
    units: list[Unit] = [
        (part, table, seed)
        for seed, table in itertools.product(options.seeds, tables)
        for part in table.parts
        # The segmentation is an example: three seeds are enough.
        if part in options.parts and (part != "segmentation" or seed in options.seeds[:3])
    ]
    metadata = {
        **describe_environment(["numpy", "scikit-learn", "scipy", "torch"]),
        "command": command,
        "tables": {one.name: one.described for one in tables},
    }
    write_text(options.out.with_suffix(".json"), json.dumps(metadata, indent=1) + "\n")
    rows: list[results.ResultRow] = []
    # Not forked: torch has threads by now.
    with ProcessPoolExecutor(options.workers, mp_context=get_context("spawn")) as pool:
        run = map if options.workers == 1 else pool.map
        for number, found in enumerate(run(measure_unit, units), start=1):
            rows += found
            rows.sort(key=lambda row: (row.part, row.data, row.group, row.seed))
            logger.info("%d of %d measured", number, len(units))
            results.write_results(options.out, rows)
            write_text(options.page, results.render_page(metadata, rows))


def measure_unit(unit: Unit) -> list[results.ResultRow]:
    """Measures a part of a table with a seed, on one thread.

    What the rows of a table do not suffice for is left out, and the log says so.
    """
    name, table, seed = unit
    part = MEASURED[name]
    torch.set_num_threads(1)
    # Rows of some hundred: a second thread waits more than it works.
    with threadpool_limits(1):
        try:
            found = list(part.measure(table, seed))
            of = name, part, table.name, seed
            return [row for one in found for row in results.result_rows(*of, one)]
        except UnfitRowsError as error:
            logger.warning("%s of %s is not measured: %s", name, table.name, error)
            return []


def _named(text: str) -> tuple[str, Path]:
    """Reads `[NAME=]FILE`; without a name it is that of the file."""
    name, is_named, path = text.partition("=")
    return (name, Path(path)) if is_named else (Path(text).stem, Path(text))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    add = parser.add_argument
    more: dict[str, Any] = {"action": "append", "default": []}
    add("tables", nargs="*", metavar="[NAME=]FILE", help="tables of rows, parquet or .npz")
    add("--labels", help="a build, or anything else that hgld.load takes")
    files = ("[NAME=]TRAIN", "QUERY", "INDEX")
    add("--embeddings", nargs=3, metavar=files, help="of the images of --labels", **more)
    add("--far", metavar="NAME=FILE", help="embeddings of other pictures by that model", **more)
    what = "a table whose model was trained on its rows of train"
    add("--trained-on-train", metavar="NAME", help=what, **more)
    add("--packaged", action="store_true", help="measure what comes with packages too")
    add("--out", type=Path, required=True, help="CSV file to write")
    add("--page", type=Path, required=True, help="HTML file to write")
    add("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    add("--parts", nargs="+", choices=MEASURED, default=list(MEASURED))
    add("--workers", type=int, default=2, help="processes")
    return parser


if __name__ == "__main__":
    # By its name: a process that is spawned finds nothing of what runs as `__main__`.
    from hgld.benchmarks.robustness import __main__ as program

    sys.exit(program.main())
