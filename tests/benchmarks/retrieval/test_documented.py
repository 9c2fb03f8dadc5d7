"""The page's table of all methods is of the results that are published."""

import re
from pathlib import Path
from statistics import mean, stdev
from typing import cast

import pytest

from hgld.benchmarks.retrieval.results import Results, read_results, to_latex
from hgld.engine.config import read_toml

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "benchmarks/results/retrieval/gldv2_mini_methods"
METHOD_OF_TITLE = {
    "HAPPIER, alpha 2": "happier",
    "normalised softmax": "nsm",
    "Recall@k": "recall_at_k",
}
"""Of methods that the page does not call by their names."""
METRICS = {
    "h_ap": 100,
    "map_at_100_landmark": 100,
    "r_at_1_landmark": 100,
    "map_at_100_hierarchical_label": 100,
    "mistake_severity_at_1": 1,
}

SHARES = (10, 30, 50)
"""Percent of the training landmarks whose labels end early."""


def words_of(page: str) -> str:
    return " ".join((ROOT / page).read_text(encoding="utf-8").split())


def section(page: str, title: str) -> tuple[str, list[str]]:
    """Returns the text of a section, and the rows of its table with the header."""
    text = (ROOT / page).read_text(encoding="utf-8")
    text = text.partition(f"## {title}\n")[2].partition("\n## ")[0]
    return text, re.findall(r"^\| (\w.*) \|$", text, re.M)


@pytest.fixture(scope="module")
def results() -> Results:
    return read_results(FOLDER)


def test_the_published_latex_is_of_the_published_results(results: Results) -> None:
    assert (FOLDER / "results.tex").read_text(encoding="utf-8") == to_latex(results)


def test_the_table_of_the_page_has_their_figures(results: Results) -> None:
    _, (header, *rows) = section("docs/benchmark.md", "All methods on gldv2_mini")
    assert header.count("|") == len(METRICS)
    methods = {one.name.split("-")[-1]: one for one in results.methods if one.runs}
    methods |= {"backbone": results.methods[0], "same_model,_untrained": results.methods[1]}
    assert len(rows) == len(methods)
    for row in rows:
        title, *cells = row.replace("*", "").split(" | ")
        plain = re.sub("[- ]", "_", title.lower().replace("@", " at "))
        method = methods[METHOD_OF_TITLE.get(title, plain)]
        for cell, (name, factor) in zip(cells, METRICS.items(), strict=True):
            places = 1 if factor > 1 else 2
            found = results.row(method.name, name)
            spread = f" ± {factor * found.deviation:.{places}f}" if found.seeds else ""
            assert cell == f"{factor * found.mean:.{places}f}{spread}", (title, name)


@pytest.mark.parametrize(
    ("folder", "name"),
    [("retrieval/gldv2_mini_128px", "plain"), ("changes/three_seeds", "change-plain")],
)
def test_what_training_gains_is_told_as_it_was_measured(folder: str, name: str) -> None:
    results = read_results(ROOT / "benchmarks/results" / folder)
    words = words_of("docs/training.md")
    before, after = f"backbone {name}-0", f"after {name}"
    begun, ended = results.row(before, "h_ap"), results.row(after, "h_ap")
    gain = results.row(after, "h_ap", against=before)
    low, high = (f"{100 * one:.1f}" for one in (gain.low, gain.high))
    spread = f"{100 * ended.mean:.1f} ± {100 * ended.deviation:.1f}"
    assert f"from {100 * begun.mean:.1f} to {spread} on" in words
    assert re.search(
        f"{100 * gain.mean:.1f} (points )?more \\((95% from )?{low} to {high}, p ", words
    )


def test_what_a_layer_reaches_is_told_as_it_was_measured() -> None:
    results = read_results(ROOT / "benchmarks/results/retrieval/gldv2_mini_frozen")
    before, after = (
        results.row(one.name, "h_ap")
        for one in results.methods
        if one.kind == "untrained" or one.runs
    )
    reached = f"{100 * after.mean:.1f} ± {100 * after.deviation:.1f}"
    for page in ("README.md", "docs/training.md"):
        assert reached in words_of(page)
    gained = f"untrained has {100 * before.mean:.1f}: training gains "
    assert f"{gained}{100 * (after.mean - before.mean):.1f}." in words_of("docs/training.md")


def test_the_changes_are_told_as_they_were_measured() -> None:
    results = read_results(ROOT / "benchmarks/results/changes")
    _, (_, *rows) = section("docs/training.md", "What each change gave")
    content = read_toml(ROOT / "benchmarks/retrieval/changes.toml")
    changes = cast("dict[str, dict[str, str]]", content["changes"])
    names = {changes[name]["title"]: f"after change-{name}-0" for name in changes}
    h_ap = {one.name: results.row(one.name, "h_ap").mean for one in results.methods}
    before = {one.name: one.baseline for one in results.methods}
    titles = {row.split(" | ")[0] for row in rows}
    assert titles >= {"The published algorithm", "The recipe gldv2-mini-cpu"}
    for row in rows:
        title, *cells = row.split(" | ")
        after = names[title]
        gained = h_ap[after] - h_ap["after change-plain-0"]
        assert cells == [f"{100 * one:.1f}" for one in (h_ap[before[after]], h_ap[after], gained)]


def test_the_settings_of_hxe_are_told_as_they_were_measured() -> None:
    results = read_results(ROOT / "benchmarks/results/hxe")
    words = words_of("docs/benchmark.md")
    h_ap = {one.name: results.row(one.name, "h_ap").mean for one in results.methods if one.runs}
    chosen, best = "after change-flat-005-0", max(h_ap, key=h_ap.__getitem__)
    more = results.row(best, "h_ap", against=chosen)
    (untrained,) = {one.baseline for one in results.methods if one.runs}
    before = results.row(untrained, "h_ap").mean
    assert h_ap[best] < before
    assert f"`temperature` of 0.05 reach {100 * h_ap[chosen]:.1f} there" in words
    gained, low, high = (f"{100 * one:.1f}" for one in (more.mean, more.low, more.high))
    assert f"{gained} more ({low} to {high}), and none the {100 * before:.1f} of the" in words


def test_the_choices_are_told_as_they_were_measured() -> None:
    results = read_results(ROOT / "benchmarks/results/choices")
    _, (_, *rows) = section("docs/training.md", "What other choices give")
    content = read_toml(ROOT / "benchmarks/retrieval/choices.toml")
    choices = cast("dict[str, dict[str, str]]", content["changes"])
    assert len(rows) == len(choices)
    for row, (name, choice) in zip(rows, choices.items(), strict=True):
        untrained, trained = f"untrained change-{name}-0", f"after change-{name}"
        found = results.row(trained, "h_ap")
        hours = results.row(trained, "training_hours").mean
        figures = (
            f"{100 * results.row(untrained, 'h_ap').mean:.1f}",
            f"{100 * found.mean:.1f} ± {100 * found.deviation:.1f}",
            f"{100 * results.row(trained, 'h_ap', against=untrained).mean:.1f}",
            f"{100 * results.row(f'{trained} + dba:2+qe:2', 'h_ap').mean:.1f}",
            f"{60 * hours:.1f}",
        )
        assert row == " | ".join((choice["title"], *figures))


def test_what_partial_labels_are_worth_is_told_as_it_was_measured() -> None:
    results = read_results(ROOT / "benchmarks/results/partial")

    def seeds_of(way: str, share: int, metric: str = "h_ap") -> list[float]:
        # Each seed has labels of its own, and so is a method of its own.
        names = [f"after {way}-{share}-{seed}" for seed in range(3)]
        return [100 * results.row(name, metric).mean for name in names]

    text, (_, *rows) = section("docs/training.md", "Labels as deep as they are known")
    words = " ".join(text.split())
    assert len(rows) == len(SHARES)
    for row, share in zip(rows, SHARES, strict=True):
        found = [seeds_of(way, share) for way in ("without", "leave_out", "depth")]
        cells = [f"{mean(one):.1f} ± {stdev(one):.1f}" for one in found]
        assert row == " | ".join((f"{share}%", *cells))
    whole, untrained = (results.row(name, "h_ap") for name in ("after all", "untrained"))
    spread = f"{100 * whole.mean:.1f} ± {100 * whole.deviation:.1f}"
    assert f"{100 * untrained.mean:.1f} untrained and {spread} with all labels" in words
    gains = [one - other for one, other in zip(seeds_of("depth", 50), found[0], strict=True)]
    assert min(gains) > 0
    assert f"at 50% `depth` gains {mean(gains):.1f}, in each seed" in words
    levels = ("map_at_100_landmark", "map_at_100_natural_or_human_made")
    depth, left = (
        [f"{mean(seeds_of(way, 50, metric)):.1f}" for metric in levels]
        for way in ("depth", "leave_out")
    )
    assert f"{depth[0]} of landmarks and {depth[1]} of sides" in words
    assert f"that of `leave_out` {' and '.join(left)}" in words
