"""Results that were never measured, with a name wherever a stranger's text comes in."""

import dataclasses
from collections.abc import Callable, Sequence
from html.parser import HTMLParser

from hgld.benchmarks.retrieval.examples import Example, Examples, Mistake, Picture
from hgld.benchmarks.retrieval.report import render_report
from hgld.benchmarks.retrieval.results import FIRST, Method, Results, Row, level_of, shown_metrics
from hgld.engine.dataset import Level
from hgld.tables import ANNOTATIONS

LEVELS = ANNOTATIONS["train"].levels
CONTINENT = Level(
    column="continent", name="continent", title="part of the world", shared="same continent"
)
HOSTILE = "</script><script src=\"http://evil.example/x.js\">alert('x')</script>\u202e&"
PIXEL = "data:image/jpeg;base64,AAAA"
COSTS = {
    "training_hours": (float("nan"), 0.7),
    "peak_memory_mb": (float("nan"), float("nan")),
    "images_per_s": (118.2, 118.2),
    "parameters": (3.4e6, 3.4e6),
    "embedding_dim": (1280.0, 1280.0),
}


class Page(HTMLParser):
    """The elements of a page and its visible text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._hidden = 0
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._hidden += tag in {"script", "style"}

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in {"script", "style"}

    def handle_data(self, data: str) -> None:
        self.text += "" if self._hidden else data

    def values(self, tag: str, attribute: str) -> list[str | None]:
        return [attrs.get(attribute) for name, attrs in self.elements if name == tag]

    @property
    def words(self) -> str:
        return " ".join(self.text.split())


def keys_of(levels: Sequence[Level], data_set: str = "") -> list[str]:
    return [metric.key for metric in shown_metrics(levels, is_data_set=data_set != "")]


KEYS = keys_of(LEVELS)


def with_mean(row: Row, mean: float, error: float = 0.0125) -> Row:
    low, high = mean - 2 * error, mean + 2 * error
    return dataclasses.replace(row, mean=mean, standard_error=error, low=low, high=high)


def changed(results: Results, change: Callable[[Row], Row]) -> Results:
    """Returns results whose rows are changed one by one."""
    return dataclasses.replace(results, rows=tuple(map(change, results.rows)))


def rows_of(
    name: str, levels: Sequence[Level], keys: Sequence[str], before: float, after: float
) -> list[Row]:
    """Returns the rows of two methods, of which the second has two seeds."""
    rows = []
    for method, mean in (("before", before), ("after", after)):
        counts = {"queries": 9, "groups": 9, "undefined": 2}
        for key in keys:
            row = Row(method=method, metric=key, level=level_of(key, levels), **counts)  # type: ignore[arg-type]
            row = with_mean(row, mean)
            spread = {"seeds": 2, "deviation": 0.005, "seed_low": 0.43, "seed_high": 0.51}
            rows.append(dataclasses.replace(row, **spread) if method == "after" else row)  # type: ignore[arg-type]
            if method == "before":
                continue
            for seed, own in enumerate((0.472, 0.478)):
                of_run = dataclasses.replace(row, run=f"{name}-{seed}", seed=seed)
                rows.append(with_mean(of_run, own))
            change = dataclasses.replace(row, against="before", higher=6, lower=3)
            change = dataclasses.replace(change, p_value=0.0004, holm_p_value=0.0004, **spread)  # type: ignore[arg-type]
            rows.append(with_mean(change, after - before, 0.004))
        level = level_of(keys[0], levels)
        few = {"label": "tower", "queries": 2, "groups": 2}
        of_label = Row(method=method, metric=keys[0], level=level, label=name, **counts)  # type: ignore[arg-type]
        for row in (of_label, dataclasses.replace(of_label, **few)):  # type: ignore[arg-type]
            rows.append(with_mean(row, mean))
            if method == "after":
                gain = 0.409 if row.label == "tower" else after - before
                rows.append(with_mean(dataclasses.replace(row, against="before"), gain))
        costs = [values[method == "after"] for values in COSTS.values()]
        of_costs = zip(COSTS, costs, strict=True)
        rows += [Row(method=method, metric=key, mean=value) for key, value in of_costs]
        firsts = [(name, name, 7), (name, "tower", 2), ("tower", "tower", 2)]
        rows += [
            Row(method=method, metric=FIRST, label=label, found=found, queries=queries)
            for label, found, queries in firsts
            if levels
        ]
    return rows


def results_of(
    name: str = "Space Needle",
    *,
    levels: tuple[Level, ...] = LEVELS,
    data_set: str = "",
    means: tuple[float, float] = (0.3, 0.475),
    **changes: object,
) -> Results:
    """Made up, with `name` wherever a user's or a stranger's text comes in.

    Without levels they are of Revisited Oxford and Paris.
    """
    made = Results(
        metadata={"date": "2025-01-02T03:04:05+00:00", "hgld": "0.1.0", "cpu": name, "gpu": None},
        is_drawn=False,
        data_set=data_set,
        is_one_set=False,
        recall_at=(1, 10),
        levels=levels,
        counts={
            "queries": 11,
            "query_groups": 5,
            "index_images": 1234,
            "index_groups": 7,
            "shown_labels": 3,
        },
        left_out={"test images without a landmark": 8},
        methods=(
            Method(name="before", title=f"before {name}", description=name),
            Method(
                name="after",
                title=f"after {name}",
                description=name,
                baseline="before",
                runs={f"{name}-0": 0, f"{name}-1": 1},
            ),
        ),
        rows=tuple(rows_of(name, levels, keys_of(levels, data_set), *means)),
    )
    return dataclasses.replace(made, **changes)  # type: ignore[arg-type]  # fields of Results


def picture(name: str, image_id: str, shared: int, levels: Sequence[Level] = LEVELS) -> Picture:
    return Picture(
        image_id=image_id,
        landmark=name,
        labels=(name, "human-made", *["europe"] * len(levels))[: max(len(levels) - 1, 0)],
        grade=min(shared, len(levels) or 3),  # of Revisited Oxford and Paris up to easy
    )


def examples_of(results: Results, name: str = "Space Needle") -> Examples:
    """The query is followed by two pictures of each method, which share 0, 1, 2 ... levels."""
    levels, methods = results.levels, [one.name for one in results.methods]
    example = Example(
        query=picture(name, "q", len(levels), levels),
        quantile=0.0,
        scores={method: 0.31 + number / 5 for number, method in enumerate(methods)},
        retrieved={
            method: [
                picture(name, "abcd"[place % 4], place % 4, levels)
                for place in (2 * number, 2 * number + 1)
            ]
            for number, method in enumerate(methods)
        },
    )
    mistake = Mistake(
        query=picture(name, "q", len(levels), levels),
        found=picture(name, "a", 0, levels),
        missed_levels=len(levels),
        similarity=0.875,
    )
    return Examples(queries=(example,), mistakes={method: [mistake] for method in methods})


def html_of(results: Results, name: str = "Space Needle") -> str:
    examples = examples_of(results, name)
    return render_report(results, examples, dict.fromkeys(examples.image_ids, PIXEL))


def page_of(results: Results, name: str = "Space Needle") -> Page:
    return Page(html_of(results, name))
