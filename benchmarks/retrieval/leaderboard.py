"""A leaderboard over the results of several benchmarks: builds, sets of labels, data sets.

    python -m hgld.benchmarks.retrieval.leaderboard NAME=build/benchmarks ... --out leaderboard.html

Each folder stands for every `results.csv` in it, at any depth: of a build, its own queries and
every data set and comparison. Results on one set of queries and index images share a table, called
by its name, its data set or the folder of its build; figures of different ones say nothing of each
other.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hgld.benchmarks.retrieval.results import (
    ALL_LEVELS,
    Cell,
    Method,
    Metric,
    Results,
    best_first,
    cells_of,
    metrics_of,
    read_results,
)
from hgld.engine.files import write_text, writing
from hgld.errors import HgldError, MissingInputError
from hgld.plots.pages import page_template


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedResults:
    """The results of a benchmark, and what its queries and index are called."""

    name: str
    source: str
    """Their folder, as a reader is told where a row is from."""
    results: Results


@dataclass(frozen=True, slots=True, kw_only=True)
class SetStandings:
    """All methods that were measured on one set of queries and index images."""

    name: str
    results: Results
    """The first of them, for what all have in common."""
    methods: list[tuple[NamedResults, Method]]
    """Best first, each called as in `columns`; one that was measured twice stands there twice."""
    columns: list[tuple[Metric, dict[str, Cell]]]
    """Metrics of all levels together, and of the finest, with what each method has of them."""


def standings_of(named: Sequence[NamedResults]) -> list[SetStandings]:
    """Returns every method of every result, set by set in the order in which sets come."""
    sets: dict[str, list[NamedResults]] = {}
    for one in named:
        # What is the same of results on the same queries, index images and labels.
        counts = [one.results.counts.get(key) for key in ("queries", "index_images", "distractors")]
        digests = one.results.metadata.get("annotation_digests")
        key = json.dumps([one.results.data_set, digests, one.results.levels, *counts])
        sets.setdefault(key, []).append(one)
    return [_standings_of_set(together) for together in sets.values()]


def _standings_of_set(together: Sequence[NamedResults]) -> SetStandings:
    results = together[0].results
    shown = {ALL_LEVELS, *(level.title for level in results.levels[:1])}
    metrics = [one for one in metrics_of(results) if one.level in shown or not results.levels]
    methods = {
        f"{one.source}: {method.name}": (one, method)
        for one in together
        for method in one.results.methods
    }
    # As if one benchmark had measured all, without tests of pairs.
    rows = [
        replace(one.results.row(method.name, metric.key), method=name)
        for name, (one, method) in methods.items()
        for metric in metrics
    ]
    renamed = [replace(method, name=name) for name, (_, method) in methods.items()]
    merged = replace(results, methods=tuple(renamed), rows=tuple(rows))
    return SetStandings(
        name=together[0].name,
        results=results,
        methods=[(methods[one.name][0], one) for one in best_first(merged, metrics[0])],
        columns=[(metric, cells_of(merged, metric)) for metric in metrics],
    )


def render_leaderboard(named: Sequence[NamedResults]) -> str:
    """Returns the leaderboard as one HTML page that asks no server for anything."""
    page = page_template(__package__, "leaderboard.html.j2")
    return page.render(standings=standings_of(named))


def read_named(text: str) -> Iterator[NamedResults]:
    """Reads all results in a folder, which an argument names as `NAME=FOLDER` or by itself.

    Yields:
        One for each `results.csv`, by their paths.

    Raises:
        MissingInputError: there is none.
        InputError: a file holds no results (`read_results`).
    """
    name, equals, rest = text.partition("=")
    is_named = bool(equals) and not Path(text).exists()
    root = Path(rest if is_named else text)
    found = sorted(root.rglob("results.csv"))
    if not found:
        raise MissingInputError(
            f"{root} must have the results of a benchmark, and has no results.csv; run `hgld "
            f"benchmark`, or name its folder"
        )
    for file in found:
        results, folder = read_results(file.parent), file.parent.resolve()
        # build/benchmarks/results.csv
        own = folder.parent.name if folder.name == "benchmarks" else folder.name
        called = name if is_named else results.data_set or own
        source = f"{name}/{file.parent.relative_to(root)}" if is_named else str(file.parent)
        yield NamedResults(name=called, source=source, results=results)


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes the leaderboard of the folders that are named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    about = "folder with the results of benchmarks"
    parser.add_argument("folders", nargs="+", metavar="NAME=FOLDER", help=about)
    parser.add_argument("--out", type=Path, required=True, help="HTML file to write")
    options = parser.parse_args(arguments)
    try:
        page = render_leaderboard([each for one in options.folders for each in read_named(one)])
        with writing(options.out):
            write_text(options.out, page)
    except HgldError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{options.out}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
