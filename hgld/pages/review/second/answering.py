"""The desk of a second reviewer: what they are asked, and what becomes of their answers."""

import secrets
from dataclasses import replace

from hgld.pages.review.board import Board
from hgld.pages.review.naming import settle_name
from hgld.pages.review.requests import RefusedError
from hgld.pages.review.second.material import Reply, SecondMaterial, offered_names, unsure_of
from hgld.pages.review.second.sampling import drawn_changes, fresh_classes, last_sample
from hgld.pages.review.second.views import BlindClass, DeskView, OtherReviewer
from hgld.pages.review.views import Outcome
from hgld.pages.review.wording import count_of
from hgld.pages.serving.wikimedia import wikidata_url
from hgld.review.log.events import Change, label_key

USUAL_SIZE = 50
"""Classes of a sample, where nobody says otherwise."""


class BlindDesk:
    """Asks second reviewers. All methods may be called from any thread."""

    def __init__(self, material: SecondMaterial) -> None:
        """Takes the review."""
        self._material, self._session = material, material.session

    def look(self, reviewer: str, said: Outcome | None = None) -> DeskView:
        """Returns what a second reviewer sees: the next class, or whose decisions there are.

        Args:
            reviewer: who looks; may be empty.
            said: what was just done.

        Raises:
            DamagedError: the log is not as it was written.
        """
        with self._session.reading() as board:
            view = DeskView(reviewer=reviewer, title=self._material.title, said=said)
            if not reviewer:
                return view
            sample = last_sample(board.standing, reviewer)
            if sample is not None:
                view = replace(
                    view,
                    of_reviewer=sample.of_reviewer,
                    asked=len(sample.queue),
                    unsure=unsure_of(board.standing, sample),
                )
                current = self._material.next_class(board.standing, sample)
                if current is not None:
                    return replace(
                        view,
                        place=list(sample.queue).index(current) + 1,
                        current=self._blind_class(board, current),
                        names=offered_names(board, reviewer),
                    )
            fresh = fresh_classes(board.standing, reviewer, self._material.labels)
            others = [OtherReviewer(who, len(of)) for who, of in fresh.items()]
            others.sort(key=lambda one: (-one.classes, one.reviewer))
            return replace(
                view,
                others=tuple(others),
                size=min(USUAL_SIZE, others[0].classes) if others else 0,
                known=len(self._unasked(board, reviewer)),
            )

    def start(self, reviewer: str, of_reviewer: str, size: int) -> Outcome:
        """Draws what a reviewer is asked.

        Raises:
            RefusedError: they have yet to answer some, or the other has not decided so many.
            InputError: the disk is full, or the session is read-only.
            DamagedError: the log is not as it was written.
        """
        with self._session.appending(reviewer) as append, self._session.reading() as board:
            standing, material = board.standing, self._material
            sample = last_sample(standing, reviewer)
            if sample is not None and material.next_class(standing, sample) is not None:
                raise RefusedError(
                    f"classes that {sample.of_reviewer} decided are waiting for your answer; go on "
                    f"with them, or take the draw back in the history"
                )
            decided = fresh_classes(standing, reviewer, material.labels).get(of_reviewer, {})
            _check_size(of_reviewer, size, len(decided))
            changes = drawn_changes(
                decided,
                self._unasked(board, reviewer),
                {qid: (label, material.landmarks[qid]) for qid, label in material.labels.items()},
                of_reviewer=of_reviewer,
                size=size,
                seed=secrets.token_hex(16),
            )
            event = append(material.edit("sample", reviewer, changes))
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
            sample = last_sample(board.standing, reviewer)
            current = sample and self._material.next_class(board.standing, sample)
            if not isinstance(current, str):
                raise RefusedError("no class is waiting for your answer; draw some first")
            if reply.qid != current:
                return Outcome(text="That class is answered; u takes it back.", kind="nothing")
            change = _blind_change(board, reviewer, reply, self._material.labels[current])
            event = append(self._material.edit("opinion", reviewer, (change,), reply.seen))
            return Outcome(text="Noted. u takes it back.", number=event.number)

    def undo(self, reviewer: str) -> Outcome:
        """Takes back a second reviewer's last answer; without one, the draw."""
        with self._session.reading() as board:
            sample = last_sample(board.standing, reviewer)
        if sample is None:
            return Outcome(text="Nothing of yours is left to take back here.", kind="nothing")
        queue = sample.queue.keys()
        said = self._material.take_back(
            reviewer, lambda event: event.event == "opinion" and event.classes.keys() <= queue
        )
        if said.kind != "nothing":
            return said
        return self._material.take_back(reviewer, lambda event: event.number == sample.number)

    def redo(self, reviewer: str) -> Outcome:
        """Does again what a second reviewer has undone last."""
        return self._material.again(reviewer, {"opinion", "sample"})

    def _unasked(self, board: Board, reviewer: str) -> list[str]:
        """Returns the classes with a known answer of which a reviewer was not asked yet."""
        asked = board.standing.opinions.get(reviewer, {})
        return [qid for qid in self._material.known if qid not in asked]

    def _blind_class(self, board: Board, qid: str) -> BlindClass:
        examples, thumbnails = self._session.sights(board.classes.row[qid])
        return BlindClass(
            class_qid=qid,
            class_label=self._material.labels[qid],
            landmarks=self._material.landmarks[qid],
            wikidata_url=wikidata_url(qid),
            examples=examples,
            thumbnails=thumbnails,
        )


def _check_size(of_reviewer: str, size: int, most: int) -> None:
    if not most:
        raise RefusedError(
            f"{of_reviewer or 'nobody'} has decided no class of which you were not asked yet; "
            f"choose somebody else"
        )
    if not 1 <= size <= most:
        raise RefusedError(
            f"choose from 1 to {most} classes, got {size}: {of_reviewer} has decided so many of "
            f"which you were not asked yet"
        )


def _blind_change(board: Board, reviewer: str, reply: Reply, label: str) -> Change:
    classes = {reply.qid: label}
    match reply.kind:
        case "unsure":
            return Change(classes=classes, effect="unsure")
        case "ignore":
            return Change(classes=classes, effect="opinion")
        case "name":
            said = board.standing.opinions.get(reviewer, {}).values()
            own = {label_key(word.change.hierarchical_label or "") for word in said}
            is_sure = reply.is_sure or label_key(reply.label) in own
            name = settle_name(board, reply.label, reply.side, is_sure=is_sure)
            return Change(
                classes=classes,
                effect="opinion",
                hierarchical_label=name.hierarchical_label,
                natural_or_human_made=name.natural_or_human_made,
            )
    raise RefusedError(f"answer with name, ignore or unsure, got {reply.kind!r}")
