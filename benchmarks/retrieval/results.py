"""What a benchmark found: one table of figures, what they were measured on, and how they read.

`results.csv` has a row for each figure; report, LaTeX and leaderboard are made of these rows.
`setting.json` beside it says on what and with what. A metric that `hgld.metrics` computes is in the
table by itself; here it gets a title and a place in the report.
"""

import csv
import dataclasses
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from hgld.benchmarks.environment import Json
from hgld.engine.dataset import Level
from hgld.errors import InputError, MissingInputError
from hgld.metrics.arguments import Unknown
from hgld.plots.pages import percent, points
from hgld.tables.csv_files import csv_text
from hgld.training.model.config import facts_digest

Kind = Literal["backbone", "untrained", "run", "embeddings"]
"""What a method is: a backbone with nothing added, a model without training, runs, or files."""
UNTRAINED: tuple[Kind, ...] = ("backbone", "untrained")
SIGNIFICANT = 0.05
"""Adjusted p-values below it are called a difference."""
ALL_LEVELS = "all levels"
"""What a reader sees in the place of a level where a metric scores all of them together."""
OF_ALL_LEVELS = {"h_ap": "H-AP", "ndcg": "NDCG", "asi": "ASI", "hops": "HOPS"}
"""Titles of the metrics that score all levels together, by key, the leading one first."""
_LEVELS_MISSED = {"mistake_severity_at_1": "Mistake severity"}
_OF_REVISITED = {"ap": "mAP", "p_at_1": "mP@1", "p_at_5": "mP@5", "p_at_10": "mP@10"}

TIMED = ("training_hours", "peak_memory_mb", "images_per_s")
"""Metrics of a machine, which differ from run to run; each stands on lines of its own."""
COSTS = (*TIMED, "parameters", "embedding_dim")
FIRST = "first"
"""Metric of the rows that count which label came first for the queries of another."""

_LATEX_SPECIAL: dict[str, str | int | None] = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    # In the fonts that LaTeX has by default these would be other characters.
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "''",
    "`": r"\textasciigrave{}",
    "-": "-{}",  # two of them would be a dash
    "^": r"\textasciicircum{}",
    "[": "{[}",  # after the end of a row it would be how far the next one is from it
    **{one: f"\\{one}" for one in "&%$#_{}"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A figure of a method; NaN and None are empty in the file."""

    method: str
    run: str = ""
    """One of several that differ only in their seed; empty: the method, for each query the mean
    of its runs."""
    seed: int | None = None
    metric: str
    """Such as `h_ap`; one of `COSTS`, which have only a mean; or `FIRST`."""
    level: str = ""
    """The level that the metric looks at, or, with a label, what that is: `super-category`,
    `continent`, `country`, `century`, `style` or `seen in training`."""
    against: str = ""
    """Another method: the figures are of the differences to it, query by query."""
    label: str = ""
    """Only the queries of this label; empty: all."""
    found: str = ""
    """Of `FIRST`: the label of what came first."""
    mean: float = math.nan
    """Shares are from 0 to 1; NaN where no query has a value."""
    standard_error: float = math.nan
    """Of the mean, the queries of a landmark taken together (`standard_errors`)."""
    low: float = math.nan
    high: float = math.nan
    """Ends of the bootstrap interval of the mean (`bootstrap_intervals`)."""
    queries: int | None = None
    """How many have a value."""
    groups: int | None = None
    """Landmarks that these queries are of: labels of the finest level, or of Revisited Oxford and
    Paris buildings."""
    undefined: int | None = None
    """Queries that have nothing to find; they are no part of the mean."""
    higher: int | None = None
    lower: int | None = None
    """Of differences: queries for which the method's value is higher, or lower."""
    p_value: float = math.nan
    """Of `sign_flip_p_values`."""
    holm_p_value: float = math.nan
    """The same, adjusted over all pairs of methods of this metric (`holm_adjusted`)."""
    seeds: int | None = None
    """How many runs the method has; of one run this and what follows is empty."""
    deviation: float = math.nan
    """Standard deviation of the means of its runs."""
    seed_low: float = math.nan
    seed_high: float = math.nan
    """Ends of Student's t interval of their mean (`t_interval`)."""


_FIELDS = {field.name: field.type for field in dataclasses.fields(Row)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """What is compared: a backbone, a model untrained, embeddings, or runs of one or more seeds."""

    name: str
    """Unique, such as `backbone happier-0`, `untrained happier-0` and `after happier`."""
    title: str
    """How a reader sees it, such as `Same model, untrained`."""
    description: str
    kind: Kind
    baseline: str = ""
    """Name of the method that its gain is counted from: itself untrained, or its backbone where
    that is not known. Only runs have one."""
    runs: dict[str, int | None] = dataclasses.field(default_factory=dict)
    """Seed of each run, None where nothing is recorded; also of the models that runs of several
    seeds began with, where these differ. None of what has no seed."""
    facts: dict[str, Any] = dataclasses.field(default_factory=dict)
    """What was done to the pictures, how it was trained, and with what it was made, for
    `hgld benchmark --explain`; what is not known is not there."""

    @property
    def has_seeds(self) -> bool:
        """Whether these are runs of several seeds."""
        return len(self.runs) > 1


@dataclass(frozen=True, kw_only=True)  # without slots, since the order of the rows is kept
class Results:
    """All of a benchmark."""

    metadata: dict[str, Json]
    """When, on what, with which versions and settings."""
    data_set: str
    """Name of the data set; empty: the test images of a build against its index images."""
    is_drawn: bool
    """The pictures are the demo's drawings, so that the figures say nothing of photographs."""
    is_one_set: bool
    """Each query searches all others: queries and index are one set of images."""
    recall_at: tuple[int, ...]
    """k of the R@k that are shown."""
    levels: tuple[Level, ...]
    """Of the labels, finest first; none of Revisited Oxford and Paris."""
    counts: dict[str, int]
    """`queries`, their landmarks as `query_groups`, `index_images`, their landmarks as
    `index_groups`, and `shown_labels`, the different labels of `shown_level`."""
    left_out: dict[str, int]
    """Images that took no part, by reason."""
    methods: tuple[Method, ...]
    """Each baseline before the runs that are compared with it."""
    rows: tuple[Row, ...]
    protocol: dict[str, Any] = dataclasses.field(default_factory=dict)
    """What must be the same for figures to be ranked (`protocol_facts`); empty: not recorded."""

    @property
    def protocol_digest(self) -> str:
        """SHA-256 of the protocol, as hex; empty where it is not recorded."""
        return facts_digest(self.protocol) if self.protocol else ""

    def row(
        self,
        method: str,
        metric: str,
        *,
        against: str = "",
        run: str = "",
        level: str = "",
        label: str = "",
    ) -> Row:
        """Returns a figure, of a label of a level where they are named.

        Where there is none, it is without a value.
        """
        key = (method, metric, against, run, level, label)
        return self._rows.get(key) or Row(method=method, metric=metric)

    @cached_property
    def _rows(self) -> dict[tuple[str, ...], Row]:
        found = dict[tuple[str, ...], Row]()
        for one in (row for row in self.rows if not row.found):
            level = one.level if one.label else ""
            found[one.method, one.metric, one.against, one.run, level, one.label] = one
        return found


def to_csv(results: Results) -> str:
    """Returns the rows as CSV, to full precision."""
    return csv_text([_FIELDS, *map(dataclasses.astuple, results.rows)])


def to_setting(results: Results) -> str:
    """Returns all but the rows as JSON."""
    content = {
        field.name: getattr(results, field.name)
        for field in dataclasses.fields(results)
        if field.name not in {"rows", "levels", "methods"}
    }
    content["levels"] = [level._asdict() for level in results.levels]
    content["methods"] = [dataclasses.asdict(method) for method in results.methods]
    content["protocol_digest"] = results.protocol_digest
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def read_results(folder: Path) -> Results:
    """Reads what a benchmark wrote.

    Args:
        folder: with `results.csv` and `setting.json`.

    Raises:
        MissingInputError: there are no such files.
        InputError: they hold something else.
    """
    table, setting = folder / "results.csv", folder / "setting.json"
    try:
        with table.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file, restval="missing")  # which is no number, as the last is
            if reader.fieldnames != list(_FIELDS):
                raise ValueError(f"columns must be {', '.join(_FIELDS)}")  # noqa: TRY301 - one text
            rows = tuple(
                Row(**{name: _value(_FIELDS[name], text) for name, text in fields.items()})  # type: ignore[arg-type]
                for fields in reader
            )
        content = json.loads(setting.read_text(encoding="utf-8"))
        content.pop("protocol_digest", "")
        content["levels"] = tuple(Level(**one) for one in content["levels"])
        content["methods"] = tuple(Method(**one) for one in content["methods"])
        content["recall_at"] = tuple(content["recall_at"])
        return Results(**content, rows=rows)
    except FileNotFoundError as error:
        raise MissingInputError(f"{error.filename} is missing; run `hgld benchmark`") from error
    except (OSError, ValueError, TypeError, LookupError, csv.Error) as error:
        raise InputError(
            f"{table} and {setting.name} beside it must be what a benchmark wrote ({error}); "
            f"run `hgld benchmark` with --force"
        ) from error


def _value(kind: object, text: str) -> object:
    """Returns a field of the table, as `_FIELDS` has its kind."""
    if kind is str:
        return text
    if kind is float:
        return float(text) if text else math.nan
    return int(text) if text else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One method's value of one metric, as it is written."""

    mean: str
    error: str
    """Standard error, the queries of a landmark taken together."""
    deviation: str
    """Standard deviation over seeds; empty of one run."""
    interval: str
    is_best: bool
    is_tied: bool
    """Not the best, and no test tells it from the best."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A metric that the report shows."""

    key: str
    title: str
    level: str
    """The level it looks at, as a reader sees it."""
    is_share: bool = True
    """From 0 to 1, the higher the better, and written in percent; else levels missed, the lower
    the better."""

    @property
    def name(self) -> str:
        """How it is called where no level stands beside it, such as `H-AP` or `mAP, medium`."""
        return self.title if self.level == ALL_LEVELS else f"{self.title}, {self.level}"

    def text(self, value: float) -> str:
        """Writes a value; NaN as `n/a`."""
        if self.is_share or math.isnan(value):
            return percent(value)
        return f"{value:.2f}"

    def change_text(self, difference: float) -> str:
        """Writes a difference with its sign, of shares in percentage points; NaN as `n/a`."""
        if self.is_share or math.isnan(difference):
            return points(difference)
        return f"{difference:+.2f}" if f"{difference:.2f}" not in {"0.00", "-0.00"} else "0.00"

    def interval_text(self, row: Row) -> str:
        """Writes the interval of a row, with signs if it is a difference; empty without one."""
        return between(row.low, row.high, self.change_text if row.against else self.text)

    def goodness(self, value: float) -> float:
        """Returns a number that is higher the better the value is; of NaN the least."""
        if math.isnan(value):
            return -math.inf
        return value if self.is_share else -value


def between(low: float, high: float, text: Callable[[float], str]) -> str:
    """Writes an interval; empty where there is none."""
    return "" if math.isnan(low) else f"[{text(low)}, {text(high)}]"


def shown_level(levels: Sequence[Level]) -> Level | None:
    """Returns the level by whose labels queries are told apart: that above the finest.

    Args:
        levels: finest first.

    Returns:
        The finest where there is no other; None where there are no labels.
    """
    return levels[min(1, len(levels) - 1)] if levels else None


def metrics_of(results: Results) -> list[Metric]:
    """Returns the metrics shown, in order, the leading one first (`shown_metrics`).

    Its bounds follow where labels are unknown. Results of an earlier version do not have those
    that came later.
    """
    shown = shown_metrics(results.levels, results.recall_at, is_data_set=results.data_set != "")
    every = [shown[0], *bounds_of(shown[0]).values(), *shown[1:]]
    measured = {row.metric for row in results.rows}
    return [one for one in every if one.key in measured] or shown


def bounds_of(leading: Metric) -> dict[Unknown, Metric]:
    """Returns what a metric is where labels are unknown, by what is taken of them all.

    Args:
        leading: with pairs whose shared levels are uncertain left out (`EvaluationSettings`).
    """
    words: dict[Unknown, str] = {"differs": "if unknown differ", "agrees": "if unknown agree"}
    return {
        one: dataclasses.replace(
            leading, key=f"{leading.key}_if_{one}", title=f"{leading.title} {said}"
        )
        for one, said in words.items()
    }


def shown_metrics(
    levels: Sequence[Level], recall_at: Sequence[int] = (1, 10), *, is_data_set: bool = False
) -> list[Metric]:
    """Returns the metrics shown where labels have these levels.

    Args:
        levels: finest first; none: the metrics of Revisited Oxford and Paris.
        recall_at: k of R@k.
        is_data_set: with mAP and mAP@R too, which papers state of these; R@k of coarser levels
            only the first.

    Returns:
        Of all levels together where there are several, then level by level. The first one is the
        leading metric: methods, examples and gains are ordered by it.
    """
    if not levels:
        return [
            Metric(key=f"{key}_{difficulty}", title=title, level=difficulty)
            for difficulty in ("medium", "hard")
            for key, title in _OF_REVISITED.items()
        ]
    found = [
        Metric(key=key, title=title, level=ALL_LEVELS, is_share=key in OF_ALL_LEVELS)
        for key, title in (OF_ALL_LEVELS | _LEVELS_MISSED if len(levels) > 1 else {}).items()
    ]
    recalls = {f"r_at_{k}": f"R@{k}" for k in recall_at}
    if not is_data_set:
        of_level = {f"level_recall_at_{k}": f"Level recall@{k}" for k in recall_at[-1:]}
        return found + [
            Metric(key=f"{key}_{level.name}", title=title, level=level.title)
            for key, title in {"map_at_100": "mAP@100", **recalls, **of_level}.items()
            for level in levels
        ]
    finest = {"ap": "mAP", "map_at_r": "mAP@R", "map_at_100": "mAP@100", **recalls}
    coarser = {"ap": "mAP", "map_at_100": "mAP@100", **dict(list(recalls.items())[:1])}
    return found + [
        Metric(key=f"{key}_{level.name}", title=title, level=level.title)
        for number, level in enumerate(levels)
        for key, title in (coarser if number else finest).items()
    ]


def level_of(key: str, levels: Sequence[Level]) -> str:
    """Returns the level that a metric looks at, as a reader sees it, by the end of its key."""
    titles = {level.name: level.title for level in levels}
    # Of Revisited Oxford and Paris a metric ends with its difficulty.
    titles = titles or {one: one for one in ("easy", "medium", "hard")}
    return next((title for name, title in titles.items() if key.endswith(f"_{name}")), ALL_LEVELS)


def leading_metrics(metrics: Sequence[Metric]) -> list[Metric]:
    """Returns those that are plotted and tested at length: the first, and mAP@100 of each level."""
    return [one for one in metrics if one.title in {metrics[0].title, "mAP@100"}]


def best_first(results: Results, metric: Metric) -> list[Method]:
    """Returns the methods, the best by a metric first and those without a value last."""

    def goodness(method: Method) -> float:
        return metric.goodness(results.row(method.name, metric.key).mean)

    return sorted(results.methods, key=goodness, reverse=True)


def cells_of(results: Results, metric: Metric) -> dict[str, Cell]:
    """Returns what each method has of a metric, by its name.

    The best mean is marked, all of them where several are equal, none where nothing differs; and
    so is what the paired tests do not tell from it.
    """
    rows = {one.name: results.row(one.name, metric.key) for one in results.methods}
    values = {name: metric.goodness(one.mean) for name, one in rows.items()}
    defined = {value for value in values.values() if value > -math.inf}
    leaders = [name for name in rows if len(defined) > 1 and values[name] == max(defined)]
    tied = {
        name
        for one in results.rows
        if one.metric == metric.key and not one.label and one.holm_p_value >= SIGNIFICANT
        for name, other in ((one.method, one.against), (one.against, one.method))
        if other in leaders and name not in leaders
    }
    return {
        name: Cell(
            mean=metric.text(one.mean),
            error=metric.text(one.standard_error),
            deviation=metric.text(one.deviation) if one.seeds else "",
            interval=metric.interval_text(one),
            is_best=name in leaders,
            is_tied=name in tied,
        )
        for name, one in rows.items()
    }


def to_latex(results: Results) -> str:
    r"""Returns the leaderboard as LaTeX: a row a method, best first, with intervals.

    Args:
        results: what was found.

    Returns:
        A whole `tabular`, to be taken in by `\input`; it needs the package booktabs. The best of
        a column is bold; what the paired tests do not tell from it has a dagger. ± is the standard
        deviation over the seeds of a method.
    """
    metrics = metrics_of(results)
    columns = [cells_of(results, metric) for metric in metrics]
    head = ["Method", *(f"{_latex(one.title)} ({_latex(one.level)})" for one in metrics)]
    rows = [
        [_latex(one.title), *(_latex_cell(cells[one.name]) for cells in columns)]
        for one in best_first(results, metrics[0])
    ]
    # A comment ends with its line, wherever a name has one.
    on = f" {' '.join(results.data_set.split())}" if results.data_set else ""
    size = f"{results.counts['queries']:,} queries in {results.counts['query_groups']:,} groups"
    about = f"95% bootstrap intervals, of several seeds after their standard deviation,{on} {size}"
    lines = [
        f"% Percent, mistake severity in levels missed; {about}.",
        rf"\begin{{tabular}}{{l{'r' * len(metrics)}}}",
        r"\toprule",
        rf"{' & '.join(head)} \\",
        r"\midrule",
        *(rf"{' & '.join(row)} \\" for row in rows),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


def _latex_cell(cell: Cell) -> str:
    mean = rf"\textbf{{{cell.mean}}}" if cell.is_best else cell.mean
    tied = r"$^\dagger$" if cell.is_tied else ""
    spread = rf"$\pm$ {cell.deviation}" if cell.deviation else ""
    small = " ".join(filter(None, (spread, cell.interval)))
    return f"{mean}{tied} {{\\scriptsize {small}}}" if small else f"{mean}{tied}"


def _latex(text: str) -> str:
    """Returns text that LaTeX sets as it is, in one line: an empty one would end the cell."""
    printable = "".join(one if one.isprintable() else " " for one in text)
    return " ".join(printable.split()).translate(str.maketrans(_LATEX_SPECIAL))
