"""Whether a log lacks what the last review read in it, told from the build alone."""

import json
from collections.abc import Mapping

import pyarrow as pa
import pyarrow.parquet as pq

from hgld.engine.workspace import Workspace
from hgld.review.log.chain import Scan
from hgld.tables import TAXONOMY


def missed_by_review(workspace: Workspace, name: str, found: Scan) -> str:
    """Returns what the last review read in the log that is not in it, also where the copy is gone.

    Without this a build whose folder `review` was emptied would go on with a machine's proposals.

    Args:
        workspace: a build.
        name: of the log in it.
        found: the log; no line of it is damaged.

    Returns:
        As in "the log *is gone, ...*", with what to do; empty where nothing is missed.
    """
    done = workspace.manifest(TAXONOMY.stage)
    if done is not None:
        digest = done.inputs.get(name, "absent")
        is_lost = digest != "absent" and not found.grew_from(digest)
    else:
        decided = _decided(workspace)
        is_lost = bool(decided) and not decided <= set().union(
            *(_ruled(text) for _, text in found.lines)
        )
    if not is_lost:
        return ""
    if workspace.path(name).exists():
        what = (
            f"ends after line {found.count} and lacks decisions that the last review read, or has "
            f"others in their place"
        )
    else:
        what = "is gone, and so is its copy, and the last review read decisions in it"
    return f"{what}; restore it from a backup of your own"


def _decided(workspace: Workspace) -> set[str]:
    """Returns the classes that the taxonomy says a person decided, finished or not."""
    qids: set[str] = set()
    for path in workspace.shards(TAXONOMY):
        try:
            table = pq.read_table(path, columns=["class_qid", "reviewer"], partitioning=None)
            rows = table.to_pylist()
        except (pa.ArrowException, OSError, ValueError):  # damaged: its stage makes it again
            continue
        qids.update(row["class_qid"] for row in rows if row["reviewer"] is not None)
    return qids


def _ruled(text: bytes) -> set[str]:
    """Returns the classes that a line assigns or ignores, also where it is no event.

    One that was undone since was ruled all the same, and a remark on a class rules nothing.
    """
    values = json.loads(text)
    if not isinstance(values, dict):
        return set()
    qids = {str(values["class_qid"])} if "class_qid" in values else set()
    changes = values.get("changes")
    for change in changes if isinstance(changes, list) else ():
        match change:
            case {"effect": "assign" | "ignore", "classes": Mapping() as classes}:
                qids.update(classes)
            case _:
                pass
    return qids
