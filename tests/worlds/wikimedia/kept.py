"""What a scrape has kept and written, for tests that look into it."""

from pathlib import Path
from typing import Any

from hgld.engine.dataset import Dataset
from hgld.engine.workspace import Workspace
from hgld.scrape.archive import RawAnswer, RawArchive


def kept_answers(folder: Path) -> list[RawAnswer]:
    """Returns the answers of a folder of the archive, oldest first, all of which are sound."""
    kept: list[RawAnswer] = []
    assert RawArchive(folder).load(kept.append) == []
    return kept


def table_rows(workspace: Workspace, dataset: Dataset) -> list[dict[str, Any]]:
    """Returns the rows of a table without the time of the fetch."""
    rows = workspace.read(dataset).to_pylist()
    return [{key: row[key] for key in row if key != "fetched_at"} for row in rows]
