"""The five questions that the scrape asks: about pages, texts, logs, items and classes.

A sixth is asked when those are answered (`hgld.scrape.live.evidence`).

Each asks in batches, keeps every answer in a raw archive of its own, and makes it known. Which keys
it is asked for, and when, is up to the rounds (`hgld.scrape.live.gather`).
"""

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from hgld.engine.progress import Advance, progress
from hgld.engine.workspace import Workspace
from hgld.errors import AnswerError
from hgld.scrape.archive import (
    COMMONS_LOG,
    COMMONS_PAGES,
    COMMONS_WIKITEXT,
    WIKIDATA_CLASSES,
    WIKIDATA_ITEMS,
    Misfit,
    RawAnswer,
    RawArchive,
    generation_path,
    words_of,
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

    def doubt(self, answer: RawAnswer) -> str:
        """Returns why an answer is to be asked for once more, or an empty string."""

    def add(self, answer: RawAnswer) -> None:
        """Takes what an answer says; nothing of it where it raises a ValueError."""


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
    facts: Facts
    failed: dict[str, str]
    """Key to reason, for the keys that this run could not get."""
    batch_size: int
    at_once: int
    """How many requests may be under way."""
    misfits: list[Misfit] = field(default_factory=list, init=False)
    """The files of the archive that are no answers that were kept, as they were loaded."""

    def load(self) -> None:
        """Takes what is archived, and sets aside what is no answer that was kept.

        Where nobody is asked, nothing is set aside, and the keys of such a file fail.
        """

        def take(answer: RawAnswer) -> None:
            if self.ask is None or self.endpoint == answer.endpoint:
                self.facts.add(answer)

        self.archive.adopt()
        self.misfits = self.archive.load(take, mend=self.ask is not None)
        if self.ask is None:
            for path, what in self.misfits:
                logger.warning("%s %s; what it answered fails", path, what)

    def missing(self, keys: Iterable[str]) -> list[str]:
        """Returns the keys that are neither known nor failed, each once, in order."""
        return [
            key for key in dict.fromkeys(keys) if key not in self.facts and key not in self.failed
        ]

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
            lost = words_of(self.misfits)
            where = f"not in the raw archive{f' ({lost})' if lost else ''}"
            self.fail(keys, f"{where}; run again without --replay")
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

    def fail(self, keys: Iterable[str], reason: str) -> None:
        """Notes of keys that this run cannot get them, and why."""
        # A server's own words may have what no table can hold.
        reason = reason.encode("utf-8", errors="backslashreplace").decode()
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

    def all(self) -> tuple[Question, ...]:
        """Returns the five."""
        return self.pages, self.texts, self.logs, self.items, self.classes


def open_questions(
    workspace: Workspace, config: ScrapeConfig, generation: int, services: Services | None
) -> Questions:
    """Returns the questions, with what a generation of the raw archive answers of them known.

    Args:
        workspace: the build.
        config: the settings.
        generation: which one to read, and to add to.
        services: whom to ask; None asks nobody.
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
    for question in questions.all():
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
