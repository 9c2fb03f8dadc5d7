"""A leaderboard over the results of several benchmarks: builds, sets of labels, data sets.

    python -m hgld.benchmarks.retrieval.report.leaderboard NAME=build/benchmarks/results.json ... \
        --out leaderboard.html

A folder stands for every `results.json` in it, at any depth: of a build, its own queries and every
data set that its runs were measured on. A file without a name has that of its folder, which is its
data set, or of its build's. Figures are compared within one set of queries and index images alone:
files of the same set share a table under the first one's name.
"""

import argparse
import base64
import hashlib
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from hgld.benchmarks.pages import page_template
from hgld.benchmarks.retrieval.report.metrics import (
    ALL_LEVELS,
    Metric,
    metrics_of,
    value_or_least,
)
from hgld.benchmarks.retrieval.results import (
    RESULTS_FILE,
    MethodResults,
    Results,
    read_results_file,
)
from hgld.engine.files import write_text, writing
from hgld.errors import HgldError, MissingInputError


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedResults:
    """The results of a benchmark, and what its queries and index are called."""

    name: str
    source: str
    """The file, as a reader is told where a row is from."""
    results: Results


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedMethod:
    """A method on a set of queries and index images."""

    method: MethodResults
    source: str
    results: Results
    is_best: list[bool]
    """Of each metric, among the methods of the set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetStandings:
    """All methods that were measured on one set of queries and index images."""

    name: str
    results: Results
    """The first of them, for what all have in common."""
    metrics: list[Metric]
    """The columns: of all levels together, and of the finest; the leading one first."""
    methods: list[PlacedMethod]
    """Best first; the same method measured twice stands there twice."""
    has_sources: bool
    """They are from several files."""


def standings_of(named: Sequence[NamedResults]) -> list[SetStandings]:
    """Returns every method of every result, set by set in the order in which sets come.

    Args:
        named: results and their names.
    """
    sets: dict[str, list[NamedResults]] = {}
    for one in named:
        sets.setdefault(_set_of(one.results), []).append(one)
    return [_standings_of_set(together) for together in sets.values()]


def _standings_of_set(together: Sequence[NamedResults]) -> SetStandings:
    results = together[0].results
    metrics = _columns(results)
    methods = [(one, method) for one in together for method in one.results.methods]
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
    placed = [
        PlacedMethod(
            method=method,
            source=one.source,
            results=one.results,
            is_best=[
                metric.goodness(method.measures[metric.key].mean) == most
                for metric, most in zip(metrics, best, strict=True)
            ],
        )
        for one, method in methods
    ]
    placed.sort(key=lambda one: -value_or_least(one.method, metrics[0]))
    return SetStandings(
        name=together[0].name,
        results=results,
        metrics=metrics,
        methods=placed,
        has_sources=len(together) > 1,
    )


def render_leaderboard(named: Sequence[NamedResults]) -> str:
    """Returns the leaderboard as one HTML page that asks no server for anything.

    Args:
        named: results and their names, one or more.
    """
    templates = files(__package__).joinpath("templates")
    script = templates.joinpath("report.js").read_text(encoding="utf-8")
    return page_template(__package__, "leaderboard.html.j2").render(
        standings=standings_of(named),
        has_seeds=any(method.over_seeds for one in named for method in one.results.methods),
        script=script,
        script_digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def read_named(text: str) -> Iterator[NamedResults]:
    """Reads what an argument names: `NAME=FILE`, a file alone, or all results in a folder.

    Yields:
        One, or of a folder one a `results.json`, by their paths.

    Raises:
        MissingInputError: a folder has none, or there is no such file.
        InputError: a file holds no results of this format (`read_results_file`).
    """
    name, equals, rest = text.partition("=")
    path = Path(rest if equals and not Path(text).exists() else text)
    name = name if path == Path(rest) and rest else ""
    if not path.is_dir():
        yield _read(path, name)
        return
    found = sorted(path.rglob(Path(RESULTS_FILE).name))
    if not found:
        raise MissingInputError(
            f"{path} must have the results of a benchmark, and has no results.json; run `hgld "
            f"benchmark`, or name files"
        )
    for file in found:
        yield _read(file, name)


def _read(path: Path, name: str) -> NamedResults:
    results = read_results_file(path)
    folder = path.resolve().parent
    # build/benchmarks/results.json
    own = folder.parent.name if folder.name == Path(RESULTS_FILE).parent.name else folder.name
    own = own if path.name == Path(RESULTS_FILE).name else path.stem
    return NamedResults(name=name or own, source=name or path.as_posix(), results=results)


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes the leaderboard of the files that are named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    about = "results.json of a benchmark, or a folder with some"
    parser.add_argument("files", nargs="+", metavar="NAME=FILE", help=about)
    parser.add_argument("--out", type=Path, required=True, help="HTML file to write")
    options = parser.parse_args(arguments)
    try:
        named = [each for one in options.files for each in read_named(one)]
        page = render_leaderboard(named)
        with writing(options.out):
            write_text(options.out, page)
    except HgldError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{options.out}\n")
    return 0


def _columns(results: Results) -> list[Metric]:
    """Returns the metrics of all levels and of the finest; of Revisited Oxford and Paris all."""
    metrics = metrics_of(results)
    finest = results.levels[0].title if results.levels else ""
    return [one for one in metrics if not finest or one.level in {ALL_LEVELS, finest}]


def _set_of(results: Results) -> str:
    """Returns what is the same of results on the same queries, index images and labels."""
    counts = results.counts
    known = [results.data_set, results.metadata.get("annotation_digests"), results.levels]
    return json.dumps([*known, counts.queries, counts.index_images], sort_keys=True)


if __name__ == "__main__":
    sys.exit(main())
