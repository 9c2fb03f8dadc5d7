"""The parents: what the categories are in of landmarks that ended without a class.

A category that names no item, or one that says nothing of what it is, still lies in others: a
church in `Churches in Bergamo`. Those are asked for here, also of landmarks whose classes a review
has ignored, all of them. Hidden ones are left out, and where there are two levels it is asked what
they lie in as well. No title is asked for twice and there are two levels at most, so categories
that lie in each other loop nowhere. Some categories of landmarks with a class are asked about too,
to show what parents are worth.

Answers are archived and replayed as those of the scrape are. A category of which something is not
known is a failed row, and the next run asks for that only.
"""

import hashlib
import logging
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from hgld.engine.config import row_settings
from hgld.engine.stage import Stage, StageReport, StageWriter, run_stage
from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, MissingInputError
from hgld.scrape.archive import COMMONS_PARENTS, newest_generation
from hgld.scrape.config import ParentsConfig, ScrapeConfig
from hgld.scrape.questions import open_question
from hgld.scrape.services import open_services
from hgld.scrape.verify import (
    check_lists,
    refuse_loss,
    refuse_misfits,
    set_aside_all,
    write_lists,
)
from hgld.scrape.wikimedia.parents import CommonsParents, title_of_parent
from hgld.tables import ANSWER_LISTS, CATEGORIES, CLASSES, PARENTS, TAXONOMY

__all__ = ["STAGE", "ParentsConfig", "parents_settings", "run_parents"]

logger = logging.getLogger(__name__)

_IGNORED = ("ignored", "proposed_ignore")
_DIGESTS = 1 << 64

STAGE = Stage(
    name="parents",
    version=2,
    inputs=(CATEGORIES, CLASSES),
    outputs=(PARENTS, ANSWER_LISTS["parents"]),
    result=PARENTS.path,
)


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
        DamagedError: a replay, and a file of the archive is damaged or gone.
        MissingInputError: the scrape has not run, or rows of it failed.
    """
    settings = row_settings(config) | parents_settings(workspace, scrape)
    unproven = check_lists(workspace, STAGE.name, replay=scrape.replay)

    def write(writer: StageWriter) -> None:
        asked = _asked(workspace, config)
        titles = asked.all()
        if not scrape.replay:
            set_aside_all(unproven)
        known = CommonsParents()
        with open_services(scrape) as services:
            question = open_question(
                workspace, scrape, newest_generation(workspace), services, COMMONS_PARENTS, known
            )
            if scrape.replay:
                refuse_misfits(workspace, STAGE.name, question.misfits)
            level = titles
            for _ in range(config.levels):
                question.announce(level, scrape.contact)
                question.fetch(question.missing(level))
                level = parents_of(level, known, config.most_parents)
        rows = list(rows_of_parents(titles, known, config))
        statuses = Counter(row["status"] for row in rows)
        refuse_loss(writer, statuses, replay=scrape.replay)
        writer.write(PARENTS, "00000", pa.Table.from_pylist(rows, schema=PARENTS.schema))
        write_lists(writer)
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
    """
    qids = "\n".join(sorted(_ignored(workspace)))
    return {
        "commons": scrape.without_logins().commons,
        "generation": newest_generation(workspace),
        "ignored": hashlib.sha256(qids.encode()).hexdigest() if qids else "",
    }


class AskedCategories(NamedTuple):
    """Page titles, each once, in order."""

    without_class: list[str]
    """Of landmarks that have no class."""
    sample: list[str]
    """Some of those of landmarks that have one."""

    def all(self) -> list[str]:
        """Returns both, in order."""
        return sorted([*self.without_class, *self.sample])


def asked_categories(
    categories: pa.Table, classes: pa.Table, share: float, at_least: int
) -> AskedCategories:
    """Returns the categories whose parents are worth asking for.

    The sample is drawn by a digest of each title, so that a title that is in it stays in it when
    other landmarks come or go, unless it was one of a few that filled it up.

    Args:
        categories: CATEGORIES, of it split, landmark_id and page_title; a landmark without a page
            has nothing to ask about.
        classes: CLASSES, of it split and landmark_id.
        share: of the categories of landmarks with a class, those that are asked about as well.
        at_least: how many of them, as far as there are so many.
    """
    with_class = set(_landmarks(classes))
    without, others = set[str](), set[str]()
    titles = categories["page_title"].to_pylist()
    for landmark, title in zip(_landmarks(categories), titles, strict=True):
        if title is not None:
            (others if landmark in with_class else without).add(title)
    drawn = sorted((_digest(title), title) for title in others - without)
    below = sum(digest < share * _DIGESTS for digest, _ in drawn)
    sample = [title for _, title in drawn[: max(below, at_least)]]
    return AskedCategories(sorted(without), sorted(sample))


def parents_of(titles: Iterable[str], known: CommonsParents, most: int) -> list[str]:
    """Returns the parents of categories in full, each once, as far as they are known.

    Args:
        titles: of the categories.
        known: what is known of them.
        most: how many of each count, the first ones.
    """
    names = (name for title in titles if title in known for name in known[title].names[:most])
    return [title_of_parent(name) for name in dict.fromkeys(names)]


def rows_of_parents(
    titles: Iterable[str], known: CommonsParents, config: ParentsConfig
) -> Iterator[dict[str, Any]]:
    """Yields a row for each category.

    Args:
        titles: of the categories, in full and in order.
        known: of each of them, and where there are two levels of its parents, what it is in, or
            why that is not known.
        config: the settings.

    Yields:
        Rows of PARENTS. A category that is in itself, straight away or by way of a parent, is
        neither its parent nor its grandparent. A row fails where any of it is not known, and has
        what is.
    """
    for title in titles:
        if title in known.failed:
            row = {"page_title": title, "parents": [], "grandparents": []}
            yield {**row, "status": "failed", "error": known.failed[title]}
            continue
        own = title.removeprefix(title_of_parent(""))
        names = [name for name in known[title].names if name != own]
        above = parents_of([title], known, config.most_parents) if config.levels > 1 else []
        lost = [f"{one}: {known.failed[one]}" for one in above if one in known.failed]
        found = {name for one in above if one in known for name in known[one].names}
        yield {
            "page_title": title,
            "status": "failed" if lost else known[title].status,
            "parents": names,
            "grandparents": sorted(found - {own, *names}),
            "fetched_at": known[title].fetched_at,
            "error": lost[0] if lost else known[title].error or None,
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


def _landmarks(table: pa.Table) -> Iterator[tuple[str, int]]:
    yield from zip(table["split"].to_pylist(), table["landmark_id"].to_pylist(), strict=True)


def _digest(title: str) -> int:
    return int.from_bytes(hashlib.sha256(title.encode()).digest()[:8], "big")
