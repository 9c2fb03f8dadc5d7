import dataclasses
from collections import Counter

import pytest

from hgld.benchmarks.retrieval.report.tables import to_csv, to_latex
from hgld.benchmarks.retrieval.results import CSV_FILE, LATEX_FILE, REPORT_FILE, read_results
from hgld.benchmarks.retrieval.stage import run_benchmark
from hgld.engine.stage import Stage, StageWriter, run_stage
from hgld.engine.workspace import Workspace
from hgld.training.config import train_stage
from hgld.training.data.labels import query_and_index_images
from hgld.training.model.embed import embed_images
from hgld.training.model.saved import load_model
from tests.worlds.benchmark_builds import CONFIG, write_run


def finish_training(build: Workspace, run: str, seed: int) -> None:
    """Has a run's model be the one that a finished training left."""
    stage = train_stage(run)
    stage = Stage(name=stage.name, version=stage.version, output_files=stage.output_files)
    contents = {file: build.path(file).read_bytes() for file in stage.output_files}
    settings = {"name": run, "seed": seed, "method": {"name": "happier"}, "batch_size": 10}

    def produce(writer: StageWriter) -> None:
        for file, content in contents.items():
            with writer.file(file) as path:
                path.write_bytes(content)

    run_stage(build, stage, settings, produce)
    line = '{"step": 36, "images_per_s": 10}'
    build.path(f"runs/{run}/metrics.jsonl").write_text(line, encoding="utf-8")


def test_runs_that_differ_in_their_seed_are_summed_up_together(build: Workspace) -> None:
    write_run(build, "again", seed=2)
    write_run(build, "by-hand", seed=3)
    for seed, run in enumerate(("happier", "again")):
        finish_training(build, run, seed)
    runs = ("happier", "again", "by-hand")
    run_benchmark(build, dataclasses.replace(CONFIG, runs=runs))
    results = read_results(build)
    (group,) = results.seed_groups
    assert (group.methods, group.seeds) == (("after happier", "after again"), (0, 1))
    means = [results.methods[number].measures["h_ap"].mean for number in (1, 2)]
    assert group.measures["h_ap"].mean == pytest.approx(sum(means) / 2)
    before, after, _, by_hand = results.methods
    assert "as it is before training here" in before.description
    assert "trained by happier, batch size 10, seed 0" in after.description
    assert "embedding dim 8" in after.description  # what before training has not
    assert "no record in this build" in by_hand.description
    assert (before.costs.training_hours, by_hand.costs.training_hours) == (None, None)
    assert after.costs.training_hours == pytest.approx(0.01)
    assert after.costs.embedding_dim == 8
    assert after.costs.images_per_s is not None
    # Six pairs of four methods, on each of 13 metrics.
    assert len(results.comparisons) == 6 * 13


def test_the_figures_are_tables_too(build: Workspace) -> None:
    run_benchmark(build, CONFIG)
    results = read_results(build)
    assert build.path(CSV_FILE).read_text(encoding="utf-8") == to_csv(results)
    assert build.path(LATEX_FILE).read_text(encoding="utf-8") == to_latex(results)
    measure = results.methods[1].measures["h_ap"]
    assert measure.low < measure.mean < measure.high


def test_a_demo_says_that_its_pictures_are_drawings(build: Workspace) -> None:
    run_benchmark(build, CONFIG)
    assert not read_results(build).is_drawn
    build.path("source").mkdir()
    build.path("source/DRAWN").write_text("made from facts")
    build.manifest_path("benchmark").unlink()
    run_benchmark(build, CONFIG)
    assert read_results(build).is_drawn
    assert "drawings, not photographs" in build.path(REPORT_FILE).read_text(encoding="utf-8")


def test_confusions_and_mistakes_are_those_of_the_first_picture(build: Workspace) -> None:
    run_benchmark(build, CONFIG)
    trained = read_results(build).methods[1]
    queries, index = query_and_index_images(build)
    model = load_model(build.path("runs/happier"))
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
