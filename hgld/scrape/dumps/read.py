"""The scrape without a request: what is known of every title, from local dump files.

The dumps fill the same knowledge as the services' answers do, so the same code makes the rows.
What they cannot tell is told in the rows' column `error`, with the status that the dumps support:

- `no_item`: a page with no item that may be a soft redirect (see `hgld.scrape.dumps.pages`);
- `no_p31`: an item that is not in the dump of entities, merged into another or deleted. Merges are
  in the truthy dump, so that the JSON dump and the truthy one together tell most.

`failed` is not among them: a rerun on the same files would say the same. Ranks are in the JSON dump
alone; of the truthy dump every rank is `best`.

Each dump is read from its start as often as a round needs it: the pages once for each step of a
redirect, the entities about four times (items, main topics and merged items, classes, and once for
each step of superclasses). What a round has found is kept below `raw/`, so that a run that was
stopped goes on with the round it was in, and other landmarks look up what is new of them alone.
"""

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from datetime import datetime
from typing import Any

from hgld.engine.workspace import Workspace
from hgld.scrape.archive import DUMP_ENTITIES, DUMP_PAGES, RawAnswer, RawArchive, now
from hgld.scrape.dumps.entities import read_json_entities, read_truthy_entities
from hgld.scrape.dumps.files import DumpFiles
from hgld.scrape.dumps.pages import PageDumps
from hgld.scrape.knowledge import Knowledge, superclasses
from hgld.scrape.wikimedia.commons import Landing
from hgld.scrape.wikimedia.wikidata import (
    Entities,
    Entity,
    Statement,
    find,
    is_qid,
    merged,
)
from hgld.tables import qid_number

logger = logging.getLogger(__name__)

_CHUNK = 10_000


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
    while wanted := _missing(items, found.known.items, superclass_depth):
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
        # One dump tells of an item and of a class alike.
        entities = Entities()
        self.known = Knowledge(items=entities, classes=entities)
        self.absent: set[str] = set()
        """The entities that no dump has."""
        for kept in self._kept(self._pages):
            self._take_pages(kept.answer)
        for kept in self._kept(self._entities):
            self._take_entities(kept.keys, kept.answer)

    def look_up_pages(self, titles: Iterable[str]) -> None:
        """Looks up the titles that are not known yet."""
        new = [title for title in titles if title not in self.known.pages]
        if not new:
            return
        landings, targets = PageDumps(self._files).look_up(new)
        for chunk in _chunks(list(landings)):
            ends = {landings[title].title for title in chunk} & targets.keys()
            answer: dict[str, dict[str, Any]] = {
                "landings": {title: _landing_fields(landings[title]) for title in chunk},
                "targets": {end: targets[end] for end in sorted(ends)},
            }
            self._keep(self._pages, chunk, answer)
            self._take_pages(answer)

    def look_up_entities(self, wanted: set[str]) -> None:
        """Looks up entities that are not known yet."""
        logger.info("scrape: looking for %d entities", len(wanted))
        found = _read_entities(self._files, wanted)
        for qids in _chunks(sorted(wanted, key=qid_number)):
            answer = {qid: _entity_fields(found.pop(qid)) for qid in qids if qid in found}
            self._keep(self._entities, qids, answer)
            self._take_entities(qids, answer)

    def _kept(self, archive: RawArchive) -> Iterator[RawAnswer]:
        return (kept for kept in archive.answers() if kept.endpoint == self._digest)

    def _keep(self, archive: RawArchive, keys: Iterable[str], answer: Mapping[str, Any]) -> None:
        archive.append(
            RawAnswer(
                endpoint=self._digest,
                request={"dumps": self._files.page.name},
                keys=tuple(keys),
                fetched_at=now(),
                answer=answer,
            )
        )

    def _take_pages(self, answer: Mapping[str, Mapping[str, Any]]) -> None:
        landings = {title: _landing(fields) for title, fields in answer["landings"].items()}
        self.known.pages.update(landings)
        self.known.redirects.update(answer["targets"])

    def _take_entities(self, keys: Iterable[str], answer: Mapping[str, Any]) -> None:
        self.known.items.update({qid: _entity(answer.get(qid, {})) for qid in keys})
        self.absent.update(qid for qid in keys if qid not in answer)


def _chunks(keys: list[str]) -> Iterator[list[str]]:
    """Yields so many keys at a time that what is kept of them takes little memory."""
    yield from (keys[start : start + _CHUNK] for start in range(0, len(keys), _CHUNK))


# Not `dataclasses.asdict`: it copies whatever it meets, and takes most of the time of keeping.
def _landing_fields(landing: Landing) -> dict[str, Any]:
    values = {field.name: getattr(landing, field.name) for field in fields(landing)}
    return {**values, "fetched_at": landing.fetched_at.isoformat()}


def _landing(values: Mapping[str, Any]) -> Landing:
    return Landing(**{**values, "fetched_at": datetime.fromisoformat(values["fetched_at"])})


def _entity_fields(entity: Entity) -> dict[str, Any]:
    return {
        "merged_into": entity.merged_into,
        "labels": entity.labels,
        "statements": {
            prop: [(one.rank, one.value) for one in ones]
            for prop, ones in entity.statements.items()
        },
    }


def _entity(values: Mapping[str, Any]) -> Entity:
    statements = values.get("statements", {})
    return Entity(
        merged_into=values.get("merged_into", ""),
        labels=values.get("labels", {}),
        statements={prop: [Statement(*one) for one in ones] for prop, ones in statements.items()},
    )


def _missing(items: Iterable[str], known: Entities, superclass_depth: int) -> set[str]:
    """Returns the entities to look for next: items, their topics, classes and what is above."""
    ways = [find(qid, known) for qid in items]
    missing = {way.ask for way in ways if way.ask}
    level: Collection[str] = {qid for way in ways for qid in way.classes}
    for _ in range(superclass_depth + 1):
        missing.update(end for end in (merged(qid, known) for qid in level) if end not in known)
        level = superclasses(level, known)
    return missing


def _read_entities(files: DumpFiles, wanted: set[str]) -> dict[str, Entity]:
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
