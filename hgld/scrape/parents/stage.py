"""The parents: what the categories are in of landmarks that ended without a class.

A category that names no item, or one that says nothing of what it is, still lies in others: a
church in `Churches in Bergamo`. Those are asked for here, also of landmarks whose classes a review
has ignored, all of them. Hidden ones are left out, and where there are two levels it is asked what
they lie in as well. No title is asked for twice and there are two levels at
most, so categories that lie in each other end nothing and loop nowhere.

Answers are archived and replayed as those of the scrape are. A category of which something is not
known is a failed row, and the next run asks for that alone.
"""

import hashlib
import logging
from collections import Counter

import pyarrow as pa
import pyarrow.compute as pc

from hgld.engine.config import row_settings
from hgld.engine.stage import Stage, StageReport, StageWriter, run_stage
from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, MissingInputError
from hgld.scrape.archive import newest_generation, words_of
from hgld.scrape.config import ScrapeConfig
from hgld.scrape.knowledge import parents_of
from hgld.scrape.live.parents import asking_parents
from hgld.scrape.parents.choosing import AskedCategories, asked_categories
from hgld.scrape.parents.config import ParentsConfig
from hgld.scrape.rows.parents import rows_of_parents
from hgld.tables import CATEGORIES, CLASSES, PARENTS, TAXONOMY

__all__ = ["STAGE", "ParentsConfig", "parents_settings", "run_parents"]

logger = logging.getLogger(__name__)

_IGNORED = ("ignored", "proposed_ignore")

STAGE = Stage(name="parents", version=2, inputs=(CATEGORIES, CLASSES), outputs=(PARENTS,))


def run_parents(workspace: Workspace, config: ParentsConfig, scrape: ScrapeConfig) -> StageReport:
    """Looks up what categories are in, or goes on with a run that was stopped.

    Args:
        workspace: the build, with a scrape that is whole.
        config: the settings.
        scrape: those of the scrape, which say whom to ask and how; or to ask nobody.

    Returns:
        The report; failed rows are counted in its manifest.

    Raises:
        FetchError: Commons cannot be reached; what was answered is kept.
        InputError: no contact is given.
        DamagedError: a replay, and a file of the archive is damaged.
        MissingInputError: the scrape has not run, or rows of it failed.
    """
    settings = row_settings(config) | parents_settings(workspace, scrape)

    def write(writer: StageWriter) -> None:
        asked = _asked(workspace, config)
        titles = asked.all()
        with asking_parents(workspace, scrape, newest_generation(workspace)) as source:
            level = titles
            for _ in range(config.levels):
                source.look_up(level)
                level = parents_of(level, source.found().known, config.most_parents)
            found = source.found()
        if scrape.replay and found.misfits:
            raise DamagedError(
                f"{words_of(found.misfits)}: the parents stand as they were; run "
                f"{workspace.command('parents --force')} without --replay to ask again"
            )
        rows = list(rows_of_parents(titles, found, config.levels, config.most_parents))
        writer.write(PARENTS, "00000", pa.Table.from_pylist(rows, schema=PARENTS.schema))
        statuses = Counter(row["status"] for row in rows)
        logger.info(
            "parents: %d categories of landmarks without a class and %d of others: %s",
            len(asked.without_class),
            len(asked.sample),
            ", ".join(f"{count} {status}" for status, count in statuses.most_common()) or "none",
        )

    # A replay is asked for to see the archive's rows, not to hear that they are there.
    return run_stage(workspace, STAGE, settings, write, force=scrape.replay)


def parents_settings(workspace: Workspace, scrape: ScrapeConfig) -> dict[str, object]:
    """Returns what of other settings, and of the archive, decides the rows.

    Args:
        workspace: the build.
        scrape: the settings of the scrape.

    Returns:
        Setting to value.
    """
    qids = "\n".join(sorted(_ignored(workspace)))
    ignored = hashlib.sha256(qids.encode()).hexdigest() if qids else ""
    return {
        "commons": scrape.without_logins().commons,
        "generation": newest_generation(workspace),
        "ignored": ignored,
    }


def _asked(workspace: Workspace, config: ParentsConfig) -> AskedCategories:
    classes = workspace.read(CLASSES, columns=["split", "landmark_id", "class_qid"])
    ignored = pa.array(sorted(_ignored(workspace)), pa.string())
    return asked_categories(
        workspace.read(CATEGORIES, columns=["split", "landmark_id", "page_title"]),
        classes.filter(pc.invert(pc.is_in(classes["class_qid"], value_set=ignored))),
        config.sample_share,
        config.sample_at_least,
    )


def _ignored(workspace: Workspace) -> set[str]:
    """Returns the classes that the review has ignored; none where it has not finished."""
    try:
        taxonomy = workspace.read(TAXONOMY, columns=["class_qid", "decision"])
    except (MissingInputError, DamagedError):
        return set()
    is_ignored = pc.is_in(taxonomy["decision"], value_set=pa.array(_IGNORED))
    return {*taxonomy.filter(is_ignored)["class_qid"].to_pylist()}
