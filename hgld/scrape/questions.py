"""What the scrape asks, and in which order.

A question is asked in batches, keeps every answer in a raw archive of its own, and makes it known.
`gather` asks the five questions of a scrape in rounds, since what one answer says decides what has
to be asked next: where titles lead, where soft redirects point to, what became of pages that are
gone, and what items and classes are.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from hgld.engine.progress import Advance, progress
from hgld.engine.workspace import Workspace
from hgld.errors import AnswerError
from hgld.http.session import require_contact
from hgld.scrape.archive import (
    COMMONS_LOG,
    COMMONS_PAGES,
    COMMONS_PARENTS,
    COMMONS_WIKITEXT,
    WIKIDATA_CLASSES,
    WIKIDATA_EVIDENCE,
    WIKIDATA_ITEMS,
    Misfit,
    RawAnswer,
    RawArchive,
    generation_path,
)
from hgld.scrape.config import ScrapeConfig
from hgld.scrape.knowledge import Knowledge, superclasses
from hgld.scrape.services import Services
from hgld.scrape.wikimedia.answers import Facts
from hgld.scrape.wikimedia.commons import Landing, log_request, page_request, wikitext_request
from hgld.scrape.wikimedia.parents import parents_request
from hgld.scrape.wikimedia.wikidata import (
    MOST_HOPS,
    Entities,
    class_query,
    evidence_query,
    find,
    goes_too_far,
    is_qid,
    item_query,
    merged,
)

logger = logging.getLogger(__name__)

_MOST_FAILURES_IN_A_ROW = 12
"""Halving 500 keys down to a bad one fails 10 times in a row; more means the service is down."""
_TOO_FAR = f"leads through more than {MOST_HOPS} merges and main topics"

# Folder to how the progress names what is asked for, and to the request for a batch of it.
_OF_COMMONS = {
    COMMONS_PAGES: ("pages", page_request),
    COMMONS_WIKITEXT: ("wikitext", wikitext_request),
    COMMONS_LOG: ("log", log_request),
    COMMONS_PARENTS: ("parents", parents_request),
}
_OF_WIKIDATA = {
    WIKIDATA_ITEMS: ("items", item_query),
    WIKIDATA_CLASSES: ("classes", class_query),
    WIKIDATA_EVIDENCE: ("evidence", evidence_query),
}

Ask = Callable[[Sequence[str]], RawAnswer]


class _Batch(NamedTuple):
    """What is asked for in one request."""

    keys: Sequence[str]
    is_again: bool = False
    """Whether what it asks for was answered before, and the answer doubted."""

    def halves(self, *, is_again: bool) -> list["_Batch"]:
        """Returns it in two, the first half last; a single key stays as it is."""
        half = len(self.keys) // 2
        parts = (self.keys[half:], self.keys[:half])
        return [_Batch(keys, is_again) for keys in parts if keys]


@dataclass(slots=True, kw_only=True)
class Question:
    """One question to one service: what is archived of it, what is known, and what failed."""

    name: str
    """Of what is asked for, as the progress shows it."""
    archive: RawArchive
    endpoint: str
    """Where it is asked; answers of other services to the same question do not count."""
    ask: Ask | None
    """None: nobody is asked, and what is archived counts, wherever it came from."""
    facts: Facts[Any]
    batch_size: int
    at_once: int
    """How many requests may be under way."""
    misfits: list[Misfit] = field(default_factory=list, init=False)
    """The files of the archive that are no answers that were kept, as they were loaded."""

    def load(self) -> None:
        """Takes what is archived, and sets aside what is no answer that was kept.

        Where nobody is asked, nothing is set aside.
        """

        def take(answer: RawAnswer) -> None:
            if self.ask is None or self.endpoint == answer.endpoint:
                self.facts.add(answer)

        self.misfits = self.archive.load(take, mend=self.ask is not None)

    def missing(self, keys: Iterable[str]) -> list[str]:
        """Returns the keys that are neither known nor failed, each once, in order."""
        facts = self.facts
        return [key for key in dict.fromkeys(keys) if key not in facts and key not in facts.failed]

    def fetch(self, keys: Sequence[str]) -> None:
        """Asks for keys; afterwards each is known or failed.

        A batch that is too much for the service, or that holds a key it refuses, is halved until
        the trouble is one key's own. A batch that fails for another reason is left, and the next
        is tried; a service that fails again and again is not asked any more. An answer that may
        only seem to say "nothing" is not kept: it is asked for once more, in halves.

        Raises:
            FetchError: the service cannot be reached; what was answered is archived.
        """
        if self.ask is None:
            self.fail(keys, "not in the raw archive; --no-replay asks for it")
            return
        with progress(f"scrape: {self.name}", len(keys)) as advance:
            self._fetch_batches(keys, self.ask, advance)
        self.fail(
            self.missing(keys), "the service's answer does not speak of it, asked twice; rerun"
        )

    def _fetch_batches(self, keys: Sequence[str], ask: Ask, advance: Advance) -> None:
        size = self.batch_size
        starts = range(0, len(keys), size)
        todo = [_Batch(keys[start : start + size]) for start in starts][::-1]
        failures = 0
        for batch, asked in self._asked(todo, ask):
            try:
                again = self._take(batch, asked.result())
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
        """Reads an answer, and archives it if that can be done.

        Returns:
            What to ask for once more instead; empty where the answer was taken.

        Raises:
            AnswerError: it has a part that is odd, or that cannot be kept.
        """
        try:
            doubt = "" if batch.is_again else self.facts.doubt(answer)
            if doubt:
                logger.info("%s: an answer %s; asking once more", answer.endpoint, doubt)
                return batch.halves(is_again=True)
            answer.packed()  # before it is known: what cannot be kept is not to be known either
            self.facts.add(answer)
        except (ValueError, RecursionError) as error:
            raise AnswerError(
                f"{answer.endpoint} gave an answer that cannot be kept: {error}",
                smaller_may_do=True,
            ) from error
        if len(self.missing(batch.keys)) < len(batch.keys):
            self.archive.append(answer)
        return []

    def _asked(self, todo: list[_Batch], ask: Ask) -> Iterator[tuple[_Batch, Future[RawAnswer]]]:
        """Yields each batch with what came of it, as it comes; `todo` may grow meanwhile."""
        under_way: dict[Future[RawAnswer], _Batch] = {}
        while todo or under_way:
            while todo and len(under_way) < self.at_once:
                batch = todo.pop()
                under_way[_ask_in_thread(ask, batch.keys)] = batch
            for asked in wait(under_way, return_when=FIRST_COMPLETED).done:
                yield under_way.pop(asked), asked

    def announce(self, keys: Sequence[str], contact: str) -> None:
        """Says how many requests keys will take at least, before the first.

        Raises:
            InputError: there is somebody to ask, and no contact is given.
        """
        left = len(self.missing(keys))
        requests = -(-left // self.batch_size)
        cost = f"{requests} requests to {self.endpoint}" if self.ask else "nobody is asked"
        known = len(keys) - left
        logger.info("%s: %d, %d of them in the raw archive; %s", self.name, len(keys), known, cost)
        if self.ask and left:
            require_contact(contact, self.endpoint)

    def fail(self, keys: Iterable[str], reason: str) -> None:
        """Notes of keys that this run cannot get them, and why."""
        # A server's own words may have what no table can hold.
        reason = reason.encode("utf-8", errors="backslashreplace").decode()
        self.facts.failed.update(dict.fromkeys(keys, reason))


@dataclass(frozen=True, slots=True, kw_only=True)
class Questions:
    """The five questions of a scrape, and what their answers have made known."""

    known: Knowledge
    pages: Question
    """Where titles lead."""
    texts: Question
    """Where soft redirects point to."""
    logs: Question
    """What became of pages that are not there."""
    items: Question
    classes: Question

    @property
    def misfits(self) -> list[Misfit]:
        """The files of the archive that are no answers that were kept."""
        asked = self.pages, self.texts, self.logs, self.items, self.classes
        return [misfit for question in asked for misfit in question.misfits]


def open_questions(
    workspace: Workspace, config: ScrapeConfig, generation: int, services: Services | None
) -> Questions:
    """Returns the questions of a scrape, with what is archived known; see `open_question`."""

    def opened(folder: str, facts: Facts[Any]) -> Question:
        return open_question(workspace, config, generation, services, folder, facts)

    known = Knowledge(follows_moves=config.follow_moves)
    return Questions(
        known=known,
        pages=opened(COMMONS_PAGES, known.pages),
        texts=opened(COMMONS_WIKITEXT, known.redirects),
        logs=opened(COMMONS_LOG, known.moves),
        items=opened(WIKIDATA_ITEMS, known.items),
        classes=opened(WIKIDATA_CLASSES, known.classes),
    )


def open_question(
    workspace: Workspace,
    config: ScrapeConfig,
    generation: int,
    services: Services | None,
    folder: str,
    facts: Facts[Any],
) -> Question:
    """Returns a question, with what a generation of the raw archive answers of it known.

    Args:
        workspace: the build.
        config: the settings.
        generation: which one to read, and to add to.
        services: whom to ask; None asks nobody.
        folder: where its answers lie, such as `COMMONS_PAGES`; it says what is asked.
        facts: what its answers are to make known.
    """
    public = config.without_logins()  # what is archived and logged has none
    ask: Ask | None = None
    if folder in _OF_COMMONS:
        name, parameters = _OF_COMMONS[folder]
        if services:
            commons = services.commons
            ask = lambda keys: commons.ask(parameters(keys), keys)  # noqa: E731
        endpoint, at_once = public.commons, config.requests_at_once
        size = 1 if folder == COMMONS_LOG else config.titles_per_request
    else:
        name, query = _OF_WIKIDATA[folder]
        if services:
            wikidata = services.wikidata
            ask = lambda keys: wikidata.ask(query(keys), keys)  # noqa: E731
        endpoint, at_once, size = public.sparql, 1, config.items_per_request
    question = Question(
        name=name,
        archive=RawArchive(workspace.path(generation_path(folder, generation))),
        endpoint=endpoint,
        ask=ask,
        facts=facts,
        batch_size=size,
        at_once=at_once,
    )
    question.load()
    return question


def gather(questions: Questions, titles: Sequence[str], superclass_depth: int) -> None:
    """Fetches what is missing until each title's way is known to its end, or failed.

    Each round asks for what is missing, all of it together; the last one has nothing left to ask.

    Args:
        questions: with what is archived loaded.
        titles: page titles, each once.
        superclass_depth: how many steps of *subclass of* are followed from each class.

    Raises:
        FetchError: a service cannot be reached; what was answered is archived.
    """
    landings = _gather_landings(questions, titles)
    items = list(dict.fromkeys(landing.qid for landing in landings if is_qid(landing.qid)))
    known = questions.known
    while asked := questions.items.missing(
        found.ask for found in (find(qid, known.items) for qid in items) if found.ask
    ):
        questions.items.fetch(asked)
    found_items = [find(qid, known.items) for qid in items]
    # What is known, and has no end all the same.
    endless = (found.ask for found in found_items if found.ask in known.items)
    questions.items.fail(endless, _TOO_FAR)
    classes = [qid for found in found_items for qid in found.classes]
    for _ in range(superclass_depth + 1):
        gather_entities(questions.classes, known.classes, list(dict.fromkeys(classes)))
        classes = list(superclasses(classes, known.classes))


def _gather_landings(questions: Questions, titles: Sequence[str]) -> list[Landing]:
    asked = True
    while asked:
        steps = [questions.known.walk(title) for title in titles]
        asked = False
        for question, keys in (
            (questions.pages, (step.ask_title for step in steps)),
            (questions.texts, (step.ask_wikitext for step in steps)),
            (questions.logs, (step.ask_log for step in steps)),
        ):
            missing = question.missing(key for key in keys if key)
            if missing:
                question.fetch(missing)
                asked = True
    return [step.landing for step in steps if step.landing is not None]


def gather_entities(question: Question, known: Entities, qids: Sequence[str]) -> None:
    """Fetches what is missing until of each entity, or what it was merged into, all is known.

    Args:
        question: about them.
        known: what it makes known.
        qids: Q-ids, each once.

    Raises:
        FetchError: the service cannot be reached; what was answered is archived.
    """
    while asked := question.missing(merged(qid, known) for qid in qids):
        question.fetch(asked)
    endless = (merged(qid, known) for qid in qids if goes_too_far(qid, known))
    question.fail(endless, _TOO_FAR)


def _ask_in_thread(ask: Ask, batch: Sequence[str]) -> Future[RawAnswer]:
    """Asks in a thread that nobody waits for when the program is stopped, as a pool's would be."""
    asked: Future[RawAnswer] = Future()

    def run() -> None:
        try:
            asked.set_result(ask(batch))
        except BaseException as error:  # noqa: BLE001 - raised again by whoever asks for the result
            asked.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return asked
