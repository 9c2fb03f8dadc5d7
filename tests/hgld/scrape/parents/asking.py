"""The parents stage run on a small Commons, and what it wrote and asked."""

from typing import Any

import pyarrow.parquet as pq

from hgld.engine.stage import StageReport
from hgld.engine.workspace import Workspace
from hgld.scrape.parents.stage import ParentsConfig, run_parents
from hgld.tables import PARENTS
from tests.worlds.wikimedia.scraping import fast_config
from tests.worlds.wikimedia.small import FOUND_PARENTS, Server

_ABOVE = {"Bergamo", "Churches in Bergamo", "Old churches", "Ring X", "Towers in Bergamo"}
LEVELS = [sorted(FOUND_PARENTS), sorted(f"Category:{name}" for name in _ABOVE)]


def run_small(workspace: Workspace, server: Server, **settings: Any) -> StageReport:  # noqa: ANN401
    return run_parents(workspace, ParentsConfig(), fast_config(server, **settings))


def written_rows(workspace: Workspace) -> list[dict[str, Any]]:
    """Returns what is written, whole or not."""
    (shard,) = workspace.shards(PARENTS)
    assert shard.name == "00000.parquet"
    rows: list[dict[str, Any]] = pq.read_table(shard, partitioning=None).to_pylist()
    return rows


def found_parents(workspace: Workspace) -> dict[str, tuple[list[str], list[str]]]:
    rows = written_rows(workspace)
    assert [row["page_title"] for row in rows] == sorted({row["page_title"] for row in rows})
    return {row["page_title"]: (row["parents"], row["grandparents"]) for row in rows}


def failed_titles(workspace: Workspace) -> dict[str, str]:
    rows = written_rows(workspace)
    return {row["page_title"]: row["error"] for row in rows if row["status"] == "failed"}


def asked_titles(server: Server) -> list[list[str]]:
    """Returns the titles of each request for parents, in order; a continued one is there again."""
    return [form["titles"].split("|") for _, form in server.hits if "clshow" in form]
