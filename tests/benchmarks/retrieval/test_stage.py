import dataclasses
import math
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from hgld.benchmarks.retrieval.config import BenchmarkConfig
from hgld.benchmarks.retrieval.results import FIRST, Results, read_results, result_files
from hgld.benchmarks.retrieval.stage import run_benchmark
from hgld.engine.dataset import Level
from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, InputError
from hgld.metrics import Evaluation, evaluate
from hgld.tables import ANNOTATIONS, EXCLUDED, FILLED, IMAGE_FILES
from hgld.training.data.labels import LabelledImages, query_and_index_images
from hgld.training.model.embed import embed_images
from hgld.training.model.embedding import EmbeddingModel, build_model
from hgld.training.model.saved import load_model
from tests.worlds.benchmark_builds import CONFIG, MODEL, finish_training, write_run
from tests.worlds.builders import table_of, write_stage
from tests.worlds.commands.typed import run_typed

FILES = result_files()


def results_in(build: Workspace, config: BenchmarkConfig = CONFIG) -> Results:
    return read_results(build.path(config.folder))


def evaluation_of(
    model: EmbeddingModel, split: tuple[LabelledImages, LabelledImages]
) -> Evaluation:
    queries, index = split
    return evaluate(
        embed_images(model, queries.files(), device="cpu"),
        queries.labels,
        embed_images(model, index.files(), device="cpu"),
        index.labels,
        level_names=[level.name for level in queries.levels],
    )


def test_the_numbers_are_those_of_the_metrics_on_the_same_embeddings(measured: Workspace) -> None:
    results = results_in(measured)
    split = query_and_index_images(measured)
    before = evaluation_of(build_model(MODEL), split)
    after = evaluation_of(load_model(measured.path("runs/happier")), split)
    assert [method.name for method in results.methods] == ["before happier", "after happier"]
    for method, evaluation in zip(results.methods, (before, after), strict=True):
        for key, mean in evaluation.means().items():
            row = results.row(method.name, key)
            assert row.mean == pytest.approx(mean, abs=1e-12, nan_ok=True), key
            assert row.undefined == evaluation.undefined()[key]
    change = (after.per_query["h_ap"] - before.per_query["h_ap"]).double()
    row = results.row("after happier", "h_ap", against="before happier")
    assert row.mean == pytest.approx(float(change.nanmean()))
    # The three queries of a landmark go together: its error is that of five means.
    by_landmark = [change[split[0].labels[:, 0] == landmark].mean() for landmark in range(5)]
    error = torch.stack(by_landmark).std() / 5**0.5
    assert row.standard_error == pytest.approx(float(error))
    assert (row.queries, row.groups) == (15, 5)
    assert (row.higher, row.lower) == (int((change > 0).sum()), int((change < 0).sum()))


@pytest.mark.parametrize("places", [(0, 2), (0, 3, 1, 2)], ids=["two levels", "four levels"])
def test_a_benchmark_has_the_levels_of_the_annotations(
    benchmarked: Workspace, monkeypatch: pytest.MonkeyPatch, places: tuple[int, ...]
) -> None:
    mined = Level(column="supercategory", name="mined", title="mined text", shared="same text")
    chosen = tuple((*ANNOTATIONS["test"].levels, mined)[place] for place in places)
    for split, dataset in list(ANNOTATIONS.items()):
        monkeypatch.setitem(ANNOTATIONS, split, dataclasses.replace(dataset, levels=chosen))
    benchmarked.manifest_path("benchmark").unlink()
    run_benchmark(benchmarked, CONFIG)
    results = results_in(benchmarked)
    assert results.levels == chosen
    queries, index = query_and_index_images(benchmarked)
    evaluation = evaluation_of(build_model(MODEL), (queries, index))
    for key, mean in evaluation.means().items():
        found = results.row("before happier", key).mean
        assert found == pytest.approx(mean, abs=1e-12, nan_ok=True)
    above = {"natural_or_human_made": ["human-made", "natural"]}.get(
        chosen[1].column, ["bridge", "castle / fort", "lake", "ocean area "]
    )
    assert sorted({row.label for row in results.rows if row.label}) == above
    assert results.counts["shown_labels"] == len(above)
    assert results.left_out[f"test images whose landmark has no {chosen[1].title}"] == 1


def test_queries_without_a_relevant_index_image_are_counted_and_no_part_of_a_mean(
    measured: Workspace,
) -> None:
    results = results_in(measured)
    # Landmark 32, the only lake, has three queries and no index image.
    row = results.row("after happier", "map_at_100_landmark")
    assert (row.queries, row.undefined) == (12, 3)
    assert results.row("after happier", "map_at_100_hierarchical_label").undefined == 3
    assert results.row("after happier", "map_at_100_natural_or_human_made").undefined == 0
    assert results.row("after happier", "h_ap").undefined == 0


def test_confusions_are_those_of_the_first_picture(measured: Workspace) -> None:
    queries, index = query_and_index_images(measured)
    model = load_model(measured.path("runs/happier"))
    both = (embed_images(model, images.files(), device="cpu") for images in (queries, index))
    first = torch.matmul(next(both), next(both).T).argmax(dim=1)
    pairs = Counter(
        (queries.names[1][own], index.names[1][other])
        for own, other in zip(
            queries.labels[:, 1].tolist(), index.labels[first, 1].tolist(), strict=True
        )
    )
    rows = [row for row in results_in(measured).rows if row.metric == FIRST]
    found = {(r.label, r.found): r.queries for r in rows if r.method == "after happier"}
    assert found == pairs


def test_runs_that_differ_only_in_their_seed_are_summed_up_together(
    benchmarked: Workspace,
) -> None:
    write_run(benchmarked, "again", seed=2)
    write_run(benchmarked, "by-hand", seed=3)
    for seed, run in enumerate(("happier", "again")):
        finish_training(benchmarked, run, seed)
    runs = ("happier", "again", "by-hand")
    run_benchmark(benchmarked, dataclasses.replace(CONFIG, runs=runs))
    results = results_in(benchmarked)
    before, after, by_hand = results.methods
    assert (after.name, after.title) == ("after happier, again", "happier, again, 2 seeds")
    assert after.runs == {"happier": 0, "again": 1}
    assert (before.runs, by_hand.runs) == ({}, {"by-hand": None})
    means = [results.row(after.name, "h_ap", run=run).mean for run in after.runs]
    row = results.row(after.name, "h_ap")
    assert means[0] != means[1]
    assert row.mean == pytest.approx(sum(means) / 2)
    assert row.seeds == 2
    assert results.row(by_hand.name, "h_ap").seeds is None
    hours = [results.row(one.name, "training_hours").mean for one in results.methods]
    assert hours == pytest.approx([math.nan, 0.01, math.nan], nan_ok=True)
    # Three pairs of methods, on each of 13 metrics.
    tests = [one for one in results.rows if not math.isnan(one.holm_p_value)]
    assert len(tests) == 3 * 13


def test_a_run_that_is_called_as_others_are_together_keeps_its_name(
    benchmarked: Workspace,
) -> None:
    for seed, name in enumerate(("happier-0", "happier-1")):
        write_run(benchmarked, name, seed=seed + 2)
        finish_training(benchmarked, name, seed)
    runs = ("happier", "happier-0", "happier-1")
    run_benchmark(benchmarked, dataclasses.replace(CONFIG, runs=runs))
    names = [one.name for one in results_in(benchmarked).methods[1:]]
    assert names == ["after happier", "after happier-0, happier-1"]


def test_a_demo_says_that_its_pictures_are_drawings(
    benchmarked: Workspace, measured: Workspace
) -> None:
    assert not results_in(measured).is_drawn
    benchmarked.path("source").mkdir()
    benchmarked.path("source/DRAWN").write_text("made from facts")
    benchmarked.manifest_path("benchmark").unlink()
    run_benchmark(benchmarked, CONFIG)
    assert results_in(benchmarked).is_drawn


def test_what_takes_no_part_is_counted_by_reason(measured: Workspace) -> None:
    results = results_in(measured)
    assert list(results.counts.values()) == [15, 5, 12, 4, 4]
    assert results.left_out == {
        f"{split} images {reason}": 1
        for split in ("test", "index")
        for reason in (
            "without a landmark",
            "whose landmark has no super-category",
            "without a file",
        )
    }


@pytest.mark.fault(67, "zero-byte, HTML or truncated picture")
def test_images_whose_label_no_class_gives_take_no_part_and_are_counted(
    benchmarked: Workspace,
) -> None:
    tables = [*(ANNOTATIONS[split] for split in ("index", "test")), EXCLUDED, FILLED["test"]]
    rows = benchmarked.read(ANNOTATIONS["index"]).slice(0, 1).to_pylist()
    filled = table_of(FILLED["index"], [rows[0] | {"image_id": "index-filled"}])
    written = [(dataset, benchmarked.read(dataset)) for dataset in tables]
    write_stage(benchmarked, [*written, (FILLED["index"], filled)])
    run_benchmark(benchmarked, CONFIG)
    results = results_in(benchmarked)
    assert (results.counts["queries"], results.counts["index_images"]) == (15, 12)  # as without
    reason = "index images whose super-category no class of the landmark gives"
    assert results.left_out[reason] == 1


def test_pictures_that_cannot_be_decoded_are_left_out_and_counted(benchmarked: Workspace) -> None:
    dataset = IMAGE_FILES["index"]
    rows = benchmarked.read(dataset).to_pylist()
    bad = {"status": "bad", "path": None, "size_bytes": None, "sha256": None, "error": "is none"}
    benchmarked.path(rows[0]["path"]).unlink()
    write_stage(benchmarked, [(dataset, table_of(dataset, [rows[0] | bad, *rows[1:]]))])
    run_benchmark(benchmarked, CONFIG)
    results = results_in(benchmarked)
    assert results.counts["index_images"] == 11
    assert results.left_out["index images that cannot be decoded"] == 1
    assert results.left_out["index images without a file"] == 1
    assert "test images that cannot be decoded" not in results.left_out


@pytest.mark.fault(74, "picture altered under training")
def test_a_picture_altered_since_stops_the_benchmark_and_mended_it_goes_on(
    build: Workspace,
) -> None:
    path = build.path("images/test/t1101.jpg")
    content = path.read_bytes()
    path.write_bytes(bytes(len(content)))
    with pytest.raises(DamagedError, match=path.name):
        run_benchmark(build, CONFIG)
    path.write_bytes(content)
    assert run_benchmark(build, CONFIG).manifest.failed == 0


def test_the_metadata_says_what_was_measured_with_what(measured: Workspace) -> None:
    metadata = results_in(measured).metadata
    assert metadata["precision"] == "float32"
    assert metadata["threads"] == torch.get_num_threads()
    assert metadata["annotation_digests"] == {
        split: measured.finished(ANNOTATIONS[split]).outputs[ANNOTATIONS[split].path]
        for split in ("test", "index")
    }
    assert str(measured.root) not in measured.path(FILES.setting).read_text(encoding="utf-8")


def test_a_report_to_publish_holds_no_picture_and_landmarks_have_the_names_of_their_categories(
    benchmarked: Workspace,
) -> None:
    report = benchmarked.path(FILES.report)
    assert "data:image/jpeg" in report.read_text()
    run_benchmark(benchmarked, dataclasses.replace(CONFIG, pictures=False))
    text = report.read_text()
    assert "data:image/jpeg" not in text
    for name in ("Bridge of the Gods", "Crespi d&#39;Adda", "Eltz", "landmark 31"):
        assert f"<bdi>{name}</bdi>" in text


def test_without_a_usable_query_it_says_why_and_keeps_the_results_before(
    benchmarked: Workspace,
) -> None:
    kept = benchmarked.path(FILES.report).read_bytes()
    empty = table_of(IMAGE_FILES["test"], [])
    write_stage(benchmarked, [(IMAGE_FILES["test"], empty)])
    with pytest.raises(InputError, match="test"):
        run_benchmark(benchmarked, CONFIG)
    assert benchmarked.path(FILES.report).read_bytes() == kept


def write_embeddings(build: Workspace, model: EmbeddingModel) -> tuple[str, str]:
    """Writes what a model gives queries and index as arrays with ids; returns their paths."""
    for images in query_and_index_images(build):
        path = build.path(f"{images.split}.npy")
        np.save(path, embed_images(model, images.files(), device="cpu").numpy())
        path.with_suffix(".txt").write_text("\n".join(images.image_ids.to_pylist()))
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
    assert [one.name for one in results.methods] == ["before happier", "after happier", "copy"]
    after, copy = (
        [(row.metric, row.mean) for row in results.rows if row.method == name and not row.against]
        for name in ("after happier", "copy")
    )
    assert copy[:5] == after[:5]
    assert results.methods[2].description == "embeddings of test.npy and index.npy"
    assert run_benchmark(benchmarked, config).skipped
    write_embeddings(benchmarked, build_model(MODEL))
    run_benchmark(benchmarked, config)
    results = results_in(benchmarked, config)
    assert results.row("copy", "h_ap").mean == results.row("before happier", "h_ap").mean
    # Neither was a report of others replaced, nor what was embedded for it thrown away.
    assert benchmarked.path(FILES.report).read_bytes() == kept
    assert run_benchmark(benchmarked, CONFIG).skipped
    assert "replaces" not in caplog.text


def test_a_comparison_of_others_is_not_replaced_without_a_word(
    benchmarked: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    write_run(benchmarked, "second", seed=5)
    run_benchmark(benchmarked, dataclasses.replace(CONFIG, runs=("second",)))
    (said,) = [one for one in caplog.records if "replaces" in one.getMessage()]
    assert "happier" in said.getMessage()
    assert said.levelname == "WARNING"


def test_only_embeddings_need_labels_and_neither_pictures_nor_a_run(
    benchmarked: Workspace,
) -> None:
    files = write_embeddings(benchmarked, build_model(MODEL))
    before = results_in(benchmarked).row("before happier", "h_ap")
    for gone in ("images", "runs"):
        shutil.rmtree(benchmarked.path(gone))
    alone = BenchmarkConfig(embeddings=files, device="cpu", workers=0)
    with pytest.raises(InputError, match="test-fileless"):
        run_benchmark(benchmarked, alone)
    for split in ("test", "index"):  # of the image that has a label and no file
        path = benchmarked.path(f"{split}.npy")
        array = np.load(path)
        np.save(path, np.concatenate([array, array[:1]]))
        with path.with_suffix(".txt").open("a") as ids:
            ids.write(f"\n{split}-fileless")
    run_benchmark(benchmarked, alone)
    results = results_in(benchmarked, alone)
    assert results.counts["queries"] == 16
    assert results.row("copy", "h_ap").queries == (before.queries or 0) + 1
    report = benchmarked.path(f"{alone.folder}/report.html").read_text()
    assert "<img" not in report
    assert "Median" in report


def test_a_rival_is_measured_with_one_line(build: Workspace, tmp_path: Path) -> None:
    model = build_model(MODEL)
    for images, name in zip(query_and_index_images(build), ("query", "index"), strict=True):
        vectors = list(embed_images(model, images.files(), device="cpu").numpy())
        ids = [*images.image_ids.to_pylist(), f"{images.split}-fileless"]
        table = {"image_id": ids, "embedding": [*vectors, vectors[0]]}
        pq.write_table(pa.table(table), tmp_path / f"{name}.parquet")
    start: list[str | Path] = ["benchmark", "--root", build.root]
    start += ["--embeddings", "rival=query.parquet"]
    done = run_typed([*start, "index.parquet"], tmp_path)
    assert done.returncode == 0, done.stderr
    results = read_results(build.path("benchmarks/comparisons/rival"))
    assert [one.name for one in results.methods] == ["rival"]
    assert f"{100 * results.row('rival', 'h_ap').mean:.1f} ±" in done.stdout
    without = run_typed(start, tmp_path)
    assert without.returncode == 1
    assert "embeddings" in without.stderr
