"""What classes are called elsewhere, from dump files.

It is kept of every entity that a round of `hgld.scrape.dumps.read` finds, so that it takes no pass
of its own. Of what an earlier version found it was not: the classes then take one pass more.
"""

import logging
from collections.abc import Mapping, Sequence

from hgld.engine.workspace import Workspace
from hgld.scrape.archive import DUMP_EVIDENCE, RawAnswer, RawArchive
from hgld.scrape.dumps.entities import read_entities
from hgld.scrape.dumps.files import DumpFiles
from hgld.scrape.dumps.kept import (
    chunks,
    dump_answer,
    evidence_fields,
    evidence_of,
    evidence_of_dump_answer,
    sound,
)
from hgld.scrape.knowledge import Evidence
from hgld.scrape.wikimedia.wikidata import Entities, Entity

logger = logging.getLogger(__name__)


def read_dump_evidence(workspace: Workspace, files: DumpFiles, classes: Sequence[str]) -> Evidence:
    """Reads of the dumps what classes are called elsewhere.

    Args:
        workspace: where it is kept what was found.
        files: the dumps.
        classes: Q-ids, each once.

    Raises:
        InputError: a dump is cut off, or holds something else; or the disk is full.
    """
    known, failed = Entities(), dict[str, str]()

    def take(kept: RawAnswer) -> None:
        found = evidence_of_dump_answer(kept)
        if kept.endpoint == digest:
            known.update({qid: found.get(qid, Entity()) for qid in kept.keys})

    digest, archive = files.digest(), RawArchive(workspace.path(DUMP_EVIDENCE))
    archive.load(take, mend=True)
    new = [qid for qid in classes if qid not in known]
    if new:
        logger.info("evidence: looking for %d classes in the dumps beside %s", len(new), files.page)
        found = read_entities(files, set(new))
        for qids in chunks(new):
            take(keep_evidence(archive, files, qids, found, failed))
    return Evidence(known=known, failed=failed)


def keep_evidence(
    archive: RawArchive,
    files: DumpFiles,
    qids: Sequence[str],
    found: Mapping[str, Entity],
    failed: dict[str, str],
) -> RawAnswer:
    """Keeps the evidence of entities that were looked up.

    Args:
        archive: of the folder `DUMP_EVIDENCE`.
        files: the dumps.
        qids: what was looked up, there or not.
        found: what was found.
        failed: is told of each that has what no table can hold why it is not kept.

    Returns:
        What was kept; nothing is where all of them are odd.
    """
    there = {qid: evidence_fields(found[qid]) for qid in qids if qid in found}
    told = {qid: values for qid, values in there.items() if values}
    answer = sound(told, evidence_of, failed)
    kept = dump_answer(files, (qid for qid in qids if qid not in failed), answer)
    if kept.keys:
        archive.append(kept)
    return kept
