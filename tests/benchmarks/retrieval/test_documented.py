"""The page's table of all methods is of the results that are published."""

import re
from pathlib import Path

import pytest

from hgld.benchmarks.retrieval.report import to_latex
from hgld.benchmarks.retrieval.results import (
    SIGNIFICANT,
    Results,
    Row,
    best_first,
    metrics_of,
    read_results,
)

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "benchmarks/results/retrieval/gldv2_mini_methods"
METHOD_OF_TITLE = {
    "HAPPIER, alpha 2": "happier",
    "ROADMAP": "roadmap",
    "Sup-AP": "sup_ap",
    "Smooth-AP": "smooth_ap",
    "CSL": "csl",
    "normalised softmax": "nsm",
    "ArcFace": "arcface",
    "triplet": "triplet",
    "Recall@k": "recall_at_k",
    "before training": "untrained",
}
"""By what the page calls them, the methods and the backbone before training."""
METRICS = {
    "h_ap": 100,
    "map_at_100_landmark": 100,
    "r_at_1_landmark": 100,
    "map_at_100_hierarchical_label": 100,
    "mistake_severity_at_1": 1,
}


@pytest.fixture(scope="module")
def results() -> Results:
    return read_results(FOLDER)


def paired_tests(results: Results) -> list[Row]:
    return [one for one in results.rows if one.metric == "h_ap" and one.against and not one.label]


def test_the_published_latex_is_of_the_published_results(results: Results) -> None:
    assert (FOLDER / "results.tex").read_text(encoding="utf-8") == to_latex(results)


def test_the_table_of_the_page_has_their_figures(results: Results) -> None:
    page = (ROOT / "docs/benchmark.md").read_text(encoding="utf-8")
    told = page.partition("## All methods on gldv2_mini\n")[2].partition("\n## ")[0]
    header, *rows = re.findall(r"^\| (\w.*) \|$", told, re.M)
    assert header.count("|") == len(METRICS)
    methods = {one.name.split("-")[-1]: one for one in results.methods if one.runs}
    assert len(rows) == len(methods) + 1 == len(METHOD_OF_TITLE)
    for row in rows:
        title, *cells = row.replace("*", "").split(" | ")
        for cell, (name, factor) in zip(cells, METRICS.items(), strict=True):
            places = 1 if factor > 1 else 2
            is_trained = title != "before training"
            method = methods[METHOD_OF_TITLE[title]] if is_trained else results.methods[0]
            found = results.row(method.name, name)
            spread = f" ± {factor * found.deviation:.{places}f}" if found.seeds else ""
            assert cell == f"{factor * found.mean:.{places}f}{spread}", (title, name)


def test_the_tests_that_the_page_tells_are_those_that_were_made(results: Results) -> None:
    told = " ".join((ROOT / "docs/benchmark.md").read_text(encoding="utf-8").split())
    tests = paired_tests(results)
    left = {
        tuple(name.split("-")[-1] for name in (one.method, one.against)): one.holm_p_value
        for one in tests
        if one.holm_p_value < SIGNIFICANT
    }
    assert len(tests) == 45
    assert "Of the 45 paired tests of H-AP Holm's correction leaves nine" in told
    of_happier = [
        left[other, "happier"] for other in ("roadmap", "csl", "nsm", "arcface", "triplet")
    ]
    assert f"(p from {min(of_happier):.3f} to {max(of_happier):.3f})" in told
    assert f"Smooth-AP above ROADMAP ({left['smooth_ap', 'roadmap']:.3f})" in told
    of_triplet = [left["triplet", "sup_ap"], left["triplet", "smooth_ap"]]
    of_triplet.append(left["recall_at_k", "triplet"])
    assert f"above triplet ({max(of_triplet):.3f} at most)" in told
    assert len(left) == 9
    before, happier = results.methods[:2]
    gain = results.row(happier.name, "h_ap", against=before.name)
    assert f"95% from {100 * gain.low:.1f} to {100 * gain.high:.1f} points over queries" in told
    assert f"has p {gain.p_value:.3f}, and {gain.holm_p_value:.3f} after" in told


@pytest.mark.parametrize(
    ("folder", "by"), [("gldv2_mini", "build"), ("gldv2_mini_official", "Google")]
)
def test_the_other_results_are_as_the_page_tells_them(folder: str, by: str) -> None:
    results = read_results(FOLDER.parent / folder)
    page = " ".join((ROOT / "docs/benchmark.md").read_text(encoding="utf-8").split())
    tests = {(one.method, one.against): one.holm_p_value for one in paired_tests(results)}
    before, *both = results.methods
    changes = [results.row(one.name, "h_ap", against=before.name) for one in both]
    gains = " and ".join(f"{100 * one.mean:.1f} ± {100 * one.deviation:.1f}" for one in changes)
    p_values = " and ".join(f"{tests[one.name, before.name]:.3f}" for one in both)
    said = {
        "build": f"both gain, {gains} points of H-AP by the build's labels (p {p_values} after",
        "Google": f"and by Google's {gains} ({p_values})",
    }
    assert said[by] in page
    assert tests[both[1].name, both[0].name] > SIGNIFICANT  # classes and all


def test_each_method_has_three_seeds_and_the_best_is_the_best_of_every_seed(
    results: Results,
) -> None:
    trained = [one for one in results.methods if one.runs]
    assert all(list(one.runs.values()) == [0, 1, 2] for one in trained)
    for seed in range(3):
        rows = [one for one in results.rows if (one.metric, one.seed) == ("h_ap", seed)]
        assert max(rows, key=lambda row: row.mean).method == "after gldv2-mini-cpu-happier"


def test_a_report_of_many_methods_counts_them_and_begins_with_the_best(results: Results) -> None:
    page = (FOLDER / "report.html").read_text(encoding="utf-8")
    top = page.partition("<main>")[2].partition("<h2>")[0]
    assert "10 methods" in top
    best = [one.title for one in best_first(results, metrics_of(results)[0])]
    assert re.findall(r"to &ldquo;<bdi>(.*?)</bdi>", top) == best[:3]
    assert best[0] == "gldv2-mini-cpu-happier, 3 seeds"


def test_the_changes_are_told_as_they_were_measured() -> None:
    results = read_results(ROOT / "benchmarks/results/changes")
    page = (ROOT / "docs/training.md").read_text(encoding="utf-8")
    told = page.partition("## What each change gave\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (\w.*) \|$", told, re.M)[1:]
    titled = {one.description.partition(". ")[0]: one for one in results.methods if one.runs}
    plain, recipe = titled["As published"], titled["The recipe gldv2-mini-cpu"]
    for row in rows:
        title, cell = row.split(" | ")
        gain = results.row(titled[title].name, "h_ap", against=plain.name).mean
        assert cell == f"{round(100 * gain, 1) + 0.0:+.1f}", title
    before, after = (results.row(one, "h_ap").mean for one in (plain.baseline, plain.name))
    words = " ".join(told.split())
    assert f"reaches {100 * after:.1f} after {100 * before:.1f} before training" in words
    assert recipe.description.partition(". ")[0] in words
