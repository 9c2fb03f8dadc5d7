"""Builds that are released, and the release after the next."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from hgld.annotations.levels import HierarchyConfig, run_hierarchy
from hgld.annotations.release.facts import ReleaseConfig
from hgld.annotations.release.stage import run_release
from hgld.annotations.stage import AnnotateConfig, run_annotate
from hgld.engine.workspace import Workspace
from tests.hgld.annotations.world import CHURCH, DECISIONS, SCRAPED
from tests.worlds.builders import class_rows, write_taxonomy

ALL = AnnotateConfig(train="all")
CHAPEL = {CHURCH: ("assigned", "chapel", "human-made")}


def release(
    workspace: Workspace, config: ReleaseConfig | None = None, annotate: AnnotateConfig = ALL
) -> Path:
    """Annotates and releases a build; returns the release's folder."""
    run_annotate(workspace, annotate)
    run_hierarchy(workspace, HierarchyConfig(levels=("landmark", "class")))
    run_release(workspace, config or ReleaseConfig())
    return workspace.path("annotations")


def kept(folder: Path, name: str) -> Path:
    """Returns a copy of a release, as its users have it."""
    copy = folder.parent.parent / name
    shutil.copytree(folder, copy)
    return copy


def decide(workspace: Workspace, decisions: Mapping[str, tuple[str, str, str]] = CHAPEL) -> None:
    """Has classes of the small world be decided otherwise."""
    write_taxonomy(workspace, class_rows(SCRAPED), {**DECISIONS, **decisions})


def tree(folder: Path) -> dict[str, bytes]:
    """Returns the content of every file of a folder, hidden ones too, by name."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def text_of(folder: Path, name: str) -> str:
    """Returns a text of a release."""
    return (folder / name).read_text(encoding="utf-8")


def releases(folder: Path) -> list[dict[str, Any]]:
    """Returns what a release says of itself and of those before it."""
    return list(json.loads(text_of(folder, "releases.json")))


def described(folder: Path) -> dict[str, Any]:
    """Returns what a release tells programs."""
    return dict(json.loads(text_of(folder, "croissant.json")))


def rows_of(folder: Path, pattern: str) -> list[dict[str, Any]]:
    """Returns the rows of a table of a release, shard after shard."""
    shards = [pq.read_table(path) for path in sorted(folder.glob(pattern))]
    return list(pa.concat_tables(shards).to_pylist()) if shards else []
