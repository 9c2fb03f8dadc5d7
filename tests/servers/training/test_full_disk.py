"""Training and its index on a disk that is full, or takes no write: one line, and it goes on."""

from contextlib import closing
from pathlib import Path

import pytest
import torch

from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.training.data.labels import query_and_index_images
from hgld.training.index.embeddings import EmbeddingCache
from hgld.training.index.folder import embedded_index_damages
from hgld.training.index.making.listing import PictureSource
from hgld.training.index.making.run import run_index
from hgld.training.model.embed import embed_images
from hgld.training.model.embedding import build_model
from hgld.training.watching.page import write_run_page
from hgld.training.watching.tensorboard import TensorBoardLog
from tests.training.index.conftest import QUICK, draw_noise, write_tiny_run
from tests.training.watching.curves import Log, good_log
from tests.worlds.disk import Disk
from tests.worlds.training_runs import TINY

NO_ROOM = "No space left on device"


def test_a_page_that_finds_no_room_leaves_the_one_there_was(disk: Disk) -> None:
    disk.resize(40)
    folder = disk.folder / "run"
    write_run_page(folder, settings={}, lines=good_log(12), steps=1000, is_running=True)
    before = (folder / "run.html").read_bytes()
    disk.fill()
    with pytest.raises(InputError, match=NO_ROOM):
        write_run_page(folder, settings={}, lines=good_log(60), steps=1000, is_running=True)
    assert (folder / "run.html").read_bytes() == before
    disk.empty()
    write_run_page(folder, settings={}, lines=good_log(60), steps=1000, is_running=True)
    assert (folder / "run.html").read_bytes() != before


def test_events_for_tensorboard_are_taken_up_when_there_is_room(disk: Disk) -> None:
    pytest.importorskip("tensorboard", reason="needs `pip install 'hgld[tensorboard]'`")
    disk.resize(40)

    def add_all(log: TensorBoardLog, lines: Log) -> None:
        for line in lines:
            log.add(line)

    with closing(TensorBoardLog(disk.folder, good_log(5))) as log:
        disk.fill()
        # What is left of its last page is filled first.
        with pytest.raises(InputError, match=NO_ROOM):
            add_all(log, good_log(500))
    with pytest.raises(InputError, match=NO_ROOM):
        TensorBoardLog(disk.folder, good_log(500))
    disk.empty()
    TensorBoardLog(disk.folder, good_log(7)).close()


def test_an_index_is_made_when_there_is_room(disk: Disk, tmp_path: Path) -> None:
    for number in range(4):
        draw_noise(tmp_path / f"photos/{number}.png", number)
    run, source = write_tiny_run(tmp_path / "run"), PictureSource(folder=tmp_path / "photos")
    disk.fill()
    with pytest.raises(InputError, match=NO_ROOM):
        run_index(run, source, disk.folder / "out", QUICK)
    disk.empty()
    disk.resize(60)
    assert run_index(run, source, disk.folder / "out", QUICK).embedded == 4
    assert list(embedded_index_damages(disk.folder / "out")) == []


@pytest.mark.fault(101, "full disk in a benchmark")
def test_kept_embeddings_find_no_room_and_with_room_it_goes_on(
    disk: Disk, tiny_build: Workspace
) -> None:
    model, index = build_model(TINY.model), query_and_index_images(tiny_build)[1]
    cache = EmbeddingCache(
        folder=disk.folder, precision="float32", batch_size=3, workers=0, device="cpu"
    )
    disk.fill()
    with pytest.raises(InputError, match=NO_ROOM):
        cache.embed(model, index, 32)
    assert [path.name for path in disk.folder.iterdir()] == ["filler"]
    disk.empty()
    expected = embed_images(model, index.files(), batch_size=3, device="cpu")
    assert torch.equal(cache.embed(model, index, 32).embeddings, expected)
