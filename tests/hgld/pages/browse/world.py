"""A small build that is finished: released twice, with pictures, clusters and a log."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq

from hgld.annotations.release.facts import ReleaseConfig
from hgld.engine.workspace import Workspace
from hgld.pages.browse.pages import BrowsePages
from hgld.review.log.decisions import append_decisions
from hgld.review.log.history import Decision
from hgld.tables import CLUSTER_PROPOSALS, CLUSTERS, PLACES, PROPOSALS
from tests.hgld.annotations import world
from tests.hgld.annotations.release.worlds import kept, release
from tests.hgld.annotations.world import CHURCH, LAKE, MUSEUM
from tests.worlds.builders import class_rows, table_of, write_stage, write_taxonomy
from tests.worlds.pages.pictures import write_pictures

Scraped = Mapping[tuple[str, int], Sequence[tuple[str, str]]]
"""Landmark to its classes and their labels."""
PICTURED = {"train": ("a0", "a1"), "index": ("b0", "b1"), "test": ("c0",)}
NOTE = "seen from the road"
HOSTILE = (
    '<img src=x onerror="window.hacked=1">',
    '"><script>window.hacked=2</script>',
    "{{7*7}} ${7*7} javascript:window.hacked=3 \u202e reversed",
    "W" * 240,  # a word that no line can hold
    "</title></textarea><svg onload=window.hacked=5> " + "a long name of many words " * 12,
)


def write_finished(root: Path) -> Workspace:
    """Writes a build with two releases, of which it holds the second.

    Between them the class `lake, or pond`, which was accepted unseen, is assigned to `lake`.
    """
    workspace = Workspace(root)
    world.write_inputs(workspace)
    world.write_places(workspace)
    write_pictures(workspace, PICTURED)
    _write_review(workspace)
    _release_twice(workspace, world.SCRAPED, "lake", {})
    return workspace


def write_hostile(root: Path) -> Workspace:
    """Writes a finished build whose names are attacks, or very long."""
    workspace = Workspace(root)
    of_train = (HOSTILE[2], *HOSTILE[:2], *HOSTILE[3:])  # landmarks 3, 1, 2, 4 and 5
    names = (*of_train, "lake", "\u00e9\u03c2 \u0939\u093f\u0928")
    urls = (f"http://commons.wikimedia.org/wiki/Category:{quote(one, safe='')}" for one in names)
    landmarks = [{**row, "category": url} for row, url in zip(world.LANDMARKS, urls, strict=True)]
    credit = {"author": HOSTILE[0], "title": HOSTILE[3], "license": "javascript:window.hacked=6"}
    credit["url"] = "javascript:window.hacked=7"
    made = [row | credit for row in world.ATTRIBUTIONS]
    attacks = dict(zip(world.LABELS, HOSTILE, strict=True))
    scraped = {
        key: [(qid, f"{label} {attacks[qid]}") for qid, label in classes]
        for key, classes in world.SCRAPED.items()
    }
    world.write_inputs(workspace, landmarks=landmarks, attributions=made, scraped=scraped)
    _write_hostile_places(workspace)
    write_pictures(workspace, {**PICTURED, "train": ("a0",)})
    museum = {MUSEUM: ("assigned", HOSTILE[1], "human-made")}
    _release_twice(workspace, scraped, HOSTILE[4], museum)
    return workspace


def released_alone(workspace: Workspace, folder: Path) -> Path:
    """Returns a copy of the release of a build, without the build."""
    return Path(shutil.copytree(workspace.path("annotations"), folder))


def with_churches(build: Workspace, *changes: Mapping[str, object]) -> BrowsePages:
    """Returns a data set with churches 100, 101 and so on, each with some columns changed."""
    path = build.path("annotations/landmarks.parquet")
    table = pq.read_table(path, partitioning=None)
    church = next(one for one in table.to_pylist() if one["class_qid"] == CHURCH)
    more = [{**church, "landmark_id": 100 + n, **one} for n, one in enumerate(changes)]
    pq.write_table(pa.concat_tables([table, pa.Table.from_pylist(more, schema=table.schema)]), path)
    return BrowsePages(build.root)


def _release_twice(
    workspace: Workspace, scraped: Scraped, lake: str, decided: dict[str, tuple[str, str, str]]
) -> None:
    """Releases a build, then again with lakes assigned to another label."""
    previous = None
    for lakes in (world.DECISIONS[LAKE], ("assigned", lake, "natural")):
        decisions = {**world.DECISIONS, **decided, LAKE: lakes}
        write_taxonomy(workspace, class_rows(scraped), decisions)
        config = ReleaseConfig(previous=previous, title=f"Labels {lake}", creators=(lake,))
        previous = kept(release(workspace, config), f"{workspace.root.name}-{lakes[0]}")


def _write_hostile_places(workspace: Workspace) -> None:
    """Writes two landmarks near each other in a place, country and continent with such names."""
    world.write_places(workspace)
    path = workspace.path(f"{PLACES.path}/00000.parquet")
    names = {"country": HOSTILE[0], "continent": HOSTILE[2], "place_names": [HOSTILE[3]]}
    here = names | {"latitude": 1.0, "longitude": 1.0, "coordinate_precision": 0.001}
    rows = [row | here for row in pq.read_table(path).to_pylist()]
    pq.write_table(table_of(PLACES, rows), path)


def _write_review(workspace: Workspace) -> None:
    """Writes a cluster of all classes, their proposals, and a decision with a note."""
    clusters: list[dict[str, object]] = [
        {"class_qid": qid, "class_label": label, "landmarks": 1, "cluster_id": 7, "similarity": 0.5}
        for qid, label in world.LABELS.items()
    ]
    asks = {"proposed_action": "ask", "confidence": 0.5, "tier": "doubtful", "evidence": "a noun"}
    proposals = [{**row, **asks, "runner_up_confidence": 0.0} for row in clusters]
    cluster = {"place": 0, "cluster_id": 7, "name": "buildings", "classes": 5, "open": 0}
    cluster |= {"landmarks": 5, "share": 1.0, "confidence": 1.0, "settles": 0.0}
    write_stage(workspace, [(CLUSTERS, table_of(CLUSTERS, clusters))])
    tables = ((PROPOSALS, proposals), (CLUSTER_PROPOSALS, [cluster]))
    write_stage(workspace, [(one, table_of(one, rows)) for one, rows in tables])
    church = Decision(
        decided_at="2025-02-03T04:05:06Z",
        reviewer="ann",
        class_qid=CHURCH,
        class_label="church building",
        action="assign",
        hierarchical_label="church",
        natural_or_human_made="human-made",
        note=NOTE,
    )
    append_decisions(workspace, [church])
