"""What a log comes to on the classes of another scrape: applied, gone, or about a changed class."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from hgld.review.log.events import Event
from hgld.review.log.history import Standing

ReplayState = Literal["applied", "gone", "changed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What became of an edit that counts."""

    number: int
    event: str
    reviewer: str
    decided_at: str
    state: ReplayState
    """gone: the build has none of the classes that it decides. changed: it lacks some, or calls
    some otherwise than when they were decided; the edit counts all the same."""
    applied: int
    """Classes that it decides, and that are called as they were."""
    gone: dict[str, str]
    """class_qid to the label it had; the decision is kept, since it may come back."""
    changed: dict[str, tuple[str, str]]
    """class_qid to the label it had and the one it has."""


def replay(
    events: Sequence[Event], standing: Standing, labels: Mapping[str, str]
) -> list[Replayed]:
    """Tells of each edit that counts what became of the classes that it decides.

    An edit whose classes were all decided again later is applied: nothing of it is left to look at.

    Args:
        events: of the log, in order.
        standing: what they come to.
        labels: `class_qid` to label of the classes that the build has.
    """
    ruled: dict[int, dict[str, str]] = {}
    for qid, word in standing.rulings.items():
        if word.change.effect != "clear":
            ruled.setdefault(word.event.number, {})[qid] = word.change.classes[qid]
    found = []
    for event in events:
        if event.number not in standing.active:
            continue
        then = ruled.get(event.number, {})
        gone = {qid: label for qid, label in then.items() if qid not in labels}
        changed = {
            qid: (label, labels[qid])
            for qid, label in then.items()
            if qid in labels and labels[qid] != label
        }
        state: ReplayState = "applied"
        if gone and len(gone) == len(then):
            state = "gone"
        elif gone or changed:
            state = "changed"
        found.append(
            Replayed(
                number=event.number,
                event=event.event,
                reviewer=event.reviewer,
                decided_at=event.decided_at,
                state=state,
                applied=len(then) - len(gone) - len(changed),
                gone=gone,
                changed=changed,
            )
        )
    return found
