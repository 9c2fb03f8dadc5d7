"""Runs that are killed, and runs of several processes that torchrun starts."""

import dataclasses
import itertools
import json
import multiprocessing
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from hgld import losses
from hgld.engine.files import file_digest
from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.training.__main__ import main
from hgld.training.data.labels import query_and_index_images, training_images
from hgld.training.index.embeddings import EmbeddingCache
from hgld.training.model.embed import embed_images
from hgld.training.model.embedding import build_model
from hgld.training.model.saved import load_model
from tests.worlds.commands.readme import ROOT
from tests.worlds.commands.typed import run
from tests.worlds.disk import Disk
from tests.worlds.training_runs import (
    CHECKPOINT,
    COUNTS,
    MODEL,
    TINY,
    Undisturbed,
    batches_of,
    log_of,
    write_tiny_build,
)
from tests.worlds.wikimedia.lab import free_ports

STATED = [
    f"--set={key}={json.dumps(value)}"
    for key, value in dataclasses.asdict(TINY).items()
    if isinstance(value, int | float | str)
]


def test_two_processes_take_the_steps_of_one(
    tiny_build: Workspace, undisturbed: Undisturbed
) -> None:
    words = ["torch.distributed.run", "--nproc-per-node", "2", "-m", "hgld.training"]
    words = [sys.executable, "-m", *words, "--root", str(tiny_build.root), *STATED]
    run(words, ROOT, {"OMP_NUM_THREADS": str(torch.get_num_threads())})
    # As one process does, but for rounding; of the two one writes.
    for one, other in zip(log_of(tiny_build), undisturbed.log, strict=True):
        assert one == pytest.approx(other, rel=1e-5, abs=1e-6)
    models = [load_model(root / MODEL) for root in (tiny_build.root, undisturbed.root)]
    for mine, theirs in zip(*(model.parameters() for model in models), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-3, atol=1e-4)


def train_unlike(root: Path, rank: int, port: int, kill_in: int, by: signal.Signals) -> None:
    """Is one of two processes on machines that round otherwise, by a thousandth.

    Args:
        root: folder of the build.
        rank: which process.
        port: where they meet.
        kill_in: the step in which both get a signal; 0: none.
        by: the signal.
    """
    own = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": 2, "MASTER_PORT": port}
    os.environ |= {name: str(one) for name, one in own.items()} | {"MASTER_ADDR": "127.0.0.1"}
    steps, ranking, clustering = itertools.count(1), losses.sup_hap_loss, losses.clustering_loss
    torch.set_num_threads(2 - rank)

    def counted(*given: Any, **settings: Any) -> Tensor:  # noqa: ANN401 - handed on
        if next(steps) == kill_in:
            os.kill(os.getpid(), by)
        return ranking(*given, **settings)

    def rounded(
        embeddings: Tensor, labels: Tensor, proxies: Tensor, temperature: float = 0.05
    ) -> Tensor:
        proxies = proxies * 1
        proxies.register_hook(lambda slope: slope * (1 + rank / 1000))  # type: ignore[no-untyped-call]
        return clustering(embeddings, labels, proxies, temperature)

    losses.sup_hap_loss, losses.clustering_loss = counted, rounded
    often, seldom = f"{TINY.checkpoint_every_s}", "1e9" if by == signal.SIGTERM else "1e-9"
    sys.exit(main(["--root", str(root), *(one.replace(often, seldom) for one in STATED)]))


def ends_of_two(
    workspace: Workspace, kill_in: int = 0, by: signal.Signals = signal.SIGKILL
) -> list[int | None]:
    """Trains in two such processes; returns the status with which each ended."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["hgld.training.__main__", "hgld.losses.ranking.compiled"])
    (port,) = free_ports(1)
    both = [
        context.Process(target=train_unlike, args=(workspace.root, rank, port, kill_in, by))
        for rank in range(2)
    ]
    for one in both:
        one.start()
    for one in both:
        one.join()
    return [one.exitcode for one in both]


def test_of_two_processes_one_that_ends_ends_both(tiny_build: Workspace) -> None:
    images = training_images(tiny_build)
    # A picture that the second process reads in its last step, and nobody before.
    batches = batches_of(images)
    (number, *_) = {*batches[-1, 4:].tolist()} - {*batches[:-1].flatten().tolist()}
    path = images.path(number)
    path.write_bytes(path.read_bytes()[::-1])
    assert ends_of_two(tiny_build) == [1, 1]
    assert 0 < torch.load(tiny_build.path(CHECKPOINT), weights_only=True)["step"] < 6
    assert not tiny_build.path(MODEL).exists()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """What two such processes leave that nothing stops."""
    build = Workspace(tmp_path_factory.mktemp("whole") / "build")
    write_tiny_build(build, COUNTS)
    assert ends_of_two(build) == [0, 0]
    return build


@pytest.mark.fault(181, "training killed in a step")
@pytest.mark.parametrize(("by", "kept"), [(signal.SIGKILL, 3), (signal.SIGTERM, 4)])
def test_two_processes_that_round_otherwise_go_on_to_the_same_weights_after_a_signal(
    tiny_build: Workspace, whole: Workspace, by: signal.Signals, kept: int
) -> None:
    ends = ends_of_two(tiny_build, kill_in=4, by=by)
    # After SIGTERM the first keeps its step, and then the other has nobody to go on with.
    assert ends == ([128 + by, 1] if by == signal.SIGTERM else [-by, -by])
    assert torch.load(tiny_build.path(CHECKPOINT), weights_only=True)["step"] == kept
    assert ends_of_two(tiny_build) == [0, 0]
    assert log_of(tiny_build) == log_of(whole)
    assert file_digest(tiny_build.path(MODEL)) == file_digest(whole.path(MODEL))


@pytest.mark.fault(101, "full disk in a benchmark")
def test_kept_embeddings_find_no_room_and_with_room_it_goes_on(
    disk: Disk, tiny_build: Workspace
) -> None:
    model, index = build_model(TINY.model), query_and_index_images(tiny_build)[1]
    cache = EmbeddingCache(
        folder=disk.folder, precision="float32", batch_size=3, workers=0, device="cpu"
    )
    disk.fill()
    with pytest.raises(InputError, match="No space left on device"):
        cache.embed(model, index, 32)
    disk.empty()
    disk.resize(60)
    kept = cache.embed(model, index, 32).embeddings
    assert len([*disk.folder.iterdir()]) == 1
    assert torch.equal(kept, embed_images(model, index.files(), batch_size=3, device="cpu"))
