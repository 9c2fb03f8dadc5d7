"""A build that ann has decided, and its second opinions."""

from pathlib import Path

import pytest

from hgld.pages.review.second.desk import SecondDesk
from hgld.pages.review.session import ReviewSession
from tests.hgld.pages.review.second.reviewed import write_reviewed
from tests.worlds.commands.once import made_once


@pytest.fixture(scope="session")
def small_build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a build that ann has decided, and its taxonomy."""
    return made_once(
        tmp_path_factory, "decided-review", lambda folder: write_reviewed(folder / "build")
    )


@pytest.fixture
def desk(session: ReviewSession) -> SecondDesk:
    """Where bob is asked."""
    return SecondDesk(session)


@pytest.fixture
def fixed_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draws the same in every run: most of what bob thinks otherwise, and a hidden one."""
    monkeypatch.setattr("hgld.pages.review.second.desk.secrets.token_hex", lambda _: "4")
