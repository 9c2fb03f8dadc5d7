"""Events, decisions, evidence and counts in words."""

import math
import re
from collections.abc import Sequence

from hgld.pages.serving.wikimedia import landmark_name
from hgld.review.log.events import Change, Event

_DONE = {
    "decision": "decided",
    "sheet": "applied a sheet:",
    "accept": "accepted",
    "assign": "assigned",
    "ignore": "ignored",
    "clear": "opened again",
    "rename": "renamed",
    "side": "changed the side of",
    "merge": "put together",
    "split": "split off",
    "comment": "commented on",
    "doubt": "marked as doubtful",
    "trust": "marked as doubtful no more",
    "settle": "settled",
    "sample": "was asked for a second opinion on",
    "opinion": "gave a second opinion on",
    "fill": "accepted",
    "refuse": "refused",
}
_SAID = {
    "ignore": "ignored",
    "clear": "open",
    "unsure": "not to be told",
    "sample": "asked",
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
_THIN_SPACE = "\u202f"
_SLIP = 1e-9  # 100 x 0.29 is 28.999999999999996
_MANY = 2  # super-categories that are named; of more, their number is told


def grouped(count: int) -> str:
    """Returns a number with a thin space between thousands, as it stands on the page.

    Example:
        >>> [ord(one) for one in grouped(1200)]
        [49, 8239, 50, 48, 48]
    """
    return f"{count:,}".replace(",", _THIN_SPACE)


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
        >>> count_of(1, "class", "classes"), count_of(200, "landmark")
        ('1 class', '200 landmarks')
    """
    return f"{grouped(count)} {one if count == 1 else many or f'{one}s'}"


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


def change_words(change: Change) -> str:
    """Returns what a change makes of its classes."""
    match change.effect:
        case "assign" | "opinion":
            return (change.hierarchical_label or "").strip() or "ignored"
        case "comment" | "doubt" | "trust":
            return change.note
        case "group":
            return "a group of their own" if change.group else "their clusters"
        case "fill" | "refuse":
            label = (change.hierarchical_label or "").strip()
            return label if change.effect == "fill" else f"not {label}"
    return _SAID[change.effect]


def event_words(event: Event) -> str:
    """Returns what somebody did, to be read after their name.

    Example:
        >>> event_words(Event(
        ...     event="ignore", decided_at="2026-11-28T18:00:00Z", reviewer="ann",
        ...     changes=(Change(classes={"Q5": "human"}, effect="ignore"),)))
        'ignored human'
    """
    if not event.is_edit:
        return _switch_words(event)
    return _edit_words(event) if event.classes else _guess_words(event)


def _edit_words(event: Event) -> str:
    classes = event.classes
    what = next(iter(classes.values())) if len(classes) == 1 else f"{grouped(len(classes))} classes"
    words = f"{_DONE[event.event]} {what}"
    first, counts = event.changes[0], count_of(len(classes), "class", "classes")
    match event.event:
        case "rename":
            return f"renamed {first.renamed_from.strip()} to {_answers(event.changes)} ({counts})"
        case "side":
            return f"made {_answers(event.changes)} {first.natural_or_human_made} ({counts})"
        case "comment":
            words = f"{words}: {first.note}"
        case "sample":
            words = f"{words} of {first.of_reviewer}"
        case "opinion" if first.effect == "unsure":
            words = f"could not tell what {what} is"
        case "decision" | "sheet" | "accept" | "assign" | "settle" | "opinion":
            return f"{words} as {_answers(event.changes)}"
    return words


def subjects_of(event: Event) -> dict[str, str]:
    """Returns the classes, or else the categories, that an event is about, with their names."""
    return event.classes or {one: landmark_name(one) for one in event.categories}


def _guess_words(event: Event) -> str:
    """Returns what somebody said of guesses alone."""
    named = subjects_of(event)
    count = count_of(len(named), "guess", "guesses")
    labels = dict.fromkeys((one.hierarchical_label or "").strip() for one in event.changes)
    of = next(iter(labels)) if len(labels) == 1 else f"{grouped(len(labels))} super-categories"
    what = f"that {next(iter(named.values()))} is {of}" if len(named) == 1 else f"{count} of {of}"
    return f"{_DONE[event.event]} {what}"


def _switch_words(event: Event) -> str:
    match event.event:
        case "undo":
            return f"undid {event.of}"
        case "redo":
            return f"did {event.of} again"
        case "revert":
            return f"took back {_numbers(event.off)} alone"
        case "restore":
            return f"brought {_numbers(event.on)} back"
    parts = [f"{count_of(len(event.off), 'edit')} off"] if event.off else []
    parts += [f"{count_of(len(event.on), 'edit')} on"] if event.on else []
    return f"jumped: {', '.join(parts)}"  # what other programs append


def _numbers(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))


def _answers(changes: Sequence[Change]) -> str:
    names = list(dict.fromkeys(map(change_words, changes)))
    if len(names) > _MANY:
        return f"{names[0]} and {len(names) - 1} others"
    return " and ".join(names)
