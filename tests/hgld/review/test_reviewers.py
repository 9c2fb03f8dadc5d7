"""Two reviewers with a sheet each: nothing of either is lost, or signed by the other."""

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.errors import ConflictError
from hgld.review.applying import Prefer
from hgld.review.log.decisions import check_decisions, read_log
from hgld.review.log.history import Decision
from hgld.review.sheet import FILLED_IN
from tests.worlds.builders import write_proposals
from tests.worlds.review import sheets
from tests.worlds.review.sheets import CLASSES, apply_sheet, fill_in

pytestmark = pytest.mark.usefixtures("unflushed")

Cells = dict[str, str]
Content = tuple[str, str, str, str]
"""Action, super-category, side and note, as a sheet shows them."""

QIDS = [str(row["class_qid"]) for row in CLASSES]
CELLS = [sheets.CHURCH, sheets.MUSEUM, sheets.IGNORE, sheets.NOTE, sheets.LAKE, sheets.CLEAR]
BLANK = dict.fromkeys(FILLED_IN, "")
OPEN: Content = ("clear", "", "", "")


def content_of(cells: Cells) -> Content:
    if cells.get("action") == "clear":
        return OPEN
    label, side = cells.get("hierarchical_label", ""), cells.get("natural_or_human_made", "")
    return ("assign" if label else "ignore", label, side, cells.get("note", ""))


def shown(decision: Decision) -> Content:
    action, label, side, note = decision.content
    return (action or "", label or "", side or "", note or "")


@dataclass
class Oracle:
    """What two reviewers should get, in plain dictionaries."""

    log: list[tuple[str, Content, str]] = field(default_factory=list)
    """Class, content and reviewer of each decision, in their order."""

    def in_force(self) -> dict[str, tuple[Content, str]]:
        last = {qid: (content, reviewer) for qid, content, reviewer in self.log}
        return {qid: one for qid, one in last.items() if one[0] != OPEN}

    def apply(
        self,
        exported: Mapping[str, tuple[Content, str]],
        cells: Mapping[str, Cells],
        reviewer: str,
        prefer: Prefer | None,
    ) -> bool:
        """Adds the edits of a sheet; False: there are conflicts, and nothing was added."""
        now, new, is_clear = self.in_force(), [], True
        for qid in QIDS:  # the order of the sheet
            if qid not in cells:
                continue
            mine = content_of(cells[qid])
            base = exported[qid][0] if qid in exported else OPEN
            theirs = now[qid][0] if qid in now else OPEN
            if mine in (base, theirs):
                continue
            if theirs != base:
                is_clear = False
                if prefer != "mine":
                    continue
            new.append((qid, mine, reviewer))
        if is_clear or prefer is not None:
            self.log += sorted(new)
        return is_clear or prefer is not None


def agrees(workspace: Workspace, oracle: Oracle) -> None:
    """Compares log and taxonomy with what they should be."""
    log = read_log(workspace)
    assert not log.found.damaged_line
    assert check_decisions(workspace) == []
    lines = []
    for event in log.events:
        contents = {tuple(each or "" for each in change.content) for change in event.changes}
        assert len(contents) == len(event.changes)  # one for all classes of which it is the same
        lines += sorted(
            (qid, tuple(each or "" for each in change.content), event.reviewer)
            for change in event.changes
            for qid in change.classes
        )
    assert lines == oracle.log
    in_force = {qid: (shown(one), one.reviewer) for qid, one in log.in_force().items()}
    assert in_force == oracle.in_force()


def play(workspace: Workspace, chance: random.Random) -> tuple[int, int]:
    """Has three reviewers export, fill in and apply sheets, some of them twice or never.

    Returns:
        How often a sheet was refused, and how many conflicts were settled.
    """
    oracle, refused, settled = Oracle(), 0, 0
    given: list[tuple[str, Path, dict[str, Cells], Mapping[str, tuple[Content, str]]]] = []
    for _ in range(40):
        if not given or chance.random() < 0.4:
            picked = chance.sample(QIDS, chance.randrange(4))
            cells = {qid: chance.choice(CELLS) for qid in picked}
            # As a person would: what a row said before is replaced.
            sheet = fill_in(workspace, {qid: BLANK | one for qid, one in cells.items()})
            given.append((chance.choice(["ann", "bob", "cid"]), sheet, cells, oracle.in_force()))
            continue
        who, sheet, cells, exported = chance.choice(given)
        prefer: Prefer | None = chance.choice([None, None, "mine", "theirs"])
        if oracle.apply(exported, cells, who, prefer):
            settled += apply_sheet(workspace, sheet, who, prefer=prefer).settled
        else:
            refused += 1
            with pytest.raises(ConflictError):
                apply_sheet(workspace, sheet, who, prefer=prefer)
        agrees(workspace, oracle)
    return refused, settled


def check_many_rounds(folder: Path, seeds: Iterable[int]) -> None:
    """Plays a game for each seed; some sheets are refused, and some conflicts are settled."""
    counts = []
    for seed in seeds:
        workspace = Workspace(folder / str(seed))
        write_proposals(workspace, CLASSES)
        counts.append(play(workspace, random.Random(seed)))
    assert all(sum(each) for each in zip(*counts, strict=True))


@pytest.mark.fault(23, "two reviewers")
def test_many_rounds_of_three_reviewers_agree_with_the_oracle(tmp_path: Path) -> None:
    check_many_rounds(tmp_path, range(8))
