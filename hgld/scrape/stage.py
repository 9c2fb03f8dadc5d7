"""The scrape: from each landmark's Commons category to its classes.

Fetching fills the raw archive (`hgld.scrape.live`); the tables are made from the archive and the
input alone. Every input row ends in a row of CATEGORIES with one status:

    ok             the landmark's item has classes
    no_page        the category does not exist, or its URL names no page
    no_item        the page has no Wikidata item, or names none that there could be
    no_p31         the item has no usable *instance of* statement
    redirect_loop  the redirects lead nowhere
    failed         not known yet: nothing was archived for it, so a rerun asks again
"""

import contextlib
import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from hgld.engine.config import row_settings
from hgld.engine.dataset import rows_digest
from hgld.engine.stage import Stage, StageReport, StageWriter, run_stage, stage_status
from hgld.engine.workspace import Workspace
from hgld.errors import InputError, MissingInputError
from hgld.http.session import make_session, require_contact
from hgld.scrape.archive import (
    COMMONS_LOG,
    COMMONS_PAGES,
    COMMONS_WIKITEXT,
    WIKIDATA_CLASSES,
    WIKIDATA_ITEMS,
    RawArchive,
    generation_path,
    newest_generation,
    start_generation,
)
from hgld.scrape.config import ScrapeConfig
from hgld.scrape.dumps.files import DumpFiles, find_dumps
from hgld.scrape.dumps.read import read_dumps
from hgld.scrape.landmarks import read_categories
from hgld.scrape.live.gather import Ask, Facts, Knowledge, Source, Sources, gather
from hgld.scrape.live.services import CommonsApi, WikidataApi, sparql_policy
from hgld.scrape.refresh import REFRESH_STAGE, Key, Seen, seen, write_changes
from hgld.scrape.rows import landmark_rows, superclass_rows
from hgld.scrape.wikimedia.titles import known_titles, titles_of
from hgld.tables import CATEGORIES, CLASSES, LANDMARKS, SUPERCLASSES

__all__ = ["STAGE", "ScrapeConfig", "run_scrape"]

logger = logging.getLogger(__name__)

STAGE = Stage(
    name="scrape",
    version=2,
    inputs=(LANDMARKS,),
    outputs=(CATEGORIES, CLASSES, SUPERCLASSES),
)

_SHARD_ROWS = 10_000

_Services = tuple[CommonsApi, WikidataApi]


def run_scrape(
    workspace: Workspace, config: ScrapeConfig, categories: Path | None = None
) -> StageReport:
    """Runs the scrape, or goes on with one that was stopped.

    Args:
        workspace: the build.
        config: the settings.
        categories: a CSV file with the columns landmark_id and category, and perhaps split
            ("train" where there is none), instead of the landmarks of GLDv2.

    Returns:
        The report; failed rows are counted in its manifest.

    Raises:
        FetchError: a service cannot be reached; what was answered is kept.
        InputError: the CSV file is unusable, no contact is given, an archived file or a dump is
            missing or broken, or a retry is asked for and no run has ended with these settings and
            rows.
        MissingInputError: no CSV file is given, and the metadata stage has not run.
    """
    dumps = None if config.dumps is None else find_dumps(config.dumps)
    if not config.replay and dumps is None:
        require_contact(config.contact, config.commons, config.sparql)
    settings = row_settings(config)
    if categories is None:
        stage, rows = STAGE, workspace.read(LANDMARKS)
    else:
        stage, rows = replace(STAGE, inputs=()), read_categories(categories)
        settings["categories"] = rows_digest(rows)
    if dumps is not None:
        settings["dumps"] = dumps.digest()
        return run_stage(
            workspace, stage, settings, lambda writer: _from_dumps(writer, config, rows, dumps)
        )
    settings["generation"] = generation = _generation(workspace, config)
    if config.retry:
        _require_ended(workspace, stage, settings)
    if config.replay:
        # A replay is asked for to see the archive's rows, not to hear that they are there.
        for name in (stage.name, REFRESH_STAGE.name):
            workspace.manifest_path(name).unlink(missing_ok=True)
    report = run_stage(
        workspace, stage, settings, lambda writer: _scrape(writer, config, rows, generation)
    )
    if generation and not report.manifest.failed:
        run_stage(
            workspace,
            REFRESH_STAGE,
            settings,
            lambda writer: write_changes(
                writer, _before(workspace, config, rows, generation), generation
            ),
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
            f"{workspace.root} has no whole scrape to refresh; run `hgld scrape` without --refresh"
        )
    start_generation(workspace, newest + 1)
    return newest + 1


def _before(
    workspace: Workspace, config: ScrapeConfig, rows: pa.Table, generation: int
) -> Iterator[tuple[Key, Seen]]:
    """Yields what the generation before says of the same rows, from the archive alone."""
    titles = titles_of(rows["category"].to_pylist())
    sources = _open_sources(workspace, config, generation - 1, services=None)
    gather(sources, known_titles(titles), config.superclass_depth)
    for start in range(0, len(rows), _SHARD_ROWS):
        shard = rows.slice(start, _SHARD_ROWS).to_pylist()
        for row, title in zip(shard, titles[start : start + _SHARD_ROWS], strict=True):
            yield seen(*landmark_rows(row, title, sources))


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


def _scrape(writer: StageWriter, config: ScrapeConfig, rows: pa.Table, generation: int) -> None:
    titles = titles_of(rows["category"].to_pylist())
    with _services(config) as services:
        sources = _open_sources(writer.workspace, config, generation, services)
        _log_budget(sources, known_titles(titles), config)
        gather(sources, known_titles(titles), config.superclass_depth)
    _write_tables(writer, rows, titles, sources, config.superclass_depth)


@contextlib.contextmanager
def _services(config: ScrapeConfig) -> Iterator[_Services | None]:
    """Gives the two services over sessions of their own; None where nobody is to be asked."""
    if config.replay:
        yield None
        return
    policy = config.policy()
    with (
        make_session(config.contact, policy) as commons,
        make_session(config.contact, sparql_policy(policy)) as wikidata,
    ):
        yield (
            CommonsApi(config.commons, commons, policy),
            WikidataApi(
                config.sparql, wikidata, config.failure_pause_s, config.sparql_s_per_minute
            ),
        )


def _from_dumps(
    writer: StageWriter, config: ScrapeConfig, rows: pa.Table, dumps: DumpFiles
) -> None:
    titles = titles_of(rows["category"].to_pylist())
    sources = read_dumps(writer.workspace, dumps, known_titles(titles), config.superclass_depth)
    _write_tables(writer, rows, titles, sources, config.superclass_depth)


def _write_tables(
    writer: StageWriter,
    rows: pa.Table,
    titles: Sequence[tuple[str, str]],
    sources: Sources,
    superclass_depth: int,
) -> None:
    statuses = Counter[str]()
    classes: dict[str, None] = {}
    for start in range(0, max(1, len(rows)), _SHARD_ROWS):
        shard = rows.slice(start, _SHARD_ROWS).to_pylist()
        ends = titles[start : start + _SHARD_ROWS]
        built = [landmark_rows(row, end, sources) for row, end in zip(shard, ends, strict=True)]
        name = f"{start // _SHARD_ROWS:05d}"
        category_rows = [category for category, _ in built]
        class_rows = [row for _, of_landmark in built for row in of_landmark]
        writer.write(CATEGORIES, name, _table(category_rows, CATEGORIES.schema))
        writer.write(CLASSES, name, _table(class_rows, CLASSES.schema))
        statuses.update(row["status"] for row in category_rows)
        classes.update((row["class_qid"], None) for row in class_rows)
    above = superclass_rows(classes, sources, superclass_depth)
    writer.write(SUPERCLASSES, "00000", _table(above, SUPERCLASSES.schema))
    counts = ", ".join(f"{count} {status}" for status, count in statuses.most_common())
    logger.info("scrape: %d landmarks: %s", len(rows), counts)


def _open_sources(
    workspace: Workspace, config: ScrapeConfig, generation: int, services: _Services | None
) -> Sources:
    """Returns the questions to the services, with what a generation has archived loaded."""
    known = Knowledge()
    asks: dict[str, Ask] = {}
    if services is not None:
        commons, wikidata = services
        asks = {
            COMMONS_PAGES: commons.pages,
            COMMONS_WIKITEXT: commons.wikitext,
            COMMONS_LOG: commons.log,
            WIKIDATA_ITEMS: wikidata.items,
            WIKIDATA_CLASSES: wikidata.classes,
        }

    def source(folder: str, facts: Facts, batch_size: int) -> Source:
        endpoint = config.commons if "commons" in folder else config.sparql
        return Source(
            name=folder.rpartition("-")[2],
            archive=RawArchive(workspace.path(generation_path(folder, generation))),
            facts=facts,
            # A replay takes the archive as it is, wherever it came from.
            endpoint=endpoint if asks else "",
            ask=asks.get(folder),
            batch_size=batch_size,
            at_once=config.requests_at_once if "commons" in folder else 1,
        )

    titles, qids = config.titles_per_request, config.items_per_request
    sources = Sources(
        knowledge=known,
        pages=source(COMMONS_PAGES, known.pages, titles),
        redirects=source(COMMONS_WIKITEXT, known.redirects, titles),
        moves=source(COMMONS_LOG, known.moves, 1),
        follows_moves=config.follow_moves,
        items=source(WIKIDATA_ITEMS, known.items, qids),
        classes=source(WIKIDATA_CLASSES, known.classes, qids),
    )
    for one in (sources.pages, sources.redirects, sources.moves, sources.items, sources.classes):
        one.load()
    return sources


def _log_budget(sources: Sources, titles: Sequence[str], config: ScrapeConfig) -> None:
    """Says what is about to be asked of whom, before the first request."""
    if config.replay:
        logger.info("scrape: %d titles, from the raw archive alone", len(titles))
        return
    missing = len(sources.pages.missing(titles))
    said = len(titles), len(titles) - missing, config.budget(missing)
    logger.info("scrape: %d titles, %d of them in the raw archive; %s", *said)


def _table(rows: Iterable[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=schema)
