from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from hgld.benchmarks.speed.train import __main__ as program
from hgld.benchmarks.speed.train.builds import write_build
from hgld.benchmarks.speed.train.loops import plain_batches, ratios_of, throughput, timed
from hgld.engine.workspace import Workspace
from hgld.training.data.augment import Augmentation
from hgld.training.data.config import AugmentConfig
from hgld.training.data.epochs import AugmentedImages, run_batches
from hgld.training.data.labels import training_images
from hgld.training.data.sampler import LandmarkSampler


def test_the_slower_of_the_two_is_what_a_loop_is_held_against() -> None:
    times = {"loading alone": 1.0, "model alone": 4.0, "loop": 5.0, "plain loop": 8.0}
    # The machine is slow in the third round: all ways alike.
    measured = [throughput("c", name, [s, s, 9 * s], 100, None) for name, s in times.items()]
    assert ratios_of("c", measured) == {
        "loop_over_slower": 0.8,
        "plain_loop_over_slower": 0.5,
        "slower_over_loop": 1.25,
        "loop_over_plain": 1.6,
        # 1 / (1 / 100 + 1 / 25) = 20 of 25 images a second
        "shared_cores_bound": 0.8,
    }


def test_what_is_ready_before_the_clock_starts_is_not_counted() -> None:
    taken: list[int] = []

    def batches() -> Iterator[tuple[torch.Tensor, ...]]:
        for number in range(10):
            taken.append(number)
            yield ()

    assert timed(batches(), 3, ready=2) >= 0
    assert taken == [0, 1, 2, 3, 4, 5]


def test_a_loop_that_waits_is_over_the_bar(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(program, "measure_case", lambda *_: [])
    ratios = {"slower_over_loop": 1.5}
    monkeypatch.setattr(program, "ratios_of", lambda *_: ratios)
    full = {"start_to_first_batch_s": 1.0, "peak_mb": {"training": 1.0}, "orders": {}}
    monkeypatch.setattr(program, "measure_full_size", lambda _: full)
    with pytest.raises(SystemExit):
        program.main(["--out", str(tmp_path / "train.json"), "--tiny"])
    assert "over the bar: time of the loop over the slower: tiny" in capsys.readouterr().err
    assert (tmp_path / "train.json").exists()


def test_a_build_that_is_made_up_has_every_landmark_and_can_be_read(tmp_path: Path) -> None:
    write_build(Workspace(tmp_path), 500, 120, (40, 30), seed=1)
    images = training_images(Workspace(tmp_path))
    assert len(images) == 500
    counts = np.bincount(images.labels[:, 0])
    assert (len(counts), counts.min() >= 1) == (120, True)
    assert all(one.read() for one in images.files()[:70])


def test_the_plain_loop_loads_the_same_batches(tmp_path: Path) -> None:
    write_build(Workspace(tmp_path), 64, 8, (40, 30), seed=1)
    images = training_images(Workspace(tmp_path))
    order = LandmarkSampler(images.labels[:, 0], batch_size=16)
    dataset = AugmentedImages(images, Augmentation(AugmentConfig(), 16), seed=0)
    plain = list(plain_batches(dataset, order, epochs=2, workers=0))
    ours = list(run_batches(dataset, order, epochs=2))
    assert len(plain) == len(ours) == 2 * len(order) == 8
    for one, other in zip(plain, ours, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
