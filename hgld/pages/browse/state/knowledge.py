"""What the build knows beyond its release: clusters, proposals, and when who decided what."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

import pyarrow as pa

from hgld.engine.workspace import Workspace
from hgld.errors import HgldError
from hgld.review.log.decisions import read_decisions
from hgld.review.log.history import Decision
from hgld.tables import CATEGORIES, CLUSTER_PROPOSALS, CLUSTERS, FILLS, PROPOSALS, TAXONOMY

logger = logging.getLogger(__name__)

ToldRow = dict[str, Any]
_Found = TypeVar("_Found")


class KnownCluster(NamedTuple):
    """The cluster of a class."""

    number: int
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildKnowledge:
    """Each part is empty where the build has not that, or there is no build."""

    taxonomy: dict[str, ToldRow] = field(default_factory=dict)
    """class_qid to its row of TAXONOMY."""
    clusters: dict[str, KnownCluster] = field(default_factory=dict)
    """class_qid to its cluster."""
    proposals: dict[str, ToldRow] = field(default_factory=dict)
    """class_qid to its row of PROPOSALS."""
    decisions: dict[str, Decision] = field(default_factory=dict)
    """class_qid to what a person decided last, with the time and the note."""
    pages: dict[tuple[str, int], str] = field(default_factory=dict)
    """Landmark to the title of its page after redirects, where that is another one."""
    fills: dict[tuple[str, int], ToldRow] = field(default_factory=dict)
    """Landmark to its row of FILLS."""


def read_knowledge(workspace: Workspace | None) -> BuildKnowledge:
    """Reads what the build knows; what is missing or damaged is left out and logged."""
    if workspace is None:
        return BuildKnowledge()
    return BuildKnowledge(
        taxonomy=_part(lambda: _by_class(workspace.read(TAXONOMY)), {}),
        clusters=_part(lambda: _clusters(workspace), {}),
        proposals=_part(lambda: _by_class(workspace.read(PROPOSALS)), {}),
        decisions=_part(lambda: read_decisions(workspace), {}),
        pages=_part(lambda: _pages(workspace), {}),
        fills=_part(lambda: _by_landmark(workspace.read(FILLS)), {}),
    )


def _part(read: Callable[[], _Found], nothing: _Found) -> _Found:
    try:
        return read()
    except HgldError as error:
        logger.debug("browse: not shown: %s", error)
        return nothing


def _by_class(table: pa.Table) -> dict[str, ToldRow]:
    return {row["class_qid"]: row for row in table.to_pylist()}


def _by_landmark(table: pa.Table) -> dict[tuple[str, int], ToldRow]:
    return {(row["split"], row["landmark_id"]): row for row in table.to_pylist()}


def _clusters(workspace: Workspace) -> dict[str, KnownCluster]:
    rows = workspace.read(CLUSTERS, ["class_qid", "cluster_id"]).to_pylist()
    names: dict[int, str] = _part(
        lambda: {
            row["cluster_id"]: row["name"]
            for row in workspace.read(CLUSTER_PROPOSALS, ["cluster_id", "name"]).to_pylist()
        },
        {},
    )
    return {
        row["class_qid"]: KnownCluster(row["cluster_id"], names.get(row["cluster_id"], ""))
        for row in rows
    }


def _pages(workspace: Workspace) -> dict[tuple[str, int], str]:
    table = workspace.read(CATEGORIES, ["split", "landmark_id", "page_title"])
    columns = (table[name].to_pylist() for name in table.column_names)
    return {(split, number): title for split, number, title in zip(*columns, strict=True) if title}
