"""The parents: the categories above those of landmarks that ended without a class.

A category without a Wikidata item, or with one that has no class, is still a member of other
categories: a church of `Churches in Bergamo`. This stage asks for those parents, and for their
parents. It also asks about landmarks for which the review ignored every class, and about a sample
of landmarks with a class, to measure how much parents tell. Hidden categories are left out. No
title is asked for twice, so categories that contain each other cause no loop.

Answers are archived and replayed like those of the scrape. A category with an unknown part is a
failed row, and the next run asks only for that part.
"""

import hashlib
import logging
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from hgld.engine.stage import Stage, StageReport, StageWriter
from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, InputError, MissingInputError
from hgld.scrape.archive import COMMONS_PARENTS, newest_generation
from hgld.scrape.config import ScrapeConfig
from hgld.scrape.questions import Open
from hgld.scrape.verify import refuse_loss, run_on_archive
from hgld.scrape.wikimedia.parents import CommonsParents, title_of_parent
from hgld.tables import ANSWER_LISTS, CATEGORIES, CLASSES, PARENTS, TAXONOMY

logger = logging.getLogger(__name__)

_IGNORED = ("ignored", "proposed_ignore")
_LANDMARK = ["split", "landmark_id"]
_DIGESTS = 1 << 64
# Of landmarks with a class, to measure how much parents tell.
SAMPLE_SHARE, SAMPLE_AT_LEAST = 0.05, 100
_LEVELS = 2  # parents and grandparents, each a column of PARENTS
_MOST_PARENTS = 20  # followed from one category: a few categories have hundreds

STAGE = Stage(
    name="parents",
    version=2,
    inputs=(CATEGORIES, CLASSES),
    outputs=(PARENTS, ANSWER_LISTS["parents"]),
    result=PARENTS.path,
)


def run_parents(workspace: Workspace, scrape: ScrapeConfig) -> StageReport:
    """Looks up the parents of categories; resumes a run that was stopped.

    Args:
        workspace: the build, with a complete scrape.
        scrape: settings of the scrape, which say which service to ask and how, or to work offline.

    Returns:
        The report; its manifest counts the failed rows.

    Raises:
        FetchError: Commons cannot be reached; the answers so far are kept.
        InputError: no contact is given, or a replay has no answers at all.
        DamagedError: in a replay, a file of the archive is damaged or missing.
        MissingInputError: the scrape has not run, or some of its rows failed.
    """
    settings = parents_settings(workspace, scrape)

    def write(writer: StageWriter, opened: Open) -> None:
        titles = asked_categories(
            workspace.read(CATEGORIES, columns=[*_LANDMARK, "page_title"]),
            workspace.read(CLASSES, columns=[*_LANDMARK, "class_qid"]),
            _ignored(workspace),
        )
        known = CommonsParents()
        question, level = opened(COMMONS_PARENTS, known), titles
        for _ in range(_LEVELS):
            if missing := question.missing(level):
                question.fetch(missing)
            level = parents_of(level, known)
        rows = list(rows_of_parents(titles, known))
        statuses = Counter(row["status"] for row in rows)
        refuse_loss(writer, statuses, replay=scrape.replay)
        if scrape.replay and 0 < statuses["failed"] == len(rows):
            again = f"parents --no-replay --contact {scrape.contact or 'you@example.org'}"
            raise InputError(
                f"raw/ has no answer about parents, and a replay asks nobody; run "
                f"{workspace.command(again)}"
            )
        writer.write(PARENTS, "00000", pa.Table.from_pylist(rows, schema=PARENTS.schema))
        counts = ", ".join(f"{count:,} {status}" for status, count in statuses.most_common())
        logger.info("parents: %s categories: %s", f"{len(titles):,}", counts or "none")

    return run_on_archive(workspace, STAGE, settings, scrape, write)


def parents_settings(workspace: Workspace, scrape: ScrapeConfig) -> dict[str, object]:
    """Returns the settings of scrape, review and archive that decide the rows."""
    qids = "\n".join(sorted(_ignored(workspace)))
    return {
        "commons": scrape.without_logins().commons,
        "generation": newest_generation(workspace),
        "ignored": hashlib.sha256(qids.encode()).hexdigest() if qids else "",
    }


def asked_categories(categories: pa.Table, classes: pa.Table, ignored: set[str]) -> list[str]:
    """Returns the categories whose parents to ask for, each once, in order.

    These are the categories of landmarks without a class, and a sample of the others. The sample is
    drawn by a digest of each title, so it hardly changes when landmarks come or go: only titles
    that fill it up to `SAMPLE_AT_LEAST` may.

    Args:
        categories: CATEGORIES, with columns split, landmark_id and page_title (null: no page).
        classes: CLASSES, with columns split, landmark_id and class_qid.
        ignored: Q-ids of classes that do not count.
    """
    counts = pc.invert(pc.is_in(classes["class_qid"], pa.array(sorted(ignored), pa.string())))
    classes = classes.filter(counts)
    named = categories.filter(pc.is_valid(categories["page_title"]))
    without, others = (
        set(named.join(classes, _LANDMARK, join_type=kind)["page_title"].to_pylist())
        for kind in ("left anti", "left semi")
    )
    drawn = sorted((_digest(title), title) for title in others - without)
    below = sum(digest < SAMPLE_SHARE * _DIGESTS for digest, _ in drawn)
    return sorted([*without, *(title for _, title in drawn[: max(below, SAMPLE_AT_LEAST)])])


def parents_of(titles: Iterable[str], known: CommonsParents) -> list[str]:
    """Returns the full titles of the known parents of categories, each once."""
    names = (
        name for title in titles if title in known for name in known[title].names[:_MOST_PARENTS]
    )
    return [title_of_parent(name) for name in dict.fromkeys(names)]


def rows_of_parents(titles: Iterable[str], known: CommonsParents) -> Iterator[dict[str, Any]]:
    """Yields a row for each category.

    Args:
        titles: full titles of the categories, in order.
        known: parents, or the failure, of each category and of each parent.

    Yields:
        Rows of PARENTS. A category that contains itself, directly or through a parent, is neither
        its own parent nor grandparent. A row fails if any part is unknown, and keeps what is known.
    """
    for title in titles:
        if title in known.failed:
            row = {"page_title": title, "parents": [], "grandparents": []}
            yield {**row, "status": "failed", "error": known.failed[title]}
            continue
        own = title.removeprefix(title_of_parent(""))
        names = [name for name in known[title].names if name != own]
        above = parents_of([title], known)
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


def _ignored(workspace: Workspace) -> set[str]:
    """Returns the classes that the review ignored; none if it has not finished."""
    try:
        taxonomy = workspace.read(TAXONOMY, columns=["class_qid", "decision"])
    except (MissingInputError, DamagedError):
        return set()
    is_ignored = pc.is_in(taxonomy["decision"], value_set=pa.array(_IGNORED))
    return {*taxonomy.filter(is_ignored)["class_qid"].to_pylist()}


def _digest(title: str) -> int:
    return int.from_bytes(hashlib.sha256(title.encode()).digest()[:8], "big")
