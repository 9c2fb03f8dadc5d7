"""`hgld index` and `hgld search`, as they are typed and as docs/search.md has them."""

import os
import pty
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from hgld.engine.workspace import Workspace
from hgld.flows.cli.commands import main
from tests.flows.cli.test_commands import HGLD
from tests.worlds.benchmark_builds import write_build, write_run

ROOT = Path(__file__).resolve().parents[4]
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


def typed(words: list[str], monkeypatch: pytest.MonkeyPatch) -> int:
    """Runs a command in this process, as torch takes seconds to load; returns its exit status."""
    monkeypatch.setattr(sys, "argv", ["hgld", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def blocks(language: str) -> list[str]:
    text = (ROOT / "docs/search.md").read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.S | re.M)


def test_the_commands_of_the_page_do_what_it_says(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = []
    for line in "".join(blocks("bash")).splitlines():
        program, *words = shlex.split(line)
        assert program == "hgld"
        status = typed(words, monkeypatch)
        told = capsys.readouterr()
        assert status == 0, told.err
        said.append(told.out)
    assert said[0].startswith("build/runs/happier/index-index: 12 embeddings of 8 numbers, 12 of")
    header, *rows = said[1].splitlines()
    assert header.split("\t") == [
        *("picture", "rank", "similarity"),
        *("landmark", "super-category", "natural / human-made", "file"),
    ]
    assert [row.split("\t")[1] for row in rows] == [str(rank) for rank in range(1, 11)]
    eltz = [row.split("\t") for row in rows if "Eltz" in row]
    assert {tuple(cells[3:6]) for cells in eltz} == {("Eltz", "castle / fort", "human-made")}
    similarities = [float(row.split("\t")[2]) for row in rows]
    assert similarities == sorted(similarities, reverse=True)
    assert said[2] == said[1]
    assert "<title>Nearest pictures</title>" in (folder / "nearest.html").read_text()
    assert said[3].endswith("12 embeddings of 8 numbers, 12 of them made now, 1 bad\n")
    assert len(said[4].splitlines()) == 6
    # A folder of files that are named after images of the build: their labels are known.
    assert "\tEltz\tcastle / fort\thuman-made\t" in said[4]
    (program,) = blocks("python")
    exec(program, {})  # noqa: S102 - of the page
    assert np.load("photos-index/embeddings.npy").dtype == np.float16
    (shard,) = (folder / "photos-index").glob("*.parquet")
    assert pq.read_metadata(shard).num_rows == 13


def test_a_terminal_gets_a_table_and_its_page_is_opened(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert typed(["index", "--split", "index"], monkeypatch) == 0
    opened = tmp_path / "opened"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" >> {opened}\n')
    browser.chmod(0o755)
    master, slave = pty.openpty()
    words = ["search", PICTURE, "-k", "3", "--html", "near.html"]
    environment = {**os.environ, "BROWSER": f"{browser} %s", "COLUMNS": "120"}
    process = subprocess.Popen(
        [HGLD, *words], cwd=folder, env=environment, stdout=slave, stderr=subprocess.DEVNULL
    )
    os.close(slave)
    said = b""
    while True:
        try:
            said += os.read(master, 65536)
        except OSError:  # the other end is closed
            break
    assert process.wait(60) == 0
    text = re.sub(r"\x1b\[[0-9;]*m", "", said.decode())
    assert "┃ rank ┃ similarity ┃ landmark" in text
    assert "│ Eltz" in text
    assert "most of 3: Eltz (2), castle / fort (2), human-made (3)" in text
    assert opened.read_text().strip() == (folder / "near.html").as_uri()


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (
            ["index"],
            "what to embed must be given: --images FOLDER for the pictures of a folder, or",
        ),
        (["index", "--images", "photos", "--split", "test"], "one of the two is given"),
        (["index", "--split", "all"], "--split must be train, index or test, got 'all'"),
        (["index", "--split", "train"], "run `hgld images --split train`"),
        (["index", "--images", "nowhere"], "--images must be a folder of pictures, got"),
        (["index", "--images", "photos", "--run", "mine"], "(runs there: happier); name a run"),
        (["index", "--images", "photos", "--shard-images", "0"], "shard_images must be above 0"),
        (["index", "--images", "photos", "--engine", "spark"], "engine must be one of 'processes'"),
        (["index", "--images", "photos", "--device", "tpu"], "device 'tpu' is not there"),
        (["search", PICTURE], "`hgld index --split index` makes one of the build's index images"),
        (["search", PICTURE, "--index", "none"], "none is not there; `hgld index --images FOLDER"),
        (["search", PICTURE, "--index", "photos"], "photos has no index.json (yet); `hgld index"),
    ],
)
def test_what_cannot_be_done_is_told_in_a_line(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    why: str,
) -> None:
    assert typed(words, monkeypatch) == 1
    (line,) = [one for one in capsys.readouterr().err.splitlines() if one.startswith("error: ")]
    assert why in line
    assert not (folder / "build/runs/happier/index-photos/index.json").exists()


def test_pictures_that_could_not_be_read_are_told_with_exit_status_1(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "build/images/index/i1100.jpg").unlink()
    assert typed(["index", "--split", "index"], monkeypatch) == 1
    told = capsys.readouterr()
    assert "11 embeddings of 8 numbers, 11 of them made now, 1 failed" in told.out
    assert "1 pictures could not be read and nothing else was lost" in told.err


def test_of_several_indexes_one_has_to_be_named_and_the_model_has_to_be_theirs(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert typed(["index", "--split", "index"], monkeypatch) == 0
    assert typed(["index", "--split", "test"], monkeypatch) == 0
    assert typed(["search", PICTURE], monkeypatch) == 1
    listed = "build/runs/happier/index-index, build/runs/happier/index-test"
    assert f"has several indexes; name one with --index: {listed}" in capsys.readouterr().err
    write_run(Workspace(folder / "build"), seed=5)
    words = ["search", PICTURE, "--index", "build/runs/happier/index-test"]
    assert typed(words, monkeypatch) == 1
    assert "was made with another model" in capsys.readouterr().err
    write_run(Workspace(folder / "build"), "first")
    assert typed([*words, "--run", "first"], monkeypatch) == 0
    shutil.rmtree(folder / "build/runs/happier/index-index")
    (folder / "build/runs/happier/model.safetensors").unlink()
    shutil.copytree(folder / "build/runs/happier", folder / "kept")
    shutil.rmtree(folder / "build/runs/happier")
    capsys.readouterr()
    assert typed(["search", PICTURE, "--index", "kept/index-test"], monkeypatch) == 1
    assert "is not there; name where it lies by --run" in capsys.readouterr().err
    again = ["search", PICTURE, "--index", "kept/index-test", "--run", "first"]
    assert typed(again, monkeypatch) == 0


def test_a_name_that_would_tell_a_terminal_what_to_do_is_shown_and_not_done(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "odd").mkdir()
    shutil.copy(folder / PICTURE, folder / "odd/a\x1b[2J\tb\n.jpg")
    assert typed(["index", "--images", "odd", "--out", "odd-index"], monkeypatch) == 0
    capsys.readouterr()
    assert typed(["search", PICTURE, "--index", "odd-index"], monkeypatch) == 0
    _, row = capsys.readouterr().out.splitlines()
    assert row.endswith(r"/odd/a\x1b[2J\x09b\x0a.jpg")
    assert "\x1b" not in row
