"""What comes of second opinions: their report, and the differences that are settled."""

from dataclasses import replace

from hgld.pages.review.board import Board
from hgld.pages.review.naming import settle_name
from hgld.pages.review.requests import RefusedError
from hgld.pages.review.second.judging import settled_since, unsettled
from hgld.pages.review.second.material import Reply, SecondMaterial, offered_names, unsure_of
from hgld.pages.review.second.reporting import (
    Judged,
    agreement_rows,
    confused_pairs,
    judged_of,
    known_rows,
)
from hgld.pages.review.second.sampling import BlindSample, sample_in, told_sample
from hgld.pages.review.second.views import DifferenceRow, SampleLink, SecondReport
from hgld.pages.review.views import Outcome
from hgld.pages.serving.wikimedia import wikidata_url
from hgld.review.log.events import Change
from hgld.review.log.history import Standing, standing_of
from hgld.review.second_opinion import Difference, Judgement


class SecondReports:
    """Reports on second opinions. All methods may be called from any thread."""

    def __init__(self, material: SecondMaterial) -> None:
        """Takes the review."""
        self._material, self._session = material, material.session
        self._then: dict[int, Standing] = {}

    def report(
        self, reader: str, number: int = 0, *, is_open: bool = False, said: Outcome | None = None
    ) -> SecondReport:
        """Returns what comes of a sample.

        Args:
            reader: who looks.
            number: of the sample; 0: the last one of which something is answered.
            is_open: whether it is shown to a reviewer who has yet to answer some of it.
            said: what was just done.

        Raises:
            RefusedError: no such sample.
            DamagedError: the log is not as it was written.
        """
        with self._session.reading() as board:
            standing, material = board.standing, self._material
            sample = _sample_at(board, number) if number else told_sample(standing)
            if sample is None:
                return SecondReport(number=0, title=material.title, said=said)
            answers = standing.opinions.get(sample.reviewer, {})
            report = SecondReport(
                number=sample.number,
                title=material.title,
                reviewer=sample.reviewer,
                of_reviewer=sample.of_reviewer,
                asked=len(sample.queue),
                answered=sum(qid in answers for qid in sample.queue),
                unsure=unsure_of(standing, sample),
                others=tuple(
                    SampleLink(one.number, one.reviewer, one.of_reviewer)
                    for one in map(sample_in, reversed(standing.samples))
                    if one.number != sample.number
                ),
                line=self._session.line,
                said=said,
            )
            is_waiting = material.next_class(standing, sample) is not None
            if is_waiting and reader == sample.reviewer and not is_open:
                return replace(report, is_withheld=True)
            return self._filled(board, reader, sample, report)

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
            sample = _sample_at(board, number)
            found = {one.class_qid: one for one in self._unsettled(board, sample)}
            one = found.get(reply.qid)
            if one is None:
                return Outcome(text="That class is settled already.", kind="nothing")
            label = self._material.labels[one.class_qid]
            ruling = board.standing.rulings[one.class_qid].event
            if ruling.number > reply.seen and ruling.reviewer != reviewer:
                text = f"{ruling.reviewer} has just changed {label}: look at it again."
                return Outcome(text=text, kind="nothing")
            change = self._settling(board, one, reply)
            why = (
                f"{ruling.reviewer} said {_words(one.first)}, "
                f"{sample.reviewer} said {_words(one.second)}"
            )
            event = append(self._material.edit("settle", reviewer, (change,), reply.seen, why))
            as_what = (change.hierarchical_label or "ignored").strip()
            return Outcome(
                text=f"Settled {label} as {as_what}. u takes it back.", number=event.number
            )

    def unsettle(self, reviewer: str, number: int) -> Outcome:
        """Takes back the last difference of a sample that somebody settled themselves."""
        with self._session.reading() as board:
            queue = _sample_at(board, number).queue.keys()
        return self._material.take_back(
            reviewer, lambda event: event.event == "settle" and event.classes.keys() <= queue
        )

    def resettle(self, reviewer: str) -> Outcome:
        """Settles again what somebody has undone last."""
        return self._material.again(reviewer, {"settle"})

    def _filled(
        self, board: Board, reader: str, sample: BlindSample, report: SecondReport
    ) -> SecondReport:
        judged = self._judged(board, sample)
        return replace(
            report,
            hidden=len(sample.hidden),
            rows=agreement_rows(judged),
            known=known_rows(judged),
            known_classes=len(judged.known),
            pairs=confused_pairs(judged),
            differences=self._difference_rows(board, sample),
            settled=len(settled_since(self._session.events, board.standing, sample)),
            names=offered_names(board, reader),
        )

    def _judged(self, board: Board, sample: BlindSample) -> Judged:
        if sample.number not in self._then:  # what was is never another
            self._then[sample.number] = standing_of(self._session.events, sample.number)
        then = self._then[sample.number]
        material = self._material
        return judged_of(sample, then, board.standing, material.known, material.landmarks)

    def _unsettled(self, board: Board, sample: BlindSample) -> list[Difference]:
        return unsettled(self._session.events, board.standing, sample, self._material.landmarks)

    def _difference_rows(self, board: Board, sample: BlindSample) -> tuple[DifferenceRow, ...]:
        return tuple(
            DifferenceRow(
                one.class_qid,
                self._material.labels[one.class_qid],
                one.landmarks,
                wikidata_url(one.class_qid),
                one.first,
                board.standing.rulings[one.class_qid].event.reviewer,
                one.second,
            )
            for one in self._unsettled(board, sample)
        )

    def _settling(self, board: Board, one: Difference, reply: Reply) -> Change:
        taken = {"first": one.first, "second": one.second, "ignore": Judgement(None, None)}
        if reply.kind != "name" and reply.kind not in taken:
            raise RefusedError(f"settle with first, second, name or ignore, got {reply.kind!r}")
        chosen = taken.get(reply.kind, Judgement(reply.label, reply.side))
        classes = {one.class_qid: self._material.labels[one.class_qid]}
        label = chosen.hierarchical_label
        if label is None:
            return Change(classes=classes, effect="ignore")
        is_typed = reply.kind == "name"
        side = chosen.natural_or_human_made or ""
        name = settle_name(board, label, side, is_sure=reply.is_sure or not is_typed)
        return Change(
            classes=classes,
            effect="assign",
            hierarchical_label=name.hierarchical_label,
            natural_or_human_made=name.natural_or_human_made,
        )


def _sample_at(board: Board, number: int) -> BlindSample:
    for word in board.standing.samples:
        if word.event.number == number:
            return sample_in(word)
    raise RefusedError(
        f"there is no second opinion {number}, or it was taken back; reload the page"
    )


def _words(judgement: Judgement) -> str:
    return (judgement.hierarchical_label or "ignore").strip()
