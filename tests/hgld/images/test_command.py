"""`hgld images` as a user types it: how much, what could not be had, and stopped and gone on."""

import re
import shlex
import signal
import subprocess
import threading
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from tests.hgld.images.runs import TARS, Train, write_labels
from tests.worlds.commands.typed import run_typed
from tests.worlds.gldv2.files import add_tar, image_id, images_tar
from tests.worlds.gldv2.folder_server import serve
from tests.worlds.pictures import drawing, encoded

ONE = "wikipedia/commons/a/ab/One.jpg"
PAGE = Path(__file__).resolve().parents[3] / "docs/images.md"


@pytest.mark.fault(162, "images killed in a download")
def test_ctrl_c_stops_it_at_once_and_what_came_is_kept(train: Train) -> None:
    add_tar(train.bucket, "train", 1, images_tar([2, 3], size=20_000))
    train.server.dripping = TARS[1]  # for minutes
    main = threading.get_ident()

    def press() -> None:
        assert train.server.has_dripped.wait(60)
        signal.pthread_kill(main, signal.SIGINT)

    presser = threading.Thread(target=press)
    presser.start()
    with pytest.raises(KeyboardInterrupt):
        train.run()
    presser.join()
    assert train.server.ended.wait(10)  # while it drips it notices
    part = train.workspace.path("images/.parts/train-images_001.tar")
    assert part.stat().st_size < (train.bucket / TARS[1]).stat().st_size


def typed(*words: str) -> "subprocess.CompletedProcess[str]":
    """Returns what a command says, which must succeed."""
    done = run_typed(words)
    assert done.returncode == 0, done.stderr
    return done


def test_every_command_of_its_page_does_what_the_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket, root = tmp_path / "bucket", tmp_path / "build"
    tars = [("train", number) for number in range(10)] + [("index", 0), ("test", 0)]
    for split, number in tars:
        add_tar(bucket, split, number, images_tar([2 * number, 2 * number + 1]))
    (bucket / ONE).parent.mkdir(parents=True)
    (bucket / ONE).write_bytes(encoded(drawing(), "JPEG"))
    (tmp_path / "mine.csv").write_text(f"image_id,split\n{image_id(3)},train\n")
    write_labels(Workspace(root), [{image_id(4): (7, "castle / fort")}])
    monkeypatch.chdir(tmp_path)
    with serve(bucket) as server:
        (root / "metadata/csv").mkdir(parents=True)
        (root / "metadata/csv/train.csv").write_text(
            f"id,url,landmark_id\n{image_id(3)},{server.url}/{ONE},7\n"
        )
        (root / "hgld.toml").write_text(
            f"[images]\nbase_url = '{server.url}'\nindex_tars = 1\ntest_tars = 1\n"
            "train_tars = 10\nurl_hosts = ['127.0.0.1']\n"
        )
        said = {
            line: typed(*shlex.split(line)[1:]).stdout
            for block in re.findall(r"^```bash\n(.*?)^```", PAGE.read_text(), re.S | re.M)
            for line in (one.split("  #")[0].strip() for one in block.splitlines())
        }
    firsts = {line: text.splitlines()[0] for line, text in said.items()}
    assert firsts["hgld images --dry-run"].startswith("train: 10 of 10 tars")
    assert "GB free" in said["hgld images --dry-run"]
    assert firsts["hgld images --split train --tars 10"].startswith("images-train: done, 20 rows")
    assert firsts["hgld images"].startswith("images-train: up to date, 20 rows")
    assert all(
        text.startswith("images-train: done, 1 rows, 0 problems")
        for line, text in firsts.items()
        if "--only" in line or "--supercategory" in line
    )
    assert "shards-test: done" in said["hgld images --split test --shards"]
    assert (root / "images/shards/test-000000.tar").exists()
    assert server.hits[ONE] == 1
    hits = {count for name, count in server.hits.items() if name.startswith("train/")}
    assert hits == {1, 2}  # again only for another size
