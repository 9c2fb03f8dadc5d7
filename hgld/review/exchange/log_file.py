"""The log itself as a file: all its lines, taken over or merged into another log."""

import codecs
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

from hgld.errors import InputError
from hgld.review.exchange.rows import ClassStatement
from hgld.review.fills import CategoryRulings, category_rulings, fill_rulings
from hgld.review.log.chain import scan
from hgld.review.log.decisions import DecisionLog, parse_foreign_event
from hgld.review.log.events import Change, Event
from hgld.review.log.history import Decision, Standing, standing_of
from hgld.review.log.texts import check_typed, check_zoned
from hgld.tables.fields import check_qid


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFile:
    """What a file of events has beyond a log."""

    ahead: tuple[Event, ...]
    """Events that simply come next: the log is the file's beginning. Else they are merged."""
    said: tuple[ClassStatement, ...]
    """What the events of the file come to, on each class."""
    remarks: tuple[Change, ...]
    """Comments, doubts and working groups that the log does not have, and what is said of
    categories of which the log says nothing new."""


def read_events(path: Path, log: DecisionLog, labels: Mapping[str, str]) -> LogFile:
    """Reads a file of events.

    Args:
        path: a copy of a log, of this build or another one. A byte order mark before it and line
            ends of Windows, which an editor may have made, are forgiven.
        log: the log of this build.
        labels: `class_qid` to label of the classes that the build has.

    Raises:
        InputError: no such file, or a line that is no event, that is not as it was written, or
            that no log takes up: with control characters, a time without zone, or no Q-id.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    # No line of JSON has either in it.
    found = scan(data.removeprefix(codecs.BOM_UTF8).replace(b"\r\n", b"\n"))
    if found.damaged_line or found.tail:
        number = found.damaged_line or found.count + 1
        raise InputError(f"{path} line {number} is not as it was written; export the events again")
    events = [
        _taken_up(parse_foreign_event(text, number, where), labels, where)
        for number, text in found.lines
        for where in (f"{path} line {number}",)
    ]
    pairs = zip(events, log.events, strict=False)
    shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    ahead = events[shared:]
    if shared == len(log.events) and _follow(ahead, log.found.count):
        return LogFile(ahead=tuple(ahead), said=(), remarks=())
    base, mine = standing_of(events[:shared]), standing_of(events)
    line = events[shared - 1].number if shared else 0
    return LogFile(
        ahead=(),
        said=tuple(_said(mine, base, line)),
        remarks=tuple(_remarks(mine, base, log.standing())),
    )


def _taken_up(event: Event, labels: Mapping[str, str], where: str) -> Event:
    """Returns an event of another log that may come into this one.

    Raises:
        InputError: it may not; the text says why.
    """
    try:
        event.check_typed()
        check_zoned(event.decided_at)
        for qid, label in event.classes.items():
            check_qid(qid)
            if label != labels.get(qid):  # an item of Wikidata may be called anything
                check_typed("class_label", label)
    except ValueError as error:
        raise InputError(f"{where}: {error}; nothing was applied") from error
    return event


def _follow(events: list[Event], line: int) -> bool:
    """Says whether events would get the numbers that they have, by which switches name them."""
    return all(event.number == number for number, event in enumerate(events, start=line + 1))


def _said(mine: Standing, base: Standing, line: int) -> list[ClassStatement]:
    decided, before = mine.decisions(), base.decisions()
    said = [
        ClassStatement(change_of(one), before.get(qid), line, is_of_log=line > 0)
        for qid, one in decided.items()
    ]
    for qid, one in before.items():
        if qid not in decided:
            cleared = Change(classes={qid: one.class_label}, effect="clear")
            said.append(ClassStatement(cleared, one, line))
    return said


def change_of(decision: Decision) -> Change:
    """Returns a decision as a change of its class alone."""
    return Change(
        classes={decision.class_qid: decision.class_label},
        effect=decision.action,
        hierarchical_label=decision.hierarchical_label,
        natural_or_human_made=decision.natural_or_human_made,
        note=decision.note,
    )


def _remarks(mine: Standing, base: Standing, now: Standing) -> list[Change]:
    labels = {
        qid: label
        for words in (*mine.comments.values(), list(mine.doubts.values()))
        for word in words
        for qid, label in word.change.classes.items()
    }
    labels |= {qid: word.change.classes[qid] for qid, word in mine.rulings.items()}
    found = []
    for qid, words in mine.comments.items():
        there = {word.change.note for word in now.comments.get(qid, [])}
        found += [
            _change(qid, labels, effect="comment", note=word.change.note)
            for word in words
            if word.change.note not in there
        ]
    found += [
        _change(qid, labels, effect="doubt", note=word.change.note)
        for qid, word in mine.doubts.items()
        if qid not in now.doubts and qid not in base.doubts
    ]
    found += [
        _change(qid, labels, effect="group", group=group)
        for qid, group in mine.groups.items()
        if qid not in now.groups and base.groups.get(qid) != group
    ]
    return found + _fills(mine, base, now)


def _fills(mine: Standing, base: Standing, now: Standing) -> list[Change]:
    """Returns what the file says of categories of which the log says what it said before."""
    found = []
    for category, rulings in fill_rulings(mine).items():
        before = _contents(category_rulings(base, category))
        if before == _contents(category_rulings(now, category)):
            said = _contents(rulings)
            found += [one for content, one in said.items() if content not in before]
    return found


def _contents(rulings: CategoryRulings) -> dict[tuple[str | None, ...], Change]:
    changes = (
        Change(
            classes={},
            effect="fill" if one.action == "accept" else "refuse",
            categories=(one.category,),
            hierarchical_label=one.hierarchical_label,
            natural_or_human_made=one.natural_or_human_made,
        )
        for one in rulings.rows()
    )
    return {one.content: one for one in changes}


def _change(qid: str, labels: Mapping[str, str], **says: Any) -> Change:  # noqa: ANN401
    return Change(classes={qid: labels.get(qid, qid)}, **says)
