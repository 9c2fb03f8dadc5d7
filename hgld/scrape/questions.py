"""What the scrape asks, and in which order.

A question is asked in batches. Its answers are kept in a raw archive of their own and become known
facts. `gather` asks the five questions of a scrape in rounds, because one answer decides what to
ask next: where titles lead, where soft redirects point, what happened to missing pages, and what
items and classes are.
"""

import logging
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from hgld.engine.progress import Advance, progress
from hgld.engine.workspace import Workspace
from hgld.errors import AnswerError, FetchError, InputError
from hgld.http.session import require_contact
from hgld.scrape import archive
from hgld.scrape.archive import RawAnswer, RawArchive, generation_path
from hgld.scrape.config import ScrapeConfig
from hgld.scrape.knowledge import Knowledge, Missing, superclasses
from hgld.scrape.services import Services
from hgld.scrape.wikimedia import commons, queries, wikidata
from hgld.scrape.wikimedia.answers import Facts
from hgld.scrape.wikimedia.commons import Landing
from hgld.scrape.wikimedia.files import CommonsFiles, files_request
from hgld.scrape.wikimedia.parents import CommonsParents, parents_request
from hgld.scrape.wikimedia.wikidata import Entities, Entity, find, goes_too_far, is_qid, merged
from hgld.tables import qid_number

logger = logging.getLogger(__name__)

_MINUTE_S = 60
_MOST_FAILURES_IN_A_ROW = 12
"""Halving 500 keys down to a bad one fails 10 times in a row; more means the service is down."""
_TOO_FAR = f"leads through more than {wikidata.MOST_HOPS} merges and main topics"


class _Kind(NamedTuple):
    """One kind of question."""

    service: str
    """The service to ask, by the setting that has its address."""
    request: Callable[[Sequence[str]], Any]
    facts: Callable[[], Facts[Any]]


KINDS = {
    archive.COMMONS_PAGES: _Kind("commons", commons.page_request, commons.CommonsPages),
    archive.COMMONS_WIKITEXT: _Kind("commons", commons.wikitext_request, commons.SoftRedirects),
    archive.COMMONS_LOG: _Kind("commons", commons.log_request, commons.MoveLog),
    archive.COMMONS_PARENTS: _Kind("commons", parents_request, CommonsParents),
    archive.COMMONS_FILES: _Kind("commons", files_request, CommonsFiles),
    archive.WIKIDATA_ITEMS: _Kind("sparql", queries.item_query, Entities),
    archive.WIKIDATA_CLASSES: _Kind("sparql", queries.class_query, Entities),
    archive.WIKIDATA_EVIDENCE: _Kind("sparql", queries.evidence_query, Entities),
    archive.WIKIDATA_PLACES: _Kind("sparql", queries.place_query, Entities),
    archive.WIKIDATA_MEDIA: _Kind("sparql", queries.media_query, Entities),
}
"""Every question, by the folder of its answers."""
_ONE_BY_ONE = (archive.COMMONS_LOG, archive.COMMONS_FILES)
"""The questions of which a request has one title."""

Ask = Callable[[Sequence[str]], RawAnswer]


class _Batch(NamedTuple):
    """The keys of one request."""

    keys: Sequence[str]
    is_again: bool = False
    """Whether an earlier answer for these keys was doubted."""

    def halves(self, *, is_again: bool) -> list["_Batch"]:
        """Returns the two halves, the first half last; a single key is not split."""
        half = len(self.keys) // 2
        parts = (self.keys[half:], self.keys[:half])
        return [_Batch(keys, is_again) for keys in parts if keys]


@dataclass(slots=True)
class Question:
    """One question to one service: its archive, what is known, and what failed."""

    archive: RawArchive
    endpoint: str
    """Address of the service; archived answers of other addresses are ignored."""
    ask: Ask | None
    """None: offline, and archived answers of any address are used."""
    facts: Facts[Any]
    batch_size: int
    pace: int = 0
    """The most requests a minute; 0: any number."""
    misfits: dict[Path, str] = field(default_factory=dict)
    """Files of the archive that were skipped, each with the reason."""

    def missing(self, keys: Iterable[str]) -> list[str]:
        """Returns the keys that are neither known nor failed, each once, in order."""
        facts = self.facts
        return [key for key in dict.fromkeys(keys) if key not in facts and key not in facts.failed]

    def fetch(self, keys: Sequence[str]) -> None:
        """Asks for keys; afterwards each is known or failed.

        A batch that is too large for the service, or has a key that it refuses, is halved until
        only the bad key fails. A batch that fails for another reason is skipped; after many
        failures in a row the service is not asked any more. An answer that may wrongly say
        "nothing" is not kept: its keys are asked for once more, in halves.

        Raises:
            FetchError: the service cannot be reached; the answers so far are archived.
        """
        if self.ask is None:
            self.fail(keys, "not in the raw archive; --no-replay asks for it")
            return
        requests, name = math.ceil(len(keys) / self.batch_size), self.archive.folder.name
        # Of one second each, or of what the pace makes of them.
        apart_s = max(_MINUTE_S / self.pace if self.pace else 0, 1)
        minutes = math.ceil(requests * apart_s / _MINUTE_S)
        cost = f"{requests:,} requests to {self.endpoint}, about {minutes:,} min"
        logger.info("%s: asking for %s in %s", name, f"{len(keys):,}", cost)
        with progress(f"scrape: {name}", len(keys)) as advance:
            self._fetch_batches(keys, self.ask, advance)
        left_out = "the service left it out, asked twice; rerun"
        self.fail(self.missing(keys), left_out)

    def _fetch_batches(self, keys: Sequence[str], ask: Ask, advance: Advance) -> None:
        starts = range(0, len(keys), self.batch_size)
        todo = [_Batch(keys[start : start + self.batch_size]) for start in starts][::-1]
        failures = 0
        while todo:
            batch = todo.pop()
            try:
                again = self._take(batch, ask(batch.keys))
            except AnswerError as error:
                failures += 1
                if failures >= _MOST_FAILURES_IN_A_ROW:
                    logger.warning("%d requests failed in a row; asking no more", failures)
                    self.fail(self.missing(keys), f"not asked again after: {error}")
                    return
                if error.smaller_may_do and len(batch.keys) > 1:
                    todo += batch.halves(is_again=batch.is_again)
                else:
                    self.fail(batch.keys, str(error))
                    advance(len(batch.keys), problems=len(batch.keys))
                continue
            failures = 0
            todo += again
            if not again:
                advance(len(batch.keys), problems=len(self.missing(batch.keys)))

    def _take(self, batch: _Batch, answer: RawAnswer) -> list[_Batch]:
        """Reads and archives an answer.

        Returns:
            The batches to ask for again; empty if the answer was accepted.

        Raises:
            AnswerError: a part of the answer is malformed, or cannot be kept.
        """
        try:
            doubt = "" if batch.is_again else self.facts.doubt(answer)
            if doubt:
                logger.info("%s: an answer %s; asking once more", answer.endpoint, doubt)
                return batch.halves(is_again=True)
            answer.packed()  # first: an answer that cannot be kept must not become known
            self.facts.add(answer)
        except (ValueError, RecursionError) as error:
            why = f"{answer.endpoint} gave an answer that cannot be kept: {error}"
            raise AnswerError(why, smaller_may_do=True) from error
        if len(self.missing(batch.keys)) < len(batch.keys):
            self.archive.append(answer)
        return []

    def fail(self, keys: Iterable[str], reason: str) -> None:
        """Marks keys as failed in this run, with the reason."""
        # A server's error text may have characters that no table can hold.
        reason = reason.encode("utf-8", errors="backslashreplace").decode()
        self.facts.failed.update(dict.fromkeys(keys, reason))


Open = Callable[[str, Facts[Any]], Question]
"""Opens the question of a folder, and reads its archived answers into the facts."""


def opening(
    workspace: Workspace, config: ScrapeConfig, generation: int, services: Services | None
) -> Open:
    """Returns the function that opens questions on a generation of the raw archive.

    Args:
        workspace: the build.
        config: the settings.
        generation: the generation to read and append to.
        services: the services to ask; None works offline and sets no file aside.
    """
    public = config.without_logins()  # for the archive and the log

    def opened(folder: str, facts: Facts[Any]) -> Question:
        kind = KINDS[folder]
        endpoint: str = getattr(public, kind.service)

        def ask(keys: Sequence[str]) -> RawAnswer:
            require_contact(config.contact, public.commons, public.sparql)
            answer: RawAnswer = getattr(services, kind.service).ask(kind.request(keys), keys)
            return answer

        def take(answer: RawAnswer) -> None:
            if services is None or answer.endpoint == endpoint:
                facts.add(answer)

        is_commons = kind.service == "commons"
        size = config.titles_per_request if is_commons else config.keys_per_request
        kept = RawArchive(workspace.path(generation_path(folder, generation)))
        return Question(
            archive=kept,
            endpoint=endpoint,
            ask=ask if services else None,
            facts=facts,
            batch_size=1 if folder in _ONE_BY_ONE else size,
            pace=config.pace(endpoint),
            misfits=kept.load(take, mend=services is not None),
        )

    return opened


def gather(known: Knowledge, opened: Open, titles: Sequence[str], superclass_depth: int) -> None:
    """Fetches what is missing until every title is followed to its end, or failed.

    Each round asks for everything that is missing; the last round finds nothing to ask.

    Args:
        known: gets what the answers say, archived ones first.
        opened: opens the questions.
        titles: page titles, each once.
        superclass_depth: how many steps of *subclass of* to follow from each class.

    Raises:
        FetchError: a service cannot be reached; the answers so far are archived.
    """
    about_items = opened(archive.WIKIDATA_ITEMS, known.items)
    about_classes = opened(archive.WIKIDATA_CLASSES, known.classes)
    gather_landings(known, opened, titles)
    landings = (known.landing(title) for title in titles)
    ends = (one.qid for one in landings if isinstance(one, Landing) and is_qid(one.qid))
    items = list(dict.fromkeys(ends))
    while asked := about_items.missing(
        found.ask for found in (find(qid, known.items) for qid in items) if found.ask
    ):
        about_items.fetch(asked)
    classes = dict[str, None]()
    for found in (find(qid, known.items) for qid in items):
        classes |= dict.fromkeys(found.classes)
        if found.ask in known.items:  # it is known, but its chain is too long
            about_items.fail([found.ask], _TOO_FAR)
    for _ in range(superclass_depth + 1):
        gather_entities(about_classes, known.classes, list(classes))
        classes = superclasses(classes, known.classes)


def gather_landings(known: Knowledge, opened: Open, titles: Sequence[str]) -> None:
    """Fetches until it is known, or has failed, where each title leads.

    Raises:
        FetchError: the service cannot be reached; the answers so far are archived.
    """
    questions = (
        opened(archive.COMMONS_PAGES, known.pages),
        opened(archive.COMMONS_WIKITEXT, known.redirects),
        opened(archive.COMMONS_LOG, known.moves),
    )
    while True:
        missing = [step for step in map(known.walk, titles) if isinstance(step, Missing)]
        is_done = True
        for question in questions:
            keys = (step.key for step in missing if step.facts is question.facts)
            if asked := question.missing(keys):
                question.fetch(asked)
                is_done = False
        if is_done:
            return


def gather_entities(question: Question, known: Entities, qids: Sequence[str]) -> None:
    """Fetches until each entity, or the one it was merged into, is known or failed.

    Args:
        question: about the entities.
        known: the facts of the question.
        qids: Q-ids, each once.

    Raises:
        FetchError: the service cannot be reached; the answers so far are archived.
    """
    while asked := question.missing(merged(qid, known) for qid in qids):
        question.fetch(asked)
    endless = (merged(qid, known) for qid in qids if goes_too_far(qid, known))
    question.fail(endless, _TOO_FAR)


def gather_reached(
    question: Question,
    known: Entities,
    qids: Iterable[str],
    leads: Callable[[Entity], Iterable[str]] = lambda _: (),
) -> list[str]:
    """Fetches entities and all that they lead to; each is known or failed then.

    Args:
        question: about the entities.
        known: the facts of the question.
        qids: Q-ids, each once.
        leads: returns what to ask about besides, from what is known of an entity.

    Returns:
        The Q-ids of all of them, by number.
    """
    seen, todo, stopped = dict[str, None](), list(qids), ""
    while todo:
        try:
            if not stopped:
                gather_entities(question, known, todo)
        except (FetchError, InputError) as error:
            stopped = str(error)
        if stopped:
            question.fail(question.missing(merged(qid, known) for qid in todo), stopped)
        ends = dict.fromkeys(merged(qid, known) for qid in todo)
        seen |= dict.fromkeys(todo) | ends
        found = (target for end in ends if end in known for target in leads(known[end]))
        todo = [qid for qid in dict.fromkeys(found) if qid not in seen]
    return sorted({merged(qid, known) for qid in seen}, key=qid_number)
