"""Runs that are killed, and runs of several processes that torchrun starts."""

import dataclasses
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from hgld.engine.files import file_digest
from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.training.data.labels import query_and_index_images, training_images
from hgld.training.index.embeddings import EmbeddingCache
from hgld.training.model.embed import embed_images
from hgld.training.model.embedding import build_model
from hgld.training.model.saved import load_model
from hgld.training.run.loop import run_train
from tests.worlds.disk import Disk
from tests.worlds.training_runs import (
    CHECKPOINT,
    MODEL,
    TINY,
    Undisturbed,
    batches_of,
    killed_in_step,
    log_of,
)


def by_torchrun(
    workspace: Workspace, *program: str, kill_in: int = 0
) -> "subprocess.CompletedProcess[str]":
    """Trains in two processes, with as many threads as torchrun gives them."""
    settings = dataclasses.asdict(TINY).items()
    kept = [(key, value) for key, value in settings if isinstance(value, int | float | str)]
    stated = [f"--set={key}={json.dumps(value)}" for key, value in kept]
    started = program or ("-m", "hgld.training")
    words = ["torch.distributed.run", "--nproc-per-node", "2", *started]
    environment = {key: one for key, one in os.environ.items() if key != "OMP_NUM_THREADS"}
    return subprocess.run(
        [sys.executable, "-m", *words, "--root", workspace.root, *stated],
        cwd=Path(__file__).parents[3],
        env={**environment, "KILL_IN": str(kill_in)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_two_processes_take_the_steps_of_one_and_one_that_ends_ends_both(
    tiny_build: Workspace, undisturbed: Undisturbed
) -> None:
    images = training_images(tiny_build)
    # A picture that the second process reads in its last step, and nobody before.
    batches = batches_of(images)
    (number, *_) = {*batches[-1, 4:].tolist()} - {*batches[:-1].flatten().tolist()}
    path = images.path(number)
    content = path.read_bytes()
    path.write_bytes(content[::-1])
    ended = by_torchrun(tiny_build)
    assert ended.returncode != 0
    assert path.name in ended.stderr
    assert 0 < torch.load(tiny_build.path(CHECKPOINT), weights_only=True)["step"] < 6
    assert not tiny_build.path(MODEL).exists()
    path.write_bytes(content)
    done = by_torchrun(tiny_build)
    assert done.returncode == 0, done.stderr
    # As one process does, but for rounding; of the two one writes.
    for one, other in zip(log_of(tiny_build), undisturbed.log, strict=True):
        assert one == pytest.approx(other, rel=1e-5, abs=1e-6)
    models = [load_model(root / MODEL) for root in (tiny_build.root, undisturbed.root)]
    for mine, theirs in zip(*(model.parameters() for model in models), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-3, atol=1e-4)


UNLIKE = """
import os, signal, sys, torch
from hgld import losses
from hgld.training.__main__ import main

first, last = os.environ["RANK"] == "0", int(os.environ["KILL_IN"])
steps, ranking, clustering = iter(range(1, 99)), losses.sup_hap_loss, losses.clustering_loss
torch.set_num_threads(2 if first else 1)

def counted(*given, **settings):
    if next(steps) == last:
        os.kill(os.getpid(), signal.SIGKILL)
    return ranking(*given, **settings)

def rounded(embeddings, labels, proxies, temperature):
    proxies = proxies * 1
    proxies.register_hook(lambda slope: slope * (1 if first else 1.001))
    return clustering(embeddings, labels, proxies, temperature)

losses.sup_hap_loss, losses.clustering_loss = counted, rounded
sys.exit(main())
"""
"""Two processes on machines that round otherwise, a thousandth rather than the last bit."""


@pytest.mark.fault(181, "training killed in a step")
def test_two_processes_that_round_otherwise_go_on_to_the_same_weights_after_a_kill(
    tiny_build: Workspace, tmp_path: Path
) -> None:
    program = tmp_path / "unlike.py"
    program.write_text(UNLIKE, encoding="utf-8")
    whole = Workspace(shutil.copytree(tiny_build.root, tmp_path / "whole"))
    assert by_torchrun(whole, str(program)).returncode == 0
    killed = by_torchrun(tiny_build, str(program), kill_in=4)
    assert "SIGKILL" in killed.stderr
    assert torch.load(tiny_build.path(CHECKPOINT), weights_only=True)["step"] == 3
    done = by_torchrun(tiny_build, str(program))
    assert done.returncode == 0, done.stderr
    assert log_of(tiny_build) == log_of(whole)
    assert file_digest(tiny_build.path(MODEL)) == file_digest(whole.path(MODEL))


@pytest.mark.fault(181, "training killed in a step")
def test_a_killed_run_goes_on_to_the_same_weights_and_log(
    tiny_build: Workspace, undisturbed: Undisturbed
) -> None:
    # In step 5, in the middle of an epoch.
    process = multiprocessing.get_context("spawn").Process(
        target=killed_in_step, args=(tiny_build.root, 5, TINY, torch.get_num_threads())
    )
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert not tiny_build.path(MODEL).exists()
    assert log_of(tiny_build) == undisturbed.log[:4]
    run_train(tiny_build, TINY)
    assert undisturbed.is_that_of(tiny_build)


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
