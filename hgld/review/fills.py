"""What persons said of guesses: which super-categories a category has, and which it does not have.

The guesses are of landmarks whose category no class gives a label (`FILLS`). What is said of them
stands in the same log as the decisions on classes, with the same undo, and is none of these.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from hgld.review.log.events import label_key
from hgld.review.log.history import Standing, Word


@dataclass(frozen=True, slots=True, kw_only=True)
class FillRuling:
    """What a person said of a category and a super-category."""

    category: str
    action: Literal["accept", "refuse"]
    hierarchical_label: str
    """As it is called now."""
    natural_or_human_made: str
    word: Word
    """The edit that says so."""


@dataclass(frozen=True, slots=True)
class CategoryRulings:
    """All that stands of one category."""

    accepted: FillRuling | None = None
    refused: dict[str, FillRuling] = field(default_factory=dict)
    """By label_key."""

    def rows(self) -> list[FillRuling]:
        """Returns what was accepted, then what was refused, by name."""
        refused = [self.refused[key] for key in sorted(self.refused)]
        return refused if self.accepted is None else [self.accepted, *refused]


def category_rulings(standing: Standing, category: str) -> CategoryRulings:
    """Returns what stands of a category.

    Of what was said of one super-category the last counts. A category has one at most, the one that
    was accepted last; that it does not have others stands beside that. A super-category that was
    renamed has its new name here as well.
    """
    accepted: FillRuling | None = None
    refused: dict[str, FillRuling] = {}
    for word in standing.fills.get(category, ()):
        ruling = _ruling(standing, category, word)
        key = label_key(ruling.hierarchical_label)
        if ruling.action == "accept":
            accepted = ruling
            refused.pop(key, None)
            continue
        refused[key] = ruling
        if accepted is not None and label_key(accepted.hierarchical_label) == key:
            accepted = None
    return CategoryRulings(accepted, refused)


def fill_rulings(
    standing: Standing, categories: Iterable[str] | None = None
) -> dict[str, CategoryRulings]:
    """Returns what stands of each category of which something was said.

    Args:
        standing: what the log comes to.
        categories: these alone; None: all.
    """
    asked = standing.fills if categories is None else categories
    return {one: category_rulings(standing, one) for one in asked if standing.fills.get(one)}


def _ruling(standing: Standing, category: str, word: Word) -> FillRuling:
    change = word.change
    told = change.hierarchical_label or ""
    label, side = name_now(standing, told, change.natural_or_human_made or "")
    return FillRuling(
        category=category,
        action="accept" if change.effect == "fill" else "refuse",
        hierarchical_label=label,
        natural_or_human_made=side,
        word=word,
    )


def name_now(standing: Standing, label: str, side: str) -> tuple[str, str]:
    """Returns a super-category as it is called now, and its side: as the classes have them.

    One that no class has keeps what is told of it.
    """
    now = standing.current_name(label)
    return standing.names.get(label_key(now), (now, side))
