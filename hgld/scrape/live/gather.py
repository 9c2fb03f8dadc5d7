"""Collects what the scrape must know: from the raw archive first, then from the services.

Each question (pages, texts of soft redirects, logs, items, classes) is a `Source`. What one
answer says decides what has to be asked next, so `gather` goes round until nothing is missing.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from typing import Protocol

from hgld.engine.progress import Advance, progress
from hgld.errors import AnswerError
from hgld.scrape.archive import RawAnswer, RawArchive
from hgld.scrape.knowledge import Walk, walk
from hgld.scrape.wikimedia.commons import CommonsPages, Landing, MoveLog, SoftRedirects
from hgld.scrape.wikimedia.wikidata import SUBCLASS_OF, Entities, Found, find, is_qid, merged

logger = logging.getLogger(__name__)

_MOST_FAILURES_IN_A_ROW = 12
"""Halving 500 keys down to a bad one fails 10 times in a row; more means the service is down."""

Ask = Callable[[Sequence[str]], RawAnswer]


class Facts(Protocol):
    """What is known from answers, by key."""

    def __contains__(self, key: str, /) -> bool:
        """Says whether an answer covers the key."""

    def add(self, answer: RawAnswer) -> None:
        """Takes what an answer says; nothing of it where it raises an error."""


@dataclass(slots=True, kw_only=True)
class Source:
    """One question to one service: what is archived of it, what is known, and what failed."""

    name: str
    """Of what is asked for, in the plural."""
    archive: RawArchive
    facts: Facts
    endpoint: str
    """Answers of other services with the same question do not count; empty: all of them do."""
    ask: Ask | None
    """None: nothing is fetched."""
    batch_size: int
    at_once: int = 1
    """How many requests may be under way."""
    failed: dict[str, str] = field(default_factory=dict, init=False)
    """Key to reason, for the keys that this run could not get."""

    def load(self) -> None:
        """Takes what is archived.

        Raises:
            InputError: a file of the archive is broken.
        """
        for answer in self.archive.answers():
            if self.endpoint in {"", answer.endpoint}:
                self.facts.add(answer)

    def missing(self, keys: Iterable[str]) -> list[str]:
        """Returns the keys that are neither known nor failed, each once, in order."""
        return [
            key for key in dict.fromkeys(keys) if key not in self.facts and key not in self.failed
        ]

    def fetch(self, keys: Sequence[str]) -> None:
        """Asks for keys; afterwards each is known or failed.

        A batch that is too much for the service, or that holds a key it refuses, is halved until
        the trouble is one key's own. A batch that fails for another reason is left, and the next
        is tried; a service that fails again and again is not asked any more.

        Raises:
            FetchError: the service cannot be reached; what was answered is archived.
        """
        if self.ask is None:
            self._fail(keys, "not in the raw archive; run again without --replay")
            return
        with progress(f"scrape: {self.name}", len(keys)) as advance:
            self._fetch_batches(keys, self.ask, advance)
        self._fail(self.missing(keys), "the service's answer does not speak of it; rerun")

    def _fetch_batches(self, keys: Sequence[str], ask: Ask, advance: Advance) -> None:
        size = self.batch_size
        todo = [keys[start : start + size] for start in range(0, len(keys), size)][::-1]
        failures = 0
        for batch, asked in self._asked(todo, ask):
            try:
                self._take(asked.result())
            except AnswerError as error:
                failures += 1
                if failures >= _MOST_FAILURES_IN_A_ROW:
                    logger.warning("%d requests failed in a row; asking no more", failures)
                    self._fail(self.missing(keys), f"not asked again after: {error}")
                    return
                if error.smaller_may_do and len(batch) > 1:
                    half = len(batch) // 2
                    todo += [batch[half:], batch[:half]]
                else:
                    self._fail(batch, str(error))
                    advance(len(batch), problems=len(batch))
            else:
                failures = 0
                advance(len(batch), problems=len(self.missing(batch)))

    def _take(self, answer: RawAnswer) -> None:
        """Reads an answer, and archives it if that can be done.

        Raises:
            AnswerError: it is of a form that its parser does not know.
        """
        try:
            self.facts.add(answer)
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            raise AnswerError(
                f"{answer.endpoint} gave an answer that cannot be read: {error!r}",
                smaller_may_do=True,
            ) from error
        self.archive.append(answer)

    def _asked(
        self, todo: list[Sequence[str]], ask: Ask
    ) -> Iterator[tuple[Sequence[str], Future[RawAnswer]]]:
        """Yields each batch with what came of it, as it comes; `todo` may grow meanwhile."""
        under_way: dict[Future[RawAnswer], Sequence[str]] = {}
        while todo or under_way:
            while todo and len(under_way) < self.at_once:
                batch = todo.pop()
                under_way[_ask_in_thread(ask, batch)] = batch
            for asked in wait(under_way, return_when=FIRST_COMPLETED).done:
                yield under_way.pop(asked), asked

    def _fail(self, keys: Iterable[str], reason: str) -> None:
        self.failed.update(dict.fromkeys(keys, reason))


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why it is not known what a title or an item leads to; a rerun may find out."""

    error: str
    landing: Landing | None = None
    """The page, where that much is known."""


@dataclass(slots=True, kw_only=True)
class Knowledge:
    """Everything that is known of titles, items and classes, each as its parser keeps it."""

    pages: CommonsPages = field(default_factory=CommonsPages)
    redirects: SoftRedirects = field(default_factory=SoftRedirects)
    moves: MoveLog = field(default_factory=MoveLog)
    items: Entities = field(default_factory=Entities)
    classes: Entities = field(default_factory=Entities)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """The questions, over one state of knowledge."""

    knowledge: Knowledge
    pages: Source
    redirects: Source
    moves: Source
    follows_moves: bool
    """Whether the log of a page that is not there is asked for."""
    items: Source
    classes: Source

    def landing(self, title: str) -> Landing | Failure:
        """Returns where a title leads, after `gather`."""
        step = self.walk(title)
        if step.landing is not None:
            return step.landing
        if step.ask_title:
            return Failure(error=self.pages.failed[step.ask_title])
        if step.ask_log:
            return Failure(error=self.moves.failed[step.ask_log])
        return Failure(error=self.redirects.failed[step.ask_wikitext])

    def walk(self, title: str) -> Walk:
        """Returns how far a title can be followed with what is known."""
        known = self.knowledge
        moves = known.moves if self.follows_moves else None
        return walk(title, known.pages, known.redirects, moves)

    def landmark(self, landing: Landing) -> Found | Failure:
        """Returns what a page's item, a Q-id, stands for, after `gather`."""
        found = find(landing.qid, self.knowledge.items)
        if found.ask:
            return Failure(error=self.items.failed[found.ask], landing=landing)
        for qid in found.classes:
            if (end := merged(qid, self.knowledge.classes)) in self.classes.failed:
                return Failure(error=self.classes.failed[end], landing=landing)
        return found


def gather(sources: Sources, titles: Sequence[str], superclass_depth: int) -> None:
    """Fetches what is missing until each title's way is known to its end, or failed.

    Args:
        sources: the four questions, with what is archived loaded.
        titles: page titles, each once.
        superclass_depth: how many steps of *subclass of* are followed from each class.

    Raises:
        FetchError: a service cannot be reached; what was answered is archived.
    """
    landings = _gather_landings(sources, titles)
    items = list(dict.fromkeys(landing.qid for landing in landings if is_qid(landing.qid)))
    known = sources.knowledge.items
    while asked := sources.items.missing(
        found.ask for found in (find(qid, known) for qid in items) if found.ask
    ):
        sources.items.fetch(asked)
    classes = [qid for item in items for qid in find(item, known).classes]
    for _ in range(superclass_depth + 1):
        _gather_classes(sources, classes)
        classes = list(superclasses(classes, sources.knowledge.classes))


def superclasses(classes: Iterable[str], known: Entities) -> dict[str, None]:
    """Returns the direct superclasses of classes, each once, as far as they are known."""
    ends = (merged(qid, known) for qid in classes)
    return {
        merged(superclass, known): None
        for end in dict.fromkeys(ends)
        if end in known
        for superclass in known[end].best(SUBCLASS_OF)
    }


def _gather_landings(sources: Sources, titles: Sequence[str]) -> list[Landing]:
    asked = True
    while asked:
        steps = [sources.walk(title) for title in titles]
        asked = False
        for source, keys in (
            (sources.pages, (step.ask_title for step in steps)),
            (sources.redirects, (step.ask_wikitext for step in steps)),
            (sources.moves, (step.ask_log for step in steps)),
        ):
            missing = source.missing(key for key in keys if key)
            if missing:
                source.fetch(missing)
                asked = True
    return [step.landing for step in steps if step.landing is not None]


def _gather_classes(sources: Sources, classes: Iterable[str]) -> None:
    known = sources.knowledge.classes
    classes = list(dict.fromkeys(classes))
    while asked := sources.classes.missing(merged(qid, known) for qid in classes):
        sources.classes.fetch(asked)
