import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, TensorDataset
from torch.utils.data._utils import signal_handling
from torchvision.transforms import v2

from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.training.data.augment import Augmentation
from hgld.training.data.config import AugmentConfig
from hgld.training.data.epochs import AugmentedImages, RunPlace, move_batch, run_batches
from hgld.training.data.images import read_image
from hgld.training.data.labels import LabelledImages, training_images
from hgld.training.data.loading import load_batches, random_numbers
from hgld.training.data.sampler import LandmarkSampler

Batch = tuple[Tensor, Tensor]


class Places(Dataset[Tensor]):
    """Items that are their own places, and the process that loads them."""

    def __getitem__(self, place: RunPlace) -> Tensor:
        return torch.tensor([*place, os.getpid()])


class Dying(Places):
    """Ends its process at an epoch's second batch, once."""

    def __init__(self, fired: Path, error: Exception | None = None) -> None:
        self._fired, self._error = fired, error

    def __getitem__(self, place: RunPlace) -> Tensor:
        if (place.epoch, place.position) == (1, 5) and not self._fired.exists():
            self._fired.touch()
            if self._error:
                raise self._error
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__getitem__(place)


def order_of(rank: int = 0, world_size: int = 1) -> LandmarkSampler:
    landmarks = torch.arange(6).repeat_interleave(4)
    return LandmarkSampler(
        landmarks,
        batch_size=4,
        samples_per_landmark=2,
        max_per_landmark=4,
        rank=rank,
        world_size=world_size,
    )


def augmented(images: LabelledImages, seed: int = 3) -> AugmentedImages:
    return AugmentedImages(images, Augmentation(AugmentConfig(), 24), seed)


class OneEpoch(Dataset[Batch]):
    """An epoch's images by position, as they were made before there were settings for that."""

    def __init__(self, images: LabelledImages, order: Tensor, epoch: int) -> None:
        self._images, self._order, self._epoch = images, order, epoch
        self._augment = v2.Compose(
            [
                v2.RandomResizedCrop(24, scale=(0.16, 1.0), antialias=True),
                v2.RandomHorizontalFlip(),
                v2.PILToTensor(),
            ]
        )

    def __len__(self) -> int:
        return len(self._order)

    def __getitem__(self, position: int) -> Batch:
        index = int(self._order[position])
        image = read_image(self._images.picture(index))
        with random_numbers(f"augmentation, seed 3, epoch {self._epoch}, position {position}"):
            return self._augment(image), self._images.labels[index]


def epoch_by_epoch(images: LabelledImages, order: LandmarkSampler) -> Iterator[Batch]:
    """The batches of two epochs as they came before: a loader for each."""
    for epoch in range(2):
        dataset = OneEpoch(images, order.epoch(epoch).flatten(), epoch)
        yield from load_batches(dataset, batch_size=8)


def test_an_item_depends_on_its_place_and_the_seed_alone(tiny_build: Workspace) -> None:
    images = training_images(tiny_build)
    places = [RunPlace(0, 0, 5), RunPlace(0, 1, 5), RunPlace(0, 2, 2), RunPlace(1, 0, 5)]
    first = augmented(images)
    pixels = [first[place][0] for place in places]
    assert pixels[0].shape == (3, 24, 24)
    assert pixels[0].dtype == torch.uint8
    assert torch.equal(first[places[2]][1], images.labels[2])
    # The same image at two positions, and in two epochs, is cropped in two ways.
    assert not torch.equal(pixels[0], pixels[1])
    assert not torch.equal(pixels[0], pixels[3])
    # Backwards, after other draws: the same.
    again = augmented(images)
    torch.rand(7)
    for number in (3, 2, 1, 0):
        assert torch.equal(again[places[number]][0], pixels[number])
    assert not torch.equal(augmented(images, seed=4)[places[0]][0], pixels[0])


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_are_those_of_a_loader_for_each_epoch(tiny_build: Workspace, workers: int) -> None:
    images = training_images(tiny_build)
    order = LandmarkSampler(images.labels[:, 0], batch_size=8, seed=3)
    before = list(epoch_by_epoch(images, order))
    assert len(before) == 2 * len(order) > 4
    starts = (0, 1, len(order), len(order) + 1, 2 * len(order))
    for start in starts[3 * (workers > 0) :]:
        got = list(run_batches(augmented(images), order, epochs=2, start=start, workers=workers))
        assert len(got) == len(before) - start
        for (pixels, labels), (old_pixels, old_labels) in zip(got, before[start:], strict=True):
            assert torch.equal(pixels, old_pixels)
            assert torch.equal(labels, old_labels)


def test_ranks_see_the_pixels_of_one_process(tiny_build: Workspace) -> None:
    images = training_images(tiny_build)
    whole = LandmarkSampler(images.labels[:, 0], batch_size=16, seed=3)
    expected = list(run_batches(augmented(images), whole, epochs=2, start=1))
    ranks = [
        LandmarkSampler(images.labels[:, 0], batch_size=16, seed=3, rank=rank, world_size=2)
        for rank in range(2)
    ]
    shares = [list(run_batches(augmented(images), order, epochs=2, start=1)) for order in ranks]
    assert len(expected) == len(shares[0]) == len(shares[1]) > 1
    for batch, (pixels, labels) in enumerate(expected):
        assert torch.equal(torch.cat([share[batch][0] for share in shares]), pixels)
        assert torch.equal(torch.cat([share[batch][1] for share in shares]), labels)


def test_the_same_processes_load_all_epochs() -> None:
    order = order_of()
    batches = list(run_batches(Places(), order, epochs=5, workers=2))
    assert len(batches) == 5 * len(order)
    pids = {int(batch[0, 3]) for batch in batches}
    assert len(pids) == min(2, os.cpu_count() or 1)
    assert os.getpid() not in pids
    for number, batch in enumerate(batches):
        epoch, in_epoch = divmod(number, len(order))
        assert (batch[:, 0] == epoch).all()
        assert batch[:, 1].tolist() == list(range(4 * in_epoch, 4 * in_epoch + 4))
        assert batch[:, 2].tolist() == order.epoch(epoch)[in_epoch].tolist()


def test_loading_draws_nothing_from_the_global_generator(tiny_build: Workspace) -> None:
    images = training_images(tiny_build)
    order = LandmarkSampler(images.labels[:, 0], batch_size=8)
    state = torch.get_rng_state()
    assert next(run_batches(augmented(images), order, epochs=1))[0].shape == (8, 3, 24, 24)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.fixture
def alarm() -> Iterator[None]:
    """The handler that torch leaves for good where a program has had a loader of its own."""
    before = signal.getsignal(signal.SIGCHLD)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal_handling._SIGCHLD_handler_set = False
    list(DataLoader(TensorDataset(torch.arange(2)), num_workers=1))
    assert signal.getsignal(signal.SIGCHLD) != signal.SIG_DFL
    yield
    signal.signal(signal.SIGCHLD, before)


@pytest.mark.fault(93, "loader killed by the system")
@pytest.mark.usefixtures("alarm")
def test_the_death_of_a_process_in_a_later_epoch_is_told_and_the_run_goes_on(
    tmp_path: Path,
) -> None:
    order, fired = order_of(), tmp_path / "fired"
    batches = run_batches(Dying(fired), order, epochs=3, workers=1)
    seen: list[object] = []

    def collect() -> None:
        for batch in batches:
            seen.append(batch[:, :3].tolist())
            assert signal.getsignal(signal.SIGCHLD) == signal.SIG_DFL

    with pytest.raises(InputError, match="workers"):
        collect()
    assert fired.exists()
    # Of those that were ready, two may have died with it.
    assert len(order) - 2 <= len(seen) <= len(order) + 1
    rest = run_batches(Dying(fired), order, epochs=3, start=len(seen), workers=1)
    seen += [batch[:, :3].tolist() for batch in rest]
    assert seen == [b[:, :3].tolist() for b in run_batches(Places(), order, epochs=3)]


@pytest.mark.parametrize("workers", [0, 2])
def test_an_unreadable_item_gives_its_one_line_from_any_epoch(tmp_path: Path, workers: int) -> None:
    dataset = Dying(tmp_path / "fired", InputError("cannot read it; mend it"))
    with pytest.raises(InputError, match=r"^cannot read it; mend it$"):
        list(run_batches(dataset, order_of(), epochs=3, workers=workers))


def test_a_batch_moves_to_a_device_whole() -> None:
    batch = (torch.ones(2, 3), torch.arange(2))
    moved = move_batch(batch, torch.device("meta"))
    assert [tensor.device.type for tensor in moved] == ["meta", "meta"]
    assert [tensor.shape for tensor in moved] == [(2, 3), (2,)]
    stayed = move_batch(batch, torch.device("cpu"))
    assert all(one is other for one, other in zip(stayed, batch, strict=True))
