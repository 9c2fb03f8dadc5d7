"""A leaderboard over the results of several benchmarks: builds, sets of labels, data sets.

    python -m hgld.benchmarks.retrieval.leaderboard NAME=build/benchmarks ... --out leaderboard.html

Each folder stands for every `results.csv` in it, at any depth: of a build, its own queries and
every data set and comparison. Results of one protocol share a table, called by its name, its data
set or the folder of its build. Those of another have a table of their own, which says what differs
first from the one before it that is called the same; under a NAME that was given they are refused.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hgld.benchmarks.retrieval.facts import UNKNOWN, first_difference
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
from hgld.engine.files import write_text
from hgld.errors import InputError, MissingInputError, exit_status
from hgld.plots.pages import page_template


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedResults:
    """The results of a benchmark, and what its queries and index are called."""

    name: str
    source: str
    """Their folder, as a reader is told where a row is from."""
    results: Results
    argument: str = ""
    """Which argument gave the name, to have all that is called so ranked together; empty: none."""


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
    apart: str = ""
    """What differs first from the protocol of an earlier set of the same name."""


def standings_of(named: Sequence[NamedResults]) -> list[SetStandings]:
    """Returns every method of every result, set by set in the order in which sets come.

    Raises:
        InputError: results of different protocols were given one name; the text says what differs
            first.
    """
    sets: dict[str, list[NamedResults]] = {}
    for one in named:
        # What does not record its protocol is ranked with nothing else.
        sets.setdefault(one.results.protocol_digest or one.source, []).append(one)
    found, earlier = list[SetStandings](), dict[tuple[str, str], NamedResults]()
    for together in sets.values():
        first = together[0]
        before = earlier.setdefault((first.name, first.results.data_set), first)
        apart = "" if before is first else _difference(before, first)
        found.append(replace(_standings_of_set(together), apart=apart))
    return found


def _difference(before: NamedResults, one: NamedResults) -> str:
    """Returns what differs first between two protocols.

    Raises:
        InputError: the two were named alike, to be ranked together.
    """
    protocols = [each.results.protocol for each in (before, one)]
    key = first_difference(*protocols) if all(protocols) else "protocol"
    if before.argument != one.argument and before.argument and one.argument:
        says = " and ".join(str(each.get(key, UNKNOWN)) for each in protocols)
        raise InputError(
            f"results named {one.name} must be of one protocol, and {key} differs in "
            f"{before.source} and {one.source}: {says}; give them two names"
        )
    return key


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
    return page_template(__package__, "leaderboard.html.j2").render(standings=standings_of(named))


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
        argument = text if is_named else ""
        yield NamedResults(name=called, source=source, results=results, argument=argument)


@exit_status
def main(arguments: Sequence[str] | None = None) -> None:
    """Writes the leaderboard of the folders that are named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    about = "folder with the results of benchmarks"
    parser.add_argument("folders", nargs="+", metavar="NAME=FOLDER", help=about)
    parser.add_argument("--out", type=Path, required=True, help="HTML file to write")
    options = parser.parse_args(arguments)
    page = render_leaderboard([each for one in options.folders for each in read_named(one)])
    write_text(options.out, page)
    sys.stdout.write(f"{options.out}\n")


if __name__ == "__main__":
    sys.exit(main())
