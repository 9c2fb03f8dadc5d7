"""One table over the results of several benchmarks, of several builds or sets of labels.

    python -m hgld.benchmarks.retrieval.report.leaderboard NAME=build/benchmarks/results.json ... \
        --out leaderboard.html

A file without a name has that of its build's folder. Figures are compared within one set of queries
and index images alone; files of the same set stand together under the first one's name.
"""

import argparse
import base64
import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from hgld.benchmarks.pages import page_template
from hgld.benchmarks.retrieval.report.metrics import Metric, metrics_of
from hgld.benchmarks.retrieval.results import MethodResults, Results, read_results_file
from hgld.engine.files import write_text, writing
from hgld.errors import HgldError


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedResults:
    """The results of a benchmark, and what its queries and index are called."""

    name: str
    results: Results


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedMethod:
    """A method on one set of queries and index images."""

    data: str
    method: MethodResults
    results: Results
    metrics: list[Metric]
    """The columns, in their order; the level of some is the finest of these results."""
    is_best: list[bool]
    """Of each metric, among the methods of the same set."""


def standings_of(named: Sequence[NamedResults]) -> list[PlacedMethod]:
    """Returns every method of every result: sets in the order they come in, best H-AP first.

    Args:
        named: results and their names.

    Returns:
        One a method and result; the same method measured twice stands there twice.
    """
    sets: dict[str, list[NamedResults]] = {}
    for one in named:
        sets.setdefault(_set_of(one.results), []).append(one)
    standings = []
    for together in sets.values():
        metrics = _columns(together[0].results)
        methods = [(one.results, method) for one in together for method in one.results.methods]
        best = [
            max(
                (
                    metric.goodness(method.measures[metric.key].mean)
                    for _, method in methods
                    if method.measures[metric.key].queries
                ),
                default=None,
            )
            for metric in metrics
        ]
        found = [
            PlacedMethod(
                data=together[0].name,
                method=method,
                results=results,
                metrics=metrics,
                is_best=[
                    metric.goodness(method.measures[metric.key].mean) == most
                    for metric, most in zip(metrics, best, strict=True)
                ],
            )
            for results, method in methods
        ]
        # One that has no value comes last: NaN is equal to nothing.
        found.sort(
            key=lambda one: (
                one.method.measures["h_ap"].queries == 0,
                -one.method.measures["h_ap"].mean,
            )
        )
        standings += found
    return standings


def render_leaderboard(named: Sequence[NamedResults]) -> str:
    """Returns the leaderboard as one HTML page that asks no server for anything.

    Args:
        named: results and their names, one or more.
    """
    templates = files(__package__).joinpath("templates")
    script = templates.joinpath("report.js").read_text(encoding="utf-8")
    return page_template(__package__, "leaderboard.html.j2").render(
        standings=standings_of(named),
        columns=_columns(named[0].results),
        script=script,
        script_digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def read_named(text: str) -> NamedResults:
    """Reads what an argument names: `NAME=FILE`, or a file alone.

    Raises:
        InputError: it holds no results of this format (`read_results_file`).
    """
    name, _, file = text.partition("=")
    path = Path(file or name)
    # build/benchmarks/results.json
    own = path.resolve().parent.parent.name if path.name == "results.json" else path.stem
    return NamedResults(name=name if file else own, results=read_results_file(path))


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes the leaderboard of the files that are named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("files", nargs="+", metavar="NAME=FILE", help="results.json of a benchmark")
    parser.add_argument("--out", type=Path, required=True, help="HTML file to write")
    options = parser.parse_args(arguments)
    try:
        page = render_leaderboard([read_named(one) for one in options.files])
        with writing(options.out):
            write_text(options.out, page)
    except HgldError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{options.out}\n")
    return 0


def _columns(results: Results) -> list[Metric]:
    """Returns the metrics of all levels, and those of the finest."""
    finest = results.levels[0].title
    return [one for one in metrics_of(results) if one.level in {"all levels", finest}]


def _set_of(results: Results) -> str:
    """Returns what is the same of results on the same queries, index images and labels."""
    counts = results.counts
    known = results.metadata.get("annotation_digests")
    return json.dumps([known, counts.queries, counts.index_images, results.levels], sort_keys=True)


if __name__ == "__main__":
    sys.exit(main())
