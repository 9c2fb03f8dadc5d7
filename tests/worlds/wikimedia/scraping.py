"""What tests of the scrape share: a small Wikimedia that runs, and settings and rows for it."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

import pyarrow.parquet as pq
import pytest
import requests

from hgld.engine.dataset import Dataset
from hgld.engine.stage import StageReport
from hgld.engine.workspace import Workspace
from hgld.http.patience import HttpPolicy
from hgld.http.session import make_session
from hgld.scrape.archive import RawAnswer, RawArchive
from hgld.scrape.config import ScrapeConfig
from hgld.tables import CATEGORIES
from tests.worlds.wikimedia.small import CATEGORIES_CSV, Server, serving

STATUSES = dict.fromkeys(range(1, 16), "ok") | dict.fromkeys((11, 12, 15), "no_page")
STATUSES |= {4: "redirect_loop", 5: "no_item", 8: "no_p31", 14: "redirect_loop"}
"""Landmark of `CATEGORIES_CSV` to the status it ends in."""


def written(workspace: Workspace, dataset: Dataset) -> list[dict[str, Any]]:
    """Returns the rows that are written, whether their stage is whole or not."""
    tables = [pq.read_table(shard, partitioning=None) for shard in workspace.shards(dataset)]
    return [row for table in tables for row in table.to_pylist()]


def statuses_of(workspace: Workspace) -> dict[int, str]:
    """Returns landmark_id to status, of what is written, finished or not."""
    rows = written(workspace, CATEGORIES)
    assert len(rows) == len({row["landmark_id"] for row in rows})
    return {row["landmark_id"]: row["status"] for row in rows}


def kept_answers(folder: Path) -> list[RawAnswer]:
    """Returns the answers of a folder of the archive, oldest first, all of which are sound."""
    kept: list[RawAnswer] = []
    assert RawArchive(folder).load(kept.append) == {}
    return kept


def fast_config(server: Server, **settings: Any) -> ScrapeConfig:  # noqa: ANN401 - any setting
    """Returns settings for small batches against a server."""
    addresses = {"commons": server.commons, "sparql": server.sparql}
    return ScrapeConfig(**addresses | {"keys_per_request": 4} | settings)


FAST_POLICY = HttpPolicy(backoff_s=0.01, attempts=3)


def post(server: Server, policy: HttpPolicy = FAST_POLICY) -> requests.Response:
    """Asks a server for one item, under a policy of short waits."""
    with make_session(policy=policy) as session:
        return session.post(server.sparql, data={"query": "SELECT ?item { VALUES ?item { 1 } }"})


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """The small Wikimedia, running; no scrape of it pauses after a fault."""
    monkeypatch.setattr(
        "hgld.scrape.services.POLICY", HttpPolicy(backoff_s=0.0, read_timeout_s=5.0)
    )
    monkeypatch.setattr("hgld.scrape.services.FAILURE_PAUSE_S", 0.0)
    with serving() as running:
        yield running


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds of each wait for a server, none of which is waited."""
    seconds: list[float] = []
    monkeypatch.setattr("hgld.http.patience.sleep", seconds.append)
    return seconds


def write_categories(path: Path, *names: str) -> Path:
    """Writes a list of landmarks, numbered from 0, with these categories."""
    rows = [f"{n},http://x/wiki/Category:{name}\n" for n, name in enumerate(names)]
    path.write_text("".join(["landmark_id,category\n", *rows]), encoding="utf-8")
    return path


@pytest.fixture
def categories(tmp_path: Path) -> Path:
    """A CSV file of landmarks to look up in it."""
    path = tmp_path / "categories.csv"
    path.write_text(CATEGORIES_CSV, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def clean(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The digests that an undisturbed scrape of the small Wikimedia leaves."""
    with small_of(tmp_path_factory.mktemp("clean"), "build") as small:
        return small.scrape().manifest.outputs


@dataclass(frozen=True, slots=True)
class Small:
    """A build, and the small Wikimedia that it is scraped from."""

    server: Server
    workspace: Workspace
    categories: Path
    clean: dict[str, str]
    """The digests that an undisturbed scrape leaves."""

    def scrape(
        self,
        categories: Path | None = None,
        *,
        force: bool = False,
        attempts: int | None = None,
        **settings: Any,  # noqa: ANN401 - any setting
    ) -> StageReport:
        from hgld.scrape import services
        from hgld.scrape.stage import run_scrape

        config, workspace = fast_config(self.server, **settings), self.workspace
        workspace = Workspace(workspace.root, remakes=True) if force else workspace
        policy = replace(services.POLICY, attempts=attempts or services.POLICY.attempts)
        with mock.patch.object(services, "POLICY", policy):
            return run_scrape(workspace, config, categories or self.categories)

    def statuses(self) -> dict[int, str]:
        return statuses_of(self.workspace)


@contextlib.contextmanager
def small_of(folder: Path, name: str) -> Iterator[Small]:
    """Gives a build of a name in a folder, with a small Wikimedia of its own."""
    categories = folder / "categories.csv"
    categories.write_text(CATEGORIES_CSV, encoding="utf-8")
    with serving() as server:
        yield Small(server, Workspace(folder / name), categories, {})


@pytest.fixture
def small(server: Server, workspace: Workspace, categories: Path, clean: dict[str, str]) -> Small:
    """A build that is not scraped yet."""
    return Small(server, workspace, categories, clean)


@pytest.fixture
def scraped(small: Small) -> Small:
    """A build that is scraped."""
    small.scrape()
    return small
