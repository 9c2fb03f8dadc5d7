"""The scrape without a request: what is known of every title, from local dump files.

The dumps fill the same knowledge as the services' answers do, so the same code makes the rows.
What they cannot tell is told in the rows' column `error`, with the status that the dumps support:

- `no_item`: a page with no item that may be a soft redirect (see `hgld.dump_pages`);
- `no_p31`: an item that is not in the dump of entities, merged into another or deleted. Merges are
  in the truthy dump, so that the JSON dump and the truthy one together tell most.

`failed` is not among them: a rerun on the same files would say the same. Ranks are in the JSON dump
alone; of the truthy dump every rank is `best`.

Each dump is read from its start as often as a round needs it: the pages once for each step of a
redirect, the entities about four times (items, main topics and merged items, classes, and once for
each step of superclasses). Nothing is kept on disk: a run that was stopped starts over.
"""

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from hgld.archive import RawArchive
from hgld.dump_entities import read_json_entities, read_truthy_entities
from hgld.dump_files import DumpFiles
from hgld.dump_pages import PageDumps
from hgld.gather import Facts, Knowledge, Source, Sources, superclasses
from hgld.wikidata import Entities, Entity, find, is_qid, merged

logger = logging.getLogger(__name__)


def read_dumps(files: DumpFiles, titles: Sequence[str], superclass_depth: int) -> Sources:
    """Reads of the dumps what titles lead to.

    Args:
        files: the dumps.
        titles: page titles, each once.
        superclass_depth: how many steps of *subclass of* are followed from each class.

    Returns:
        Sources that know all of it, and ask nobody.

    Raises:
        InputError: a dump is cut off, or holds something else.
    """
    known = Knowledge()
    # One dump tells of an item and of a class alike.
    known.classes = known.items
    logger.info("scrape: %d titles, from the dumps beside %s", len(titles), files.page)
    PageDumps(files).fill(titles, known.pages, known.redirects)
    sources = _sources(files, known)
    landings = [step.landing for step in map(sources.walk, titles) if step.landing is not None]
    items = list(dict.fromkeys(landing.qid for landing in landings if is_qid(landing.qid)))
    absent: set[str] = set()
    while wanted := _missing(items, known.items, superclass_depth):
        logger.info("scrape: looking for %d entities", len(wanted))
        found = _read_entities(files, wanted)
        known.items.update({qid: found.get(qid, Entity()) for qid in wanted})
        absent |= wanted - found.keys()
    _tell_absent(titles, known, absent)
    return sources


def _missing(items: Iterable[str], known: Entities, superclass_depth: int) -> set[str]:
    """Returns the entities to look for next: items, their topics, classes and what is above."""
    ways = [find(qid, known) for qid in items]
    missing = {way.ask for way in ways if way.ask}
    level: Collection[str] = {qid for way in ways for qid in way.classes}
    for _ in range(superclass_depth + 1):
        missing.update(end for end in (merged(qid, known) for qid in level) if end not in known)
        level = superclasses(level, known)
    return missing


def _read_entities(files: DumpFiles, wanted: set[str]) -> Mapping[str, Entity]:
    """Returns what the JSON dump has, and the truthy dump beyond that: merged items above all."""
    found = {} if files.entities is None else read_json_entities(files.entities, wanted)
    left = wanted - found.keys()
    if left and files.truthy is not None:
        found |= read_truthy_entities(files.truthy, left)
    return found


def _tell_absent(titles: Iterable[str], known: Knowledge, absent: Collection[str]) -> None:
    """Notes at each page whose item is in no dump that nothing is known of it."""
    for title in titles:
        landing = known.pages[title]
        qid = find(landing.qid, known.items).qid if is_qid(landing.qid) else ""
        if qid in absent:
            note = f"{qid} is not in the dump of entities: merged, deleted or younger than it"
            known.pages.update({title: replace(landing, error=note)})


def _sources(files: DumpFiles, known: Knowledge) -> Sources:
    def source(name: str, facts: Facts) -> Source:
        archive = RawArchive(files.page.parent)  # neither read nor written: nobody is asked
        return Source(name=name, archive=archive, facts=facts, endpoint="", ask=None, batch_size=1)

    return Sources(
        knowledge=known,
        pages=source("pages", known.pages),
        redirects=source("redirects", known.redirects),
        moves=source("moves", known.moves),
        follows_moves=False,
        items=source("items", known.items),
        classes=source("classes", known.classes),
    )
