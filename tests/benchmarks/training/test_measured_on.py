import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pytest

from hgld.benchmarks.training import __main__ as command
from hgld.benchmarks.training.measured_on import QueriesAndIndex, with_official_labels
from hgld.benchmarks.training.plan import UNTRAINED
from hgld.benchmarks.training.trials import run_trial
from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.tables import IMAGE_FILES
from tests.benchmarks.training.test_training import trial_of
from tests.training.conftest import tiny_build
from tests.worlds.builders import picture_row, table_of, write_stage

__all__ = ["tiny_build"]  # fixtures

LABELS = [("7", "castle", "human-made"), ("8", "", ""), ("80", "lake", "natural")]


def hex_id(split: str, landmark: int, number: int) -> str:
    return f"{['index', 'test'].index(split)}{landmark:07d}{number:08d}"


@pytest.fixture
def hex_build(tiny_build: Workspace) -> Workspace:
    """The tiny build, the pictures of whose index and test split have ids as GLDv2 has them."""
    pictures = {"index": {7: 3, 8: 2, 80: 3}, "test": {7: 1, 80: 1, 100: 1}}
    for split, counts in pictures.items():
        dataset = IMAGE_FILES[split]
        rows = [
            picture_row(
                tiny_build,
                hex_id(split, landmark, number),
                f"images/{split}/{split}-{landmark}-{number}.png",
            )
            for landmark, count in counts.items()
            for number in range(count)
        ]
        write_stage(tiny_build, [(dataset, table_of(dataset, rows))])
    return tiny_build


@pytest.fixture
def official(tmp_path: Path) -> Path:
    folder = tmp_path / "official"
    folder.mkdir()
    write_labels(folder, LABELS)
    index = [(hex_id("index", one, n), one) for one in (7, 8, 80) for n in range(3)]
    write_csv(folder / "index_image_to_landmark.csv", ["id", "landmark_id"], index)
    tests = [(hex_id("test", one, 0),) for one in (7, 80, 100)]
    write_csv(folder / "test.csv", ["id"], tests)
    solution = [
        (hex_id("test", 7, 0), " ".join(hex_id("index", 7, n) for n in range(3)), "Public"),
        (hex_id("test", 80, 0), hex_id("index", 80, 1), "Private"),
        (hex_id("test", 100, 0), "None", "Ignored"),
    ]
    columns = ["id", "images", "Usage"]
    write_csv(folder / "retrieval_solution_v2.1.csv", columns, solution)
    return folder


def write_csv(path: Path, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([columns, *rows])


def write_labels(folder: Path, labels: Sequence[tuple[str, str, str]]) -> None:
    columns = ["landmark_id", "category", "supercategory", "hierarchical_label"]
    rows = [(landmark, "c", "s", label, side) for landmark, label, side in labels]
    path = folder / "index_label_to_hierarchical.csv"
    write_csv(path, [*columns, "natural_or_human_made"], rows)


def test_pictures_of_a_build_have_the_labels_that_google_published(
    hex_build: Workspace, official: Path
) -> None:
    queries, index = with_official_labels(hex_build, official).images()
    assert queries.image_ids.to_pylist() == [hex_id("test", 7, 0), hex_id("test", 80, 0)]
    # 8 has no label; of 7 and 80 every picture of the build.
    assert index.image_ids.to_pylist() == [hex_id("index", x, n) for x in (7, 80) for n in range(3)]
    assert queries.names == (("7", "80"), ("castle", "lake"), ("human-made", "natural"))
    assert index.labels.tolist() == [[0, 0, 0]] * 3 + [[1, 1, 1]] * 3
    assert index.path(0).name == "index-7-0.png"


def test_the_digests_tell_other_labels_and_not_another_order(
    hex_build: Workspace, official: Path
) -> None:
    ours = with_official_labels(hex_build, official)
    assert ours.labels is not None
    reversed_rows: Mapping[str, pa.Table] = {
        split: rows.take(list(range(len(rows)))[::-1]) for split, rows in ours.labels.items()
    }
    assert QueriesAndIndex(build=hex_build, labels=reversed_rows).digests() == ours.digests()
    write_labels(official, [("7", "church", "human-made"), *LABELS[1:]])
    other = with_official_labels(hex_build, official)
    assert other.digests()[:2] == ours.digests()[:2]
    assert other.digests()[2] != ours.digests()[2]
    assert QueriesAndIndex(build=hex_build).digests() != ours.digests()[:2]


def test_other_labels_are_measured_anew_and_the_same_are_not(
    hex_build: Workspace, official: Path
) -> None:
    trial = trial_of(UNTRAINED)
    record = run_trial(hex_build, trial, with_official_labels(hex_build, official))
    assert (record.queries, record.index_images) == (2, 6)
    path = hex_build.path(f"benchmarks/training/{trial.config.name}.json")
    written = path.read_bytes()
    assert run_trial(hex_build, trial, with_official_labels(hex_build, official)) == record
    assert path.read_bytes() == written
    write_labels(official, [*LABELS[:1], ("8", "bridge", "human-made"), *LABELS[2:]])
    more = run_trial(hex_build, trial, with_official_labels(hex_build, official))
    assert (more.queries, more.index_images) == (2, 8)


def test_the_command_says_whose_labels_it_measured_by(
    hex_build: Workspace, official: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "planned_changes", lambda *_: iter(()))
    monkeypatch.setattr(command, "planned_methods", lambda *_: iter([trial_of(UNTRAINED)]))
    out, page = tmp_path / "training.json", tmp_path / "training.html"
    arguments = ["--root", str(hex_build.root), "--out", str(out), "--page", str(page)]
    assert command.main([*arguments, "--test-labels", str(official)]) == 0
    report = json.loads(out.read_text())
    assert report["metadata"]["test_labels"] == str(official)
    assert [(one["queries"], one["index_images"]) for one in report["runs"]] == [(2, 6)]
    assert f"2 queries, 6 index images, by the labels in <bdi>{official}</bdi>" in page.read_text()


def test_labels_that_cannot_be_read_are_refused_before_the_first_run(
    hex_build: Workspace, official: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (official / "test.csv").unlink()
    arguments = ["--root", str(hex_build.root), "--test-labels", str(official)]
    out = ["--out", str(tmp_path / "o.json"), "--page", str(tmp_path / "o.html")]
    assert command.main([*arguments, *out]) == 1
    assert "test.csv" in capsys.readouterr().err
    assert not hex_build.path("runs").exists()
    assert not (tmp_path / "o.json").exists()


def test_labels_of_no_query_are_refused(hex_build: Workspace, official: Path) -> None:
    write_labels(official, [("8", "bridge", "human-made")])
    with pytest.raises(InputError, match="test"):
        with_official_labels(hex_build, official)


def test_on_the_real_pictures_those_count_whose_landmark_google_labelled(
    tiny_build: Workspace, shared: Path
) -> None:
    folder = shared / "gldv2_mini/metadata"
    with (folder / "index_label_to_hierarchical.csv").open(encoding="utf-8") as file:
        rows = csv.DictReader(file)
        labelled = {row["landmark_id"] for row in rows if row["hierarchical_label"]}
    with (folder / "index_image_to_landmark.csv").open(encoding="utf-8") as file:
        expected = [row["id"] for row in csv.DictReader(file) if row["landmark_id"] in labelled]
    found = with_official_labels(tiny_build, folder).labels
    assert found is not None
    assert sorted(found["index"]["image_id"].to_pylist()) == sorted(expected)
