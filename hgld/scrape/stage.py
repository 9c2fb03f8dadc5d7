"""The scrape: from each landmark's Commons category to its classes.

Fetching fills the raw archive (`hgld.scrape.questions`); the tables are made only from the archive
and the input. Every input row becomes a row of CATEGORIES with one status:

    ok             the landmark's item has classes
    no_page        the category does not exist, or its URL names no page
    no_item        the page has no Wikidata item, or an invalid one
    no_p31         the item has no usable *instance of* statement
    redirect_loop  the redirects form a loop
    failed         not known yet: nothing was archived for it, so a rerun asks again

When no row has failed, a second stage looks up the names of the classes in other ontologies, as
evidence for their labels. The scrape does not depend on it: a class whose evidence is unknown is a
failed row of that stage only, and the next run tries again. So it is with a third stage, which asks
where the landmarks lie (`hgld.scrape.places`). If a service cannot be reached, or no contact is
given, all that these two lack are failed rows.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from hgld.engine.config import row_settings
from hgld.engine.dataset import rows_digest
from hgld.engine.stage import Stage, StageReport, StageWriter, run_stage
from hgld.engine.workspace import Workspace
from hgld.errors import FetchError, InputError, MissingInputError
from hgld.scrape.archive import WIKIDATA_EVIDENCE, newest_generation, start_generation
from hgld.scrape.config import ScrapeConfig
from hgld.scrape.knowledge import Knowledge
from hgld.scrape.places import FACTS_STAGE, write_facts
from hgld.scrape.questions import Open, gather, gather_reached, opening
from hgld.scrape.refresh import REFRESH_STAGE, write_changes
from hgld.scrape.rows import rows_of_evidence, rows_of_landmark, rows_of_superclasses
from hgld.scrape.verify import refuse_loss, run_on_archive, write_incomplete
from hgld.scrape.wikimedia.titles import title_of_url
from hgld.scrape.wikimedia.wikidata import Entities
from hgld.tables import (
    ANSWER_LISTS,
    CATEGORIES,
    CLASS_EVIDENCE,
    CLASSES,
    LANDMARKS,
    SUPERCLASSES,
    qid_number,
)
from hgld.tables.csv_files import read_csv_list

__all__ = ["EVIDENCE_STAGE", "STAGE", "ScrapeConfig", "run_scrape"]

logger = logging.getLogger(__name__)

STAGE = Stage(
    name="scrape",
    version=3,
    inputs=(LANDMARKS,),
    outputs=(CATEGORIES, CLASSES, SUPERCLASSES, ANSWER_LISTS["scrape"]),
)

EVIDENCE_STAGE = Stage(
    name="evidence",
    version=1,
    inputs=(CLASSES,),
    outputs=(CLASS_EVIDENCE, ANSWER_LISTS["evidence"]),
    result=CLASS_EVIDENCE.path,
)

_SHARD_ROWS = 10_000
_SPLITS = ("train", "index")
_MOST_ID = (1 << 63) - 1
_MOST_DIGITS = len(str(_MOST_ID))


def run_scrape(
    workspace: Workspace, config: ScrapeConfig, categories: Path | None = None
) -> StageReport:
    """Runs the scrape; resumes one that was stopped.

    Args:
        workspace: the build.
        config: the settings.
        categories: a CSV file with the columns landmark_id, category and optionally split
            (default "train"), instead of the landmarks of GLDv2; None: the file that the settings
            name, if any.

    Returns:
        The report; its manifest counts the failed rows, except those of evidence and facts.

    Raises:
        FetchError: a service cannot be reached; the answers so far are kept.
        InputError: the CSV file is unusable, or no contact is given.
        DamagedError: in a replay, a file of the archive is damaged or missing.
        MissingInputError: no CSV file is given, and the metadata stage has not run.
    """
    settings = row_settings(config)
    rows, stage = landmarks_to_scrape(workspace, config, categories), STAGE
    if categories or config.categories:
        stage = replace(STAGE, inputs=())
        settings["categories"] = rows_digest(rows)
    settings["generation"] = generation = _generation(workspace, config)

    def scrape(writer: StageWriter, opened: Open) -> None:
        _write_tables(writer, config, rows, _learned(rows, config, opened))

    report = run_on_archive(workspace, stage, settings, config, scrape)
    if report.manifest.failed:
        return report
    _run_beside(workspace, config, settings)
    if generation:

        def compare(writer: StageWriter) -> None:
            earlier = opening(workspace, config, generation - 1, services=None)
            shards = _shards(rows, _learned(rows, config, earlier))
            was = [pa.concat_tables(parts) for parts in zip(*shards, strict=True)]
            write_changes(writer, was[0], was[1], generation)

        run_stage(workspace, REFRESH_STAGE, settings, compare, force=config.replay)
    return report


def _run_beside(workspace: Workspace, config: ScrapeConfig, settings: dict[str, object]) -> None:
    """Runs the stages on which the scrape does not depend."""
    for stage, write in ((EVIDENCE_STAGE, write_evidence), (FACTS_STAGE, write_facts)):
        try:
            run_on_archive(workspace, stage, settings, config, partial(write, config))
        except FetchError as error:
            logger.warning("%s: %s; the next scrape tries again", stage.name, error)


def landmarks_to_scrape(
    workspace: Workspace, config: ScrapeConfig, categories: Path | None = None
) -> pa.Table:
    """Returns the rows of LANDMARKS of a scrape; see `run_scrape`."""
    path = categories or config.categories
    return workspace.read(LANDMARKS) if path is None else _read_categories(path)


def _read_categories(path: Path) -> pa.Table:
    """Reads the landmarks to scrape from a CSV file.

    Args:
        path: a file for `read_csv_list`, with the columns landmark_id, category and optionally
            split (default "train"); other columns are ignored.

    Returns:
        Rows in LANDMARKS' schema, in the order of the file.

    Raises:
        InputError: the file cannot be read, or has a bad row, which the message names.
    """
    rows, row_of = [], dict[tuple[str, int], int]()
    for row, cells in read_csv_list(path, ("landmark_id", "category"), ("split",)):
        number = cells["landmark_id"].strip()
        is_number = number.isascii() and number.isdecimal() and len(number) <= _MOST_DIGITS
        if not is_number or int(number) > _MOST_ID:
            raise InputError(f"{path} row {row} must have a landmark_id, got {number!r:.60}")
        landmark_id, split = int(number), cells.get("split", "train")
        if split not in _SPLITS:
            raise InputError(f"{path} row {row} must have split train or index, got {split!r:.60}")
        if (before := row_of.setdefault((split, landmark_id), row)) != row:
            raise InputError(
                f"{path} row {row} repeats landmark_id {landmark_id} of {split} from row {before}; "
                f"keep one"
            )
        rows.append({"split": split, "landmark_id": landmark_id, "category": cells["category"]})
    return pa.Table.from_pylist(rows, schema=LANDMARKS.schema)


def _generation(workspace: Workspace, config: ScrapeConfig) -> int:
    """Returns the generation of the raw archive to fill; a refresh starts a new one.

    Raises:
        MissingInputError: a refresh needs a complete scrape to compare with.
    """
    newest = newest_generation(workspace)
    if not config.refresh:
        return newest
    # The stages of the newest generation, in order: it is resumed until all are done.
    stages = (STAGE, REFRESH_STAGE) if newest else (STAGE,)
    done = [workspace.manifest(stage.name) for stage in stages]
    if any(
        one is None or one.failed or one.settings.get("generation", 0) != newest for one in done
    ):
        if newest:
            return newest
        raise MissingInputError(
            f"{workspace.root} has no complete scrape to refresh; run "
            f"{workspace.command('scrape')} without --refresh"
        )
    start_generation(workspace, newest + 1)
    return newest + 1


_Shard = tuple[pa.Table, pa.Table]
"""CATEGORIES and CLASSES of some landmarks."""


def _learned(rows: pa.Table, config: ScrapeConfig, opened: Open) -> Knowledge:
    """Returns everything known after asking."""
    known = Knowledge(follows_moves=config.follow_moves)
    gather(known, opened, titles_to_ask(rows), config.superclass_depth)
    return known


def titles_to_ask(rows: pa.Table) -> list[str]:
    """Returns the titles, or Q-ids, that rows of LANDMARKS name, each once."""
    titles = dict[str, None]()
    for url in rows["category"].to_pylist():
        with suppress(ValueError):  # it names none: see its row
            titles[title_of_url(url)] = None
    return list(titles)


def _shards(rows: pa.Table, known: Knowledge) -> Iterator[_Shard]:
    """Yields the rows of `_SHARD_ROWS` landmarks at a time, at least one shard."""
    for start in range(0, max(1, len(rows)), _SHARD_ROWS):
        landmarks = rows.slice(start, _SHARD_ROWS).to_pylist()
        found = [rows_of_landmark(row, known) for row in landmarks]
        classes = (row for _, of_one in found for row in of_one)
        yield _table((row for row, _ in found), CATEGORIES.schema), _table(classes, CLASSES.schema)


def _write_tables(
    writer: StageWriter, config: ScrapeConfig, rows: pa.Table, known: Knowledge
) -> None:
    statuses = Counter[str]()
    qids = set[str]()
    for number, (categories, classes) in enumerate(_shards(rows, known)):
        writer.write(CATEGORIES, f"{number:05d}", categories)
        writer.write(CLASSES, f"{number:05d}", classes)
        statuses.update(categories["status"].to_pylist())
        qids.update(classes["class_qid"].to_pylist())
    refuse_loss(writer, statuses, replay=config.replay)
    above = rows_of_superclasses(qids, known.classes, config.superclass_depth)
    writer.write(SUPERCLASSES, "00000", _table(above, SUPERCLASSES.schema))
    counts = ", ".join(f"{count:,} {status}" for status, count in statuses.most_common())
    logger.info("scrape: %s landmarks: %s", f"{statuses.total():,}", counts)


def write_evidence(config: ScrapeConfig, writer: StageWriter, opened: Open) -> None:
    """Writes the table of the evidence stage, after a complete scrape."""
    column = writer.workspace.read(CLASSES, columns=["class_qid"])["class_qid"]
    classes: list[str] = sorted(pc.unique(column).to_pylist(), key=qid_number)
    known = Entities()
    gather_reached(opened(WIKIDATA_EVIDENCE, known), known, classes)
    table = _table(rows_of_evidence(classes, known), CLASS_EVIDENCE.schema)
    write_incomplete(writer, CLASS_EVIDENCE, [table], replay=config.replay)


def _table(rows: Iterable[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=schema)
