"""Events as the tests of the log write them."""

import random
from dataclasses import replace

from hgld.engine.workspace import Workspace
from hgld.review.log.decisions import OpenLog, append_decisions, append_event, read_log
from hgld.review.log.events import EDITS, Change, Edit, Effect, Event
from hgld.review.log.history import Decision, Standing, category_rulings
from hgld.review.log.undoing import Toggle, jump, redo, revert, undo
from hgld.review.stage import run_review
from tests.worlds.builders import write_proposals
from tests.worlds.review.sheets import CLASSES, PROPOSE

WHEN = "2026-11-26T09:00:00+00:00"
QIDS = [f"Q{number}" for number in range(1, 9)]
NAMES = ["church", "Church", "castle / fort", "lake", "ocean area "]
CATEGORIES = [f"http://commons.wikimedia.org/wiki/Category:Kirche_{one}" for one in "ABCDÜ"]
SIDE = {"church": "human-made", "Church": "natural", "castle / fort": "human-made"}

EFFECTS: list[Effect] = [
    *("assign", "assign", "assign", "ignore", "ignore", "clear", "group", "comment", "doubt"),
    *("trust", "fill", "fill", "refuse"),
]


def labelled(*qids: str) -> dict[str, str]:
    return {qid: f"label of {qid}" for qid in qids}


def assigned(*qids: str, label: str = "church", side: str = "", renamed_from: str = "") -> Change:
    return Change(
        classes=labelled(*qids),
        effect="assign",
        hierarchical_label=label,
        natural_or_human_made=side or SIDE.get(label, "natural"),
        renamed_from=renamed_from,
    )


def said(*qids: str, effect: Effect, note: str = "", group: str | None = None) -> Change:
    return Change(classes=labelled(*qids), effect=effect, note=note, group=group)


def guessed(*categories: str, label: str = "church", is_refused: bool = False) -> Change:
    return Change(
        classes={},
        effect="refuse" if is_refused else "fill",
        categories=categories,
        hierarchical_label=label,
        natural_or_human_made=SIDE.get(label, "natural"),
    )


def edited(*changes: Change, who: str = "ann", number: int = 0, event: Edit = "assign") -> Event:
    return Event(event=event, decided_at=WHEN, reviewer=who, number=number, changes=changes)


def switched(toggle: Toggle, who: str = "ann", number: int = 0) -> Event:
    return toggle.signed(who, WHEN, number=number)


def numbered(*events: Event) -> list[Event]:
    return [event.numbered(number) for number, event in enumerate(events, start=1)]


def ignored(qid: str, who: str = "eve") -> Decision:
    return Decision(
        decided_at=WHEN, reviewer=who, class_qid=qid, class_label=f"label of {qid}", action="ignore"
    )


def random_edit(chance: random.Random, who: str) -> Event:
    """Returns an edit of any kind, with one to three changes."""

    def change() -> Change:
        qids = chance.sample(QIDS, chance.randint(1, 4))
        effect: Effect = chance.choice(EFFECTS)
        match effect:
            case "assign":
                old = chance.choice(NAMES) if chance.random() < 0.3 else ""
                return assigned(*qids, label=chance.choice(NAMES), renamed_from=old)
            case "group":
                return said(*qids, effect=effect, group=chance.choice(["g", "h", None]))
            case "fill" | "refuse":
                named = chance.sample(CATEGORIES, chance.randint(1, 3))
                return guessed(*named, label=chance.choice(NAMES), is_refused=effect == "refuse")
            case _:
                return said(*qids, effect=effect, note=chance.choice(["née “x”", "a\nb"]))

    changes = [change() for _ in range(chance.randint(1, 3))]
    event = edited(*changes, who=who, event=chance.choice(EDITS))
    return replace(event, why=chance.choice(["", "why ü"]))


def random_switch(chance: random.Random, events: list[Event], who: str) -> Event | None:
    """Returns an undo, redo, revert, restore or jump, where there is something to take back."""
    edits = [event.number for event in events if event.is_edit]
    match chance.choice(["undo"] * 4 + ["redo"] * 3 + ["revert", "jump"]):
        case "undo":
            toggle = undo(events, who)
        case "redo":
            toggle = redo(events, who)
        case "revert":
            toggle = revert(events, chance.choice(edits)) if edits else None
        case _:
            toggle = jump(events, chance.randint(0, len(events)))
    return switched(toggle, who) if toggle else None


def take_back(workspace: Workspace, who: str) -> None:
    """Appends what takes back the last thing that a reviewer did."""
    toggle = undo(read_log(workspace).events, who)
    assert toggle is not None
    append_event(workspace, switched(toggle, who))


def act(workspace: Workspace, chance: random.Random, steps: int) -> list[Event]:
    """Fills a log with edits, bulk edits, switches and decision lines of three reviewers."""
    log = OpenLog(workspace)
    for step in range(steps):
        who = chance.choice(["ann", "bob", "zoë"])
        if step % 7 == 3:
            append_decisions(workspace, [ignored(chance.choice(QIDS), who)])
            log.sync()
            continue
        event = random_switch(chance, log.events, who) if chance.random() < 0.4 else None
        log.append(event or random_edit(chance, who))
    return log.events


def picture(standing: Standing) -> dict[str, object]:
    """Returns all that a standing says, in plain values."""
    return {
        "active": sorted(standing.active),
        "decisions": standing.decisions(),
        "rulings": {qid: word.event.number for qid, word in standing.rulings.items()},
        "groups": dict(standing.groups),
        "comments": {
            qid: [(word.event.number, word.change.note) for word in words]
            for qid, words in standing.comments.items()
            if words
        },
        "doubts": {qid: word.event.number for qid, word in standing.doubts.items()},
        "names": {name: standing.current_name(name) for name in NAMES},
        "guesses": {
            category: [
                (action, label, side, word.event.number)
                for _, action, label, side, word in category_rulings(standing, category)
            ]
            for category, words in standing.fills.items()
            if words
        },
    }


def write_acted(workspace: Workspace) -> Workspace:
    """Writes a build of four classes that was reviewed by edits of all kinds and switches."""
    write_proposals(workspace, CLASSES)
    act(workspace, random.Random(5), 25)
    run_review(workspace, PROPOSE)
    return workspace
