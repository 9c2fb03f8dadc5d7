"""Asking what classes are called elsewhere, once it is settled which classes there are."""

import logging
from collections.abc import Sequence

from hgld.engine.workspace import Workspace
from hgld.errors import FetchError, InputError
from hgld.http.session import require_contact
from hgld.scrape.archive import WIKIDATA_EVIDENCE, RawArchive, generation_path
from hgld.scrape.config import ScrapeConfig
from hgld.scrape.knowledge import Evidence
from hgld.scrape.live.gather import gather_entities
from hgld.scrape.live.questions import Question
from hgld.scrape.live.services import Services, open_services
from hgld.scrape.wikimedia.wikidata import Entities, merged

logger = logging.getLogger(__name__)


def gather_evidence(
    workspace: Workspace, config: ScrapeConfig, generation: int, classes: Sequence[str]
) -> Evidence:
    """Fetches what is missing until each class is known or has failed.

    A service that cannot be reached, or must not be asked since no contact is given, fails the
    classes that are left: nothing that the scrape has waits for them.

    Args:
        workspace: the build.
        config: the settings; where they say replay, nobody is asked.
        generation: of the raw archive, which to read and to add to.
        classes: Q-ids, each once.
    """
    known = Entities()
    with open_services(config) as services:
        public = config.without_logins()  # what is archived and logged has none
        question = _open_question(workspace, public, generation, services, known)
        left = question.missing(merged(qid, known) for qid in classes)
        refusal = _refusal(config) if services and left else ""
        if refusal:
            question.fail(left, refusal)
        is_asked = services and not refusal
        logger.info(
            "evidence: %d classes, %d of them in the raw archive; %s",
            len(classes),
            len(classes) - len(left),
            public.evidence_budget(len(left)) if is_asked else "nobody is asked",
        )
        try:
            gather_entities(question, known, classes)
        except FetchError as error:
            left = question.missing(merged(qid, known) for qid in classes)
            question.fail(left, str(error))
    return Evidence(known=known, failed=question.failed, misfits=question.misfits)


def _refusal(config: ScrapeConfig) -> str:
    """Returns why the service must not be asked, or an empty string."""
    try:
        require_contact(config.contact, config.sparql)
    except InputError as error:
        return str(error)
    return ""


def _open_question(
    workspace: Workspace,
    config: ScrapeConfig,
    generation: int,
    services: Services | None,
    known: Entities,
) -> Question:
    question = Question(
        name="evidence",
        archive=RawArchive(workspace.path(generation_path(WIKIDATA_EVIDENCE, generation))),
        endpoint=config.sparql,
        ask=services and services.wikidata.evidence,
        facts=known,
        failed={},
        batch_size=config.items_per_request,
        at_once=1,
    )
    question.load()
    return question
