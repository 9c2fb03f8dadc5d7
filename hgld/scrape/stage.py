"""The scrape: from each landmark's Commons category to its classes.

Fetching fills the raw archive (`hgld.scrape.live`); the tables are made from the archive and the
input alone. Every input row ends in a row of CATEGORIES with one status:

    ok             the landmark's item has classes
    no_page        the category does not exist, or its URL names no page
    no_item        the page has no Wikidata item, or names none that there could be
    no_p31         the item has no usable *instance of* statement
    redirect_loop  the redirects lead nowhere
    failed         not known yet: nothing was archived for it, so a rerun asks again

When no row has failed, a stage of its own looks up what the classes are called elsewhere. That is
evidence, and must not hold up what it is evidence for: a class of which it is not known is a failed
row there, the scrape is whole all the same, and the next run tries again. A build that an earlier
version scraped is asked about this alone.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from hgld.engine.config import row_settings
from hgld.engine.dataset import rows_digest
from hgld.engine.stage import Stage, StageReport, StageWriter, run_stage
from hgld.engine.status import stage_status
from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, InputError, MissingInputError
from hgld.http.session import require_contact
from hgld.scrape.archive import Misfit, newest_generation, start_generation, words_of
from hgld.scrape.config import ScrapeConfig
from hgld.scrape.knowledge import Knowledge
from hgld.scrape.live.evidence import gather_evidence
from hgld.scrape.live.gather import gather
from hgld.scrape.live.questions import Questions, open_questions
from hgld.scrape.live.services import open_services
from hgld.scrape.refresh import REFRESH_STAGE, LandmarkKey, Seen, seen_of_landmark, write_changes
from hgld.scrape.rows.landmarks import read_categories
from hgld.scrape.rows.made import rows_of_evidence, rows_of_landmark, rows_of_superclasses
from hgld.scrape.wikimedia.titles import TitleOrError, known_titles, titles_of
from hgld.tables import (
    CATEGORIES,
    CLASS_EVIDENCE,
    CLASSES,
    LANDMARKS,
    SUPERCLASSES,
    qid_number,
)

__all__ = ["EVIDENCE_STAGE", "STAGE", "ScrapeConfig", "run_scrape"]

logger = logging.getLogger(__name__)

STAGE = Stage(
    name="scrape",
    version=2,
    inputs=(LANDMARKS,),
    outputs=(CATEGORIES, CLASSES, SUPERCLASSES),
)

EVIDENCE_STAGE = Stage(name="evidence", version=1, inputs=(CLASSES,), outputs=(CLASS_EVIDENCE,))

_SHARD_ROWS = 10_000


def run_scrape(
    workspace: Workspace, config: ScrapeConfig, categories: Path | None = None
) -> StageReport:
    """Runs the scrape, or goes on with one that was stopped.

    Args:
        workspace: the build.
        config: the settings.
        categories: a CSV file with the columns landmark_id and category, and perhaps split
            ("train" where there is none), instead of the landmarks of GLDv2; None: the one that
            the settings name, if any.

    Returns:
        The report; failed rows are counted in its manifest, but those of evidence.

    Raises:
        FetchError: a service cannot be reached; what was answered is kept.
        InputError: the CSV file is unusable, no contact is given, or a retry is asked for and no
            run has ended with these settings and rows.
        DamagedError: a replay whose rows are all there, although a file of the archive is damaged.
        MissingInputError: no CSV file is given, and the metadata stage has not run.
    """
    if not config.replay and workspace.manifest(STAGE.name) is None:
        # Before anything is read. Where a scrape has ended there may be nothing left to ask.
        require_contact(config.contact, config.commons, config.sparql)
    settings = row_settings(config)
    categories = categories or config.categories
    if categories is None:
        stage, rows = STAGE, workspace.read(LANDMARKS)
    else:
        stage, rows = replace(STAGE, inputs=()), read_categories(categories)
        settings["categories"] = rows_digest(rows)
    settings["generation"] = generation = _generation(workspace, config)
    if config.retry:
        _require_ended(workspace, stage, settings)
    # A replay is asked for to see the archive's rows, not to hear that they are there.
    misfits: list[Misfit] = []
    report = run_stage(
        workspace,
        stage,
        settings,
        lambda writer: misfits.extend(_scrape(writer, config, rows, generation)),
        force=config.replay,
    )
    misfits += _run_evidence(workspace, config, report)
    if config.replay and misfits and not report.manifest.failed:
        raise DamagedError(
            f"every row is there, but {words_of(misfits)}: another answer may have told the same "
            f"at another time; run {workspace.command('scrape --force')} without --replay to set "
            f"it aside"
        )
    if generation and not report.manifest.failed:
        run_stage(
            workspace,
            REFRESH_STAGE,
            settings,
            lambda writer: write_changes(
                writer, _before(workspace, config, rows, generation), generation
            ),
            force=config.replay,
        )
    return report


def _generation(workspace: Workspace, config: ScrapeConfig) -> int:
    """Returns the generation of the raw archive to fill, a new one where a refresh starts.

    Raises:
        MissingInputError: a refresh is asked for, and there is no whole scrape to compare with.
    """
    newest = newest_generation(workspace)
    if not config.refresh:
        return newest
    # The stages of the newest generation, in order: until all are done it is gone on with.
    stages = (STAGE, REFRESH_STAGE) if newest else (STAGE,)
    done = [workspace.manifest(stage.name) for stage in stages]
    if any(
        one is None or one.failed or one.settings.get("generation", 0) != newest for one in done
    ):
        if newest:
            return newest
        raise MissingInputError(
            f"{workspace.root} has no whole scrape to refresh; run {workspace.command('scrape')}, "
            f"without --refresh"
        )
    start_generation(workspace, newest + 1)
    return newest + 1


def _before(
    workspace: Workspace, config: ScrapeConfig, rows: pa.Table, generation: int
) -> Iterator[tuple[LandmarkKey, Seen]]:
    """Yields what the generation before says of the same rows, from the archive alone."""
    names = titles_of(rows["category"].to_pylist())
    questions = open_questions(workspace, config, generation - 1, services=None)
    gather(questions, known_titles(names), config.superclass_depth)
    for start in range(0, len(rows), _SHARD_ROWS):
        shard = rows.slice(start, _SHARD_ROWS).to_pylist()
        for row, name in zip(shard, names[start : start + _SHARD_ROWS], strict=True):
            yield seen_of_landmark(*rows_of_landmark(row, name, questions.known))


def _require_ended(workspace: Workspace, stage: Stage, settings: dict[str, object]) -> None:
    """Refuses a retry that would ask for more than what failed.

    Raises:
        InputError: no run has ended with these settings and rows.
    """
    if workspace.manifest(stage.name) is None:
        raise InputError(
            "--retry failed needs a scrape that has ended, and none has here; run it without"
        )
    status = stage_status(workspace, stage, settings)
    if status.state == "stale":
        raise InputError(
            f"--retry failed tries the rows of the last scrape again, and this is another one "
            f"({status.reason}); run it as it was, or without --retry"
        )


def _scrape(
    writer: StageWriter, config: ScrapeConfig, rows: pa.Table, generation: int
) -> list[Misfit]:
    """Writes the tables; returns the files of the archive that are no answers kept there."""
    if not config.replay:
        require_contact(config.contact, config.commons, config.sparql)
    names = titles_of(rows["category"].to_pylist())
    titles = known_titles(names)
    with open_services(config) as services:
        config = config.without_logins()  # what is archived and logged has none
        questions = open_questions(writer.workspace, config, generation, services)
        _log_budget(questions, titles, config)
        gather(questions, titles, config.superclass_depth)
    _write_tables(writer, rows, names, questions.known, config.superclass_depth)
    return [misfit for question in questions.all() for misfit in question.misfits]


def _write_tables(
    writer: StageWriter,
    rows: pa.Table,
    names: Sequence[TitleOrError],
    known: Knowledge,
    superclass_depth: int,
) -> None:
    statuses = Counter[str]()
    classes: dict[str, None] = {}
    for start in range(0, max(1, len(rows)), _SHARD_ROWS):
        shard = rows.slice(start, _SHARD_ROWS).to_pylist()
        pairs = zip(shard, names[start : start + _SHARD_ROWS], strict=True)
        built = [rows_of_landmark(row, name, known) for row, name in pairs]
        shard_name = f"{start // _SHARD_ROWS:05d}"
        category_rows = [category for category, _ in built]
        class_rows = [row for _, of_landmark in built for row in of_landmark]
        writer.write(CATEGORIES, shard_name, _table(category_rows, CATEGORIES.schema))
        writer.write(CLASSES, shard_name, _table(class_rows, CLASSES.schema))
        statuses.update(row["status"] for row in category_rows)
        classes.update((row["class_qid"], None) for row in class_rows)
    above = rows_of_superclasses(classes, known, superclass_depth)
    writer.write(SUPERCLASSES, "00000", _table(above, SUPERCLASSES.schema))
    counts = ", ".join(f"{count} {status}" for status, count in statuses.most_common())
    logger.info("scrape: %d landmarks: %s", len(rows), counts)


def _run_evidence(workspace: Workspace, config: ScrapeConfig, scraped: StageReport) -> list[Misfit]:
    """Runs the stage of the evidence after a scrape that is whole.

    Returns:
        The files of the archive that are no answers kept there, where no failed row tells of them.
    """
    if scraped.manifest.failed:
        return []
    misfits: list[Misfit] = []

    def write(writer: StageWriter) -> None:
        column = workspace.read(CLASSES, columns=["class_qid"])["class_qid"]
        classes = sorted(pc.unique(column).to_pylist(), key=qid_number)
        evidence = gather_evidence(workspace, config, newest_generation(workspace), classes)
        rows = list(rows_of_evidence(classes, evidence))
        if config.replay and evidence.misfits and any(row["status"] == "failed" for row in rows):
            # Not for rows that were never asked for: that archive is older, and is not damaged.
            raise DamagedError(
                f"{words_of(evidence.misfits)}: what classes are called elsewhere stands as it "
                f"was; run {workspace.command('scrape --force')} without --replay to ask again"
            )
        writer.write(CLASS_EVIDENCE, "00000", _table(rows, CLASS_EVIDENCE.schema))
        misfits.extend(evidence.misfits)
        failed = [row for row in rows if row["status"] == "failed"]
        if failed:
            logger.warning(
                "evidence: not known of %d of %d classes, the first of them %s (%s); the classes "
                "are whole without it, and the next scrape tries again",
                *(len(failed), len(classes), failed[0]["class_qid"], failed[0]["error"]),
            )

    settings = scraped.manifest.settings
    report = run_stage(workspace, EVIDENCE_STAGE, settings, write, force=config.replay)
    return [] if report.manifest.failed else misfits


def _log_budget(questions: Questions, titles: Sequence[str], config: ScrapeConfig) -> None:
    """Says what is about to be asked of whom, before the first request."""
    if config.replay:
        logger.info("scrape: %d titles, from the raw archive alone", len(titles))
        return
    missing = len(questions.pages.missing(titles))
    said = len(titles), len(titles) - missing, config.budget(missing)
    logger.info("scrape: %d titles, %d of them in the raw archive; %s", *said)


def _table(rows: Iterable[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=schema)
