import dataclasses
from collections import Counter

import pytest

from hgld.benchmarks.retrieval.report.tables import to_csv, to_latex
from hgld.benchmarks.retrieval.results import CSV_FILE, LATEX_FILE, read_results
from hgld.benchmarks.retrieval.stage import run_benchmark
from hgld.benchmarks.retrieval.statistics.summary import measures_of
from hgld.engine.workspace import Workspace
from hgld.metrics import evaluate
from hgld.training.data.labels import query_and_index_images
from hgld.training.model.embed import embed_images
from hgld.training.model.saved import load_model
from tests.worlds.benchmark_builds import CONFIG, finish_training, write_run


def test_runs_that_differ_in_their_seed_are_summed_up_together(benchmarked: Workspace) -> None:
    write_run(benchmarked, "again", seed=2)
    write_run(benchmarked, "by-hand", seed=3)
    for seed, run in enumerate(("happier", "again")):
        finish_training(benchmarked, run, seed)
    runs = ("happier", "again", "by-hand")
    run_benchmark(benchmarked, dataclasses.replace(CONFIG, runs=runs))
    results = read_results(benchmarked)
    before, after, by_hand = results.methods
    assert (after.name, after.title) == (*("after happier, again", "happier, again, 2 seeds"),)
    assert [(one.name, one.seed) for one in after.runs] == [("happier", 0), ("again", 1)]
    assert [(one.name, one.seed) for one in by_hand.runs] == [("by-hand", None)]
    assert before.runs == ()
    for key in ("h_ap", "mistake_severity_at_1"):
        means = [one.measures[key].mean for one in after.runs]
        assert means[0] != means[1]
        assert after.measures[key].mean == pytest.approx(sum(means) / 2)
        assert after.over_seeds[key].mean == pytest.approx(sum(means) / 2)
        change = after.measures[key].mean - before.measures[key].mean
        assert after.changes[key].mean == pytest.approx(change)
        assert after.changes_over_seeds[key].mean == pytest.approx(change)
    assert before.over_seeds == by_hand.over_seeds == by_hand.changes_over_seeds == {}
    assert (before.costs.training_hours, by_hand.costs.training_hours) == (None, None)
    assert after.costs.training_hours == pytest.approx(0.01)
    assert after.costs.embedding_dim == 8
    assert after.costs.images_per_s is not None
    # Three pairs of methods, on each of 13 metrics.
    assert len(results.comparisons) == 3 * 13


def test_several_seeds_are_one_value_for_each_query(benchmarked: Workspace) -> None:
    """The figures are those of embeddings whose values of a query are averaged by hand."""
    write_run(benchmarked, "other-1", seed=2)
    write_run(benchmarked, "other-4", seed=3)
    for seed in (1, 4):
        finish_training(benchmarked, f"other-{seed}", seed)
    run_benchmark(benchmarked, dataclasses.replace(CONFIG, runs=("other-1", "other-4")))
    before, both = read_results(benchmarked).methods
    assert (before.name, both.name) == ("before other-1", "after other")
    queries, index = query_and_index_images(benchmarked)
    means = []
    for path in ("runs/other-1", "runs/other-4"):
        model = load_model(benchmarked.path(path))
        embedded = [embed_images(model, one.files(), device="cpu") for one in (queries, index)]
        found = evaluate(
            *(embedded[0], queries.labels, embedded[1], index.labels),
            level_names=[level.name for level in queries.levels],
        )
        means.append(found.per_query["h_ap"].numpy())
    mean = (means[0] + means[1]) / 2
    expected = measures_of({"h_ap": mean}, queries.labels[:, 0].numpy())["h_ap"]
    for name, value in dataclasses.asdict(expected).items():
        assert getattr(both.measures["h_ap"], name) == pytest.approx(value, abs=1e-6), name


def test_a_run_that_is_called_as_others_are_together_keeps_its_name(
    benchmarked: Workspace,
) -> None:
    for seed, name in enumerate(("happier-0", "happier-1")):
        write_run(benchmarked, name, seed=seed + 2)
        finish_training(benchmarked, name, seed)
    runs = ("happier", "happier-0", "happier-1")
    run_benchmark(benchmarked, dataclasses.replace(CONFIG, runs=runs))
    names = [one.name for one in read_results(benchmarked).methods[1:]]
    assert names == ["after happier", "after happier-0, happier-1"]


def test_the_figures_are_tables_too(measured: Workspace) -> None:
    results = read_results(measured)
    assert measured.path(CSV_FILE).read_text(encoding="utf-8") == to_csv(results)
    assert measured.path(LATEX_FILE).read_text(encoding="utf-8") == to_latex(results)
    measure = results.methods[1].measures["h_ap"]
    assert measure.low < measure.mean < measure.high


def test_a_demo_says_that_its_pictures_are_drawings(
    benchmarked: Workspace, measured: Workspace
) -> None:
    assert not read_results(measured).is_drawn
    benchmarked.path("source").mkdir()
    benchmarked.path("source/DRAWN").write_text("made from facts")
    benchmarked.manifest_path("benchmark").unlink()
    run_benchmark(benchmarked, CONFIG)
    assert read_results(benchmarked).is_drawn


def test_confusions_and_mistakes_are_those_of_the_first_picture(measured: Workspace) -> None:
    trained = read_results(measured).methods[1]
    queries, index = query_and_index_images(measured)
    model = load_model(measured.path("runs/happier"))
    similarity = (
        embed_images(model, queries.files(), device="cpu")
        @ embed_images(model, index.files(), device="cpu").T
    )
    pairs, wrong = Counter[tuple[str, str]](), []
    for number, image_id in enumerate(queries.image_ids.to_pylist()):
        first = int(similarity[number].argmax())
        own, other = queries.labels[number].tolist(), index.labels[first].tolist()
        pairs[queries.names[1][own[1]], index.names[1][other[1]]] += 1
        shared = next((3 - level for level in range(3) if own[level:] == other[level:]), 0)
        if shared < 3:
            wrong.append((shared, -float(similarity[number, first]), image_id))
    assert {(one.label, one.found): one.queries for one in trained.confusions} == pairs
    expected = sorted(wrong)[:8]
    assert [one.query.image_id for one in trained.mistakes] == [one[2] for one in expected]
    assert [3 - one.missed_levels for one in trained.mistakes] == [one[0] for one in expected]
    for one, (_, similar, _) in zip(trained.mistakes, expected, strict=True):
        assert one.similarity == pytest.approx(-similar, abs=1e-6)
        assert one.found.grade == 3 - one.missed_levels
