"""README, typed word for word: the demo, and the wheel in an environment of its own."""

import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest

from hgld.demo.facts import landmarks
from hgld.engine.workspace import Workspace
from hgld.review.status import review_status
from hgld.tables import LANDMARK_LABELS
from tests.servers.conftest import VENV
from tests.servers.test_packaging import built
from tests.worlds.commands.linked import make_environment
from tests.worlds.commands.readme import README, ROOT, commands_on, fenced
from tests.worlds.commands.typed import run, said


def test_make_demo_prints_a_gain_and_leaves_right_labels_a_report_and_groups_to_decide(
    demo: Path,
) -> None:
    folder, printed = demo, (demo / "printed.txt").read_text(encoding="utf-8")
    by_kind, _, by_place = printed.partition("By place:")
    for table, gain in ((by_kind.partition("By kind:")[2], 10), (by_place, 0)):
        rows = [line.split("│") for line in table.splitlines() if "│" in line and "±" in line]
        after, before = (float(cells[2].split("±")[0]) for cells in rows)  # of H-AP, best first
        assert 20 < before < after - gain
    assert list((folder / "demo-build/annotations/data").glob("train-*.parquet"))
    assert (folder / "demo-build/benchmarks/report.html").exists()
    build = Workspace(folder / "demo-build")
    found = {
        row["landmark_id"]: row["hierarchical_label"]
        for row in build.read(LANDMARK_LABELS).to_pylist()
    }
    assert found == {one.landmark_id: one.hierarchical_label for one in landmarks()}
    assert 10 <= review_status(build).progress.clusters_open <= 20
    assert f"hgld review --root {build.root}" in printed


def test_the_wheel_works_beside_folders_of_the_same_names(demo: Path, tmp_path: Path) -> None:
    """In an environment of what it asks for, from a folder that has a `training/` of its own.

    The demo goes on from where the checkout's has been, without the outcome of every step that
    reads what the package ships: facts, taxonomy, templates.
    """
    wheel = built(ROOT, tmp_path, "wheel")
    programs = make_environment(tmp_path / "venv", "hgld[all]")
    run([programs / "pip", "install", "--quiet", "--no-index", f"{wheel}[all]"], tmp_path)
    folder = tmp_path / "research"
    for name in ("training", "benchmarks", "flows"):
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text(f"raise ImportError('{name} of another')\n")
    build = Workspace(shutil.copytree(demo / "demo-build", folder / "demo-build"))
    for stage in ("metadata", "scrape", "propose", "review", "annotate", "benchmark"):
        build.manifest_path(stage).unlink()
    assert "H-AP" in run([programs / "hgld", "demo"], folder)
    picture = next((folder / "demo-build/images/test").rglob("*.jpg"))
    shutil.copy(picture, folder / "my picture.jpg")
    (lines,) = fenced(README, "python")
    printed = run([programs / "python", "-c", lines], folder)
    assert "'h_ap': " in printed
    assert "torch.Size([1, 1280])" in printed


_MTEB = """
from pathlib import Path
import mteb, numpy, torch
from PIL import Image
from hgld.engine.workspace import Workspace
from hgld.metrics import evaluate
from hgld.training.data.labels import query_and_index_images

def vector(picture):
    pixels = numpy.asarray(picture.convert("RGB").resize((8, 8)), numpy.float32).ravel() - 100
    return torch.from_numpy(pixels / numpy.linalg.norm(pixels))

class Pixels(Happier):
    def encode(self, inputs, **_):
        return torch.stack([vector(picture) for batch in inputs for picture in batch["image"]])

class Task(HGLDv2I2IRetrieval):
    def task_specific_scores(self, scores, *_, **__):  # before they are rounded
        of_mteb.update(scores)
        return {}

def vectors(images):
    return torch.stack([vector(Image.open(images.path(place))) for place in range(len(images))])

of_mteb = {}
mteb.evaluate(Pixels(), Task(), cache=None)
query, index = query_and_index_images(Workspace(Path("build")))
found = evaluate(vectors(query), query.labels, vectors(index), index.labels).per_query["ndcg"]
for image_id, ours in zip(query.image_ids.to_pylist(), found.tolist(), strict=True):
    print(ours - of_mteb[image_id]["ndcg_cut_1000"])
"""


@pytest.mark.skipif(find_spec("mteb") is None, reason="needs mteb: pip install mteb")
def test_mteb_finds_our_ndcg_on_the_release_of_the_demo(demo: Path, tmp_path: Path) -> None:
    """By the vectors of pixels, which hardly tie, and by the model of the demo as the page does."""
    (tmp_path / "build").symlink_to(demo / "demo-build")
    page, section = ROOT / "docs/benchmark.md", "In MTEB"
    (command,) = commands_on(page, section)
    said(*command.split()[1:], folder=tmp_path)
    (example,) = fenced(page, "python", section)
    # The datasets that it has read are kept in no one's home.
    homes = {name: str(tmp_path / name) for name in ("HF_HOME", "MTEB_CACHE")}
    program: list[str | Path] = [VENV / "bin/python", "-c", example + _MTEB]
    score, *differences = run(program, tmp_path, {**homes, "HF_HUB_OFFLINE": "1"}).splitlines()
    assert 0.2 < float(score) < 1
    assert len(differences) > 200
    assert max(map(abs, map(float, differences))) < 1e-6
