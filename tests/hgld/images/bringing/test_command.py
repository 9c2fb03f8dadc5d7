"""`hgld images` as a user types it: how much, what could not be had, and stopped and gone on."""

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from hgld.engine.workspace import Workspace
from hgld.flows.cli.commands import app
from hgld.images.config import ImagesConfig
from hgld.images.stage import run_images
from hgld.tables import IMAGES
from tests.flows.cli.test_commands import hgld, only_line
from tests.hgld.loading.world import write_annotated
from tests.worlds.gldv2.files import add_tar, image_id, images_tar, picture, tar_bytes
from tests.worlds.gldv2.folder_server import FolderServer, serve
from tests.worlds.pictures import drawing, encoded

TAR = "train/images_001.tar"
PAGE = Path(__file__).resolve().parents[4] / "docs/images.md"


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
    while not (part.exists() and part.stat().st_size > 10_000):
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


def typed(line: str) -> str:
    """Returns what a command prints, run in this process."""
    done = CliRunner().invoke(app, shlex.split(line)[1:])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_every_command_of_its_page_does_what_the_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket, root = tmp_path / "bucket", tmp_path / "build"
    for split, tars in (("train", 10), ("index", 1), ("test", 1)):
        for number in range(tars):
            add_tar(bucket, split, number, images_tar([2 * number, 2 * number + 1]))
    picture_path = bucket / "wikipedia/commons/a/ab/One.jpg"
    picture_path.parent.mkdir(parents=True)
    picture_path.write_bytes(encoded(drawing(), "JPEG"))
    (tmp_path / "mine.csv").write_text(f"image_id,split\n{image_id(3)},train\n")
    labels = pa.table({"image_id": [image_id(4)], "hierarchical_label": ["castle / fort"]})
    (root / "annotations/data").mkdir(parents=True)
    pq.write_table(labels, root / "annotations/data/train-00000-of-00001.parquet")
    monkeypatch.chdir(tmp_path)
    with serve(bucket) as server:
        (root / "metadata/csv").mkdir(parents=True)
        (root / "metadata/csv/train.csv").write_text(
            f"id,url,landmark_id\n{image_id(3)},{server.url}/wikipedia/commons/a/ab/One.jpg,7\n"
        )
        (root / "hgld.toml").write_text(
            f"[images]\nbase_url = '{server.url}'\nindex_tars = 1\ntest_tars = 1\n"
            "train_tars = 10\nurl_hosts = ['127.0.0.1']\n"
        )
        said = {
            line: typed(line)
            for block in re.findall(r"^```bash\n(.*?)^```", PAGE.read_text(), re.S | re.M)
            for line in (one.split("  #")[0].strip() for one in block.splitlines())
        }
    firsts = {line: text.splitlines()[0] for line, text in said.items()}
    assert firsts["hgld images --dry-run"].startswith("train: 10 of 10 tars to fetch")
    assert firsts["hgld images --split train --tars 10"].startswith("images-train: done, 20 rows")
    assert firsts["hgld images"].startswith("images-train: up to date, 20 rows")
    assert all(
        text.startswith("images-train: done, 1 rows, 0 problems")
        for line, text in firsts.items()
        if "--only" in line or "--supercategory" in line
    )
    assert "shards-test: done" in said["hgld images --split test --shards"]
    assert (root / "images/shards/test-000000.tar").exists()
    assert server.hits["wikipedia/commons/a/ab/One.jpg"] == 1
    names = [name for name in server.hits if name.startswith("train/")]
    assert sorted(server.hits[name] for name in names) == [1] * 9 + [2]  # one picture by Range


def test_a_list_of_hgld_subset_is_fetched_as_it_is(tmp_path: Path) -> None:
    root, bucket, few = tmp_path / "build", tmp_path / "bucket", tmp_path / "few.parquet"
    ids = write_annotated(root).read(IMAGES, ["split", "image_id"]).to_pylist()
    for split in ("train", "index", "test"):
        names = [row["image_id"] for row in ids if row["split"] == split]
        files = {f"{one[0]}/{one[1]}/{one[2]}/{one}.jpg": picture(7) for one in names}
        add_tar(bucket, split, 0, tar_bytes(files))
    typed(f"hgld subset --root {root} --per-class 2 --out {few}")
    said = typed(f"hgld images --root {root} --base-url {bucket} --only {few}")
    chosen = set(pq.read_table(few)["image_id"].to_pylist())
    assert 0 < len(chosen) < len(ids)
    assert {path.stem for path in root.glob("images/*/?/?/?/*.jpg")} == chosen
    assert [line.split(", ")[1] for line in said.splitlines()] == [
        f"{len(chosen)} rows",
        "0 rows",
        "0 rows",
    ]
