"""Many processes make one index, and some of them are killed in the middle of a shard."""

import contextlib
import dataclasses
import multiprocessing
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from hgld.errors import InputError
from hgld.training.index.config import IndexConfig
from hgld.training.index.folder import embedded_index_damages, read_embedded_index
from hgld.training.index.making.listing import PictureSource
from hgld.training.index.making.run import IndexReport, run_index
from tests.training.index.conftest import draw_noise, write_tiny_run

PICTURES = 60
ALONE = IndexConfig(shard_images=12, workers=0, device="cpu")
TWO = dataclasses.replace(ALONE, nproc=2)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run, pictures that take a while, and what one process makes of them."""
    folder = tmp_path_factory.mktemp("many")
    draw_noise(folder / "photos/000.png", 0, width=1000, height=800)
    for number in range(1, PICTURES):
        shutil.copy(folder / "photos/000.png", folder / f"photos/{number:03d}.png")
    for number in range(0, PICTURES, 7):  # so that rows of a wrong place are seen
        draw_noise(folder / f"photos/{number:03d}.png", number, width=300, height=200)
    (folder / "photos/050.png").write_bytes(b"no picture")
    write_tiny_run(folder / "run")
    make(folder, "whole", ALONE)
    return folder


def make(folder: Path, out: str, config: IndexConfig) -> IndexReport:
    source = PictureSource(folder=folder / "photos")
    return run_index(folder / "run", source, folder / out, config)


@contextlib.contextmanager
def meanwhile(work: Callable[[], object]) -> Iterator[None]:
    """Does work in a thread, and raises what it does when the block has ended."""
    failed: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - raised again below
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        thread.join()
    if failed:
        raise failed[0]


def at_work(out: Path) -> Iterator[tuple[int, Path]]:
    """Yields a process that makes a shard, and the shard, whenever one is seen, for 240 s."""
    end = time.monotonic() + 240
    while time.monotonic() < end:
        for lock in sorted((out / ".next").glob("*.lock")):
            shard = lock.with_suffix(".parquet")
            with contextlib.suppress(FileNotFoundError):
                if (owner := lock.read_text().strip()) and not shard.exists():
                    yield int(owner), shard
        time.sleep(0.005)
    raise TimeoutError(f"nobody is at work in {out}")


def kill_in_a_shard(out: Path, but: int = 0) -> int:
    """Kills a process in the midst of a shard, another one than that; returns its number."""
    for owner, shard in at_work(out):
        if owner not in {but, os.getpid()}:
            time.sleep(0.02)
            os.kill(owner, signal.SIGKILL)
            assert not shard.exists(), "it was done before"
            return owner
    raise AssertionError


def require_the_same(folder: Path, out: str) -> None:
    """Nothing is lost or double, and every number is what one process makes it."""
    index, whole = read_embedded_index(folder / out), read_embedded_index(folder / "whole")
    assert index.counts() == {"pictures": PICTURES, "ok": PICTURES - 1, "bad": 1, "failed": 0}
    assert list(embedded_index_damages(folder / out)) == []
    assert not (folder / out / ".next").exists()
    one, other = (np.load(folder / name / "embeddings.npy") for name in ("whole", out))
    np.testing.assert_allclose(one, other, atol=1e-6)
    places = range(0, len(index), 13)
    assert [index.picture_at(place) for place in places] == [
        whole.picture_at(place) for place in places
    ]


def test_two_processes_make_it_although_one_is_killed_in_the_middle(
    many: Path,
) -> None:
    with meanwhile(lambda: kill_in_a_shard(many / "two")):
        report = make(many, "two", TWO)
    assert report.embedded == PICTURES - 1
    require_the_same(many, "two")


def test_when_all_processes_are_killed_the_same_command_goes_on(many: Path) -> None:
    def kill_both() -> None:
        kill_in_a_shard(many / "both", but=kill_in_a_shard(many / "both"))

    with pytest.raises(InputError, match="signal 9"), meanwhile(kill_both):
        make(many, "both", TWO)
    make(many, "both", ALONE)
    require_the_same(many, "both")


def test_processes_end_with_who_started_them(many: Path) -> None:
    out = many / "orphans"
    # Not a fork: torch's threads, where there are several, would be waited for in it for ever.
    context = multiprocessing.get_context("spawn")
    starter = context.Process(target=make, args=(many, "orphans", TWO))
    starter.start()
    owner, _ = next(at_work(out))
    starter.kill()
    starter.join()
    assert owner != starter.pid
    end = time.monotonic() + 60
    while Path(f"/proc/{owner}/stat").exists():
        assert time.monotonic() < end
        time.sleep(0.02)
    assert not (out / "index.json").exists()
    make(many, "orphans", ALONE)
    require_the_same(many, "orphans")
