"""Second opinions held open: a reviewer is asked blind, and differences are settled."""

import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from hgld.pages.review.board import Board
from hgld.pages.review.names import KnownName, settle_name
from hgld.pages.review.requests import RefusedError
from hgld.pages.review.second.samples import (
    BlindSample,
    fresh_classes,
    known_answers,
    samples_of,
    told_sample,
)
from hgld.pages.review.second.summary import Report, differences_of, report_of
from hgld.pages.review.session import ReviewSession
from hgld.pages.review.views import LandmarkLink, Outcome, Thumbnail
from hgld.pages.review.wording import count_of
from hgld.pages.serving.wikimedia import wikidata_url
from hgld.review.log.events import Change, Edit, Effect, Event, label_key
from hgld.review.log.history import Standing
from hgld.review.second_opinion import Judgement, draw_sample, hide_known


class Reply(NamedTuple):
    """What somebody says of one class."""

    qid: str
    kind: str
    """name, ignore; of a blind answer unsure; of a difference first and second."""
    label: str = ""
    """name: the super-category."""
    side: str = ""
    """name: its side; needed of a new one."""
    is_sure: bool = False
    """Whether the name is new although it is close to another."""
    seen: int = 0
    """The last line of the log that the page showed."""


class BlindClass(NamedTuple):
    """A class as a second reviewer sees it: nothing that was decided or proposed."""

    class_qid: str
    class_label: str
    landmarks: int
    url: str
    """On Wikidata; empty for a label without a Q-id."""
    examples: tuple[LandmarkLink, ...]
    thumbnails: tuple[Thumbnail, ...]


class BlindView(NamedTuple):
    """The page on which a second reviewer answers."""

    sample: BlindSample | None
    """The last one of this reviewer."""
    current: BlindClass | None
    """What is asked now; None: nothing is left."""
    names: Sequence[KnownName]
    """That it can be given, by the alphabet: nothing says which fits."""
    others: Sequence[tuple[str, int]]
    """Whose decisions can be asked next, and on how many classes; most first."""


class ReportView(NamedTuple):
    """The page of a report."""

    sample: BlindSample | None
    """None: nobody was asked for a second opinion."""
    waiting: int
    """Classes that the reader has yet to answer blind: no report is shown until then."""
    report: Report | None
    decided_by: Mapping[str, str]
    """Of each difference, class_qid to who decided what is so now."""
    names: Sequence[KnownName]
    others: Sequence[BlindSample]
    line: int
    """The last line of the log that is in it."""


class SecondDesk:
    """The second opinions on a review. All methods may be called from any thread."""

    def __init__(self, session: ReviewSession, known: Path | None = None) -> None:
        """Reads the known answers.

        Args:
            session: the review.
            known: a file of them (`known_answers`); None: those of the taxonomy.

        Raises:
            InputError: the file, or the taxonomy, cannot be used.
        """
        self._session = session
        with session.reading() as board:
            classes = board.classes
        self._labels = dict(zip(classes.qids, classes.labels, strict=True))
        self._landmarks = dict(zip(classes.qids, classes.landmarks.tolist(), strict=True))
        self._known = known_answers(self._labels, file=known, taxonomy=session.taxonomy)

    def look(self, reviewer: str) -> BlindView:
        """Returns what a second reviewer sees: the next class, or whose decisions there are.

        Raises:
            DamagedError: the log is not as it was written.
        """
        with self._session.reading() as board:
            standing = board.standing
            sample = _last_sample(standing, reviewer)
            waiting = self._waiting(standing, sample)
            fresh = {} if waiting else fresh_classes(standing, reviewer, self._labels)
            others = [(who, len(of)) for who, of in fresh.items()]
            return BlindView(
                sample=sample,
                current=self._blind_class(board, waiting[0]) if waiting else None,
                names=offered_names(board, reviewer) if waiting else (),
                others=sorted(others, key=lambda one: -one[1]),
            )

    def start(self, reviewer: str, of_reviewer: str, size: int) -> Outcome:
        """Draws what a reviewer is asked.

        Raises:
            RefusedError: they have yet to answer some, or the other has not decided so many.
            InputError: the disk is full, or the session is read-only.
            DamagedError: the log is not as it was written.
        """
        with self._session.appending(reviewer) as append, self._session.reading() as board:
            standing = board.standing
            if self._waiting(standing, _last_sample(standing, reviewer)):
                raise RefusedError("answer the classes that were drawn before, or undo the draw")
            decided = fresh_classes(standing, reviewer, self._labels).get(of_reviewer, {})
            if not 1 <= size <= len(decided):
                raise RefusedError(
                    f"choose from 1 to {len(decided)} classes, got {size}: {of_reviewer!r} has "
                    f"decided so many of which you were not asked yet"
                )
            said = standing.opinions.get(reviewer, {})
            known = [qid for qid in self._known if qid not in said]
            changes = self._drawn(decided, known, of_reviewer, size)
            event = append(_edit("sample", reviewer, changes, self._session.line))
            count = count_of(len(changes[0].classes), "class", "classes")
            return Outcome(text=f"Drawn: {count}.", number=event.number)

    def answer(self, reviewer: str, reply: Reply) -> Outcome:
        """Takes the answer to the class that is asked; another one is left as it is.

        Raises:
            RefusedError: no class is asked, or the name cannot be used.
            InputError: the disk is full, or the session is read-only.
            DamagedError: the log is not as it was written.
        """
        with self._session.appending(reviewer) as append, self._session.reading() as board:
            waiting = self._waiting(board.standing, _last_sample(board.standing, reviewer))
            if not waiting:
                raise RefusedError("no class is waiting for your answer; draw some first")
            if reply.qid != waiting[0]:
                return Outcome(text="That class is answered; u takes it back.", kind="nothing")
            classes = {reply.qid: self._labels[reply.qid]}
            if reply.kind == "unsure":
                change = Change(classes=classes, effect="unsure")
            else:
                said = _judgement(board, reviewer, reply)
                change = Change(classes=classes, effect="opinion", **said._asdict())
            event = append(_edit("opinion", reviewer, (change,), reply.seen))
            return Outcome(text="Noted. u takes it back.", number=event.number)

    def report(self, reader: str, number: int = 0) -> ReportView:
        """Returns what comes of a sample.

        Args:
            reader: who looks.
            number: of the sample; 0: the last one of which something is answered.

        Raises:
            RefusedError: no such sample.
            DamagedError: the log is not as it was written.
        """
        with self._session.reading() as board:
            standing, samples = board.standing, samples_of(board.standing)
            sample = _sample_at(standing, number) if number else told_sample(standing)
            is_reader = sample is not None and reader == sample.reviewer
            waiting = self._waiting(standing, sample) if is_reader else []
            report = None
            if sample is not None and not waiting:
                report = report_of(
                    self._session.events,
                    standing,
                    board.standing_at(sample.number),
                    sample,
                    self._landmarks,
                    self._known,
                )
            return ReportView(
                sample=sample,
                waiting=len(waiting),
                report=report,
                decided_by={
                    one.class_qid: standing.rulings[one.class_qid].event.reviewer
                    for one in (report.differences if report else ())
                },
                names=offered_names(board, reader) if report else (),
                others=[one for one in samples if one != sample],
                line=self._session.line,
            )

    def settle(self, reviewer: str, number: int, reply: Reply) -> Outcome:
        """Settles a difference: with either answer, or another.

        Args:
            reviewer: who.
            number: of the sample.
            reply: on which class, and how.

        Raises:
            RefusedError: no such sample, or the name cannot be used.
            InputError: the disk is full, or the session is read-only.
            DamagedError: the log is not as it was written.
        """
        with self._session.appending(reviewer) as append, self._session.reading() as board:
            standing, sample = board.standing, _sample_at(board.standing, number)
            found = differences_of(self._session.events, standing, sample, self._landmarks)
            one = next((one for one in found if one.class_qid == reply.qid), None)
            if one is None:
                return Outcome(text="That class is settled already.", kind="nothing")
            ruling, label = standing.rulings[reply.qid].event, self._labels[reply.qid]
            if ruling.number > reply.seen and ruling.reviewer != reviewer:
                text = f"{ruling.reviewer} has just changed {label}: look at it again."
                return Outcome(text=text, kind="nothing")
            taken = {"first": one.first, "second": one.second}.get(reply.kind)
            chosen = taken or _judgement(board, reviewer, reply)
            effect: Effect = "ignore" if chosen.hierarchical_label is None else "assign"
            change = Change(classes={reply.qid: label}, effect=effect, **chosen._asdict())
            first, second, now = (
                (each.hierarchical_label or "ignore").strip()
                for each in (one.first, one.second, chosen)
            )
            why = f"{ruling.reviewer} said {first}, {sample.reviewer} said {second}"
            event = append(_edit("settle", reviewer, (change,), reply.seen, why))
            text = f"Settled {label} as {now}. u takes it back."
            return Outcome(text=text, number=event.number)

    def _waiting(self, standing: Standing, sample: BlindSample | None) -> list[str]:
        """Returns what is yet to be answered; classes that have left the build are not."""
        if sample is None:
            return []
        said = standing.opinions.get(sample.reviewer, {})
        return [qid for qid in sample.queue if qid not in said and qid in self._labels]

    def _drawn(
        self, decided: Mapping[str, str | None], known: Sequence[str], of_reviewer: str, size: int
    ) -> tuple[Change, ...]:
        """Draws classes, and hides some with a known answer among them.

        If the first has decided enough known ones these are hidden: both are measured on them.
        """
        seed = secrets.token_hex(16)
        drawn = draw_sample(decided, self._landmarks, size, seed=seed)
        queue = hide_known(drawn, known, seed=seed)
        of_both = hide_known(drawn, [qid for qid in known if qid in decided], seed=seed)
        queue = of_both if len(of_both) == len(queue) else queue
        named = {qid: self._labels[qid] for qid in queue}
        sample = Change(classes=named, effect="sample", of_reviewer=of_reviewer, note=seed)
        asked = set(drawn)
        hidden = {qid: label for qid, label in named.items() if qid not in asked}
        return (sample, Change(classes=hidden, effect="known")) if hidden else (sample,)

    def _blind_class(self, board: Board, qid: str) -> BlindClass:
        return BlindClass(
            qid,
            self._labels[qid],
            self._landmarks[qid],
            wikidata_url(qid),
            *self._session.sights(board.classes.row[qid]),
        )


def offered_names(board: Board, reviewer: str) -> Sequence[KnownName]:
    """Returns the names that a class can be given, by the alphabet.

    They are those of the taxonomy, those in use, and those that the reviewer has answered before.
    """
    used = set(board.decided.tolist())
    numbers = range(1, len(board.names))
    current, shipped = board.names.current, board.names.shipped
    names = [
        board.names.now(one)
        for one in numbers
        if one in used or (one < shipped and current[one] == one)
    ]
    for word in board.standing.opinions.get(reviewer, {}).values():
        label, side = word.change.hierarchical_label, word.change.natural_or_human_made
        if label and side and board.standing.current_name(label) == label:
            names.append(KnownName(label, side))
    by_key = {label_key(name.hierarchical_label): name for name in reversed(names)}
    return [by_key[key] for key in sorted(by_key)]


def _judgement(board: Board, reviewer: str, reply: Reply) -> Judgement:
    """Returns what a reply says a class is; a name that is offered needs no side."""
    if reply.kind == "ignore":
        return Judgement(None, None)
    if reply.kind != "name":
        raise RefusedError(f"answer with a name, or ignore the class, got {reply.kind!r}")
    offered = {label_key(name.hierarchical_label): name for name in offered_names(board, reviewer)}
    known = offered.get(label_key(reply.label))
    side = reply.side or (known.natural_or_human_made if known else "")
    is_sure = reply.is_sure or known is not None
    return Judgement(*settle_name(board, reply.label, side, is_sure=is_sure))


def _last_sample(standing: Standing, reviewer: str) -> BlindSample | None:
    return next((one for one in samples_of(standing) if one.reviewer == reviewer), None)


def _sample_at(standing: Standing, number: int) -> BlindSample:
    for sample in samples_of(standing):
        if sample.number == number:
            return sample
    raise RefusedError(f"there is no second opinion {number}, or it was taken back; reload")


def _edit(
    kind: Edit, reviewer: str, changes: tuple[Change, ...], seen: int, why: str = ""
) -> Event:
    return Event(
        event=kind,
        decided_at=datetime.now(UTC).isoformat(timespec="seconds"),
        reviewer=reviewer,
        why=why,
        seen=seen,
        changes=changes,
    )
