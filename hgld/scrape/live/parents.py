"""Asking Commons what categories are in, a level at a time."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from hgld.engine.workspace import Workspace
from hgld.http.session import require_contact
from hgld.scrape.archive import COMMONS_PARENTS, RawAnswer, RawArchive, generation_path
from hgld.scrape.config import ScrapeConfig
from hgld.scrape.knowledge import FoundParents
from hgld.scrape.live.questions import Question
from hgld.scrape.live.services import Services, open_services
from hgld.scrape.wikimedia.parents import CommonsParents

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveParents:
    """What Commons says of parents, archived and asked for."""

    config: ScrapeConfig
    """Without logins."""
    known: CommonsParents
    question: Question
    asked: list[int]
    """How many requests each answer took that came in this run."""

    def look_up(self, titles: Sequence[str]) -> None:
        """Asks for the titles that are not known; afterwards each is known or has failed.

        Says before the first request how many there will be.

        Raises:
            InputError: there is somebody to ask, and no contact is given.
            FetchError: Commons cannot be reached; what was answered is archived.
        """
        left = self.question.missing(titles)
        is_asked = self.question.ask is not None and bool(left)
        logger.info(
            "parents: %d categories, %d of them in the raw archive; %s",
            len(titles),
            len(titles) - len(left),
            self.config.parents_budget(len(left)) if is_asked else "nobody is asked",
        )
        if is_asked:
            require_contact(self.config.contact, self.config.commons)
        if left:
            self.question.fetch(left)

    def found(self) -> FoundParents:
        """Returns what is known by now."""
        return FoundParents(
            known=self.known, failed=self.question.failed, misfits=self.question.misfits
        )


@contextmanager
def asking_parents(
    workspace: Workspace, config: ScrapeConfig, generation: int
) -> Iterator[LiveParents]:
    """Gives what to look parents up with, with what is archived known.

    Args:
        workspace: the build.
        config: the settings; where they say replay, nobody is asked.
        generation: of the raw archive, which to read and to add to.
    """
    with open_services(config) as services:
        public = config.without_logins()  # what is archived and logged has none
        known, asked = CommonsParents(), list[int]()
        question = Question(
            name="parents",
            archive=RawArchive(workspace.path(generation_path(COMMONS_PARENTS, generation))),
            endpoint=public.commons,
            ask=services and _Counted(services, asked).parents,
            facts=known,
            failed={},
            batch_size=config.titles_per_request,
            at_once=config.requests_at_once,
        )
        question.load()
        yield LiveParents(config=public, known=known, question=question, asked=asked)
        if services:
            logger.info("parents: %d requests were answered", sum(asked))


@dataclass(frozen=True, slots=True)
class _Counted:
    """Commons, with a count of its answers."""

    services: Services
    asked: list[int] = field(default_factory=list)

    def parents(self, titles: Sequence[str]) -> RawAnswer:
        answer = self.services.commons.parents(titles)
        self.asked.append(len(answer.answer))  # one of each that continues another
        return answer
