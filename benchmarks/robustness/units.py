"""What is measured at once: a part of a table with a seed, in a process of its own.

A process that is spawned finds nothing of a module that runs as `__main__`, so this is not there.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context

import torch
from threadpoolctl import threadpool_limits

from hgld.benchmarks.robustness.abstention import measure_abstention
from hgld.benchmarks.robustness.failures import measure_failures
from hgld.benchmarks.robustness.out_of_distribution import measure_out_of_distribution
from hgld.benchmarks.robustness.results import Measured, ResultRow, result_rows
from hgld.benchmarks.robustness.rows import RowTable, UnfitRowsError
from hgld.benchmarks.robustness.segmentation import measure_segmentation
from hgld.benchmarks.robustness.self_labelling import measure_self_labelling

logger = logging.getLogger(__name__)

MEASURES: dict[str, Callable[[RowTable, int], Iterator[Measured]]] = {
    "abstention": measure_abstention,
    "failures": measure_failures,
    "out_of_distribution": measure_out_of_distribution,
    "self_labelling": measure_self_labelling,
    "segmentation": lambda _, seed: measure_segmentation(seed),
}
Unit = tuple[str, RowTable, int]
"""Part, table, seed."""


def measured(units: Sequence[Unit], workers: int) -> Iterator[list[ResultRow]]:
    """Yields the results of each unit, in whatever order they are done."""
    if workers == 1:
        yield from map(measure_unit, units)
        return
    # Not forked: torch has threads by now.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for done in as_completed([pool.submit(measure_unit, unit) for unit in units]):
            yield done.result()


def measure_unit(unit: Unit) -> list[ResultRow]:
    """Measures a part of a table with a seed, on one thread.

    What the rows of a table do not suffice for is left out, and the log says so.
    """
    part, table, seed = unit
    torch.set_num_threads(1)
    # Rows of some hundred: a second thread waits more than it works.
    with threadpool_limits(1):
        try:
            found = list(MEASURES[part](table, seed))
            return [row for one in found for row in result_rows(part, table.name, seed, one)]
        except UnfitRowsError as error:
            logger.warning("%s of %s is not measured: %s", part, table.name, error)
            return []
