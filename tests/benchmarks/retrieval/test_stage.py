import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from hgld.benchmarks.retrieval.config import BenchmarkConfig
from hgld.benchmarks.retrieval.results import REPORT_FILE, RESULTS_FILE, read_results
from hgld.benchmarks.retrieval.stage import run_benchmark
from hgld.engine.dataset import Level
from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, HgldError, InputError, MissingInputError
from hgld.metrics import Evaluation, evaluate
from hgld.tables import ANNOTATIONS, EXCLUDED, FILLED, IMAGE_FILES
from hgld.training.data.labels import LabelledImages, query_and_index_images
from hgld.training.model.embed import embed_images
from hgld.training.model.embedding import EmbeddingModel, build_model
from hgld.training.model.saved import load_model
from tests.worlds.benchmark_builds import CONFIG, MODEL, write_run
from tests.worlds.builders import table_of, write_stage
from tests.worlds.commands.typed import run_typed


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
    results = read_results(measured)
    split = query_and_index_images(measured)
    before = evaluation_of(build_model(MODEL), split)
    after = evaluation_of(load_model(measured.path("runs/happier")), split)
    assert [method.name for method in results.methods] == ["before happier", "after happier"]
    for method, evaluation in zip(results.methods, (before, after), strict=True):
        assert set(method.measures) == set(evaluation.per_query)
        for key, mean in evaluation.means().items():
            assert method.measures[key].mean == pytest.approx(mean, abs=1e-12, nan_ok=True), key
            assert method.measures[key].undefined == evaluation.undefined()[key]
    change = (after.per_query["h_ap"] - before.per_query["h_ap"]).double()
    trained = results.methods[1]
    assert trained.changes["h_ap"].mean == pytest.approx(float(change.nanmean()))
    # The three queries of a landmark go together: its error is that of five means.
    by_landmark = [change[split[0].labels[:, 0] == landmark].mean() for landmark in range(5)]
    error = torch.stack(by_landmark).std() / 5**0.5
    assert trained.changes["h_ap"].standard_error == pytest.approx(float(error))
    assert (trained.changes["h_ap"].queries, trained.changes["h_ap"].groups) == (15, 5)
    assert (trained.better, trained.worse) == (int((change > 0).sum()), int((change < 0).sum()))
    assert trained.better + trained.worse > 0


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
    results = read_results(benchmarked)
    assert results.levels == chosen
    queries, index = query_and_index_images(benchmarked)
    evaluation = evaluation_of(build_model(MODEL), (queries, index))
    for key, mean in evaluation.means().items():
        assert results.methods[0].measures[key].mean == pytest.approx(mean, abs=1e-12, nan_ok=True)
    above = {"natural_or_human_made": ["human-made", "natural"]}.get(
        chosen[1].column, ["bridge", "castle / fort", "lake", "ocean area "]
    )
    assert list(results.methods[1].by_label) == above
    assert results.counts.shown_labels == len(above)
    assert results.counts.left_out[f"test images whose landmark has no {chosen[1].title}"] == 1
    for example in results.examples:
        assert example.query.grade == len(chosen)
        shown = [picture for pictures in example.retrieved.values() for picture in pictures]
        assert all(len(picture.labels) == len(chosen) - 1 for picture in shown)
        assert all(0 <= picture.grade <= len(chosen) for picture in shown)


def test_each_super_category_has_the_mean_of_its_own_queries(measured: Workspace) -> None:
    trained = read_results(measured).methods[1]
    queries, index = query_and_index_images(measured)
    model = load_model(measured.path("runs/happier"))
    h_ap = evaluation_of(model, (queries, index)).per_query["h_ap"]
    names = [queries.names[1][label] for label in queries.labels[:, 1].tolist()]
    assert {name: each.queries for name, each in trained.by_label.items()} == {
        "bridge": 6,
        "castle / fort": 3,
        "lake": 3,
        "ocean area ": 3,
    }
    for name, each in trained.by_label.items():
        own = [value for of, value in zip(names, h_ap.tolist(), strict=True) if of == name]
        assert each.mean == pytest.approx(sum(own) / len(own))


def test_queries_without_a_relevant_index_image_are_counted_and_no_part_of_a_mean(
    measured: Workspace,
) -> None:
    trained = read_results(measured).methods[1]
    # Landmark 32, the only lake, has three queries and no index image.
    assert trained.measures["map_at_100_landmark"].undefined == 3
    assert trained.measures["map_at_100_landmark"].queries == 12
    assert trained.measures["map_at_100_hierarchical_label"].undefined == 3
    assert trained.measures["map_at_100_natural_or_human_made"].undefined == 0
    assert trained.measures["h_ap"].undefined == 0


def test_what_takes_no_part_is_counted_by_reason(measured: Workspace) -> None:
    counts = read_results(measured).counts
    assert (counts.queries, counts.query_groups) == (15, 5)
    assert (counts.index_images, counts.index_groups, counts.shown_labels) == (12, 4, 4)
    assert counts.left_out == {
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
    counts = read_results(benchmarked).counts
    assert (counts.queries, counts.index_images) == (15, 12)  # as without
    reason = "index images whose super-category no class of the landmark gives"
    assert counts.left_out[reason] == 1


def test_pictures_that_cannot_be_decoded_are_left_out_and_counted(benchmarked: Workspace) -> None:
    dataset = IMAGE_FILES["index"]
    rows = benchmarked.read(dataset).to_pylist()
    bad = {"status": "bad", "path": None, "size_bytes": None, "sha256": None, "error": "is none"}
    benchmarked.path(rows[0]["path"]).unlink()
    write_stage(benchmarked, [(dataset, table_of(dataset, [rows[0] | bad, *rows[1:]]))])
    run_benchmark(benchmarked, CONFIG)
    counts = read_results(benchmarked).counts
    assert counts.index_images == 11
    assert counts.left_out["index images that cannot be decoded"] == 1
    assert counts.left_out["index images without a file"] == 1
    assert "test images that cannot be decoded" not in counts.left_out


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
    metadata = read_results(measured).metadata
    assert metadata["precision"] == "float32"
    assert metadata["threads"] == torch.get_num_threads()
    assert metadata["annotation_digests"] == {
        split: measured.finished(ANNOTATIONS[split]).outputs[ANNOTATIONS[split].path]
        for split in ("test", "index")
    }
    assert str(measured.root) not in measured.path(RESULTS_FILE).read_text(encoding="utf-8")


def test_the_examples_hold_the_worst_change_and_the_best(measured: Workspace) -> None:
    results = read_results(measured)
    queries, index = query_and_index_images(measured)
    before = evaluation_of(build_model(MODEL), (queries, index)).per_query["h_ap"]
    model = load_model(measured.path("runs/happier"))
    after = evaluation_of(model, (queries, index)).per_query["h_ap"]
    ids = queries.image_ids.to_pylist()
    order = sorted(range(len(ids)), key=lambda i: (float(after[i] - before[i]), ids[i]))
    places = {0.0: 0, 0.25: 4, 0.5: 7, 0.75: 11, 1.0: 14}  # of 15 queries, halves up
    assert {example.quantile: example.query.image_id for example in results.examples} == {
        quantile: ids[order[place]] for quantile, place in places.items()
    }


def test_an_example_shows_the_nearest_pictures_and_what_they_share(measured: Workspace) -> None:
    queries, index = query_and_index_images(measured)
    model = load_model(measured.path("runs/happier"))
    similarity = (
        embed_images(model, queries.files(), device="cpu")
        @ embed_images(model, index.files(), device="cpu").T
    )
    for example in read_results(measured).examples:
        query = queries.image_ids.to_pylist().index(example.query.image_id)
        shown = example.retrieved["after happier"]
        assert len(shown) == 8
        nearest = similarity[query].sort(descending=True, stable=True).indices[:8].tolist()
        assert [picture.image_id for picture in shown] == [str(index.image_ids[i]) for i in nearest]
        for picture, place in zip(shown, nearest, strict=True):
            equal = (queries.labels[query] == index.labels[place]).tolist()
            expected = next((3 - column for column in range(3) if all(equal[column:])), 0)
            assert picture.grade == expected


def test_a_report_to_publish_holds_no_picture(benchmarked: Workspace) -> None:
    report = benchmarked.path("benchmarks/report.html")
    assert "data:image/jpeg" in report.read_text()
    before = read_results(benchmarked)
    run_benchmark(benchmarked, dataclasses.replace(CONFIG, pictures=False))
    assert "data:image/jpeg" not in report.read_text()
    assert read_results(benchmarked).examples == before.examples


def test_landmarks_are_named_by_their_category(measured: Workspace) -> None:
    named = {
        picture.image_id[1:3]: picture.landmark
        for example in read_results(measured).examples
        for pictures in ([example.query], *example.retrieved.values())
        for picture in pictures
    }
    expected = {
        "11": "Bridge of the Gods",
        "12": "Crespi d'Adda",
        "21": "Eltz",
        "31": "landmark 31",
        "32": "not an address",
    }
    assert named.items() <= expected.items()
    assert {"11", "12", "21", "31"} <= named.keys()


def test_without_a_usable_query_it_says_why_and_keeps_the_results_before(
    benchmarked: Workspace,
) -> None:
    kept = benchmarked.path(REPORT_FILE).read_bytes()
    empty = table_of(IMAGE_FILES["test"], [])
    write_stage(benchmarked, [(IMAGE_FILES["test"], empty)])
    with pytest.raises(InputError, match="test"):
        run_benchmark(benchmarked, CONFIG)
    assert benchmarked.path(REPORT_FILE).read_bytes() == kept


def test_without_images_or_annotations_it_says_which_command_to_run(workspace: Workspace) -> None:
    write_run(workspace)
    with pytest.raises(MissingInputError, match="annotate"):
        run_benchmark(workspace, CONFIG)


def test_an_unreadable_picture_is_named(build: Workspace) -> None:
    build.path("images/test/t1101.jpg").write_bytes(b"no picture")
    with pytest.raises(HgldError, match="t1101"):
        run_benchmark(build, CONFIG)


def write_embeddings(build: Workspace, model: EmbeddingModel) -> tuple[str, str]:
    """Writes what a model gives queries and index as arrays with ids; returns their paths."""
    for images in query_and_index_images(build):
        path = build.path(f"{images.split}.npy")
        np.save(path, embed_images(model, images.files(), device="cpu").numpy())
        path.with_suffix(".txt").write_text("\n".join(images.image_ids.to_pylist()))
    return f"copy={build.path('test.npy')}", str(build.path("index.npy"))


def test_embeddings_of_a_run_are_measured_as_the_run_is(benchmarked: Workspace) -> None:
    model = load_model(benchmarked.path("runs/happier"))
    config = dataclasses.replace(CONFIG, embeddings=write_embeddings(benchmarked, model))
    run_benchmark(benchmarked, config)
    results = read_results(benchmarked)
    assert [one.name for one in results.methods] == ["before happier", "after happier", "copy"]
    _, after, copy = results.methods
    assert copy.measures == after.measures
    assert (copy.baseline, copy.changes) == ("", {})
    assert copy.description == "embeddings of test.npy and index.npy"
    assert all(example.retrieved.keys() >= {"copy"} for example in results.examples)
    assert run_benchmark(benchmarked, config).skipped
    write_embeddings(benchmarked, build_model(MODEL))
    run_benchmark(benchmarked, config)
    results = read_results(benchmarked)
    assert results.methods[2].measures == results.methods[0].measures


def test_embeddings_alone_need_labels_and_neither_pictures_nor_a_run(
    benchmarked: Workspace,
) -> None:
    files = write_embeddings(benchmarked, build_model(MODEL))
    before = read_results(benchmarked).methods[0]
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
    results = read_results(benchmarked)
    (method,) = results.methods
    assert [example.quantile for example in results.examples] == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert results.counts.queries == 16
    assert method.measures["h_ap"].queries == before.measures["h_ap"].queries + 1
    assert "<img" not in benchmarked.path(REPORT_FILE).read_text()


def test_a_rival_is_measured_with_one_line(build: Workspace, tmp_path: Path) -> None:
    model = build_model(MODEL)
    for images, name in zip(query_and_index_images(build), ("query", "index"), strict=True):
        vectors = list(embed_images(model, images.files(), device="cpu").numpy())
        ids = images.image_ids.to_pylist()
        table = {
            "image_id": [*ids, f"{images.split}-fileless"],
            "embedding": [*vectors, vectors[0]],
        }
        pq.write_table(pa.table(table), tmp_path / f"{name}.parquet")
    start: list[str | Path] = [
        "benchmark",
        "--root",
        build.root,
        "--embeddings",
        "rival=query.parquet",
    ]
    done = run_typed([*start, "index.parquet"], tmp_path)
    assert done.returncode == 0, done.stderr
    (method,) = read_results(build).methods
    assert method.name == "rival"
    assert f"{100 * method.measures['h_ap'].mean:.1f} ±" in done.stdout
    write_run(build, "csl", seed=2)
    build.path("hgld.toml").write_text("[benchmark]\nworkers = 0\n")
    runs: list[str | Path] = ["--runs", "happier", "--runs", "csl"]
    beside = run_typed([*start[:3], *runs, *start[3:], "index.parquet"], tmp_path)
    assert beside.returncode == 0, beside.stderr
    names = [one.name for one in read_results(build).methods]
    assert names == ["before happier", "after happier", "after csl", "rival"]
    without = run_typed(start, tmp_path)
    assert without.returncode == 1
    assert "embeddings" in without.stderr
