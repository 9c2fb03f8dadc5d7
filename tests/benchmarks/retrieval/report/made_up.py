"""Results that were never measured, with a name wherever a stranger's text comes in."""

import dataclasses
from collections.abc import Sequence
from html.parser import HTMLParser

from hgld.benchmarks.retrieval.report.metrics import shown_metrics
from hgld.benchmarks.retrieval.report.page import render_report, shown_images
from hgld.benchmarks.retrieval.results import (
    Comparison,
    Confusion,
    Costs,
    Example,
    Measure,
    MethodResults,
    Mistake,
    Picture,
    Results,
    RetrievalCounts,
    RunResults,
    SeedMeasure,
)
from hgld.engine.dataset import Level
from hgld.tables import ANNOTATIONS

LEVELS = ANNOTATIONS["train"].levels
CONTINENT = Level(
    column="continent", name="continent", title="part of the world", shared="same continent"
)
HOSTILE = "</script><script src=\"http://evil.example/x.js\">alert('x')</script>\u202e&"
PIXEL = "data:image/jpeg;base64,AAAA"


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


def measure(
    mean: float,
    error: float = 0.0125,
    queries: int = 9,
    undefined: int = 2,
    groups: int | None = None,
) -> Measure:
    return Measure(
        mean=mean,
        standard_error=error,
        low=mean - 2 * error,
        high=mean + 2 * error,
        queries=queries,
        groups=queries if groups is None else groups,
        undefined=undefined,
    )


def picture(name: str, image_id: str, shared: int, levels: Sequence[Level] = LEVELS) -> Picture:
    return Picture(
        image_id=image_id,
        landmark=name,
        labels=(name, "human-made", *["europe"] * len(levels))[: max(len(levels) - 1, 0)],
        grade=min(shared, len(levels) or 3),  # of Revisited Oxford and Paris up to easy
    )


def method_of(
    name: str,
    key: str,
    mean: float,
    baseline: str,
    levels: Sequence[Level] = LEVELS,
    data_set: str = "",
) -> MethodResults:
    keys = keys_of(levels, data_set)
    value, change = measure(mean), measure(mean - 0.3, 0.004)
    mistake = Mistake(
        query=picture(name, "q", len(levels), levels),
        found=picture(name, "a", 0, levels),
        missed_levels=len(levels),
        similarity=0.875,
    )
    run = RunResults(name=key, seed=None, measures=dict.fromkeys(keys, value))
    return MethodResults(
        name=key,
        title=f"{key} {name}",
        description=name,
        runs=(run,) if baseline else (),
        costs=Costs(
            training_hours=0.7 if baseline else None,
            peak_memory_mb=None,
            parameters=3_400_000,
            embedding_dim=1280,
            images_per_s=118.2,
        ),
        measures=dict.fromkeys(keys, value),
        baseline=baseline,
        changes=dict.fromkeys(keys, change) if baseline else {},
        over_seeds={},
        changes_over_seeds={},
        better=6 if baseline else 0,
        worse=3 if baseline else 0,
        by_label={name: value, "tower": measure(mean, queries=2, undefined=0)},
        gain_by_label={name: change, "tower": measure(0.409, 0.409, 2, 0)} if baseline else {},
        confusions=(
            Confusion(label=name, found=name, queries=7),
            Confusion(label=name, found="tower", queries=2),
            Confusion(label="tower", found="tower", queries=2),
        ),
        mistakes=(mistake,),
    )


def of_two_seeds(method: MethodResults) -> MethodResults:
    spread = SeedMeasure(mean=0.47, deviation=0.005, low=0.43, high=0.51)
    runs = [
        RunResults(
            name=f"{method.description}-{seed}",
            seed=seed,
            measures=dict.fromkeys(method.measures, measure(mean)),
        )
        for seed, mean in enumerate([0.472, 0.478])
    ]
    return dataclasses.replace(
        method,
        runs=tuple(runs),
        over_seeds=dict.fromkeys(method.measures, spread),
        changes_over_seeds=dict.fromkeys(method.measures, spread),
    )


def results_of(
    name: str = "Space Needle",
    *,
    levels: tuple[Level, ...] = LEVELS,
    data_set: str = "",
    **changes: object,
) -> Results:
    """Made up, with `name` wherever a user's or a stranger's text comes in.

    Without levels they are of Revisited Oxford and Paris.

    The query is followed by two pictures of each method, which share 0, 1, 2 ... levels with it.
    """
    example = Example(
        query=picture(name, "q", len(levels), levels),
        quantile=0.0,
        scores={"before": 0.31, "after": 0.52},
        retrieved={
            "before": [picture(name, "a", 0, levels), picture(name, "b", 1, levels)],
            "after": [picture(name, "c", 2, levels), picture(name, "d", 3, levels)],
        },
    )
    comparisons = tuple(
        Comparison(
            metric=key,
            method="after",
            other="before",
            difference=measure(0.175, 0.004),
            higher=6,
            lower=3,
            p_value=0.0004,
            holm_p_value=0.0004,
        )
        for key in keys_of(levels, data_set)
    )
    made = Results(
        metadata={"date": "2025-01-02T03:04:05+00:00", "hgld": "0.1.0", "cpu": name, "gpu": None},
        is_drawn=False,
        data_set=data_set,
        is_one_set=False,
        recall_at=(1, 10),
        levels=levels,
        counts=RetrievalCounts(
            queries=11,
            query_groups=5,
            index_images=1234,
            index_groups=7,
            shown_labels=3,
            left_out={"test images without a landmark": 8},
        ),
        methods=(
            method_of(name, "before", 0.3, "", levels, data_set),
            of_two_seeds(method_of(name, "after", 0.475, "before", levels, data_set)),
        ),
        comparisons=comparisons,
        examples=(example,),
    )
    return dataclasses.replace(made, **changes)  # type: ignore[arg-type]  # fields of Results


def html_of(results: Results) -> str:
    return render_report(results, dict.fromkeys(shown_images(results), PIXEL))


def page_of(results: Results) -> Page:
    return Page(html_of(results))
