import dataclasses
import math
import shutil
from collections import Counter

import numpy as np
import pytest
import torch

from hgld.benchmarks.retrieval.config import BenchmarkConfig, result_files
from hgld.benchmarks.retrieval.methods import load_methods
from hgld.benchmarks.retrieval.results import FIRST, Results, read_results
from hgld.benchmarks.retrieval.stage import run_benchmark
from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.metrics import Evaluation, evaluate
from hgld.tables import ANNOTATIONS, EXCLUDED, FILLED, IMAGE_FILES
from hgld.training.data.labels import query_and_index_images
from hgld.training.model.embed import embed_images
from hgld.training.model.embedding import EmbeddingModel, build_model
from hgld.training.model.saved import load_model
from tests.benchmarks.retrieval.test_methods import cache_of
from tests.training.index.test_embedding_files import array
from tests.worlds.benchmark_builds import CONFIG, MODEL, finish_training, write_run
from tests.worlds.builders import table_of, write_stage
from tests.worlds.commands.typed import said
from tests.worlds.training_runs import save_model

FILES = result_files()


def results_in(build: Workspace, config: BenchmarkConfig = CONFIG) -> Results:
    return read_results(build.path(config.folder))


def test_the_numbers_are_those_of_the_metrics_on_the_same_embeddings(measured: Workspace) -> None:
    results = results_in(measured)
    queries, index = split = query_and_index_images(measured)
    models = (build_model(MODEL), load_model(measured.path("runs/happier")))
    evaluations: list[Evaluation] = []
    for method, model in zip(results.methods, models, strict=True):
        embedded = [embed_images(model, images.files(), device="cpu") for images in split]
        names = [level.name for level in queries.levels]
        labels = (queries.labels, index.labels)
        pairs = [one for both in zip(embedded, labels, strict=True) for one in both]
        evaluations.append(evaluate(*pairs, level_names=names))
        for key, mean in evaluations[-1].means().items():
            row = results.row(method.name, key)
            assert row.mean == pytest.approx(mean, abs=1e-12, nan_ok=True), key
            assert row.undefined == evaluations[-1].undefined()[key]
        first = torch.matmul(embedded[0], embedded[1].T).argmax(dim=1)
        own, other = queries.labels[:, 1].tolist(), index.labels[first, 1].tolist()
        confused = Counter(
            (queries.names[1][one], index.names[1][two])
            for one, two in zip(own, other, strict=True)
        )
        rows = [row for row in results.rows if (row.metric, row.method) == (FIRST, method.name)]
        assert {(row.label, row.found): row.queries for row in rows} == confused
    assert [method.name for method in results.methods] == ["backbone happier", "after happier"]
    # Landmark 32, the only lake, has three queries and no index image.
    undefined = [results.row("after happier", f"map_at_100_{one.name}") for one in results.levels]
    assert [(row.queries, row.undefined) for row in undefined] == [(12, 3), (12, 3), (15, 0)]
    before, after = (one.per_query["h_ap"].double() for one in evaluations)
    change = after - before
    row = results.row("after happier", "h_ap", against="backbone happier")
    assert row.mean == pytest.approx(float(change.nanmean()))
    # The three queries of a landmark go together: its error is that of five means.
    by_landmark = [change[queries.labels[:, 0] == landmark].mean() for landmark in range(5)]
    error = torch.stack(by_landmark).std() / 5**0.5
    assert row.standard_error == pytest.approx(float(error))
    assert (row.queries, row.groups) == (15, 5)
    assert (row.higher, row.lower) == (int((change > 0).sum()), int((change < 0).sum()))


def test_runs_that_differ_only_in_their_seed_are_summed_up_together(benchmarked: Workspace) -> None:
    runs = ("happier-0", "happier-1", "happier")  # the last of no recorded training
    for seed, run in enumerate(runs[:2]):
        write_run(benchmarked, run, seed=seed + 2)
        finish_training(benchmarked, run, seed)
    run_benchmark(benchmarked, dataclasses.replace(CONFIG, runs=runs))
    results = results_in(benchmarked)
    before, after, by_hand = results.methods
    # They would be called as the other is.
    assert after.name == "after happier-0, happier-1"
    assert after.title == "happier-0, happier-1, 2 seeds"
    assert after.runs == {"happier-0": 0, "happier-1": 1}
    assert (before.runs, by_hand.name, by_hand.runs) == ({}, "after happier", {"happier": None})
    means = [results.row(after.name, "h_ap", run=run).mean for run in after.runs]
    row = results.row(after.name, "h_ap")
    assert means[0] != means[1]
    assert row.mean == pytest.approx(sum(means) / 2)
    assert row.seeds == 2
    hours = [results.row(one.name, "training_hours").mean for one in results.methods]
    assert hours == pytest.approx([math.nan, 0.01, math.nan], nan_ok=True)
    # Three pairs of methods, on each of 17 metrics.
    tests = [one for one in results.rows if not math.isnan(one.holm_p_value)]
    assert len(tests) == 3 * 17


@pytest.mark.fault(67, "zero-byte, HTML or truncated picture")
def test_what_takes_no_part_is_counted_by_reason(
    benchmarked: Workspace, measured: Workspace
) -> None:
    results = results_in(measured)
    assert list(results.counts.values()) == [15, 5, 12, 4, 4]
    reasons = ("without a landmark", "whose landmark has no super-category", "without a file")
    left_out = {f"{split} images {reason}": 1 for split in ("test", "index") for reason in reasons}
    assert results.left_out == left_out
    # An image whose label no class gives is counted too, and one that cannot be decoded.
    tables = [*(ANNOTATIONS[split] for split in ("index", "test")), EXCLUDED, FILLED["test"]]
    written = [(dataset, benchmarked.read(dataset)) for dataset in tables]
    row = benchmarked.read(ANNOTATIONS["index"]).slice(0, 1).to_pylist()[0]
    filled = table_of(FILLED["index"], [row | {"image_id": "index-filled"}])
    write_stage(benchmarked, [*written, (FILLED["index"], filled)])
    dataset = IMAGE_FILES["index"]
    rows = benchmarked.read(dataset).to_pylist()
    bad = {"status": "bad", "path": None, "size_bytes": None, "sha256": None, "error": "is none"}
    write_stage(benchmarked, [(dataset, table_of(dataset, [rows[0] | bad, *rows[1:]]))])
    run_benchmark(benchmarked, CONFIG)
    results = results_in(benchmarked)
    assert (results.counts["queries"], results.counts["index_images"]) == (15, 11)
    assert results.left_out == left_out | {
        "index images whose super-category no class of the landmark gives": 1,
        "index images that cannot be decoded": 1,
    }


def test_a_report_to_publish_holds_no_picture_and_landmarks_have_the_names_of_their_categories(
    benchmarked: Workspace,
) -> None:
    report = benchmarked.path(FILES.report)
    assert "data:image/jpeg" in report.read_text()
    benchmarked.path("source").mkdir()
    benchmarked.path("source/DRAWN").write_text("made from facts")
    run_benchmark(benchmarked, dataclasses.replace(CONFIG, pictures=False))
    assert results_in(benchmarked).is_drawn
    assert str(benchmarked.root) not in benchmarked.path(FILES.setting).read_text()
    text = report.read_text()
    assert "data:image/jpeg" not in text
    for name in ("Bridge of the Gods", "Crespi d&#39;Adda", "Eltz", "landmark 31"):
        assert f"<bdi>{name}</bdi>" in text


def write_embeddings(build: Workspace, model: EmbeddingModel, *more: str) -> tuple[str, str]:
    """Writes what a model gives queries and index as arrays with ids; returns their paths.

    Args:
        build: the images.
        model: what embeds them.
        more: ends of ids, each with the embedding of the first image.
    """
    for images in query_and_index_images(build):
        vectors = embed_images(model, images.files(), device="cpu").numpy()
        vectors = np.concatenate([vectors, *[vectors[:1]] * len(more)])
        ids = [*images.image_ids.to_pylist(), *(f"{images.split}-{one}" for one in more)]
        array(build.path(f"{images.split}.npy"), ids, vectors)
    return f"copy={build.path('test.npy')}", str(build.path("index.npy"))


def test_embeddings_of_a_run_are_measured_as_the_run_is_in_a_folder_of_their_own(
    benchmarked: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    kept = benchmarked.path(FILES.report).read_bytes()
    model = load_model(benchmarked.path("runs/happier"))
    config = dataclasses.replace(CONFIG, embeddings=write_embeddings(benchmarked, model))
    run_benchmark(benchmarked, config)
    assert config.folder == "benchmarks/comparisons/copy"
    results = results_in(benchmarked, config)
    assert [one.name for one in results.methods] == ["backbone happier", "after happier", "copy"]
    after, copy = (
        [(row.metric, row.mean) for row in results.rows if row.method == name and not row.against]
        for name in ("after happier", "copy")
    )
    assert copy[:5] == after[:5]
    assert run_benchmark(benchmarked, config).skipped
    write_embeddings(benchmarked, build_model(MODEL))
    run_benchmark(benchmarked, config)
    results = results_in(benchmarked, config)
    assert results.row("copy", "h_ap").mean == results.row("backbone happier", "h_ap").mean
    # Neither was a report of others replaced, nor what was embedded for it thrown away.
    assert benchmarked.path(FILES.report).read_bytes() == kept
    assert run_benchmark(benchmarked, CONFIG).skipped
    assert "replaces" not in caplog.text
    # Without a name another comparison has the same place.
    write_run(benchmarked, "second", seed=5)
    run_benchmark(benchmarked, dataclasses.replace(CONFIG, runs=("second",)))
    assert [one.levelname for one in caplog.records if "replaces" in one.getMessage()] == [
        "WARNING"
    ]


def test_a_run_on_vectors_is_measured_on_embeddings_of_files_against_them_as_they_are(
    build: Workspace,
) -> None:
    given = write_embeddings(build, build_model(MODEL), "fileless")
    layer = dataclasses.replace(MODEL, backbone="vectors-96", frozen=True, embedding_dim=4)
    model = build_model(layer, seed=1)
    save_model(model, build.path("runs/layer"))
    shutil.rmtree(build.path("images"))
    config = dataclasses.replace(CONFIG, runs=("layer",), embeddings=given)
    run_benchmark(build, config)
    results = results_in(build, config)
    assert [(one.name, one.baseline) for one in results.methods] == [
        ("copy", ""),
        ("after layer", "copy"),
    ]
    images = query_and_index_images(build, with_pictures=False)
    pairs: list[torch.Tensor] = []
    for one in images:
        rows = torch.from_numpy(np.load(build.path(f"{one.split}.npy")))
        ids = build.path(f"{one.split}.txt").read_text().split()
        with torch.no_grad():
            found = model.adapt(rows[[ids.index(name) for name in one.image_ids.to_pylist()]])
        pairs += [found, one.labels]
    expected = evaluate(*pairs, level_names=[level.name for level in images[0].levels])
    assert results.row("after layer", "h_ap").mean == pytest.approx(expected.means()["h_ap"])
    for wrong in (("a=a.npy", "b.npy", "c=a.npy", "b.npy"), ()):
        refused = dataclasses.replace(config, embeddings=wrong, name="x")
        with pytest.raises(InputError, match="pair"):
            load_methods(build, refused, cache_of(build))
    save_model(build_model(dataclasses.replace(layer, backbone="vectors-5")), build.path("runs/5"))
    with pytest.raises(InputError, match="5 numbers"):
        run_benchmark(build, dataclasses.replace(config, runs=("5",)))


def test_only_embeddings_need_labels_and_neither_pictures_nor_a_run_with_one_line(
    build: Workspace,
) -> None:
    write_embeddings(build, build_model(MODEL))
    words = ["benchmark", "--root", ".", "--embeddings", "rival=test.npy"]
    assert "embeddings" in said(*words, status=1, folder=build.root)
    assert "test-fileless" in said(*words, "index.npy", status=1, folder=build.root)
    # Of the image that has a label and no file there is an embedding too.
    write_embeddings(build, build_model(MODEL), "fileless")
    for gone in ("images", "runs"):
        shutil.rmtree(build.path(gone))
    table = said(*words, "index.npy", folder=build.root)
    results = read_results(build.path("benchmarks/comparisons/rival"))
    assert [one.name for one in results.methods] == ["rival"]
    assert results.counts["queries"] == 16
    assert f"{100 * results.row('rival', 'h_ap').mean:.1f} ±" in table
    report = build.path("benchmarks/comparisons/rival/report.html").read_text()
    assert "<img" not in report
    assert "Median" in report
