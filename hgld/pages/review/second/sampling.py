"""What a second reviewer is asked: drawn once, and kept in the log with its order."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from hgld.review.log.events import Change
from hgld.review.log.history import Standing, Word
from hgld.review.second_opinion import draw_sample, hide_known


@dataclass(frozen=True, slots=True, kw_only=True)
class BlindSample:
    """Classes that a reviewer is asked blind."""

    number: int
    """Of the event that drew it."""
    reviewer: str
    of_reviewer: str
    """Whose decisions it is drawn from."""
    queue: Mapping[str, str]
    """class_qid to label, in the order in which they are asked."""
    hidden: frozenset[str]
    """Those of them that are asked because their answer is known; no page says which."""


def sample_in(word: Word) -> BlindSample:
    """Returns the sample that an event drew."""
    changes = word.event.changes
    return BlindSample(
        number=word.event.number,
        reviewer=word.event.reviewer,
        of_reviewer=word.change.of_reviewer,
        queue=word.change.classes,
        hidden=frozenset(
            qid for change in changes if change.effect == "known" for qid in change.classes
        ),
    )


def last_sample(standing: Standing, reviewer: str = "") -> BlindSample | None:
    """Returns the sample that was drawn last for a reviewer; for anybody where none is named."""
    found = (word for word in reversed(standing.samples))
    word = next((one for one in found if reviewer in {"", one.event.reviewer}), None)
    return None if word is None else sample_in(word)


def told_sample(standing: Standing) -> BlindSample | None:
    """Returns the last sample of which something is answered; without any, the last one."""
    samples = [sample_in(word) for word in reversed(standing.samples)]
    answered = (
        one for one in samples if one.queue.keys() & standing.opinions.get(one.reviewer, {}).keys()
    )
    return next(answered, samples[0] if samples else None)


def decided_by(standing: Standing) -> dict[str, dict[str, str | None]]:
    """Returns whose decisions are in force: reviewer to class_qid to super-category."""
    found: dict[str, dict[str, str | None]] = {}
    for qid, one in standing.decisions().items():
        found.setdefault(one.reviewer, {})[qid] = one.hierarchical_label
    return found


def fresh_classes(
    standing: Standing, reviewer: str, there: Collection[str]
) -> dict[str, dict[str, str | None]]:
    """Returns the decisions of all others on classes of which a reviewer was not asked yet.

    Args:
        standing: what is decided.
        reviewer: who would be asked.
        there: the classes of the build.

    Returns:
        Reviewer to class_qid to super-category; nobody who has none.
    """
    asked = standing.opinions.get(reviewer, {})
    found = {
        who: {qid: label for qid, label in of.items() if qid in there and qid not in asked}
        for who, of in decided_by(standing).items()
        if who != reviewer
    }
    return {who: of for who, of in found.items() if of}


def drawn_changes(
    decided: Mapping[str, str | None],
    known: Collection[str],
    classes: Mapping[str, tuple[str, int]],
    *,
    of_reviewer: str,
    size: int,
    seed: str,
) -> tuple[Change, ...]:
    """Draws a sample, hides classes with a known answer in it, and says it as an event does.

    Known ones are taken from what the first reviewer has decided too, as long as there are enough:
    then both are measured on them.

    Args:
        decided: class_qid to super-category, of the first reviewer.
        known: classes with a known answer of which the second was not asked yet.
        classes: class_qid to label and landmarks.
        of_reviewer: the first reviewer.
        size: how many classes, without the hidden ones.
        seed: of the draw.
    """
    landmarks = {qid: classes[qid][1] for qid in decided}
    drawn = draw_sample(decided, landmarks, size, seed=seed)
    queue = hide_known(drawn, known, seed=seed)
    by_both = hide_known(drawn, [qid for qid in known if qid in decided], seed=seed)
    queue = by_both if len(by_both) == len(queue) else queue
    changes = [
        Change(
            classes={qid: classes[qid][0] for qid in queue},
            effect="sample",
            of_reviewer=of_reviewer,
            note=seed,
        )
    ]
    if hidden := set(queue).difference(drawn):
        named = {qid: classes[qid][0] for qid in queue if qid in hidden}
        changes.append(Change(classes=named, effect="known"))
    return tuple(changes)
