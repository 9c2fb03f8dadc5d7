"""Results that were never measured, with a name wherever a stranger's text comes in."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from hgld.benchmarks.retrieval.config import EmbeddingFiles
from hgld.benchmarks.retrieval.methods import Compared, MeasuredMethod, RetrievalMethod
from hgld.benchmarks.retrieval.report import Example, Picture, render_report
from hgld.benchmarks.retrieval.results import (
    FIRST,
    Method,
    Results,
    Row,
    level_of,
    shown_level,
    shown_metrics,
)
from hgld.engine.dataset import Level
from hgld.tables import ANNOTATIONS

LEVELS = ANNOTATIONS["train"].levels
CONTINENT = Level(
    column="continent", name="continent", title="part of the world", shared="same continent"
)
HOSTILE = "</script><script src=\"http://evil.example/x.js\">alert('x')</script>\u202e&"
Rows = Iterator[Row]
PIXEL = "data:image/jpeg;base64,AAAA"
COSTS = {"images_per_s": 118.2, "parameters": 3.4e6, "embedding_dim": 1280.0}


def with_mean(row: Row, mean: float, error: float = 0.0125) -> Row:
    low, high = mean - 2 * error, mean + 2 * error
    return replace(row, mean=mean, standard_error=error, low=low, high=high)


def changed(results: Results, change: Callable[[Row], Row]) -> Results:
    """Returns results whose rows are changed one by one."""
    return replace(results, rows=tuple(map(change, results.rows)))


def rows_of(name: str, levels: Sequence[Level], on: str, before: float, after: float) -> Rows:
    """Yields the rows of two methods, of which the second has two seeds."""
    keys = [metric.key for metric in shown_metrics(levels, is_data_set=on != "")]
    for method, mean in (("before", before), ("after", after)):
        level = level_of(keys[0], levels)
        like = Row(method=method, metric=keys[0], level=level, queries=9, groups=9, undefined=2)
        shown = shown_level(levels)
        if shown:
            yield from by_label(replace(like, level=shown.title), name, mean, after - before)
        for label, queries in ((name, 9), ("unknown", 2)):
            row = replace(like, level="country", label=label, queries=queries, groups=queries)
            yield with_mean(row, mean)
        for key, value in COSTS.items():
            yield Row(method=method, metric=key, mean=value)
        for key in keys:
            row = with_mean(replace(like, metric=key, level=level_of(key, levels)), mean)
            yield from [row] if method == "before" else of_seeds(row, name, after - before)
    yield Row(method="after", metric="training_hours", mean=0.7)


def by_label(like: Row, name: str, mean: float, gain: float) -> Rows:
    for label, few, change in ((name, 9, gain), ("tower", 2, 0.409)):
        row = replace(like, label=label, queries=few, groups=few)
        yield with_mean(row, mean)
        if like.method == "after":
            yield with_mean(replace(row, against="before"), change)
    for label, found, queries in [(name, name, 7), (name, "tower", 2), ("tower", "tower", 2)]:
        first = Row(method=like.method, metric=FIRST, label=label)
        yield replace(first, found=found, queries=queries)


def of_seeds(row: Row, name: str, gain: float) -> Rows:
    row = replace(row, seeds=2, deviation=0.005, seed_low=0.43, seed_high=0.51)
    yield row
    for seed, own in enumerate((0.472, 0.478)):
        yield with_mean(replace(row, run=f"{name}-{seed}", seed=seed), own)
    change = replace(row, against="before", higher=6, lower=3, p_value=0.0004, holm_p_value=0.0004)
    yield with_mean(change, gain, 0.004)


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
            "shown_labels": 3,
            "index_images": 1234,
            "index_groups": 7,
        },
        left_out={"test images without a landmark": 8},
        methods=(
            Method(name="before", title=f"before {name}", description=name, kind="untrained"),
            Method(
                name="after",
                title=f"after {name}",
                description=name,
                kind="run",
                baseline="before",
                runs={f"{name}-0": 0, f"{name}-1": 1},
            ),
        ),
        rows=tuple(rows_of(name, levels, data_set, *means)),
        protocol={"data_set": data_set, "labels": "c0ffee"},
    )
    return replace(made, **changes)  # type: ignore[arg-type]  # fields of Results


def compared(
    name: str,
    *runs: dict[str, list[float]],
    baseline: str = "",
    nearest: Sequence[list[int]] = (),
) -> Compared:
    """Returns a method whose runs have these values of each query, and found these images first."""
    files = EmbeddingFiles(name="", query=Path("q.npy"), index=Path("i.npy"))
    measured = (
        MeasuredMethod(
            method=RetrievalMethod(name=name, title=name, kind="embeddings", files=files),
            per_query={key: np.array(one) for key, one in run.items()},
            nearest=torch.tensor(nearest),
            embedding_dim=1,
            images_per_s=None,
            facts={},
        )
        for run in runs
    )
    about = Method(name=name, title=name, description="", kind="run", baseline=baseline)
    return Compared(method=about, runs=tuple(measured))


def picture(name: str, image_id: str, shared: int, levels: Sequence[Level] = LEVELS) -> Picture:
    return Picture(
        image_id=image_id,
        landmark=name,
        labels=(name, "human-made", *["europe"] * len(levels))[: max(len(levels) - 1, 0)],
        grade=min(shared, len(levels) or 3),  # of Revisited Oxford and Paris up to easy
    )


def examples_of(results: Results, name: str = "Space Needle") -> list[Example]:
    """The query is followed by two pictures of each method, which share 0, 1, 2 ... levels."""
    levels, methods = results.levels, [one.name for one in results.methods]
    query, *pictures = (
        picture(name, *one, levels) for one in (("q", 9), *zip("abcd", range(4), strict=True))
    )
    example = Example(
        query=query,
        quantile=0.0,
        scores={method: 0.31 + number / 5 for number, method in enumerate(methods)},
        retrieved={
            method: [pictures[2 * number % 4], pictures[(2 * number + 1) % 4]]
            for number, method in enumerate(methods)
        },
    )
    return [example]


def html_of(results: Results, name: str = "Space Needle") -> str:
    return render_report(results, examples_of(results, name), dict.fromkeys("qabcd", PIXEL))
