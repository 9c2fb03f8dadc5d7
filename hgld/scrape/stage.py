"""The scrape: from each landmark's Commons category to its classes.

Fetching fills the raw archive (`hgld.scrape.questions`); the tables are made from the archive and
the input only. Every input row ends in a row of CATEGORIES with one status:

    ok             the landmark's item has classes
    no_page        the category does not exist, or its URL names no page
    no_item        the page has no Wikidata item, or names none that there could be
    no_p31         the item has no usable *instance of* statement
    redirect_loop  the redirects lead nowhere
    failed         not known yet: nothing was archived for it, so a rerun asks again

When no row has failed, a stage of its own looks up what the classes are called elsewhere. That is
evidence, and must not hold up what it is evidence for: a class of which it is not known is a failed
row there, the scrape is whole all the same, and the next run tries again.
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
from hgld.engine.workspace import Workspace
from hgld.errors import FetchError, InputError, MissingInputError
from hgld.http.session import require_contact
from hgld.scrape.archive import WIKIDATA_EVIDENCE, newest_generation, start_generation
from hgld.scrape.categories import read_categories
from hgld.scrape.config import ScrapeConfig
from hgld.scrape.knowledge import Knowledge
from hgld.scrape.questions import (
    Questions,
    gather,
    gather_entities,
    open_question,
    open_questions,
)
from hgld.scrape.refresh import REFRESH_STAGE, LandmarkKey, Seen, seen_of_landmark, write_changes
from hgld.scrape.rows import rows_of_evidence, rows_of_landmark, rows_of_superclasses
from hgld.scrape.services import open_services
from hgld.scrape.verify import (
    check_lists,
    refuse_loss,
    refuse_misfits,
    set_aside_all,
    write_lists,
)
from hgld.scrape.wikimedia.titles import TitleOrError, known_titles, titles_of
from hgld.scrape.wikimedia.wikidata import Entities, merged
from hgld.tables import (
    ANSWER_LISTS,
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
        InputError: the CSV file is unusable, or no contact is given.
        DamagedError: a replay, and a file of the archive is damaged or gone.
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
    unproven = check_lists(workspace, STAGE.name, replay=config.replay)
    settings["generation"] = generation = _generation(workspace, config)

    def scrape(writer: StageWriter) -> None:
        if not config.replay:
            require_contact(config.contact, config.commons, config.sparql)
            set_aside_all(unproven)
        _scrape(writer, config, rows, generation)

    # A replay is asked for to see the archive's rows, not to hear that they are there.
    report = run_stage(workspace, stage, settings, scrape, force=config.replay)
    if report.manifest.failed:
        return report
    _run_evidence(workspace, config, report)
    if generation:
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


def _scrape(writer: StageWriter, config: ScrapeConfig, rows: pa.Table, generation: int) -> None:
    names = titles_of(rows["category"].to_pylist())
    titles = known_titles(names)
    with open_services(config) as services:
        questions = open_questions(writer.workspace, config, generation, services)
        if config.replay:
            refuse_misfits(writer.workspace, STAGE.name, questions.misfits)
        _log_budget(questions, titles, config)
        gather(questions, titles, config.superclass_depth)
    known = questions.known
    if known.pages.failed or known.items.failed or known.classes.failed:
        shards = _shards(rows, names, known)
        statuses = Counter(category["status"] for shard in shards for category, _ in shard)
        refuse_loss(writer, statuses, replay=config.replay)
    _write_tables(writer, _shards(rows, names, known), known, config.superclass_depth)
    write_lists(writer)


_Row = dict[str, Any]
_Shard = list[tuple[_Row, list[_Row]]]


def _shards(rows: pa.Table, names: Sequence[TitleOrError], known: Knowledge) -> Iterator[_Shard]:
    """Yields each landmark's row of CATEGORIES with its rows of CLASSES, one shard at least."""
    for start in range(0, max(1, len(rows)), _SHARD_ROWS):
        landmarks = rows.slice(start, _SHARD_ROWS).to_pylist()
        pairs = zip(landmarks, names[start : start + _SHARD_ROWS], strict=True)
        yield [rows_of_landmark(row, name, known) for row, name in pairs]


def _write_tables(
    writer: StageWriter, shards: Iterable[_Shard], known: Knowledge, superclass_depth: int
) -> None:
    statuses = Counter[str]()
    classes: dict[str, None] = {}
    for number, shard in enumerate(shards):
        category_rows = [category for category, _ in shard]
        class_rows = [row for _, of_landmark in shard for row in of_landmark]
        writer.write(CATEGORIES, f"{number:05d}", _table(category_rows, CATEGORIES.schema))
        writer.write(CLASSES, f"{number:05d}", _table(class_rows, CLASSES.schema))
        statuses.update(row["status"] for row in category_rows)
        classes.update((row["class_qid"], None) for row in class_rows)
    above = rows_of_superclasses(classes, known.classes, superclass_depth)
    writer.write(SUPERCLASSES, "00000", _table(above, SUPERCLASSES.schema))
    counts = ", ".join(f"{count} {status}" for status, count in statuses.most_common())
    logger.info("scrape: %d landmarks: %s", statuses.total(), counts)


def _before(
    workspace: Workspace, config: ScrapeConfig, rows: pa.Table, generation: int
) -> Iterator[tuple[LandmarkKey, Seen]]:
    """Yields what the generation before says of the same rows, from the archive alone."""
    names = titles_of(rows["category"].to_pylist())
    questions = open_questions(workspace, config, generation - 1, services=None)
    gather(questions, known_titles(names), config.superclass_depth)
    for shard in _shards(rows, names, questions.known):
        yield from (seen_of_landmark(category, classes) for category, classes in shard)


def _run_evidence(workspace: Workspace, config: ScrapeConfig, scraped: StageReport) -> None:
    """Runs the stage of the evidence after a scrape that is whole."""
    unproven = check_lists(workspace, EVIDENCE_STAGE.name, replay=config.replay)

    def write(writer: StageWriter) -> None:
        column = workspace.read(CLASSES, columns=["class_qid"])["class_qid"]
        classes = sorted(pc.unique(column).to_pylist(), key=qid_number)
        if not config.replay:
            set_aside_all(unproven)
        known = Entities()
        _gather_evidence(workspace, config, classes, known)
        rows = list(rows_of_evidence(classes, known))
        refuse_loss(writer, Counter(row["status"] for row in rows), replay=config.replay)
        writer.write(CLASS_EVIDENCE, "00000", _table(rows, CLASS_EVIDENCE.schema))
        write_lists(writer)
        if lost := [row for row in rows if row["status"] == "failed"]:
            logger.warning(
                "evidence: not known of %d of %d classes, the first of them %s (%s); the classes "
                "are whole without it, and the next scrape tries again",
                *(len(lost), len(classes), lost[0]["class_qid"], lost[0]["error"]),
            )

    settings = scraped.manifest.settings
    try:
        run_stage(workspace, EVIDENCE_STAGE, settings, write, force=config.replay)
    except FetchError as error:
        logger.warning("evidence: %s; the next scrape tries again", error)


def _gather_evidence(
    workspace: Workspace, config: ScrapeConfig, classes: Sequence[str], known: Entities
) -> None:
    """Fetches what is missing until each class is known or has failed.

    A service that cannot be reached, or must not be asked since no contact is given, fails the
    classes that are left: nothing that the scrape has waits for them.
    """
    generation = newest_generation(workspace)
    with open_services(config) as services:
        question = open_question(workspace, config, generation, services, WIKIDATA_EVIDENCE, known)
        if config.replay:
            refuse_misfits(workspace, EVIDENCE_STAGE.name, question.misfits)
        try:
            question.announce(classes, config.contact)
            gather_entities(question, known, classes)
        except (FetchError, InputError) as error:
            left = question.missing(merged(qid, known) for qid in classes)
            question.fail(left, str(error))


def _log_budget(questions: Questions, titles: Sequence[str], config: ScrapeConfig) -> None:
    """Says what is about to be asked of whom, before the first request."""
    if config.replay:
        logger.info("scrape: %d titles, from the raw archive only", len(titles))
        return
    missing = len(questions.pages.missing(titles))
    budget = config.without_logins().budget(missing)
    told = len(titles), len(titles) - missing, budget
    logger.info("scrape: %d titles, %d of them in the raw archive; %s", *told)


def _table(rows: Iterable[_Row], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=schema)
