import multiprocessing
import os
import signal
from collections.abc import Iterable
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.utils.data import Dataset

from hgld.errors import InputError
from hgld.training.data.images import RunPlace, load_batches, run_batches, seed_of
from hgld.training.data.sampler import LandmarkSampler


class Numbers(Dataset[Tensor]):
    """0, 1, 2, ... as tensors; one of them cannot be read."""

    def __init__(self, count: int, broken: int | None = None) -> None:
        self._count, self._broken = count, broken

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Tensor:
        if index == self._broken:
            raise InputError(f"cannot read number {index}; write it down again")
        return torch.tensor(index)


class Places(Dataset[Tensor]):
    """Items that are their own places, and the process that loads them and its niceness."""

    def __init__(self, fired: Path | None = None) -> None:
        self._fired = fired

    def __getitem__(self, place: RunPlace) -> Tensor:
        if self._fired and (place.epoch, place.position) == (1, 5) and not self._fired.exists():
            self._fired.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return torch.tensor([*place, os.getpid(), os.nice(0)])


ORDER = LandmarkSampler(
    torch.arange(6).repeat_interleave(4), batch_size=4, samples_per_landmark=2, max_per_landmark=4
)


def places_in(batches: Iterable[Tensor]) -> list[object]:
    return [batch[:, :3].tolist() for batch in batches]


@pytest.mark.parametrize("workers", [0, 2])
def test_an_unreadable_item_gives_its_one_line_and_ends_the_processes_at_once(workers: int) -> None:
    batches = load_batches(Numbers(4, broken=3), batch_size=2, workers=workers)
    assert next(batches)[1].tolist() == [0, 1]
    with pytest.raises(InputError, match=r"^cannot read number 3; write it down again$") as caught:
        next(batches)
    # While the error is held, and with it the loader: torch by itself would wait for 5 s each.
    assert multiprocessing.active_children() == []
    assert caught.value.__cause__ is not None


def test_the_same_processes_load_all_epochs_and_give_way_to_the_model() -> None:
    own = os.nice(0)
    batches = list(run_batches(Places(), ORDER, epochs=5, workers=2))
    assert len(batches) == 5 * len(ORDER)
    pids = {int(batch[0, 3]) for batch in batches}
    assert len(pids) == min(2, os.cpu_count() or 1)
    assert os.getpid() not in pids
    if not torch.cuda.is_available():
        assert {int(batch[0, 4]) for batch in batches} == {min(19, own + 10)}
    for number, batch in enumerate(batches):
        epoch, in_epoch = divmod(number, len(ORDER))
        assert (batch[:, 0] == epoch).all()
        assert batch[:, 1].tolist() == list(range(4 * in_epoch, 4 * in_epoch + 4))
        assert batch[:, 2].tolist() == ORDER.epoch(epoch)[in_epoch].tolist()


@pytest.mark.parametrize("start", [1, 6, 7, 12])
def test_batches_that_are_done_are_left_out(start: int) -> None:
    whole = places_in(run_batches(Places(), ORDER, epochs=2))
    assert places_in(run_batches(Places(), ORDER, epochs=2, start=start)) == whole[start:]


@pytest.mark.fault(93, "loader killed by the system")
def test_the_death_of_a_process_in_a_later_epoch_is_told_and_the_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loader = torch.utils.data.dataloader._MultiProcessingDataLoaderIter
    # Torch looks after its processes every 5 s.
    monkeypatch.setattr(loader._try_get_data, "__defaults__", (0.2,))
    fired = tmp_path / "fired"
    batches = run_batches(Places(fired), ORDER, epochs=3, workers=1)
    seen: list[object] = []

    def collect() -> None:
        for batch in batches:
            seen.extend(places_in([batch]))
            # Else it would be told at any line of a step.
            assert signal.getsignal(signal.SIGCHLD) == signal.SIG_DFL

    with pytest.raises(InputError, match="workers"):
        collect()
    assert fired.exists()
    # Of those that were ready, two may have died with it.
    assert len(ORDER) - 2 <= len(seen) <= len(ORDER) + 1
    seen += places_in(run_batches(Places(fired), ORDER, epochs=3, start=len(seen), workers=1))
    assert seen == places_in(run_batches(Places(), ORDER, epochs=3))


def test_a_seed_is_the_same_on_every_machine() -> None:
    # The first 8 bytes of sha256("a"), ca978112ca1bbdca, less the last bit.
    assert seed_of("a") == 0xCA978112CA1BBDCA >> 1
