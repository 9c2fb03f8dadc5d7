"""The five questions that the scrape asks: about pages, texts, logs, items and classes.

Each asks in batches, keeps every answer in a raw archive of its own, and makes it known. Which keys
it is asked for, and when, is up to the rounds (`hgld.scrape.live.gather`).
"""

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from typing import Protocol

from hgld.engine.progress import Advance, progress
from hgld.engine.workspace import Workspace
from hgld.errors import AnswerError
from hgld.scrape.archive import (
    COMMONS_LOG,
    COMMONS_PAGES,
    COMMONS_WIKITEXT,
    WIKIDATA_CLASSES,
    WIKIDATA_ITEMS,
    RawAnswer,
    RawArchive,
    generation_path,
)
from hgld.scrape.config import ScrapeConfig
from hgld.scrape.knowledge import Knowledge
from hgld.scrape.live.services import Services

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
class Question:
    """One question to one service: what is archived of it, what is known, and what failed."""

    name: str
    """Of what is asked for, as the progress shows it."""
    archive: RawArchive
    endpoint: str
    """Where it is asked; answers of other services to the same question do not count."""
    ask: Ask | None
    """None: nobody is asked, and what is archived counts, wherever it came from."""
    facts: Facts
    failed: dict[str, str]
    """Key to reason, for the keys that this run could not get."""
    batch_size: int
    at_once: int
    """How many requests may be under way."""

    def load(self) -> None:
        """Takes what is archived.

        Raises:
            InputError: a file of the archive is broken.
        """
        for answer in self.archive.answers():
            if self.ask is None or self.endpoint == answer.endpoint:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Questions:
    """The five questions, and what their answers have made known."""

    known: Knowledge
    pages: Question
    """Where titles lead."""
    texts: Question
    """Where soft redirects point to."""
    logs: Question
    """What became of pages that are not there."""
    items: Question
    classes: Question


def open_questions(
    workspace: Workspace, config: ScrapeConfig, generation: int, services: Services | None
) -> Questions:
    """Returns the questions, with what a generation of the raw archive answers of them known.

    Args:
        workspace: the build.
        config: the settings.
        generation: which one to read, and to add to.
        services: whom to ask; None asks nobody.

    Raises:
        InputError: a file of the archive is broken.
    """

    def archive(folder: str) -> RawArchive:
        return RawArchive(workspace.path(generation_path(folder, generation)))

    known = Knowledge(follows_moves=config.follow_moves)
    questions = Questions(
        known=known,
        pages=Question(
            name="pages",
            archive=archive(COMMONS_PAGES),
            endpoint=config.commons,
            ask=services and services.commons.pages,
            facts=known.pages,
            failed=known.failed_pages,
            batch_size=config.titles_per_request,
            at_once=config.requests_at_once,
        ),
        texts=Question(
            name="wikitext",
            archive=archive(COMMONS_WIKITEXT),
            endpoint=config.commons,
            ask=services and services.commons.wikitext,
            facts=known.redirects,
            failed=known.failed_redirects,
            batch_size=config.titles_per_request,
            at_once=config.requests_at_once,
        ),
        logs=Question(
            name="log",
            archive=archive(COMMONS_LOG),
            endpoint=config.commons,
            ask=services and services.commons.log,
            facts=known.moves,
            failed=known.failed_moves,
            batch_size=1,
            at_once=config.requests_at_once,
        ),
        items=Question(
            name="items",
            archive=archive(WIKIDATA_ITEMS),
            endpoint=config.sparql,
            ask=services and services.wikidata.items,
            facts=known.items,
            failed=known.failed_items,
            batch_size=config.items_per_request,
            at_once=1,
        ),
        classes=Question(
            name="classes",
            archive=archive(WIKIDATA_CLASSES),
            endpoint=config.sparql,
            ask=services and services.wikidata.classes,
            facts=known.classes,
            failed=known.failed_classes,
            batch_size=config.items_per_request,
            at_once=1,
        ),
    )
    for question in (
        questions.pages,
        questions.texts,
        questions.logs,
        questions.items,
        questions.classes,
    ):
        question.load()
    return questions


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
