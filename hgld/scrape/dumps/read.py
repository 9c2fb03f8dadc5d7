"""The scrape without a request: what is known of every title, from local dump files.

The dumps fill the same knowledge as the services' answers do, so the same code makes the rows.
What they cannot tell is told in the rows' column `error`, with the status that the dumps support:

- `no_item`: a page with no item that may be a soft redirect (see `hgld.scrape.dumps.pages`);
- `no_p31`: an item that is not in the dump of entities, merged into another or deleted. Merges are
  in the truthy dump, so that the JSON dump and the truthy one together tell most.

Ranks are in the JSON dump alone; of the truthy dump every rank is `best`. A row is `failed` where
a dump says what no table can hold, such as half a surrogate pair: other files may do better.

Each dump is read from its start as often as a round needs it: the pages once for each step of a
redirect, the entities about four times (items, main topics and merged items, classes, and once for
each step of superclasses). What a round has found is kept below `raw/`, so that a run that was
stopped goes on with the round it was in, and other landmarks look up what is new of them alone.
"""

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from hgld.engine.workspace import Workspace
from hgld.scrape.archive import DUMP_ENTITIES, DUMP_EVIDENCE, DUMP_PAGES, RawAnswer, RawArchive
from hgld.scrape.dumps.entities import read_entities
from hgld.scrape.dumps.evidence import keep_evidence
from hgld.scrape.dumps.files import DumpFiles
from hgld.scrape.dumps.kept import (
    chunks,
    dump_answer,
    entities_of_dump_answer,
    entity_fields,
    entity_of,
    landing_fields,
    landing_of,
    pages_of_dump_answer,
    sound,
)
from hgld.scrape.dumps.pages import PageDumps
from hgld.scrape.knowledge import Knowledge, superclasses
from hgld.scrape.wikimedia.wikidata import Entities, Entity, find, is_qid, merged
from hgld.tables import qid_number

logger = logging.getLogger(__name__)


def read_dumps(
    workspace: Workspace, files: DumpFiles, titles: Sequence[str], superclass_depth: int
) -> Knowledge:
    """Reads of the dumps what titles lead to.

    Args:
        workspace: where it is kept what was found.
        files: the dumps.
        titles: page titles, each once.
        superclass_depth: how many steps of *subclass of* are followed from each class.

    Returns:
        All that the dumps know of them.

    Raises:
        InputError: a dump is cut off, or holds something else; or the disk is full.
    """
    logger.info("scrape: %d titles, from the dumps beside %s", len(titles), files.page)
    found = _Found(workspace, files)
    found.look_up_pages(titles)
    steps = map(found.known.walk, titles)
    landings = [step.landing for step in steps if step.landing is not None]
    items = list(dict.fromkeys(landing.qid for landing in landings if is_qid(landing.qid)))
    while wanted := _missing(items, found.known, superclass_depth):
        found.look_up_entities(wanted)
    _tell_absent(titles, found.known, found.absent)
    return found.known


class _Found:
    """What was found in the dumps, by this run and by those before it."""

    def __init__(self, workspace: Workspace, files: DumpFiles) -> None:
        self._files = files
        self._digest = files.digest()
        self._pages = RawArchive(workspace.path(DUMP_PAGES))
        self._entities = RawArchive(workspace.path(DUMP_ENTITIES))
        self._evidence = RawArchive(workspace.path(DUMP_EVIDENCE))
        # One dump tells of an item and of a class alike.
        entities = Entities()
        self.known = Knowledge(items=entities, classes=entities)
        self.absent: set[str] = set()
        """The entities that no dump has."""
        self._pages.load(lambda kept: self._take_kept(kept, self._take_pages), mend=True)
        self._entities.load(lambda kept: self._take_kept(kept, self._take_entities), mend=True)

    def look_up_pages(self, titles: Iterable[str]) -> None:
        """Looks up the titles that are not known yet."""
        new = [title for title in titles if title not in self.known.pages]
        if not new:
            return
        try:
            landings, targets = PageDumps(self._files).look_up(new)
        except ValueError as error:
            raise self._files.unreadable(error) from error
        for chunk in chunks(list(landings)):
            found = {title: landing_fields(landings[title]) for title in chunk}
            kept = sound(found, landing_of, self.known.failed_pages)
            ends = {landings[title].title for title in kept} & targets.keys()
            answer = {"landings": kept, "targets": {end: targets[end] for end in sorted(ends)}}
            self._keep(self._pages, kept, answer, self._take_pages)

    def look_up_entities(self, wanted: set[str]) -> None:
        """Looks up entities that are not known yet."""
        logger.info("scrape: looking for %d entities", len(wanted))
        found = read_entities(self._files, wanted)
        for qids in chunks(sorted(wanted, key=qid_number)):
            # First: an entity that is known is not looked up again.
            keep_evidence(self._evidence, self._files, qids, found, {})
            odd: dict[str, str] = {}
            there = {qid: entity_fields(found.pop(qid)) for qid in qids if qid in found}
            answer = sound(there, entity_of, odd)
            self.known.failed_items |= odd
            self.known.failed_classes |= odd
            keys = [qid for qid in qids if qid not in odd]
            self._keep(self._entities, keys, answer, self._take_entities)

    def _take_kept(self, kept: RawAnswer, take: Callable[[RawAnswer], None]) -> None:
        """Takes what was found in these dumps; what was found in others is kept, and not known."""
        if kept.endpoint == self._digest:
            take(kept)

    def _keep(
        self,
        archive: RawArchive,
        keys: Iterable[str],
        answer: Mapping[str, Any],
        take: Callable[[RawAnswer], None],
    ) -> None:
        kept = dump_answer(self._files, keys, answer)
        take(kept)
        archive.append(kept)

    def _take_pages(self, kept: RawAnswer) -> None:
        landings, targets = pages_of_dump_answer(kept)
        self.known.pages.update(landings)
        self.known.redirects.update(targets)

    def _take_entities(self, kept: RawAnswer) -> None:
        found = entities_of_dump_answer(kept)
        self.known.items.update({qid: found.get(qid, Entity()) for qid in kept.keys})
        self.absent.update(qid for qid in kept.keys if qid not in found)


def _missing(items: Iterable[str], facts: Knowledge, superclass_depth: int) -> set[str]:
    """Returns the entities to look for next: items, their topics, classes and what is above."""
    known = facts.items
    ways = [find(qid, known) for qid in items]
    missing = {way.ask for way in ways if way.ask}
    level: Collection[str] = {qid for way in ways for qid in way.classes}
    for _ in range(superclass_depth + 1):
        missing.update(end for end in (merged(qid, known) for qid in level) if end not in known)
        level = superclasses(level, known)
    return missing - facts.failed_items.keys()


def _tell_absent(titles: Iterable[str], known: Knowledge, absent: Collection[str]) -> None:
    """Notes at each page whose item is in no dump that nothing is known of it."""
    for title in titles:
        if title in known.failed_pages:
            continue
        landing = known.pages[title]
        qid = find(landing.qid, known.items).qid if is_qid(landing.qid) else ""
        if qid in absent:
            note = f"{qid} is not in the dump of entities: merged, deleted or younger than it"
            known.pages.update({title: replace(landing, error=note)})
