"""The scrape: from each landmark's Commons category to its classes.

Fetching fills the raw archive (`hgld.gather`, `hgld.services`); the tables are made from the
archive and the input alone. Every input row ends in a row of CATEGORIES with one status:

    ok             the landmark's item has classes
    no_page        the category does not exist, or its URL names no page
    no_item        the page has no Wikidata item
    no_p31         the item has no usable *instance of* statement
    redirect_loop  the redirects lead nowhere
    failed         not known yet: nothing was archived for it, so a rerun asks again
"""

import hashlib
import json
import logging
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import pyarrow as pa

from hgld.archive import (
    COMMONS_LOG,
    COMMONS_PAGES,
    COMMONS_WIKITEXT,
    WIKIDATA_CLASSES,
    WIKIDATA_ITEMS,
    RawArchive,
)
from hgld.categories_csv import read_categories
from hgld.config import not_in_rows, row_settings
from hgld.errors import InputError
from hgld.gather import Ask, Facts, Knowledge, Source, Sources, gather
from hgld.http import make_session, require_contact
from hgld.patience import HttpPolicy
from hgld.scraped import landmark_rows, superclass_rows
from hgld.services import CommonsApi, WikidataApi, sparql_policy
from hgld.stage import Stage, StageReport, StageWriter, run_stage, stage_status
from hgld.tables import CATEGORIES, CLASSES, LANDMARKS, SUPERCLASSES
from hgld.titles import title_of_url
from hgld.workspace import Workspace

logger = logging.getLogger(__name__)

STAGE = Stage(
    name="scrape",
    version=1,
    inputs=(LANDMARKS,),
    outputs=(CATEGORIES, CLASSES, SUPERCLASSES),
)

_SHARD_ROWS = 10_000
_MOST_TITLES = 50  # the API's limit for whoever has no bot account
_MOST_ITEMS = 500  # beyond, the public SPARQL service times out


@dataclass(frozen=True, slots=True, kw_only=True)
class ScrapeConfig:
    """Settings of the scrape."""

    commons: str = "https://commons.wikimedia.org/w/"
    """The folder of api.php."""
    sparql: str = "https://query.wikidata.org/sparql"
    superclass_depth: int = 1
    """How many steps of *subclass of* are followed from each class."""
    follow_moves: bool = False
    """Whether a category that is not there is looked up in Commons' log, and followed where it was
    moved to; that is one request for each."""
    contact: str = not_in_rows("")
    """How to reach whoever runs this; needed for any server that is not on this machine."""
    replay: bool = not_in_rows(False)
    """Builds the tables from the raw archive alone; opens no connection."""
    retry: Literal["", "failed"] = not_in_rows("")
    """`failed` tries the failed rows of the last run again, and refuses to do anything else."""
    titles_per_request: int = not_in_rows(_MOST_TITLES)
    items_per_request: int = not_in_rows(_MOST_ITEMS)
    connect_timeout_s: float = not_in_rows(10.0)
    read_timeout_s: float = not_in_rows(60.0)
    deadline_s: float = not_in_rows(120.0)
    attempts: int = not_in_rows(5)
    backoff_s: float = not_in_rows(1.0)
    patience_s: float = not_in_rows(1800.0)
    failure_pause_s: float = not_in_rows(2.0)
    """After a failed SPARQL query; the public service bans whoever makes 30 in a minute."""

    def __post_init__(self) -> None:
        """Refuses what no run could use."""
        for name in ("commons", "sparql"):
            parts = urlsplit(getattr(self, name))
            if parts.scheme not in {"http", "https"} or not parts.hostname:
                raise ValueError(f"{name} must be an http(s) address, got {getattr(self, name)!r}")
        if not self.commons.endswith("/"):
            raise ValueError(
                f"commons must be the folder of api.php and end with '/', got {self.commons!r}"
            )
        for name, most in (
            ("titles_per_request", _MOST_TITLES),
            ("items_per_request", _MOST_ITEMS),
        ):
            if not 1 <= getattr(self, name) <= most:
                raise ValueError(f"{name} must be from 1 to {most}, got {getattr(self, name)}")
        if self.superclass_depth < 0 or self.attempts < 1:
            raise ValueError("superclass_depth must be at least 0 and attempts at least 1")
        if self.replay and self.retry:
            raise ValueError("replay asks nobody: leave out either replay or retry")

    def policy(self) -> HttpPolicy:
        """Returns the bounds of every request."""
        return HttpPolicy(
            connect_timeout_s=self.connect_timeout_s,
            read_timeout_s=self.read_timeout_s,
            deadline_s=self.deadline_s,
            attempts=self.attempts,
            backoff_s=self.backoff_s,
            patience_s=self.patience_s,
        )


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
        InputError: the CSV file is unusable, no contact is given, an archived file is broken, or a
            retry is asked for and no run has ended with these settings and rows.
        MissingInputError: no CSV file is given, and the metadata stage has not run.
    """
    if not config.replay:
        require_contact(config.contact, config.commons, config.sparql)
    settings = row_settings(config)
    if categories is None:
        stage, rows = STAGE, workspace.read(LANDMARKS)
    else:
        stage, rows = replace(STAGE, inputs=()), read_categories(categories)
        settings["categories"] = _digest(rows)
    if config.retry:
        _require_ended(workspace, stage, settings)
    if config.replay:
        # A replay is asked for to see the archive's rows, not to hear that they are there.
        workspace.manifest_path(stage.name).unlink(missing_ok=True)
    return run_stage(workspace, stage, settings, lambda writer: _scrape(writer, config, rows))


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


def _digest(rows: pa.Table) -> str:
    return hashlib.sha256(json.dumps(rows.to_pydict()).encode()).hexdigest()


def _scrape(writer: StageWriter, config: ScrapeConfig, rows: pa.Table) -> None:
    titles = [_title(category) for category in rows["category"].to_pylist()]
    known = list(dict.fromkeys(title for title, _ in titles if title))
    policy = config.policy()
    with (
        make_session(config.contact, policy) as commons_session,
        make_session(config.contact, sparql_policy(policy)) as sparql_session,
    ):
        commons = CommonsApi(config.commons, commons_session, policy)
        wikidata = WikidataApi(config.sparql, sparql_session, config.failure_pause_s)
        sources = _open_sources(writer.workspace, config, commons, wikidata)
        _log_budget(sources, known, config)
        gather(sources, known, config.superclass_depth)
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
    workspace: Workspace, config: ScrapeConfig, commons: CommonsApi, wikidata: WikidataApi
) -> Sources:
    """Returns the questions to the services, with what is archived loaded."""
    known = Knowledge()

    def source(folder: str, facts: Facts, ask: Ask, batch_size: int) -> Source:
        endpoint = config.commons if "commons" in folder else config.sparql
        return Source(
            name=folder.rpartition("-")[2],
            archive=RawArchive(workspace.path(folder)),
            facts=facts,
            # A replay takes the archive as it is, wherever it came from.
            endpoint="" if config.replay else endpoint,
            ask=None if config.replay else ask,
            batch_size=batch_size,
        )

    titles, qids = config.titles_per_request, config.items_per_request
    sources = Sources(
        knowledge=known,
        pages=source(COMMONS_PAGES, known.pages, commons.pages, titles),
        redirects=source(COMMONS_WIKITEXT, known.redirects, commons.wikitext, titles),
        moves=source(COMMONS_LOG, known.moves, commons.log, 1),
        follows_moves=config.follow_moves,
        items=source(WIKIDATA_ITEMS, known.items, wikidata.items, qids),
        classes=source(WIKIDATA_CLASSES, known.classes, wikidata.classes, qids),
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
    requests = math.ceil(missing / config.titles_per_request)
    queries = math.ceil(missing / config.items_per_request)
    logger.info(
        "scrape: %d titles, %d of them in the raw archive; %d requests to %s and up to %d to %s, "
        "and some more for redirects and classes; about %.0f min at a request a second",
        len(titles),
        len(titles) - missing,
        requests,
        config.commons,
        queries,
        config.sparql,
        math.ceil((requests + queries) / 60),
    )


def _title(category: str) -> tuple[str, str]:
    """Returns the title of a category URL and no error, or no title and the error."""
    try:
        return title_of_url(category), ""
    except ValueError as error:
        return "", str(error)


def _table(rows: Iterable[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=schema)
