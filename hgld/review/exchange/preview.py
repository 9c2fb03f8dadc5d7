"""Which super-categories a file would make, empty or change."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from hgld.review.log.history import Decision
from hgld.review.log.texts import harmless
from hgld.review.progress import LandmarkCounts


@dataclass(frozen=True, slots=True, kw_only=True)
class SuperCategoryChange:
    """What would become of a super-category."""

    change: Literal["new", "vanished", "changed"]
    hierarchical_label: str
    natural_or_human_made: str
    """After the change, if it is there then."""
    side_before: str
    """Empty where it is new."""
    classes_before: int
    classes_after: int
    landmarks_before: int
    landmarks_after: int

    def words(self) -> str:
        """Returns it as a line for a terminal."""
        counts = {
            "new": f"{_counted(self.classes_after, self.landmarks_after)}",
            "vanished": f"had {_counted(self.classes_before, self.landmarks_before)}",
        }.get(
            self.change,
            f"{_counted(self.classes_before, self.landmarks_before)} -> "
            f"{_counted(self.classes_after, self.landmarks_after)}",
        )
        side = self.natural_or_human_made
        if self.side_before not in {"", side}:
            side = f"{self.side_before} -> {side}"
        return f"{self.change:<8}  {harmless(self.hierarchical_label)} ({side}): {counts}"


def compare_super_categories(
    before: Mapping[str, Decision], after: Mapping[str, Decision], landmarks: LandmarkCounts
) -> list[SuperCategoryChange]:
    """Returns what differs between two sets of decisions, by kind and name.

    Args:
        before: decisions by `class_qid`.
        after: the same, once a file is applied.
        landmarks: of the classes.
    """
    was, will_be = _members(before), _members(after)
    found = []
    for name in sorted(was.keys() | will_be.keys()):
        (side_before, old), (side, new) = was.get(name, ("", set())), will_be.get(name, ("", set()))
        if (side_before, old) == (side, new):
            continue
        found.append(
            SuperCategoryChange(
                change="new" if not old else "changed" if new else "vanished",
                hierarchical_label=name,
                natural_or_human_made=side or side_before,
                side_before=side_before,
                classes_before=len(old),
                classes_after=len(new),
                landmarks_before=landmarks.count(old),
                landmarks_after=landmarks.count(new),
            )
        )
    order = ("new", "vanished", "changed")
    return sorted(found, key=lambda one: order.index(one.change))


def _members(decisions: Mapping[str, Decision]) -> dict[str, tuple[str, set[str]]]:
    members: dict[str, set[str]] = defaultdict(set)
    sides: dict[str, str] = {}
    for qid, one in decisions.items():
        if one.hierarchical_label is not None:
            members[one.hierarchical_label].add(qid)
            sides[one.hierarchical_label] = one.natural_or_human_made or ""
    return {name: (sides[name], qids) for name, qids in members.items()}


def _counted(classes: int, landmarks: int) -> str:
    return (
        f"{classes:,} {'class' if classes == 1 else 'classes'}, "
        f"{landmarks:,} {'landmark' if landmarks == 1 else 'landmarks'}"
    )
