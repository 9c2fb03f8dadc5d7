from collections.abc import Iterator
from threading import Barrier

import pytest
import torch

from hgld.metrics.streamed.threads import torch_threads


@pytest.fixture
def three() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("three")
def test_every_thread_of_a_pool_runs_torch_with_one_thread() -> None:
    together = Barrier(2, timeout=30)  # so that both threads of the pool are seen

    def threads(_: int) -> int:
        together.wait()
        return torch.get_num_threads()

    with torch_threads(2) as pool:
        assert list(pool.map(threads, range(2))) == [1, 1]
    assert torch.get_num_threads() == 3


@pytest.mark.usefixtures("three")
def test_torch_has_its_threads_back_after_an_error() -> None:
    def fail() -> None:
        with torch_threads(2) as pool:
            assert pool.submit(torch.get_num_threads).result() == 1
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert torch.get_num_threads() == 3
