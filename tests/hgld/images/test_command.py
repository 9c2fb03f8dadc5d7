"""`hgld images` as its page has it."""

import shlex
from pathlib import Path

from hgld.engine.workspace import Workspace
from tests.hgld.images.runs import write_labels
from tests.worlds.commands.readme import ROOT, commands_on
from tests.worlds.commands.typed import said
from tests.worlds.gldv2.files import add_tar, image_id, images_tar
from tests.worlds.gldv2.folder_server import serve
from tests.worlds.pictures import drawing, encoded

ONE = "wikipedia/commons/a/ab/One.jpg"


def test_every_command_of_its_page_does_what_the_page_says(tmp_path: Path) -> None:
    bucket, root = tmp_path / "bucket", tmp_path / "build"
    tars = [("train", number) for number in range(10)] + [("index", 0), ("test", 0)]
    for split, number in tars:
        add_tar(bucket, split, number, images_tar([2 * number, 2 * number + 1]))
    (bucket / ONE).parent.mkdir(parents=True)
    (bucket / ONE).write_bytes(encoded(drawing(), "JPEG"))
    (tmp_path / "mine.csv").write_text(f"image_id,split\n{image_id(3)},train\n")
    write_labels(Workspace(root), [{image_id(4): (7, "castle / fort")}])
    (root / "metadata/csv").mkdir(parents=True)
    with serve(bucket) as server:
        (root / "metadata/csv/train.csv").write_text(
            f"id,url,landmark_id\n{image_id(3)},{server.url}/{ONE},7\n"
        )
        (root / "hgld.toml").write_text(
            f"[images]\nbase_url = '{server.url}'\nindex_tars = 1\ntest_tars = 1\n"
            "train_tars = 10\nurl_hosts = ['127.0.0.1']\n"
        )
        told = {
            line: said(*shlex.split(line)[1:], folder=tmp_path)
            for line in commands_on(ROOT / "docs/images.md")
        }
    assert told["hgld images --dry-run"].startswith("train: 10 of 10 tars")
    assert told["hgld images --split train --tars 10"].startswith("images-train: done, 20 rows")
    assert told["hgld images"].startswith("images-train: up to date, 20 rows")
    few = [text for line, text in told.items() if "--only" in line or "--supercategory" in line]
    assert all(text.startswith("images-train: done, 1 rows, 0 problems") for text in few)
    assert "shards-test: done" in told["hgld images --split test --shards"]
    assert (root / "images/shards/test-000000.tar").exists()
    assert server.hits[ONE] == 1
    hits = {count for name, count in server.hits.items() if name.startswith("train/")}
    assert hits == {1, 2}  # again only for another size
