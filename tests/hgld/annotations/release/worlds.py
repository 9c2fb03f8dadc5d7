"""Builds that are released, and the release after the next."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from hgld.annotations.release.facts import ReleaseConfig
from hgld.annotations.release.stage import run_release
from hgld.annotations.stage import AnnotateConfig, run_annotate
from hgld.engine.workspace import Workspace
from tests.hgld.annotations.world import DECISIONS, SCRAPED
from tests.worlds.builders import class_rows, write_taxonomy

ALL = AnnotateConfig(train="all")


def release(
    workspace: Workspace, config: ReleaseConfig | None = None, annotate: AnnotateConfig = ALL
) -> Path:
    """Annotates and releases a build; returns the release's folder."""
    run_annotate(workspace, annotate)
    run_release(workspace, config or ReleaseConfig())
    return workspace.path("annotations")


def kept(folder: Path, name: str) -> Path:
    """Returns a copy of a release, as its users have it."""
    copy = folder.parent.parent / name
    shutil.copytree(folder, copy)
    return copy


def decide(workspace: Workspace, decisions: Mapping[str, tuple[str, str, str]]) -> None:
    """Has classes of the small world be decided otherwise."""
    write_taxonomy(workspace, class_rows(SCRAPED), {**DECISIONS, **decisions})


def tree(folder: Path) -> dict[str, bytes]:
    """Returns the content of every file of a folder, hidden ones too, by name."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
