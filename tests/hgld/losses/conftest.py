"""The two ways to do the sums of a ranking loss, for tests that both must pass."""

import pytest
import torch

from hgld.losses import sup_hap_loss
from hgld.losses.ranking import sums


@pytest.fixture(scope="session", autouse=True)
def _sums_are_compiled() -> None:
    """Lets no test wait for numba, which compiles for seconds where nothing is on the disk yet."""
    sup_hap_loss(torch.eye(2), torch.arange(2))


@pytest.fixture(params=["numba", "torch"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Lets numba or torch do the sums."""
    if request.param == "torch":
        monkeypatch.setattr(sums, "_compiled", lambda: None)
    return str(request.param)
