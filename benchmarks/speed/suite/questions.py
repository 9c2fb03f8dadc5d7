"""The questions of speed that there are: who answers each, how small it may be, how it is read.

`scraping.rehearsal` is not among them: it needs a MediaWiki and takes hours.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Report = Mapping[str, Any]
"""What a script wrote."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """What one way of doing something took."""

    name: str
    median_s: float
    """Of the rounds, of what the question asks for; of one alone where there was one."""
    spread_s: float | None
    """Slowest less fastest round, or what the script says of that; None of one round."""
    memory_mb: float | None
    """Peak of its process or, where the script measures that, what it took beside its input."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Our way, and the baseline of the same run."""

    ours: Way
    baseline: Way | None

    @property
    def ratio(self) -> float | None:
        """Time of ours over that of the baseline: below 1 is faster."""
        return self.ours.median_s / self.baseline.median_s if self.baseline else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A script that measures, and where in what it writes the answer stands."""

    name: str
    asks: str
    module: str
    small: tuple[str, ...]
    """Options of a size that takes a minute or so."""
    read: Callable[[Report], Answer]


def _row(report: Report, **fields: object) -> Mapping[str, Any]:
    """Returns the result that has these values."""
    found: Mapping[str, Any] = next(
        row
        for row in report["results"]
        if all(row.get(name) == value for name, value in fields.items())
    )
    return found


def _way(
    name: str,
    row: Mapping[str, Any],
    *,
    time: str = "median_s",
    spread: str | None = "spread_s",
    memory: str | None = "peak_mb",
    unit_s: float = 1.0,
) -> Way:
    return Way(
        name=name,
        median_s=row[time] * unit_s,
        spread_s=row[spread] * unit_s if spread else None,
        memory_mb=row[memory] if memory else None,
    )


def _methods(ours: str, baseline: str, **fields: object) -> Callable[[Report], Answer]:
    """Reads results that name their `method`."""
    return lambda report: Answer(
        ours=_way(ours, _row(report, method=ours, **fields)),
        baseline=_way(baseline, _row(report, method=baseline, **fields)),
    )


def _once(ours: str, baseline: str) -> Callable[[Report], Answer]:
    """Reads results by name, of one round each."""

    def read(report: Report) -> Answer:
        ways = [
            _way(name, report["results"][name], time="wall_s", spread=None)
            for name in (ours, baseline)
        ]
        return Answer(ours=ways[0], baseline=ways[1])

    return read


def _loss(report: Report) -> Answer:
    ways = [
        _way(name, _row(report, loss=name, batch=256), memory="extra_mb")
        for name in ("sup_hap", "plain")
    ]
    return Answer(ours=ways[0], baseline=ways[1])


def _embed(report: Report) -> Answer:
    rows = [_row(report, model="ViT-B-32", method=name) for name in ("float32", "plain")]
    ways = [_way(row["method"], row, memory="extra_mb", unit_s=1 / row["labels"]) for row in rows]
    return Answer(ours=ways[0], baseline=ways[1])


def _browse(report: Report) -> Answer:
    row = report["results"][0]
    site = {"seconds": row["site"]["seconds"], "peak_mb": row["peak_mb"]}
    return Answer(ours=_way("site", site, time="seconds", spread=None), baseline=None)


def _log(report: Report) -> Answer:
    ways = []
    for name in ("append", "append plainly"):
        row = dict(_row(report, way=name))
        row["spread"] = row["most_ms"] - row["least_ms"]
        ways.append(_way(name, row, time="median_ms", spread="spread", memory=None, unit_s=1e-3))
    return Answer(ours=ways[0], baseline=ways[1])


def _page(report: Report) -> Answer:
    results = report["results"]
    rows = {
        "an action": results["a person's pauses"]["all"],
        "the whole page": results["the whole page loaded anew"],
    }
    ways = [
        _way(name, row, time="median_ms", spread=None, memory=None, unit_s=1e-3)
        for name, row in rows.items()
    ]
    return Answer(ours=ways[0], baseline=ways[1])


def _scrape(report: Report) -> Answer:
    names = ("batches", "one a request")
    ways = [
        _way(
            *(name, _row(report, method=name)),
            time="median_cpu_ms",
            spread="spread_cpu_ms",
            unit_s=1e-3,
        )
        for name in names
    ]
    return Answer(ours=ways[0], baseline=ways[1])


def _index(report: Report) -> Answer:
    ways = []
    for name in ("index", "plain"):
        rates = report["make"][f"{name}_pictures_per_s"]
        times = [1 / rate for rate in rates["rounds"]]
        row = {"median_s": 1 / rates["median"], "spread_s": max(times) - min(times)}
        ways.append(_way(name, row, memory=None))
    return Answer(ours=ways[0], baseline=ways[1])


def _train(report: Report) -> Answer:
    case = report["cases"][0]["name"]
    rows = [_row(report, case=case, method=name) for name in ("loop", "plain loop")]
    ways = [_way(row["method"], row) for row in rows]
    return Answer(ours=ways[0], baseline=ways[1])


_ROOM = "hgld.benchmarks.speed"

QUESTIONS = (
    Question(
        name="loss",
        asks="Sup-H-AP of a batch of 256, forward and backward, against all pairs of items",
        module=f"{_ROOM}.loss",
        small=("--batches", "256", "--others-at", "--rounds", "3"),
        read=_loss,
    ),
    Question(
        name="evaluation",
        asks="every metric of items that query each other, against each by its definition",
        module=f"{_ROOM}.evaluation",
        small=("--queries", "64", "--index", "20000", "--items", "2000"),
        read=_methods("evaluate", "plain", case="self"),
    ),
    Question(
        name="train",
        asks="a step of training with its pictures, against a plain loop",
        module=f"{_ROOM}.train",
        small=("--tiny", "--rounds", "3", "--images", "20000", "--landmarks", "1000"),
        read=_train,
    ),
    Question(
        name="index",
        asks="a picture of an index that is made, against embedding it alone",
        module=f"{_ROOM}.train.index",
        small=("--pictures", "40", "--items", "100000", "--whole-items", "50000"),
        read=_index,
    ),
    Question(
        name="embed",
        asks="a label through CLIP's text tower, against its whole context",
        module=f"{_ROOM}.labels.embed",
        small=("--models", "ViT-B-32", "--labels", "128", "--plain-labels", "16"),
        read=_embed,
    ),
    Question(
        name="labels",
        asks="labels embedded, clustered and proposed, against upstream's way",
        module=f"{_ROOM}.labels.lists",
        small=("--labels", "500"),
        read=_once("all of them", "upstream"),
    ),
    Question(
        name="fills",
        asks="names learned and guessed, against plain TF-IDF and logistic regression",
        module=f"{_ROOM}.labels.fills",
        small=("--names", "2000", "--known", "1000"),
        read=_once("fill", "baseline"),
    ),
    Question(
        name="resolving",
        asks="the label of every landmark by the rule, against the rule in plain Python",
        module=f"{_ROOM}.release.resolving",
        small=("--landmarks", "10000", "--images", "100000"),
        read=_methods("rule", "plain"),
    ),
    Question(
        name="annotate",
        asks="the data set written, against pandas",
        module=f"{_ROOM}.release.annotate",
        small=("--landmarks", "5000", "--images", "100000"),
        read=_methods("annotate", "pandas"),
    ),
    Question(
        name="browse",
        asks="a data set written as a site",
        module=f"{_ROOM}.release.browse",
        small=("--landmarks", "2000"),
        read=_browse,
    ),
    Question(
        name="review log",
        asks="an event appended to a long log, against reading it whole",
        module=f"{_ROOM}.review.log",
        small=("--events", "1000", "--appends", "50"),
        read=_log,
    ),
    Question(
        name="review page",
        asks="from the key to the picture, against the whole page loaded anew",
        module=f"{_ROOM}.review.page",
        small=("--labels", "1000", "--clusters", "30", "--actions", "20"),
        read=_page,
    ),
    Question(
        name="scrape",
        asks="processor time of a category, against one a request",
        module=f"{_ROOM}.scraping.scrape",
        small=("--categories", "2000", "--baseline-categories", "200"),
        read=_scrape,
    ),
)
