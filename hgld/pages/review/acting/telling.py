"""What an action has done, or would do, in words."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence

from hgld.labels.proposing.proposals import Proposal
from hgld.pages.review.acting.asking import ActRequest, Place
from hgld.pages.review.acting.clashes import answer_words
from hgld.pages.review.acting.drafts import Draft, Saying, in_force, label_of
from hgld.pages.review.acting.naming import use_of
from hgld.pages.review.acting.wording import classes_and_landmarks, count_of, percent_of
from hgld.pages.review.state.board import Board, Outlook
from hgld.pages.review.state.namebook import OPEN
from hgld.pages.review.state.tallies import matching_classes
from hgld.pages.review.views import PreviewChange, PreviewClass, PreviewView, ProposalChange, Said

_FIRST = 20
_DIGITS = 24  # of a fingerprint: no two that a person may meet are the same
_UNDO = "u takes it back."


def done_words(board: Board, request: ActRequest, draft: Draft) -> str:
    """Returns what the page says of an action that is done."""
    return f"{_what(board, request, draft, is_done=True)}. {_UNDO}"


def preview_of(board: Board, request: ActRequest, draft: Draft) -> PreviewView:
    """Returns what an action would do."""
    rows = _by_landmarks(board, draft)
    words = {qid: (_before(board, qid, draft), _after(draft.sayings[qid])) for qid in rows}
    counts = Counter(words.values())
    landmarks: Counter[tuple[str, str]] = Counter()
    for qid, change in words.items():
        landmarks[change] += landmarks_under(board, qid)
    seen = _shown(board, request.place)
    return PreviewView(
        text=_what(board, request, draft, is_done=False) if rows else "Nothing to do",
        classes=len(rows),
        landmarks=sum(landmarks.values()),
        unseen=sum(qid not in seen for qid in rows),
        changes=tuple(
            PreviewChange(before, after, count, landmarks[before, after])
            for (before, after), count in counts.most_common()
        ),
        first=tuple(
            PreviewClass(qid, label_of(board, qid), landmarks_under(board, qid), *words[qid])
            for qid in rows[:_FIRST]
        ),
        fingerprint=fingerprint(board, draft),
    )


def fingerprint(board: Board, draft: Draft) -> str:
    """Returns what two drafts have in common that do the same: a new group may have any name."""
    names: dict[str, str] = {}
    said: list[tuple[str | None, ...]] = []
    for qid, saying in sorted(draft.sayings.items()):
        group = saying.group or ""
        if group not in board.group_number:
            group = names.setdefault(group, f"+{len(names)}")
        said.append((qid, *saying.content, group))
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:_DIGITS]


def rescored_words(board: Board, changed: Sequence[Outlook]) -> Said:
    """Says what a decision changed in what is proposed, most landmarks first."""
    ordered = sorted(changed, key=lambda each: -board.classes.landmarks[each.row])
    rows = tuple(
        ProposalChange(
            each.after.class_qid,
            each.after.class_label,
            proposal_words(board, each.before),
            proposal_words(board, each.after),
        )
        for each in ordered[:_FIRST]
    )
    return Said(
        text=f"{count_of(len(changed), 'proposal')} changed by what was decided.",
        changed=rows,
        changed_count=len(changed),
    )


def proposal_words(board: Board, proposal: Proposal) -> str:
    """Returns a proposal in words, such as `castle / fort 92%`."""
    label = proposal.proposed_label
    name = "ignore" if label is None else board.standing.current_name(label).strip()
    asks = "?" if proposal.proposed_action == "ask" else ""
    return f"{name}{asks} {percent_of(proposal.confidence)}"


def landmarks_under(board: Board, qid: str) -> int:
    """Returns the landmarks of a class; 0 of one that is gone."""
    row = board.classes.row.get(qid)
    return 0 if row is None else int(board.classes.landmarks[row])


def _what(board: Board, request: ActRequest, draft: Draft, *, is_done: bool) -> str:
    qids = draft.sayings
    counts = classes_and_landmarks(len(qids), sum(landmarks_under(board, qid) for qid in qids))
    if len(qids) == 1:
        counts = label_of(board, next(iter(qids)))
    now, done, after = _VERBS[request.action]
    verb = done if is_done else now
    answers = _answers(draft)
    match request.action:
        case "accept" | "accept_confident" | "assign":
            return f"{verb} {counts} as {answers}"
        case "rename":
            return (
                f"{verb} {request.label.strip()} to {answers}: {counts}{_merging(board, request)}"
            )
        case "side":
            return f"{verb} {request.label.strip()} {request.side}: {counts}"
        case "split_parts":
            parts = len({saying.group for saying in qids.values()})
            return f"{verb} {count_of(parts, 'part')}: {counts}"
    return f"{verb} {counts}{after}"


def _merging(board: Board, request: ActRequest) -> str:
    old, new = use_of(board, request.label), use_of(board, request.to)
    if not new.is_used or new.name == old.name:
        return ""
    return f"; both are one super-category now, {new.name.natural_or_human_made}"


_VERBS: Mapping[str, tuple[str, str, str]] = {
    "accept": ("Accept", "Accepted", ""),
    "accept_confident": ("Accept", "Accepted", ""),
    "assign": ("Assign", "Assigned", ""),
    "ignore": ("Ignore", "Ignored", ""),
    "clear": ("Open again", "Opened again", ""),
    "rename": ("Rename", "Renamed", ""),
    "side": ("Make", "Made", ""),
    "merge": ("Put", "Put", " into the group"),
    "split": ("Split off", "Split off", ""),
    "split_parts": ("Split off", "Split off", ""),
    "ungroup": ("Put", "Put", " back into their clusters"),
    "doubt": ("Mark", "Marked", " as doubtful"),
    "trust": ("Mark", "Marked", " as doubtful no more"),
    "comment": ("Comment on", "Commented on", ""),
}


def _answers(draft: Draft) -> str:
    names = Counter(_after(saying) for saying in draft.sayings.values()).most_common()
    if len(names) <= 2:  # noqa: PLR2004 - both are named
        return " and ".join(name for name, _ in names)
    return f"{names[0][0]} and {len(names) - 1} others"


def _after(saying: Saying) -> str:
    match saying.effect:
        case "assign" | "ignore" | "clear":
            return answer_words(saying.content)
        case "group":
            return f"group {saying.group}" if saying.group else "its cluster"
    return saying.effect


def _before(board: Board, qid: str, draft: Draft) -> str:
    row = board.classes.row.get(qid)
    if draft.sayings[qid].effect == "group" and row is not None:
        return f"group {board.group_of(row)}"
    if row is None or board.decided[row] != OPEN:
        return answer_words(in_force(board, qid))
    number = board.answer_of(row)
    return f"open, proposed {board.names.words(number) if number else 'to ignore'}"


def _by_landmarks(board: Board, draft: Draft) -> list[str]:
    return sorted(draft.sayings, key=lambda qid: -landmarks_under(board, qid))


def _shown(board: Board, place: Place) -> set[str]:
    """Returns the classes that the page shows at a place."""
    number = board.group_number.get(place.group)
    chosen = matching_classes(board, place.show, place.query)
    if number is not None:
        chosen &= board.group == number
    rows = chosen.nonzero()[0]
    order = sorted(
        rows.tolist(), key=lambda row: (board.decided[row] != OPEN, -board.classes.landmarks[row])
    )
    return {board.classes.qids[row] for row in order[: place.rows]}
