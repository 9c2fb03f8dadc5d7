"""Second opinions: somebody else decides a sample of classes blind, and differences are settled."""

import secrets
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from fastapi.responses import Response

from hgld.pages.review.board import Board
from hgld.pages.review.desks.desk import Desk, edit_of
from hgld.pages.review.desks.report import Report, report_of
from hgld.pages.review.names import KnownName, settle_name
from hgld.pages.review.rendering import Rendering
from hgld.pages.review.requests import (
    ActRequest,
    Form,
    RefusedError,
    Who,
    act_request_of,
    number_of,
)
from hgld.pages.review.rows import suggestions
from hgld.pages.review.session import ReviewSession
from hgld.pages.review.views import LandmarkLink, Outcome, Thumbnail
from hgld.pages.review.wording import count_of
from hgld.pages.serving.wikimedia import wikidata_url
from hgld.review.log.events import Change, Effect, label_key
from hgld.review.log.history import Standing, Word, name_now
from hgld.review.second_opinion import draw_sample


class BlindClass(NamedTuple):
    """A class as a second reviewer sees it: nothing that was decided or proposed."""

    class_qid: str
    class_label: str
    landmarks: int
    url: str
    """On Wikidata; empty for a label without a Q-id."""
    examples: Sequence[LandmarkLink]
    thumbnails: Sequence[Thumbnail]


class SecondDesk(Desk):
    """The second opinions on a review."""

    def __init__(self, session: ReviewSession, rendering: Rendering) -> None:
        """Takes the review."""
        writes = {"start": self.start, "answer": self.answer, "settle": self.settle}
        super().__init__(session, rendering, "/second", writes)
        with session.reading() as board:
            classes = board.classes
        self._labels = dict(zip(classes.qids, classes.labels, strict=True))
        self._landmarks = dict(zip(classes.qids, classes.landmarks.tolist(), strict=True))

    def show(
        self, reviewer: str, fields: Mapping[str, str], outcome: Outcome | None = None
    ) -> Response:
        """Returns the report of a sample if the fields name one, or else the class that is asked.

        Raises:
            RefusedError: no such sample.
            DamagedError: the log is not as it was written.
        """
        with self._session.reading() as board:
            if "sample" in fields:
                name, told = (
                    "report",
                    self._report(board, reviewer, number_of(fields, "sample") or 0),
                )
            else:
                name, told = "second", self._asked(board, reviewer)
        told |= {"reviewer": reviewer, "outcome": outcome}
        return self._rendering.page(f"desks/{name}.html", **told)

    def start(self, reviewer: Who, form: Form) -> Response:
        """Draws what a reviewer is asked, of classes that another one has decided.

        Raises:
            RefusedError: they have yet to answer some, or the other has not decided so many.
        """
        fields = dict(form)
        of_reviewer, size = fields.get("of", ""), number_of(fields, "size") or 0
        with self._session.appending(reviewer) as append, self._session.reading() as board:
            if self._waiting(board, reviewer):
                raise RefusedError("answer the classes that were drawn before, or undo the draw")
            decided = self._fresh(board, reviewer).get(of_reviewer, {})
            if not 1 <= size <= len(decided):
                raise RefusedError(
                    f"choose from 1 to {len(decided)} classes, got {size}: {of_reviewer!r} has "
                    f"decided so many of which you were not asked yet"
                )
            seed = secrets.randbits(64)
            drawn = draw_sample(decided, self._landmarks, size, seed=seed)
            change = Change(
                classes={qid: self._labels[qid] for qid in drawn},
                effect="sample",
                of_reviewer=of_reviewer,
                note=str(seed),
            )
            number = append(edit_of("sample", reviewer, change, self._session.line)).number
        text = f"Drawn: {count_of(size, 'class', 'classes')}."
        return self.show(reviewer, {}, Outcome(text=text, number=number))

    def answer(self, reviewer: Who, form: Form) -> Response:
        """Takes the answer to the class that is asked; another one is left as it is.

        Raises:
            RefusedError: no class is asked, or the name cannot be used.
        """
        request = act_request_of(form)
        with self._session.appending(reviewer) as append, self._session.reading() as board:
            waiting = self._waiting(board, reviewer)
            if not waiting:
                raise RefusedError("no class is waiting for your answer; draw some first")
            if request.qids != (waiting[0],):
                text = "That class is answered; u takes it back."
                return self.show(reviewer, {}, Outcome(text=text, kind="nothing"))
            classes = {waiting[0]: self._labels[waiting[0]]}
            if request.action == "doubt":
                change = Change(classes=classes, effect="unsure")
            else:
                said = judgement(board, reviewer, request)
                change = _change(classes, "opinion", said)
            number = append(edit_of("opinion", reviewer, change, request.seen or 0)).number
        return self.show(reviewer, {}, Outcome(text="Noted. u takes it back.", number=number))

    def settle(self, reviewer: Who, form: Form) -> Response:
        """Settles a difference: with either answer, or another.

        Raises:
            RefusedError: no such sample, or the name cannot be used.
        """
        number, request = number_of(dict(form), "sample") or 0, act_request_of(form)
        with self._session.appending(reviewer) as append, self._session.reading() as board:
            sample = _sample(board.standing, number)
            differences = self._report_of(board, sample).differences if sample else ()
            one = next((one for one in differences if request.qids == (one.class_qid,)), None)
            if sample is None or one is None:
                outcome = Outcome(text="That class is settled already.", kind="nothing")
            elif one.decided.number > (request.seen or 0) and one.decided.reviewer != reviewer:
                text = (
                    f"{one.decided.reviewer} has just changed {one.class_label}: look at it again."
                )
                outcome = Outcome(text=text, kind="nothing")
            else:
                now = judgement(board, reviewer, request)
                effect: Effect = "assign" if now.hierarchical_label else "ignore"
                classes = {one.class_qid: one.class_label}
                change = _change(classes, effect, now)
                first, second, said = map(_words, (one.first, one.second, now))
                why = f"{one.decided.reviewer} said {first}, {sample.event.reviewer} said {second}"
                event = append(edit_of("settle", reviewer, change, request.seen or 0, why))
                text = f"Settled {one.class_label} as {said}. u takes it back."
                outcome = Outcome(text=text, number=event.number)
        return self.show(reviewer, {"sample": str(number)}, outcome)

    def _asked(self, board: Board, reviewer: str) -> dict[str, object]:
        """Returns what the page shows that asks: the next class, or whose decisions there are."""
        waiting, one = self._waiting(board, reviewer), None
        if waiting:
            qid = waiting[0]
            sights = self._session.sights(board.classes.row[qid])
            about = (self._labels[qid], self._landmarks[qid], wikidata_url(qid))
            one = BlindClass(qid, *about, *sights)
        fresh = {} if waiting else self._fresh(board, reviewer)
        return {
            "sample": _last_sample(board, reviewer),
            "one": one,
            "names": offered_names(board, reviewer) if waiting else {},
            "others": Counter({who: len(of) for who, of in fresh.items()}).most_common(),
        }

    def _report(self, board: Board, reader: str, number: int) -> dict[str, object]:
        """Returns what the report shows: nothing of it to whom something is yet asked blind."""
        sample, waiting = _sample(board.standing, number), self._waiting(board, reader)
        report = self._report_of(board, sample) if sample and not waiting else None
        return {
            "sample": sample,
            "waiting": len(waiting),
            "report": report,
            "names": offered_names(board, reader) if report else {},
            "others": [one for one in reversed(board.standing.samples) if one != sample],
            "line": self._session.line,
        }

    def _report_of(self, board: Board, sample: Word) -> Report:
        then = board.standing_at(sample.event.number)
        return report_of(self._session.events, board.standing, then, sample, self._landmarks)

    def _waiting(self, board: Board, reviewer: str) -> list[str]:
        """Returns what is yet to be answered; classes that have left the build are not."""
        sample, said = _last_sample(board, reviewer), board.standing.opinions.get(reviewer, {})
        queue = sample.change.classes if sample else ()
        return [qid for qid in queue if qid not in said and qid in self._labels]

    def _fresh(self, board: Board, reviewer: str) -> dict[str, dict[str, str | None]]:
        """Returns the decisions of each other person on classes of which one was not asked yet.

        By reviewer and class_qid: the super-category, or None if it is ignored.
        """
        said = board.standing.opinions.get(reviewer, {})
        found: dict[str, dict[str, str | None]] = defaultdict(dict)
        for qid, one in board.standing.decisions().items():
            if one.reviewer != reviewer and qid in self._labels and qid not in said:
                found[one.reviewer][qid] = one.hierarchical_label
        return found


def offered_names(board: Board, reviewer: str) -> dict[str, KnownName]:
    """Returns the names that a class can be given by key, by the alphabet: nothing says which fits.

    They are those of the taxonomy, those in use, and those that the reviewer has answered before.
    """
    answered = [word.change for word in board.standing.opinions.get(reviewer, {}).values()]
    own = (
        KnownName(*name_now(board.standing, label, one.natural_or_human_made or ""))
        for one in answered
        if (label := one.hierarchical_label)
    )
    offered = {label_key(name.hierarchical_label): name for name in (*own, *suggestions(board))}
    return dict(sorted(offered.items()))


def judgement(board: Board, reviewer: str, request: ActRequest) -> KnownName:
    """Returns what a reviewer says that a class is; a name that is offered needs no side.

    Raises:
        RefusedError: it is neither a name nor to be ignored, or the name cannot be used.
    """
    if request.action == "ignore":
        return KnownName("", "")
    if request.action != "name":
        raise RefusedError(f"answer with a name, or ignore the class, got {request.action!r}")
    known = offered_names(board, reviewer).get(label_key(request.label))
    side = request.side or (known.natural_or_human_made if known else "")
    is_sure = request.is_sure or known is not None
    return settle_name(board, request.label, side, is_sure=is_sure)


def _last_sample(board: Board, reviewer: str) -> Word | None:
    samples = reversed(board.standing.samples)
    return next((one for one in samples if one.event.reviewer == reviewer), None)


def _sample(standing: Standing, number: int) -> Word | None:
    """Returns a sample; for 0 the last one of which something is answered, or else the last."""
    samples = standing.samples[::-1]
    if number:
        found = [one for one in samples if one.event.number == number]
        if not found:
            raise RefusedError(f"there is no second opinion {number}, or it was taken back; reload")
        return found[0]
    said = {who: set(answers) for who, answers in standing.opinions.items()}
    told = [one for one in samples if said.get(one.event.reviewer, set()) & {*one.change.classes}]
    return next(iter(told or samples), None)


def _change(classes: Mapping[str, str], effect: Effect, said: KnownName) -> Change:
    label, side = (text or None for text in said)
    return Change(
        classes=dict(classes), effect=effect, hierarchical_label=label, natural_or_human_made=side
    )


def _words(answer: KnownName) -> str:
    return (answer.hierarchical_label or "ignore").strip()
