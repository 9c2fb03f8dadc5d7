import dataclasses
import json
import math
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from benchmarks import embeddings
from benchmarks.config import BenchmarkConfig, model_file
from benchmarks.methods import Method, load_methods
from benchmarks.results import REPORT, RESULTS, Results, read_results, to_json
from benchmarks.retrieval import EMBEDDINGS, run_benchmark
from hgld.errors import HgldError, InputError, MissingInputError
from hgld.tables import ANNOTATIONS, IMAGE_FILES
from hgld.workspace import Workspace
from tests.benchmarks.builds import MODEL, write_build, write_run
from tests.hgld.builders import table_of, write_stage
from training.data import LEVELS, EvalImages, LabelledImages, query_and_index_images
from training.metrics import Evaluation, evaluate
from training.model import EmbeddingModel, build_model, embed_images, load_model, save_model

CONFIG = BenchmarkConfig(device="cpu", workers=0)

# Kills itself when it is asked to embed its third block.
_KILLED = """
import os, signal, sys
from pathlib import Path
from benchmarks import embeddings, retrieval
from hgld.workspace import Workspace

embed, calls = embeddings.embed_images, []

def embed_or_die(*args, **kwargs):
    calls.append(args)
    if len(calls) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return embed(*args, **kwargs)

embeddings.embed_images = embed_or_die
embeddings.BLOCK = 5
config = retrieval.BenchmarkConfig(device="cpu", workers=0)
retrieval.run_benchmark(Workspace(Path(sys.argv[1])), config)
"""


class CountedEmbedding:
    """Counts the images that are embedded."""

    def __init__(self) -> None:
        self.images: list[int] = []

    def __call__(
        self, model: EmbeddingModel, dataset: EvalImages, **settings: object
    ) -> torch.Tensor:
        del settings
        self.images.append(len(dataset))
        return embed_images(model, dataset, device="cpu")


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> CountedEmbedding:
    counter = CountedEmbedding()
    monkeypatch.setattr(embeddings, "embed_images", counter)
    return counter


def evaluation_of(
    model: EmbeddingModel, split: tuple[LabelledImages, LabelledImages]
) -> Evaluation:
    queries, index = split
    return evaluate(
        embed_images(model, EvalImages(queries, 32), device="cpu"),
        queries.labels,
        embed_images(model, EvalImages(index, 32), device="cpu"),
        index.labels,
        level_names=LEVELS,
    )


def undated(results: Results) -> dict[str, object]:
    """Everything but the time, in a form in which NaN equals NaN."""
    metadata = {key: value for key, value in results.metadata.items() if key != "date"}
    content: dict[str, object] = json.loads(
        to_json(dataclasses.replace(results, metadata=metadata))
    )
    return content


def test_the_numbers_are_those_of_the_metrics_on_the_same_embeddings(build: Workspace) -> None:
    run_benchmark(build, CONFIG)
    results = read_results(build)
    split = query_and_index_images(build)
    before = evaluation_of(build_model(MODEL), split)
    after = evaluation_of(load_model(build.path(model_file("happier"))), split)
    assert [method.name for method in results.methods] == ["before happier", "after happier"]
    for method, evaluation in zip(results.methods, (before, after), strict=True):
        assert set(method.measures) == set(evaluation.per_query)
        for key, mean in evaluation.means().items():
            assert method.measures[key].mean == pytest.approx(mean, abs=1e-12, nan_ok=True), key
            assert method.measures[key].undefined == evaluation.undefined()[key]
    change = (after.per_query["h_ap"] - before.per_query["h_ap"]).double()
    trained = results.methods[1]
    assert trained.changes["h_ap"].mean == pytest.approx(float(change.nanmean()))
    assert trained.changes["h_ap"].standard_error == pytest.approx(float(change.std() / 15**0.5))
    assert (trained.better, trained.worse) == (int((change > 0).sum()), int((change < 0).sum()))
    assert trained.better + trained.worse > 0


def test_each_super_category_has_the_mean_of_its_own_queries(build: Workspace) -> None:
    run_benchmark(build, CONFIG)
    trained = read_results(build).methods[1]
    queries, index = query_and_index_images(build)
    model = load_model(build.path(model_file("happier")))
    h_ap = evaluation_of(model, (queries, index)).per_query["h_ap"]
    names = [queries.names[1][label] for label in queries.labels[:, 1].tolist()]
    assert {name: each.queries for name, each in trained.h_ap_by_supercategory.items()} == {
        "bridge": 6,
        "castle / fort": 3,
        "lake": 3,
        "ocean area ": 3,
    }
    for name, each in trained.h_ap_by_supercategory.items():
        own = [value for of, value in zip(names, h_ap.tolist(), strict=True) if of == name]
        assert each.mean == pytest.approx(sum(own) / len(own))


def test_queries_without_a_relevant_index_image_are_counted_and_no_part_of_a_mean(
    build: Workspace,
) -> None:
    run_benchmark(build, CONFIG)
    trained = read_results(build).methods[1]
    # Landmark 32, the only lake, has three queries and no index image.
    assert trained.measures["map_at_100_landmark"].undefined == 3
    assert trained.measures["map_at_100_landmark"].queries == 12
    assert trained.measures["map_at_100_hierarchical_label"].undefined == 3
    assert trained.measures["map_at_100_natural_or_human_made"].undefined == 0
    assert trained.measures["h_ap"].undefined == 0


def test_what_takes_no_part_is_counted_by_reason(build: Workspace) -> None:
    run_benchmark(build, CONFIG)
    counts = read_results(build).counts
    assert (counts.queries, counts.query_landmarks) == (15, 5)
    assert (counts.index_images, counts.index_landmarks, counts.supercategories) == (12, 4, 4)
    assert counts.left_out == {
        f"{split} images {reason}": 1
        for split in ("test", "index")
        for reason in (
            "without a landmark",
            "whose landmark has no super-category",
            "without a file",
        )
    }


def test_the_metadata_says_what_was_measured_with_what(build: Workspace) -> None:
    run_benchmark(build, CONFIG)
    metadata = read_results(build).metadata
    assert metadata["precision"] == "float32"
    assert metadata["threads"] == torch.get_num_threads()
    assert metadata["annotation_digests"] == {
        split: build.finished(ANNOTATIONS[split]).outputs[ANNOTATIONS[split].path]
        for split in ("test", "index")
    }
    assert isinstance(metadata["versions"], dict)
    assert metadata["versions"]["torch"] == torch.__version__
    assert str(build.root) not in build.path(RESULTS).read_text(encoding="utf-8")


def test_the_examples_hold_the_worst_change_and_the_best(build: Workspace) -> None:
    run_benchmark(build, CONFIG)
    results = read_results(build)
    queries, index = query_and_index_images(build)
    before = evaluation_of(build_model(MODEL), (queries, index)).per_query["h_ap"]
    model = load_model(build.path(model_file("happier")))
    after = evaluation_of(model, (queries, index)).per_query["h_ap"]
    ids = queries.image_ids.to_pylist()
    order = sorted(range(len(ids)), key=lambda i: (float(after[i] - before[i]), ids[i]))
    places = {0.0: 0, 0.25: 4, 0.5: 7, 0.75: 11, 1.0: 14}  # of 15 queries, halves up
    assert {example.quantile: example.query.image_id for example in results.examples} == {
        quantile: ids[order[place]] for quantile, place in places.items()
    }


def test_an_example_shows_the_nearest_pictures_and_what_they_share(build: Workspace) -> None:
    run_benchmark(build, CONFIG)
    queries, index = query_and_index_images(build)
    model = load_model(build.path(model_file("happier")))
    similarity = (
        embed_images(model, EvalImages(queries, 32), device="cpu")
        @ embed_images(model, EvalImages(index, 32), device="cpu").T
    )
    for example in read_results(build).examples:
        query = queries.image_ids.to_pylist().index(example.query.image_id)
        shown = example.retrieved["after happier"]
        assert len(shown) == 8
        nearest = similarity[query].sort(descending=True, stable=True).indices[:8].tolist()
        assert [picture.image_id for picture in shown] == [str(index.image_ids[i]) for i in nearest]
        for picture, place in zip(shown, nearest, strict=True):
            equal = (queries.labels[query] == index.labels[place]).tolist()
            expected = next((3 - column for column in range(3) if all(equal[column:])), 0)
            assert picture.shared_levels == expected


def test_landmarks_are_named_by_their_category(build: Workspace) -> None:
    run_benchmark(build, CONFIG)
    named = {
        picture.image_id[1:3]: picture.landmark
        for example in read_results(build).examples
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


def test_a_benchmark_that_is_done_is_skipped(build: Workspace, counted: CountedEmbedding) -> None:
    assert not run_benchmark(build, CONFIG).skipped
    embedded = list(counted.images)
    assert embedded == [15, 12, 15, 12]
    other_manner = dataclasses.replace(CONFIG, batch_size=3, workers=1)
    assert run_benchmark(build, other_manner).skipped
    assert counted.images == embedded


def test_a_new_model_embeds_again_and_its_baseline_does_not(
    build: Workspace, counted: CountedEmbedding
) -> None:
    run_benchmark(build, CONFIG)
    first = read_results(build)
    counted.images.clear()
    write_run(build, seed=7)
    assert not run_benchmark(build, CONFIG).skipped
    assert counted.images == [15, 12]
    second = read_results(build)
    assert second.methods[0] == first.methods[0]
    assert second.methods[1].measures["h_ap"] != first.methods[1].measures["h_ap"]
    # Embeddings of the model that is gone are gone with it.
    assert len(list(build.path(EMBEDDINGS).iterdir())) == 4


def test_a_changed_setting_measures_again(build: Workspace, counted: CountedEmbedding) -> None:
    run_benchmark(build, CONFIG)
    counted.images.clear()
    assert not run_benchmark(build, dataclasses.replace(CONFIG, image_size=48)).skipped
    assert counted.images == [15, 12, 15, 12]
    assert "48 px" in read_results(build).methods[0].description


def test_changed_labels_measure_again_without_embedding(
    build: Workspace, counted: CountedEmbedding
) -> None:
    run_benchmark(build, CONFIG)
    counted.images.clear()
    key = "map_at_100_hierarchical_label"
    assert read_results(build).methods[1].measures[key].undefined == 3
    # Landmark 32, which has no index image, now shares its super-category with landmark 31.
    write_build(build, supercategory="ocean area ")
    assert not run_benchmark(build, CONFIG).skipped
    assert counted.images == []
    assert read_results(build).methods[1].measures[key].undefined == 0


def test_a_killed_benchmark_goes_on_where_it_was(
    build: Workspace, counted: CountedEmbedding, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-c", _KILLED, str(build.root)]
    done = subprocess.run(command, cwd=root, capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    assert len(list(build.path(EMBEDDINGS).glob("*.safetensors"))) == 2
    assert not build.path(RESULTS).exists()

    monkeypatch.setattr(embeddings, "BLOCK", 5)
    run_benchmark(build, CONFIG)
    # Twice three blocks of 15 queries and three of 12 index images; two were there.
    assert counted.images == [5, 5, 5, 2, 5, 5, 5, 5, 5, 2]
    resumed = read_results(build)
    build.manifest_path("benchmark").unlink()
    for path in build.path(EMBEDDINGS).iterdir():
        path.unlink()
    run_benchmark(build, CONFIG)
    assert undated(read_results(build)) == undated(resumed)


def test_blocks_change_no_number(build: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    run_benchmark(build, CONFIG)
    whole = read_results(build)
    build.manifest_path("benchmark").unlink()
    monkeypatch.setattr(embeddings, "BLOCK", 4)
    run_benchmark(build, CONFIG)
    for one, other in zip(whole.methods, read_results(build).methods, strict=True):
        for key, value in one.measures.items():
            assert other.measures[key].mean == pytest.approx(value.mean, abs=1e-9, nan_ok=True)


def test_embeddings_say_of_which_images_they_are(build: Workspace) -> None:
    run_benchmark(build, CONFIG)
    ids = set()
    for path in build.path(EMBEDDINGS).glob("*.safetensors"):
        with safe_open(path, "pt") as file:
            names = file.metadata()["image_ids"].split(" ")
            assert file.get_tensor("embeddings").shape[0] == len(names)
            ids.update(names)
    queries, index = query_and_index_images(build)
    assert ids == {*queries.image_ids.to_pylist(), *index.image_ids.to_pylist()}


def test_a_damaged_block_is_made_again(build: Workspace, counted: CountedEmbedding) -> None:
    run_benchmark(build, CONFIG)
    results = read_results(build)
    build.manifest_path("benchmark").unlink()
    counted.images.clear()
    damaged = next(iter(sorted(build.path(EMBEDDINGS).glob("*.safetensors"))))
    damaged.write_bytes(damaged.read_bytes()[:40])
    run_benchmark(build, CONFIG)
    assert len(counted.images) == 1
    assert undated(read_results(build)) == undated(results)


def test_a_baseline_has_the_backbone_of_before_training_and_no_linear_layer(
    build: Workspace,
) -> None:
    before, after = load_methods(build, CONFIG)
    assert after.model.projection is not None
    assert before.model.projection is None
    expected = build_model(MODEL).state_dict()
    assert all(
        torch.equal(value, expected[key]) for key, value in before.model.state_dict().items()
    )


def test_runs_of_one_model_share_a_baseline_and_others_have_their_own(build: Workspace) -> None:
    write_run(build, "second", seed=5)
    other = dataclasses.replace(MODEL, backbone="test_efficientnet")
    path = build.path(model_file("other"))
    path.parent.mkdir()
    save_model(build_model(other), path)
    config = dataclasses.replace(CONFIG, runs=("happier", "other", "second"))
    run_benchmark(build, config)
    methods = read_results(build).methods
    assert [(method.name, method.baseline) for method in methods] == [
        ("before happier", ""),
        ("after happier", "before happier"),
        ("after second", "before happier"),
        ("before other", ""),
        ("after other", "before other"),
    ]
    assert len({method.title for method in methods}) == 5
    # This one was saved as it was built, so nothing may have changed.
    assert methods[4].changes["h_ap"].mean == 0
    assert (methods[4].better, methods[4].worse) == (0, 0)


def test_without_a_run_it_says_to_train(workspace: Workspace) -> None:
    write_build(workspace)
    with pytest.raises(MissingInputError, match=r"runs/happier/model.pt is not there yet; run `hg"):
        run_benchmark(workspace, CONFIG)
    write_run(workspace, "mine")
    with pytest.raises(MissingInputError, match=r"or set runs of \[benchmark\] to one of mine$"):
        run_benchmark(workspace, CONFIG)


def test_without_a_usable_query_it_says_why_and_keeps_the_results_before(build: Workspace) -> None:
    run_benchmark(build, CONFIG)
    kept = build.path(REPORT).read_bytes()
    empty = table_of(IMAGE_FILES["test"], [])
    write_stage(build, [(IMAGE_FILES["test"], empty)])
    with pytest.raises(InputError, match="no image of test has both a label and a file"):
        run_benchmark(build, CONFIG)
    assert build.path(REPORT).read_bytes() == kept


def test_without_images_or_annotations_it_says_which_command_to_run(workspace: Workspace) -> None:
    write_run(workspace)
    with pytest.raises(MissingInputError, match="run `hgld annotate`"):
        run_benchmark(workspace, CONFIG)


def test_an_unreadable_picture_is_named(build: Workspace) -> None:
    build.path("images/test/t1101.jpg").write_bytes(b"no picture")
    with pytest.raises(HgldError, match=re.escape("images/test/t1101.jpg")):
        run_benchmark(build, CONFIG)


def test_a_backbone_with_its_own_pooling_takes_no_other_size(build: Workspace) -> None:
    own = dataclasses.replace(MODEL, backbone="test_vit", pooling="backbone", image_size=160)
    save_model(build_model(own), build.path(model_file("happier")))
    with pytest.raises(InputError, match="takes images of 160 px alone; leave image_size out"):
        load_methods(build, dataclasses.replace(CONFIG, image_size=96))
    assert all(isinstance(method, Method) for method in load_methods(build, CONFIG))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"runs": ()}, "runs must name at least one training run, each once, got []"),
        ({"runs": ("a", "a")}, "runs must name at least one training run, each once"),
        ({"runs": ("../a",)}, "name must be letters"),
        ({"image_size": 0}, "image_size must be above 0, got 0"),
        ({"batch_size": 0}, "batch_size must be above 0, got 0"),
        ({"workers": -1}, "workers must be 0 or more, got -1"),
    ],
)
def test_settings_that_could_only_fail_later_are_refused(
    settings: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        dataclasses.replace(CONFIG, **settings)  # type: ignore[arg-type]  # wrong on purpose


def test_nan_is_written_as_null_and_read_back(build: Workspace) -> None:
    run_benchmark(build, CONFIG)
    text = build.path(RESULTS).read_text(encoding="utf-8")
    assert "NaN" not in text
    assert math.isnan(read_results(build).methods[0].h_ap_by_supercategory["lake"].mean) == (
        json.loads(text)["methods"][0]["h_ap_by_supercategory"]["lake"]["mean"] is None
    )
