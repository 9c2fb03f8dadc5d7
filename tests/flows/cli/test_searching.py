"""`hgld index` and `hgld search`, as they are typed and as docs/search.md has them."""

import shlex
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from hgld.engine.workspace import Workspace
from hgld.errors import how_to_install
from tests.worlds.benchmark_builds import write_build, write_run
from tests.worlds.commands.readme import ROOT, commands_on, fenced
from tests.worlds.commands.typed import only_line, said

PAGE = ROOT / "docs/search.md"
PICTURE = "my picture.jpg"


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a build that has a run, some photos, and a picture."""
    folder = tmp_path_factory.mktemp("typed")
    workspace = Workspace(folder / "build")
    write_build(workspace)
    write_run(workspace)
    shutil.copytree(workspace.path("images/index"), folder / "photos/album")
    (folder / "photos/album/bad.jpg").write_bytes(b"no picture")
    shutil.copy(workspace.path("images/test/t2100.jpg"), folder / PICTURE)
    return folder


@pytest.fixture
def folder(once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, in which commands are typed."""
    copy = shutil.copytree(once, tmp_path / "typed")
    monkeypatch.chdir(copy)
    return copy


def test_the_commands_of_the_page_do_what_it_says(folder: Path) -> None:
    lines = [shlex.split(line) for line in commands_on(PAGE)]
    assert {program for program, *_ in lines} == {"hgld"}
    told = [said(*words) for _, *words in lines]
    assert "12 rows, 0 problems: build/runs/happier/index-index" in told[0]
    _, *rows = told[1].splitlines()
    assert [row.split("\t")[1] for row in rows] == [str(rank) for rank in range(1, 11)]
    eltz = [row.split("\t") for row in rows if "Eltz" in row]
    assert {tuple(cells[3:6]) for cells in eltz} == {("Eltz", "castle / fort", "human-made")}
    assert told[2] == told[1]
    assert "<title>Nearest pictures</title>" in (folder / "nearest.html").read_text()
    assert "13 rows, 1 problems" in told[3]
    assert len(told[4].splitlines()) == 6
    # A folder of files that are named after images of the build: their labels are known.
    assert "\tEltz\tcastle / fort\thuman-made\t" in told[4]
    (program,) = fenced(PAGE, "python")
    exec(program, {})  # noqa: S102 - of the page
    assert np.load("photos-index/embeddings.npy").dtype == np.float32


@pytest.mark.usefixtures("folder")
def test_an_array_of_processes_makes_an_index() -> None:
    lines = [shlex.split(line) for line in commands_on(ROOT / "docs/cluster.md", "An array")]
    array = [words for program, *words in lines if program == "hgld"]
    told = [said(*words) for words in array]
    assert "share 0-of-2 of index: done, 12 rows" in told[0]
    assert "share 1-of-2 of index: done, build" in told[1]  # so few are in one shard
    assert "index: done, 12 rows, 0 problems: build/runs/happier/index-index" in told[2]


def test_what_cannot_be_done_is_told_in_a_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)  # as if it were not installed
    for *words, word in (
        ("index", "--images"),
        ("index", "--images", "photos", "--split", "test", "--split"),
        ("index", "--split", "train", "`hgld images"),
        ("index", "--images", "photos", "--run", "mine", "happier"),
        ("index", "--images", "photos", "--batch-size", "0", "batch_size"),
        ("index", "--images", "photos", "--rank", "2", "--world", "2", "--rank must be"),
        ("index", "--images", "photos", "--world", "2", "--rank"),
        ("index", "--images", "photos", "--ray", "2", how_to_install("ray")),
        ("look", "--ray", "-1", "at least 0"),
        ("verify", "--ray", "2", "--deep"),
        ("search", PICTURE, "`hgld index"),
        ("search", PICTURE, "--index", "photos", "finished"),
    ):
        assert word in only_line(*words)
        assert not (folder / "build/runs/happier/index-photos").exists()


def test_of_several_indexes_one_has_to_be_named_and_a_model_that_was_moved(folder: Path) -> None:
    said("index", "--split", "index")
    said("index", "--split", "test")
    indexes = "build/runs/happier/index-index, build/runs/happier/index-test"
    assert indexes in said("search", PICTURE, status=1)
    write_run(Workspace(folder / "build"), "first")
    # An index that lies elsewhere, without the model that made it.
    (folder / "build/runs/happier/model.safetensors").unlink()
    (folder / "build/runs/happier").rename(folder / "kept")
    moved = ["search", PICTURE, "--index", "kept/index-test"]
    assert "--run" in said(*moved, status=1)
    said(*moved, "--run", "first")


def test_a_terminal_gets_a_table(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = SimpleNamespace(stdout=SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr("hgld.flows.cli.looking.sys", terminal)
    (folder / "build/images/index/i1100.jpg").unlink()
    assert "1 pictures" in said("index", "--split", "index", status=1)
    assert "most of 3: Eltz (2)" in said("search", PICTURE, "-k", "3")


def test_a_name_that_would_tell_a_terminal_what_to_do_is_shown_and_not_done(folder: Path) -> None:
    (folder / "odd").mkdir()
    shutil.copy(folder / PICTURE, folder / "odd/a\x1b[2J\tb\n.jpg")
    said("index", "--images", "odd", "--out", "odd-index")
    _, row = said("search", PICTURE, "--index", "odd-index").splitlines()
    assert row.endswith(r"/odd/a\x1b[2J\tb\n.jpg")
    assert "\x1b" not in row
