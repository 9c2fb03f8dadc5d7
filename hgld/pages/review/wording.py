"""Events, decisions, evidence and counts in words."""

import math
import re
from collections.abc import Sequence

from hgld.pages.serving.wikimedia import landmark_name
from hgld.review.log.events import Change, Event

_WORDS = {
    "decision": "decided {what} as {answer}",
    "sheet": "applied a sheet: {what} as {answer}",
    "accept": "accepted {what} as {answer}",
    "assign": "assigned {what} as {answer}",
    "ignore": "ignored {what}",
    "clear": "opened again {what}",
    "rename": "renamed {before} to {answer} ({count})",
    "side": "made {answer} {first.natural_or_human_made} ({count})",
    "merge": "put together {what}",
    "split": "split off {what}",
    "comment": "commented on {what}: {first.note}",
    "doubt": "marked as doubtful {what}",
    "trust": "marked as doubtful no more {what}",
    "settle": "settled {what} as {answer}",
    "sample": "was asked for a second opinion on {what} of {first.of_reviewer}",
    "opinion": "gave a second opinion on {what} as {answer}",
    "unsure": "could not tell what {what} is",
    "fill": "accepted {what} as {answer}",
    "refuse": "refused {what} as {answer}",
}
_SWITCH_WORDS = {
    "undo": "undid {of}",
    "redo": "did {of} again",
    "revert": "took back {off} alone",
    "restore": "brought {on} back",
    "jump": "switched {off} off and {on} on",
}
EVIDENCE_SOURCES = ("taxonomy", "alike words", "Wikidata", "decisions")
"""Where the strongest evidence for a proposal comes from."""

_SOURCE_OF = (
    ("decisions", re.compile("decided so:|the same text")),
    ("Wikidata", re.compile(r"a kind of|\d+ steps below|\d+ decided so of the kind")),
    ("alike words", re.compile("like|nearest names")),
)
_PLAIN = (
    (re.compile(r" \(Q\d+\)"), ""),
    (re.compile(r"the taxonomy has Q\d+"), "the taxonomy has this class"),
    (re.compile(r" (\d\.\d\d\b|\(\d\.\d\d\))"), ""),
    (re.compile("^like |(?<=: )like |(?<=; )like "), "most like "),
    (re.compile("nearest names:"), "nearest:"),
    (re.compile("(?<!siblings )a kind of '"), "Wikidata: a kind of '"),
)
_SLIP = 1e-9  # 100 x 0.29 is 28.999999999999996
_MANY = 2  # super-categories that are named; of more, their number is told


def percent_of(share: float) -> str:
    """Returns a share in percent, rounded down: what reads 95% is no less.

    Example:
        >>> percent_of(0.9499), percent_of(0.95), percent_of(0.29)
        ('94%', '95%', '29%')
    """
    return f"{math.floor(100 * share + _SLIP)}%"


def count_of(count: int, one: str, many: str = "") -> str:
    """Returns a number with its noun.

    Example:
        >>> count_of(1, "class", "classes"), count_of(2000, "landmark")
        ('1 class', '2,000 landmarks')
    """
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def evidence_source(evidence: str) -> str:
    """Returns where the strongest part of an evidence comes from, one of EVIDENCE_SOURCES.

    Example:
        >>> evidence_source("like 'ocean' 0.88; the taxonomy has Q165")
        'alike words'
    """
    return next((name for name, begin in _SOURCE_OF if begin.match(evidence)), "taxonomy")


def plain_evidence(evidence: str) -> str:
    """Returns evidence as a reviewer reads it: without Q-ids and cosines.

    Example:
        >>> plain_evidence("like 'ocean' 0.88 (nearest names: sea 0.78, boat 0.72)")
        "most like 'ocean' (nearest: sea, boat)"
    """
    for pattern, words in _PLAIN:
        evidence = pattern.sub(words, evidence)
    return evidence


def event_words(event: Event) -> str:
    """Returns what somebody did, to be read after their name.

    Example:
        >>> event_words(Event(
        ...     event="ignore", decided_at="2026-11-28T18:00:00Z", reviewer="ann",
        ...     changes=(Change(classes={"Q5": "human"}, effect="ignore"),)))
        'ignored human'
    """
    if not event.is_edit:
        off, on = (", ".join(map(str, numbers)) or "none" for numbers in (event.off, event.on))
        return _SWITCH_WORDS[event.event].format(of=event.of, off=off, on=on)
    first, named = event.changes[0], subjects_of(event)
    noun = ("class", "classes") if event.classes else ("guess", "guesses")
    count = count_of(len(named), *noun)
    return _WORDS["unsure" if first.effect == "unsure" else event.event].format(
        what=next(iter(named.values())) if len(named) == 1 else count,
        answer=_answers(event.changes),
        before=first.renamed_from.strip(),
        first=first,
        count=count,
    )


def subjects_of(event: Event) -> dict[str, str]:
    """Returns the classes, or else the categories, that an event is about, with their names."""
    return event.classes or {one: landmark_name(one) for one in event.categories}


def _answers(changes: Sequence[Change]) -> str:
    names = list(dict.fromkeys(map(_answer, changes)))
    if len(names) > _MANY:
        return f"{names[0]} and {len(names) - 1} others"
    return " and ".join(names)


def _answer(change: Change) -> str:
    if change.effect == "clear":
        return "open"
    return (change.hierarchical_label or "").strip() or "ignored"
