"""`hgld images` as a user types it: how much, what could not be had, and stopped and gone on."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.images.config import ImagesConfig
from hgld.images.stage import run_images
from tests.flows.cli.test_commands import hgld, only_line
from tests.worlds.gldv2.files import add_tar, images_tar
from tests.worlds.gldv2.folder_server import FolderServer, serve

TAR = "train/images_001.tar"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FolderServer]:
    for number in range(3):
        add_tar(tmp_path / "bucket", "train", number, images_tar([2 * number, 2 * number + 1]))
    with serve(tmp_path / "bucket") as server:
        yield server


def command(server: FolderServer, root: Path) -> list[str]:
    options = ["--split", "train", "--tars", "3", "--parallel", "1"]
    return ["images", "--base-url", server.url, "--root", str(root), *options]


def test_a_dry_run_says_how_much_and_fetches_nothing(tmp_path: Path, server: FolderServer) -> None:
    root = tmp_path / "build"
    said = hgld(*command(server, root), "--dry-run", status=0).splitlines()
    assert said[0] == (
        "train: 3 of 3 tars to fetch, 3.07e-05 GB, 0 s at 100 Mbit/s or 0 s at 1 Gbit/s"
    )
    assert said[1].endswith(f" GB are free for {root / 'images'}")
    assert server.hits.total() == 0
    assert not root.exists()
    config = ImagesConfig(base_url=server.url, train_tars=2)
    run_images(Workspace(root), config, "train")
    (line, _) = hgld(*command(server, root), "--dry-run", status=0).splitlines()
    assert line.startswith("train: 1 of 3 tars to fetch")


def test_it_ends_with_the_names_of_tars_that_cannot_be_had_and_has_the_others(
    tmp_path: Path, server: FolderServer
) -> None:
    (server.folder / TAR).write_bytes(b"of another MD5")
    line = only_line(hgld(*command(server, tmp_path / "build"), status=1))
    assert line.startswith("error: images-train: 1 rows failed and nothing else was lost")
    assert "; not done: train/images_001.tar (http://127.0.0.1" in line
    assert "must have the MD5" in line
    assert server.hits[TAR] == 3
    assert len([*(tmp_path / "build/images/train").rglob("*.jpg")]) == 4

    add_tar(server.folder, "train", 1, images_tar([2, 3]))
    hgld(*command(server, tmp_path / "build"), status=0)
    assert [server.hits[f"train/images_00{number}.tar"] for number in range(3)] == [1, 4, 1]


@pytest.mark.fault(162, "images killed in a download")
def test_ctrl_c_stops_it_at_once_and_the_next_run_goes_on(
    tmp_path: Path, server: FolderServer
) -> None:
    add_tar(server.folder, "train", 1, images_tar([2, 3], size=1_000_000))  # drips for 20 s
    server.dripping = TAR
    root = tmp_path / "build"
    part = root / "images/.parts/train-images_001.tar"
    # A shell's background job ignores Ctrl-C, and so would what it starts.
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from hgld.flows.cli.commands import main; main()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, *command(server, root)], stderr=subprocess.PIPE
    )
    assert server.has_dripped.wait(60)
    first = root / "images/records/train/images_000.parquet"
    while not first.exists():
        assert process.poll() is None
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=10)  # sooner than the rest of the tar would come
    assert process.returncode == 130
    assert said.decode().endswith("stopped; run the same command to go on\n")
    there, size = part.stat().st_size, (server.folder / TAR).stat().st_size
    assert 0 < there < size
    assert server.ended.wait(10)  # while it drips it notices
    server.dripping = ""
    sent = server.sent[TAR]
    hgld(*command(server, root), status=0)
    assert server.parts[TAR] == 1
    assert server.sent[TAR] - sent <= size - there + 1024
    assert server.hits["train/images_000.tar"] == 1
    assert not part.parent.exists()
