"""A build whose classes one person has decided, for another to decide again."""

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

from hgld.engine.workspace import Workspace
from hgld.review.log.decisions import OpenLog
from hgld.review.log.events import Change, Edit, Event
from tests.worlds.review.lists import write_small_review

WHEN = "2026-11-26T09:00:00+00:00"
SIDES = {"cascade": "natural", "mere / tarn": "natural", "span": "human-made", "dam": "human-made"}

_KINDS: Mapping[str, tuple[str | None, Sequence[str]]] = {
    "waterfall": ("cascade", ("tall", "alpine", "seasonal", "twin", "fan", "block", "roadside")),
    "lake": ("mere / tarn", ("salt", "mountain", "crater", "oxbow", "glacial", "village", "bog")),
    "footbridge": ("span", ("wooden", "covered", "rope", "railway", "garden", "stone", "arched")),
    "weir": ("dam", ("mill", "crest", "broad", "timber")),
    "company": (None, ("mining", "shipping", "rail", "holding", "trading")),
}

CLASSES: Sequence[tuple[str, str, int, int]] = [
    (f"Q{number}", f"{word} {noun}", 1 + number % 7 * (3 if noun == "lake" else 1), cluster)
    for number, (cluster, noun, word) in enumerate(
        (
            (cluster, noun, word)
            for cluster, (noun, (_, words)) in enumerate(_KINDS.items())
            for word in words
        ),
        start=301,
    )
]
"""Q-id, label, landmarks and cluster of 30 classes."""

ANSWERS: Mapping[str, str | None] = {
    qid: next(answer for noun, (answer, _) in _KINDS.items() if label.endswith(noun))
    for qid, label, _, _ in CLASSES
}
"""What ann decides, by Q-id."""


def write_reviewed(root: Path) -> Workspace:
    """Writes a scraped build that ann has decided, in the taxonomy's names and one of her own."""
    workspace = write_small_review(root, CLASSES)
    log = OpenLog(workspace)
    for answer, qids in itertools.groupby(ANSWERS, ANSWERS.__getitem__):
        log.append(decided(answer, list(qids)))
    return workspace


def decided(answer: str | None, qids: Sequence[str], who: str = "ann") -> Event:
    """Returns the event by which somebody decides classes."""
    labels = {qid: label for qid, label, _, _ in CLASSES}
    change = Change(
        classes={qid: labels[qid] for qid in qids},
        effect="ignore" if answer is None else "assign",
        hierarchical_label=answer,
        natural_or_human_made=None if answer is None else SIDES[answer],
    )
    kind: Edit = "ignore" if answer is None else "assign"
    return Event(event=kind, decided_at=WHEN, reviewer=who, changes=(change,))
