"""docs/use.md: each of its blocks is run on a build, and gives what `hgld.load` does."""

import re
import shlex
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import hgld
from hgld.loading.labelled import LabelledSet
from tests.worlds.commands.typed import run_typed
from tests.worlds.gldv2.folder_server import serve

PAGE = Path(__file__).resolve().parents[3] / "docs/use.md"
TITLES = [
    *("In Python: `hgld.load`", "Labels of classes, of persons, or all", "Over the web"),
    *("torch", "pandas", "polars", "DuckDB"),
    *("Hugging Face datasets", "Google's files", "A table of your own"),
    "A small part",
]


def block(title: str, language: str = "python") -> str:
    """Returns the only block of a section in a language."""
    section = PAGE.read_text("utf-8").partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    (found,) = re.findall(rf"^```{language}\n(.*?)^```", section, re.S | re.M)
    return str(found)


def run(title: str, **replaced: str) -> dict[str, Any]:
    """Runs the block of a section in this process, and returns its names."""
    code = block(title)
    for old, new in replaced.items():
        assert old in code
        code = code.replace(old, new)
    names: dict[str, Any] = {"__name__": "__example__"}
    exec(compile(code, str(PAGE), "exec"), names)  # noqa: S102 - the page is our own
    return names


@pytest.fixture
def data(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LabelledSet:
    """A build, in a folder in which everything runs."""
    (tmp_path / "build").symlink_to(built)
    monkeypatch.chdir(tmp_path)
    return hgld.load("build")


def test_every_block_of_the_page_is_run() -> None:
    text = PAGE.read_text("utf-8")
    assert [one for one in re.findall(r"^## (.*)$", text, re.M) if one != "The files"] == TITLES
    assert len(re.findall(r"^```python", text, re.M)) == len(TITLES)


def test_the_first_example_prints_metrics_and_a_loss(
    data: LabelledSet, capsys: pytest.CaptureFixture[str]
) -> None:
    run("In Python: `hgld.load`")
    printed = capsys.readouterr().out
    assert printed.startswith(f"{len(data.train)} {len(data.index)} {len(data.query)} ('image_id'")
    assert "'h_ap': " in printed


def test_labels_are_chosen_by_how_they_came_to_be(
    built_with_fills: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(built_with_fills.parent)
    run("Labels of classes, of persons, or all")
    printed = capsys.readouterr().out
    assert printed.startswith("17 13 20\n")
    assert "words+parents" in printed


def test_a_release_is_read_over_the_web(data: LabelledSet) -> None:
    with serve(Path("build/annotations")) as server:
        names = run("Over the web", **{"https://example.org/hgld": server.url})
        names["data"] = None
    assert list(names["bays"]["image_id"]) == data.train.image_ids()[-4:]


@pytest.mark.usefixtures("same_sigchld")
def test_torch_gets_batches(data: LabelledSet, capsys: pytest.CaptureFixture[str]) -> None:
    names = run("torch")
    assert len(names["pictures"]) == len(data.train)
    assert capsys.readouterr().out.splitlines() == [
        f"torch.Size([{count}, 3, 224, 224]) torch.Size([{count}, 3])" for count in (8, 8, 1)
    ]


def test_pandas_polars_and_duckdb_read_the_shards(data: LabelledSet) -> None:
    images = run("pandas")["images"]
    assert list(images["image_id"]) == data.train.of(landmark_id=[1, 2]).image_ids()
    counts = pl.DataFrame(run("polars")["counts"])
    natural = data.train.of(natural_or_human_made="natural")
    of_label = Counter(natural.to_pandas()["hierarchical_label"])
    assert counts.rows() == [*of_label.items()]
    rows = run("DuckDB")["counts"]
    assert rows == [("church", 8, 2), ("museum", 5, 1), ("ocean area ", 4, 1)]


def test_googles_files_give_the_published_filter(
    data: LabelledSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    official = tmp_path / "official"
    official.mkdir()
    shutil.copy("build/annotations/train_label_to_hierarchical.csv", official)
    rows = data.train.to_arrow(["landmark_id", "image_id"]).to_pylist()
    lines = ["landmark_id,images", *(f"{row['landmark_id']},{row['image_id']}" for row in rows)]
    (official / "train_clean.csv").write_text("\n".join(lines))
    run("Google's files")
    assert capsys.readouterr().out == "17 (17, 3)\n"


def test_a_table_of_ones_own_gives_labels() -> None:
    assert run("A table of your own")["labels"].tolist() == [[2, 0], [0, 0], [1, 1]]


def test_a_small_part_is_chosen_and_loaded(data: LabelledSet) -> None:
    for line in block("A small part", "bash").splitlines():
        done = run_typed(shlex.split(line)[1:])
        assert done.returncode == 0, done.stderr
    names = run("A small part")
    assert len(names["few"]) == len(names["pictures"]) == 14
    assert set(names["few"].image_ids()) < set(data.train.image_ids())
    assert len(hgld.load("churches.csv").index) == 4
