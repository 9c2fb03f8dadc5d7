"""Stage `propose`: a proposal for each class and each cluster, with its evidence."""

import hashlib
import logging
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from hgld.engine.config import Settings, row_settings, setting
from hgld.engine.files import file_digest
from hgld.engine.stage import Stage, StageReport, StageWriter, run_stage
from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError
from hgld.labels.embedding.cache import from_lists
from hgld.labels.proposing.knowledge import ProposalInputs, Ruling, shipped_knowledge
from hgld.labels.proposing.learning import OpenProposals
from hgld.labels.proposing.opinions import IGNORE
from hgld.labels.proposing.proposals import Proposal, cluster_proposals, proposals_table
from hgld.labels.taxonomy.rows import SHIPPED, TaxonomyTables, load_taxonomy_tables
from hgld.tables import (
    CLASS_EVIDENCE,
    CLUSTER_PROPOSALS,
    CLUSTERS,
    DECIDED,
    EMBEDDINGS,
    PROPOSALS,
    SUPERCLASSES,
    WORDS,
)

logger = logging.getLogger(__name__)

_EVIDENCE_FILE = f"{CLASS_EVIDENCE.path}/00000.parquet"
_CALIBRATION = Path(__file__).parent / "calibration.csv"

STAGE = Stage(
    name="propose",
    version=3,
    inputs=(CLUSTERS, EMBEDDINGS, WORDS, SUPERCLASSES, DECIDED),
    input_files=(_EVIDENCE_FILE,),
    outputs=(PROPOSALS, CLUSTER_PROPOSALS),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposeConfig(Settings):
    """Settings of the stage."""

    taxonomy: Path | None = setting(
        None,
        "Folder of your own taxonomy. Only its lines matter, not its path.",
        changes_rows=False,
    )


def run_propose(workspace: Workspace, config: ProposeConfig) -> StageReport:
    """Runs the stage.

    Args:
        workspace: a build whose `cluster` and `decided` have finished.
        config: the settings.

    Returns:
        The report; `rows` counts classes and clusters.

    Raises:
        MissingInputError: no clusters, words, superclasses or decisions.
        DamagedError: the embeddings do not match the classes.
        InputError: the taxonomy cannot be read.
    """
    tables = load_taxonomy_tables(config.taxonomy)  # first, because its errors are the clearest
    # A user's own taxonomy is recorded under the name of its setting, which `hgld status` reads.
    told = "taxonomy" if config.taxonomy else "shipped_taxonomy"
    settings = row_settings(config) | {
        told: _digest(config.taxonomy or SHIPPED),
        "calibration_sha256": file_digest(_CALIBRATION),
    }
    return run_stage(workspace, STAGE, settings, lambda writer: _produce(workspace, tables, writer))


def _digest(folder: Path) -> str:
    """Returns the digest of a taxonomy's tables and of the distilled ones, which always count."""
    files = {path.name: path for path in folder.glob("*.csv")}
    files |= {name: SHIPPED / name for name in ("wordnet.csv", "openstreetmap.csv")}
    lines = sorted(f"{name} {file_digest(path)}" for name, path in files.items())
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _produce(workspace: Workspace, tables: TaxonomyTables, writer: StageWriter) -> None:
    classes = workspace.read(CLUSTERS)
    rows: list[Proposal] = []
    if len(classes):
        proposals = OpenProposals(read_inputs(workspace, classes, tables))
        proposals.decide(_rulings(workspace.read(DECIDED)))
        rows = proposals.proposals()
    writer.write(PROPOSALS, "proposals", proposals_table(rows))
    writer.write(CLUSTER_PROPOSALS, "clusters", cluster_proposals(rows))
    actions = Counter(row.proposed_action for row in rows)
    told = ", ".join(f"{count:,} {one}" for one, count in actions.items())
    logger.info("propose: %s", told or "no landmark has a class")


def _rulings(decided: pa.Table) -> dict[str, Ruling | None]:
    return {
        row["class_qid"]: Ruling(row["hierarchical_label"], row["natural_or_human_made"])
        if row["action"] == "assign"
        else Ruling(IGNORE)
        for row in decided.to_pylist()
    }


def read_inputs(
    workspace: Workspace, classes: pa.Table, taxonomy: TaxonomyTables
) -> ProposalInputs:
    """Reads the inputs of a build's proposals.

    Args:
        workspace: a build whose `cluster` has finished.
        classes: its CLUSTERS, at least one row.
        taxonomy: the tables, of a user or the shipped ones.

    Raises:
        MissingInputError: no vectors, words or superclasses.
        DamagedError: the embeddings do not match the classes.
    """
    return ProposalInputs(
        classes=classes,
        vectors=vectors_of_build(workspace, classes),
        words=workspace.read(WORDS),
        knowledge=shipped_knowledge(taxonomy),
        superclasses=workspace.read(SUPERCLASSES),
        tags=_tags(workspace.path(_EVIDENCE_FILE)),
    )


def _tags(evidence: Path) -> dict[str, list[str]]:
    """Returns class to its OpenStreetMap tags, sorted; empty if no evidence was fetched."""
    found = defaultdict[str, list[str]](list)
    if evidence.exists():
        wanted = (pc.field("property") == "P1282") & pc.field("value").is_valid()
        rows = pq.read_table(evidence, columns=["class_qid", "value"], filters=wanted)
        for qid, tag in sorted(zip(*(one.to_pylist() for one in rows.columns), strict=True)):
            found[qid].append(tag)
    return found


def vectors_of_build(workspace: Workspace, classes: pa.Table) -> NDArray[np.float32]:
    """Returns the vector of each class, float32 (n, D), in the order of the classes.

    Raises:
        DamagedError: a class has no vector.
    """
    table = workspace.read(EMBEDDINGS, ["class_qid", "embedding"])
    places = pc.index_in(classes["class_qid"], value_set=table["class_qid"])
    if places.null_count:
        raise DamagedError(
            f"{workspace.path(EMBEDDINGS.path)} must have a vector for each class; delete it and "
            f"run {workspace.command('embed')} again"
        )
    return np.asarray(from_lists(table["embedding"])[places.to_numpy()], dtype=np.float32)
