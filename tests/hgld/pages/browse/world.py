"""Small builds that are finished: released twice, with pictures, clusters and a log."""

import shutil
from pathlib import Path
from urllib.parse import quote

from hgld.annotations.release.facts import ReleaseConfig
from hgld.engine.workspace import Workspace
from hgld.review.log.decisions import append_decisions
from hgld.review.log.history import Decision
from hgld.tables import (
    CENTRES,
    CLUSTER_CHANGES,
    CLUSTER_PROPOSALS,
    CLUSTERS,
    PROPOSALS,
)
from tests.hgld.annotations.release.worlds import decide, kept, release
from tests.hgld.annotations.world import (
    ATTRIBUTIONS,
    CATEGORIES,
    CHURCH,
    DECISIONS,
    IMAGES,
    LABELS,
    LAKE,
    LANDMARKS,
    MUSEUM,
    SCRAPED,
)
from tests.worlds.builders import (
    class_rows,
    table_of,
    write_metadata,
    write_scrape,
    write_stage,
    write_taxonomy,
)
from tests.worlds.pages.pictures import write_pictures

PICTURED = {"train": ("a0", "a1"), "index": ("b0", "b1"), "test": ("c0",)}
NOTE = "seen from the road"


def write_finished(root: Path) -> Workspace:
    """Writes a build with two releases, of which it holds the second.

    Between them the class `lake, or pond`, which was accepted unseen, is assigned to `lake`.
    """
    workspace = Workspace(root)
    write_metadata(workspace, LANDMARKS, IMAGES, ATTRIBUTIONS)
    write_scrape(workspace, class_rows(SCRAPED), CATEGORIES)
    write_taxonomy(workspace, class_rows(SCRAPED), DECISIONS)
    write_pictures(workspace, PICTURED)
    _write_clusters(workspace)
    decision = Decision(
        decided_at="2025-02-03T04:05:06Z",
        reviewer="ann",
        class_qid=CHURCH,
        class_label=LABELS[CHURCH],
        action="assign",
        hierarchical_label="church",
        natural_or_human_made="human-made",
        note=NOTE,
    )
    append_decisions(workspace, [decision])
    before = kept(release(workspace), f"{root.name}-before")
    decide(workspace, {LAKE: ("assigned", "lake", "natural")})
    release(workspace, ReleaseConfig(previous=before))
    return workspace


HOSTILE = (
    '<img src=x onerror="window.hacked=1">',
    '"><script>window.hacked=2</script>',
    "{{7*7}} ${7*7} javascript:window.hacked=3 \u202e reversed",
    "W" * 240,  # a word that no line can hold
    "</title></textarea><svg onload=window.hacked=5> " + "a long name of many words " * 12,
)


def write_hostile(root: Path) -> Workspace:
    """Writes a finished build whose names are attacks, or very long; slugs are those of others."""
    workspace = Workspace(root)
    names = dict(zip((1, 2, 3, 4), HOSTILE, strict=False))
    landmarks = [
        {**row, "category": f"http://commons.wikimedia.org/wiki/Category:{quote(name, safe='')}"}
        if (name := names.get(int(str(row["landmark_id"])))) and row["split"] == "train"
        else row
        for row in LANDMARKS
    ]
    credit = {"author": HOSTILE[0], "title": HOSTILE[3], "license": "javascript:window.hacked=6"}
    attributions = [{**row, **credit, "url": "javascript:window.hacked=7"} for row in ATTRIBUTIONS]
    classes = {
        landmark: [
            (qid, f"{label} {HOSTILE[place % 5]}") for place, (qid, label) in enumerate(each)
        ]
        for landmark, each in SCRAPED.items()
    }
    write_metadata(workspace, landmarks, IMAGES, attributions)
    write_scrape(workspace, class_rows(classes), CATEGORIES)
    decisions = {
        **DECISIONS,
        LAKE: ("proposed", HOSTILE[3], "natural"),
        MUSEUM: ("assigned", HOSTILE[1], "human-made"),
    }
    write_taxonomy(workspace, class_rows(classes), decisions)
    write_pictures(workspace, {**PICTURED, "train": ("a0",)})
    before = kept(release(workspace), f"{root.name}-before")
    decisions[LAKE] = ("assigned", HOSTILE[4], "natural")
    write_taxonomy(workspace, class_rows(classes), decisions)
    config = ReleaseConfig(previous=before, description=HOSTILE[4], creators=(HOSTILE[0],))
    release(workspace, config)
    return workspace


def released_alone(workspace: Workspace, folder: Path) -> Path:
    """Returns a copy of the release of a build, without the build."""
    return Path(shutil.copytree(workspace.path("annotations"), folder))


def _write_clusters(workspace: Workspace) -> None:
    clusters: list[dict[str, object]] = [
        {"class_qid": qid, "class_label": label, "landmarks": 1, "cluster_id": 7, "similarity": 0.5}
        for qid, label in LABELS.items()
    ]
    centre = {"cluster_id": 7, "classes": 5, "landmarks": 5, "centre": [1.0]}
    changes: list[dict[str, object]] = []
    made = ((CLUSTERS, clusters), (CENTRES, [centre]), (CLUSTER_CHANGES, changes))
    write_stage(workspace, [(one, table_of(one, rows)) for one, rows in made])
    asks = {"proposed_action": "ask", "confidence": 0.5, "tier": "doubtful", "evidence": "a noun"}
    proposals = [{**row, **asks, "runner_up_confidence": 0.0} for row in clusters]
    cluster = {"place": 0, "cluster_id": 7, "name": "buildings", "classes": 5, "open": 0}
    cluster |= {"landmarks": 5, "share": 1.0, "confidence": 1.0, "settles": 0.0}
    tables = ((PROPOSALS, proposals), (CLUSTER_PROPOSALS, [cluster]))
    write_stage(workspace, [(one, table_of(one, rows)) for one, rows in tables])
