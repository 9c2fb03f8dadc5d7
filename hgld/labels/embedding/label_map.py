"""Stage `map`: where each class lies on the map of all labels, for a page that draws them.

It is no step of a build: nothing is made of it. A page makes it when it is wanted.
"""

import logging
from typing import TYPE_CHECKING

import pyarrow as pa

from hgld.engine.stage import Stage, StageReport, StageWriter, run_stage
from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError
from hgld.labels.clustering.classes import checked_vectors
from hgld.labels.embedding.projection import label_projection
from hgld.labels.scikit_learn import library_settings
from hgld.tables import EMBEDDINGS, LABEL_MAP

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

STAGE = Stage(name="map", version=1, inputs=(EMBEDDINGS,), outputs=(LABEL_MAP,))


def run_map(workspace: Workspace, *, afresh: bool = False) -> StageReport:
    """Runs the stage.

    It starts from the map of the run before, so that classes stay where a person has seen them and
    new ones come in between (`label_projection` says when it cannot). Made again with nothing
    changed (`--force`), it is the map that it was.

    Args:
        workspace: a build whose `embed` has finished, and whose lock the caller holds where another
            process may write to it.
        afresh: runs again although nothing changed, and starts from no earlier map.

    Returns:
        The report; `rows` counts classes.

    Raises:
        MissingInputError: no embeddings, or the extra `cluster` is not installed.
        DamagedError: the embeddings are not unit vectors of one width.
    """
    settings = library_settings(workspace, STAGE.name)

    def produce(writer: StageWriter) -> None:
        table = workspace.read(EMBEDDINGS, ["class_qid", "embedding"])
        previous = None if afresh else _previous(workspace)
        is_of_these = writer.before is not None and writer.before.fingerprint == writer.fingerprint
        is_made = previous is not None and is_of_these
        rows = previous if is_made else _map_of(workspace, table, previous)
        writer.write(LABEL_MAP, "map", rows)

    return run_stage(workspace, STAGE, settings, produce, force=afresh)


def _previous(workspace: Workspace) -> pa.Table | None:
    """Reads the map of the run before; None where there is none, or it is damaged."""
    if workspace.manifest(STAGE.name) is None:
        return None
    try:
        return workspace.read(LABEL_MAP)
    except (DamagedError, pa.ArrowException, OSError) as error:
        why = str(error).splitlines()[0].partition("; run ")[0]
        logger.warning("map: starts cold, as if there had been no map before: %s", why)
        return None


def _map_of(workspace: Workspace, table: pa.Table, previous: pa.Table | None) -> pa.Table:
    """Returns the map of rows of EMBEDDINGS."""
    if not len(table):
        logger.warning("map: no landmark has a class; there is nothing to lay out")
        return LABEL_MAP.schema.empty_table()
    before = None if previous is None else _places(table["class_qid"], previous)
    plane = label_projection(checked_vectors(workspace, table), before)
    columns = {"class_qid": table["class_qid"], "x": plane[:, 0], "y": plane[:, 1]}
    return pa.table(columns)


def _places(qids: pa.ChunkedArray, previous: pa.Table) -> "NDArray[np.float32]":
    """Returns where classes lay on an earlier map, float32 (n, 2); NaN: they were not there."""
    import numpy as np

    columns = (previous[name].to_pylist() for name in ("class_qid", "x", "y"))
    there = {qid: (x, y) for qid, x, y in zip(*columns, strict=True)}
    nowhere = (np.nan, np.nan)
    return np.array([there.get(qid, nowhere) for qid in qids.to_pylist()], dtype=np.float32)
