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
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from datetime import datetime
from typing import Any

from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.scrape.archive import DUMP_ENTITIES, DUMP_PAGES, RawAnswer, RawArchive, now
from hgld.scrape.dumps.entities import read_json_entities, read_truthy_entities
from hgld.scrape.dumps.files import DumpFiles
from hgld.scrape.dumps.pages import PageDumps
from hgld.scrape.knowledge import Knowledge, superclasses
from hgld.scrape.wikimedia.checked import fields_of, flag_of, line_of, number_of
from hgld.scrape.wikimedia.commons import Landing
from hgld.scrape.wikimedia.wikidata import (
    Entities,
    Entity,
    Statement,
    checked_qid,
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
            raise self._unreadable(error) from error
        for chunk in _chunks(list(landings)):
            found = {title: _landing_fields(landings[title]) for title in chunk}
            sound = _sound(found, _landing, self.known.failed_pages)
            ends = {landings[title].title for title in sound} & targets.keys()
            answer = {"landings": sound, "targets": {end: targets[end] for end in sorted(ends)}}
            self._keep(self._pages, sound, answer, self._take_pages)

    def look_up_entities(self, wanted: set[str]) -> None:
        """Looks up entities that are not known yet."""
        logger.info("scrape: looking for %d entities", len(wanted))
        try:
            found = _read_entities(self._files, wanted)
        except (ValueError, RecursionError) as error:
            raise self._unreadable(error) from error
        for qids in _chunks(sorted(wanted, key=qid_number)):
            odd: dict[str, str] = {}
            there = {qid: _entity_fields(found.pop(qid)) for qid in qids if qid in found}
            answer = _sound(there, _entity, odd)
            self.known.failed_items |= odd
            self.known.failed_classes |= odd
            keys = [qid for qid in qids if qid not in odd]
            self._keep(self._entities, keys, answer, self._take_entities)

    def _unreadable(self, error: Exception) -> InputError:
        folder = self._files.page.parent
        return InputError(f"the dumps in {folder} cannot be read ({error}); download them again")

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
        kept = RawAnswer(
            endpoint=self._digest,
            request={"dumps": self._files.page.name},
            keys=tuple(keys),
            fetched_at=now(),
            answer=answer,
        )
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


def _chunks(keys: list[str]) -> Iterator[list[str]]:
    """Yields so many keys at a time that what is kept of them takes little memory."""
    yield from (keys[start : start + _CHUNK] for start in range(0, len(keys), _CHUNK))


# Not `dataclasses.asdict`: it copies whatever it meets, and takes most of the time of keeping.
def _landing_fields(landing: Landing) -> dict[str, Any]:
    values = {field.name: getattr(landing, field.name) for field in fields(landing)}
    return {**values, "fetched_at": landing.fetched_at.isoformat()}


def _sound(
    found: Mapping[str, Any], parse: Callable[[object], object], failed: dict[str, str]
) -> dict[str, Any]:
    """Returns what can be read again as it is, and notes why the rest cannot."""
    sound = {}
    for key, values in found.items():
        try:
            parse(values)
        except ValueError as error:
            failed[key] = f"the dumps are odd: {error}"
        else:
            sound[key] = values
    return sound


def pages_of_dump_answer(kept: RawAnswer) -> tuple[dict[str, Landing], dict[str, str]]:
    """Returns where titles lead, and soft redirects, of what was found in page dumps and kept.

    Raises:
        ValueError: a part of it is odd.
    """
    answer = fields_of(kept.answer, "what was found")
    landings = fields_of(answer.get("landings"), "landings")
    targets = fields_of(answer.get("targets"), "targets")
    return (
        {line_of(title, "title"): _landing(landings[title]) for title in landings},
        {line_of(title, "title"): line_of(targets[title], "target") for title in targets},
    )


def _landing(part: object) -> Landing:
    values = fields_of(part, "landing")
    if values.keys() != {field.name for field in fields(Landing)}:
        raise ValueError(f"a landing must have the fields of one, got {sorted(values)[:10]}")
    number = values["revision_id"]
    texts = ("title", "status", "error", "missing_title")
    return Landing(
        **{name: line_of(values[name], name) for name in texts},
        qid=checked_qid(line_of(values["qid"], "qid")),
        fetched_at=datetime.fromisoformat(line_of(values["fetched_at"], "fetched_at")),
        revision_id=None if number is None else number_of(number, "revision_id"),
        is_soft_redirect=flag_of(values["is_soft_redirect"], "is_soft_redirect"),
    )


def _entity_fields(entity: Entity) -> dict[str, Any]:
    return {
        "merged_into": entity.merged_into,
        "labels": entity.labels,
        "statements": {
            prop: [(one.rank, one.value) for one in ones]
            for prop, ones in entity.statements.items()
        },
    }


def entities_of_dump_answer(kept: RawAnswer) -> dict[str, Entity]:
    """Returns the entities of what was found in dumps of Wikidata and kept.

    Raises:
        ValueError: a part of it is odd.
    """
    found = fields_of(kept.answer, "what was found")
    return {checked_qid(line_of(qid, "id")): _entity(found[qid]) for qid in found}


def _entity(part: object) -> Entity:
    values = fields_of(part, "entity")
    labels = fields_of(values.get("labels"), "labels")
    statements = fields_of(values.get("statements"), "statements")
    return Entity(
        merged_into=checked_qid(line_of(values.get("merged_into"), "merged_into")),
        labels={line_of(one, "language"): line_of(labels[one], "label") for one in labels},
        statements={prop: _statements(statements[prop]) for prop in statements},
    )


def _statements(part: object) -> list[Statement]:
    statements = []
    for pair in part if isinstance(part, list) else [part]:
        if not isinstance(pair, list | tuple) or len(pair) != len(fields(Statement)):
            raise ValueError(f"a statement must be a rank and a value, got {ascii(pair)[:60]}")
        rank, value = (line_of(one, "rank or value") for one in pair)
        statements.append(Statement(rank, checked_qid(value)))
    return statements


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
        if title in known.failed_pages:
            continue
        landing = known.pages[title]
        qid = find(landing.qid, known.items).qid if is_qid(landing.qid) else ""
        if qid in absent:
            note = f"{qid} is not in the dump of entities: merged, deleted or younger than it"
            known.pages.update({title: replace(landing, error=note)})
