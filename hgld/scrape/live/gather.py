"""The rounds of a scrape: what one answer says decides what has to be asked next.

Each round asks for what is missing, all of it together; the last one has nothing left to ask.
"""

from collections.abc import Iterable, Sequence

from hgld.scrape.knowledge import superclasses
from hgld.scrape.live.questions import Question, Questions
from hgld.scrape.wikimedia.commons import Landing
from hgld.scrape.wikimedia.wikidata import Entities, find, is_qid, merged


def gather(questions: Questions, titles: Sequence[str], superclass_depth: int) -> None:
    """Fetches what is missing until each title's way is known to its end, or failed.

    Args:
        questions: with what is archived loaded.
        titles: page titles, each once.
        superclass_depth: how many steps of *subclass of* are followed from each class.

    Raises:
        FetchError: a service cannot be reached; what was answered is archived.
    """
    landings = _gather_landings(questions, titles)
    items = list(dict.fromkeys(landing.qid for landing in landings if is_qid(landing.qid)))
    known = questions.known.items
    while asked := questions.items.missing(
        found.ask for found in (find(qid, known) for qid in items) if found.ask
    ):
        questions.items.fetch(asked)
    classes = [qid for item in items for qid in find(item, known).classes]
    for _ in range(superclass_depth + 1):
        _gather_classes(questions, classes)
        classes = list(superclasses(classes, questions.known.classes))


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


def _gather_classes(questions: Questions, classes: Iterable[str]) -> None:
    gather_entities(questions.classes, questions.known.classes, list(dict.fromkeys(classes)))


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
