"""Two reviewers with a sheet each: nothing of either is lost, or signed by the other."""

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.errors import ConflictError
from hgld.review.applying import Prefer
from hgld.review.log.decisions import check_decisions, read_log
from hgld.review.log.events import Change
from hgld.review.log.history import Decision
from hgld.review.sheet import FILLED_IN
from tests.worlds.builders import write_proposals
from tests.worlds.review import sheets
from tests.worlds.review.sheets import CLASSES, apply_sheet, fill_in

pytestmark = pytest.mark.usefixtures("unflushed")

Cells = dict[str, dict[str, str]]
"""What a person fills in, by Q-id and column."""
Content = tuple[str, ...]
"""Action, super-category, side and note, as a sheet shows them."""
InForce = dict[str, tuple[Content, str]]
"""Content and reviewer, by Q-id."""

QIDS = [str(row["class_qid"]) for row in CLASSES]
CELLS = [sheets.CHURCH, sheets.MUSEUM, sheets.IGNORE, sheets.NOTE, sheets.LAKE, sheets.CLEAR]
BLANK = dict.fromkeys(FILLED_IN, "")
OPEN: Content = ("clear", "", "", "")


def content_of(cells: dict[str, str]) -> Content:
    _, label, side, note = (cells.get(name, "") for name in FILLED_IN)
    return OPEN if cells == sheets.CLEAR else ("assign" if label else "ignore", label, side, note)


def shown(said: Change | Decision) -> Content:
    return tuple(each or "" for each in said.content)


@dataclass
class Oracle:
    """What two reviewers should get, in plain dictionaries."""

    log: list[tuple[str, Content, str]] = field(default_factory=list)
    """Class, content and reviewer of each decision, in their order."""

    def in_force(self) -> InForce:
        last = {qid: (content, reviewer) for qid, content, reviewer in self.log}
        return {qid: one for qid, one in last.items() if one[0] != OPEN}

    def apply(self, exported: InForce, cells: Cells, who: str, prefer: Prefer | None) -> bool:
        """Adds the edits of a sheet; False: there are conflicts, and nothing was added."""
        now, new, is_clear = self.in_force(), [], True
        for qid, filled_in in cells.items():
            mine = content_of(filled_in)
            base, theirs = (one[qid][0] if qid in one else OPEN for one in (exported, now))
            if mine in (base, theirs):
                continue
            is_clear &= theirs == base
            if theirs == base or prefer == "mine":
                new.append((qid, mine, who))
        if is_clear or prefer is not None:
            self.log += sorted(new)
        return is_clear or prefer is not None


def agrees(workspace: Workspace, oracle: Oracle) -> None:
    """Compares a log with what it should be."""
    log, lines = read_log(workspace), list[tuple[str, Content, str]]()
    assert not log.found.damaged_line
    assert check_decisions(workspace) == []
    for event in log.events:
        said = {shown(change): change.classes for change in event.changes}
        assert len(said) == len(event.changes)  # one for all classes of which it is the same
        lines += sorted((qid, one, event.reviewer) for one, of in said.items() for qid in of)
    assert lines == oracle.log
    in_force = {qid: (shown(one), one.reviewer) for qid, one in log.in_force().items()}
    assert in_force == oracle.in_force()


def play(workspace: Workspace, chance: random.Random) -> tuple[int, int]:
    """Has three reviewers export, fill in and apply sheets, some of them twice or never.

    Returns:
        How often a sheet was refused, and how many conflicts were settled.
    """
    oracle, refused, settled = Oracle(), 0, 0
    given: list[tuple[str, Path, Cells, InForce]] = []
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
