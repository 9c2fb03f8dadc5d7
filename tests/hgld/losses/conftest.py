"""The two ways to do the sums of a ranking loss, for tests that both must pass."""

import pytest

from hgld.losses.ranking import sums


@pytest.fixture(scope="session", autouse=True)
def _sums_are_compiled(compiled_sums: None) -> None:
    """Has numba compile before the first test."""


@pytest.fixture(params=["numba", "torch"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Lets numba or torch do the sums."""
    if request.param == "torch":
        monkeypatch.setattr(sums, "_compiled", lambda: None)
    return str(request.param)
