"""Texts of the pages: codes of the tables in words, names, numbers and safe addresses."""

import re
from collections.abc import Mapping
from typing import Any

from hgld.annotations.release.cards import is_program
from hgld.pages.serving.wikimedia import landmark_name

_REASONS = {
    "no_page": "its Commons category is gone",
    "no_item": "its Commons category has no Wikidata item",
    "no_p31": "its Wikidata item has no class (P31)",
    "redirect_loop": "its Commons category redirects in a circle",
    "failed": "its category could not be fetched",
    "not_scraped": "it was not asked for",
    "ignored": "a reviewer ignored its classes",
    "proposed_ignore": "its classes were ignored as proposed, without a review",
    "undecided": "nobody has decided on its classes",
}
_DECISIONS = {
    "assigned": "assigned by a reviewer",
    "ignored": "ignored by a reviewer",
    "proposed": "accepted as proposed, without a review",
    "proposed_ignore": "ignored as proposed, without a review",
    "filled": "filled by other evidence, because no class gives a label",
}
_RULES = {
    "only_label": "All of its classes with a vote stand for this label.",
    "most_votes": "Most of its classes stand for this label.",
    "most_specific": (
        "Several labels have equally many votes; the one of the most specific class wins, which is "
        "the class with the fewest landmarks."
    ),
}
_PLACES = {
    "none": "Wikidata states no coordinates",
    "unknown": "Wikidata says that they are unknown",
    "several": "Wikidata states several",
    "not_on_earth": "not on Earth",
    "no_item": "no Wikidata item",
    "failed": "the item could not be fetched",
    "not_asked": "Wikidata was not asked",
}
_WEB = re.compile(r"https?://[^/?#\s]", re.IGNORECASE)


def reason_words(reason: str) -> str:
    """Returns why a landmark has no label.

    Example:
        >>> reason_words("no_item"), reason_words("a_new_one")
        ('its Commons category has no Wikidata item', 'a new one')
    """
    return _REASONS.get(reason, spaced(reason))


def decision_words(decision: str, reviewer: str) -> str:
    """Returns how a class got its label, or none.

    Example:
        >>> decision_words("assigned", "Ada"), decision_words("assigned", "hgld demo")
        ('assigned by a reviewer', 'assigned by a program')
    """
    words = _DECISIONS.get(decision, spaced(decision))
    return words.replace("a reviewer", "a program") if is_program(reviewer) else words


def rule_words(rule: str) -> str:
    """Returns by which part of the rule a label won; empty: none has."""
    return _RULES.get(rule, "")


def place_words(reason: str) -> str:
    """Returns why a landmark has no coordinates."""
    return _PLACES.get(reason, spaced(reason))


def spaced(code: str) -> str:
    """Returns a code that has no text of its own in a readable form."""
    return code.replace("_", " ")


def causes(why: str) -> str:
    """Returns the causes of a change, which its table has one after another.

    Example:
        >>> causes("other_landmark label")
        'other landmark, label'
    """
    return spaced(", ".join(why.split()))


def landmark_title(row: Mapping[str, Any]) -> str:
    """Returns the name of a landmark: its Commons category, or its number.

    Args:
        row: `category`, `split` and `landmark_id` of any table.

    Example:
        >>> row = {"category": None, "split": "train", "landmark_id": 7}
        >>> landmark_title(row)
        'train landmark 7'
        >>> url = "http://commons.wikimedia.org/wiki/Category:Lac_d%27Annecy"
        >>> landmark_title(row | {"category": url})
        "Lac d'Annecy"
    """
    name = landmark_name(row["category"]) if row["category"] else ""
    return name or f"{row['split']} landmark {row['landmark_id']}"


def thousands(number: int) -> str:
    """Returns a number with commas.

    Example:
        >>> thousands(2382)
        '2,382'
    """
    return f"{number:,}"


def counted(number: int, noun: str) -> str:
    """Returns a number of things.

    Example:
        >>> counted(1, "image"), counted(0, "super-category")
        ('1 image', '0 super-categories')
    """
    plural = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{thousands(number)} {noun if number == 1 else plural}"


def web_url(text: str | None) -> str:
    """Returns a web address as it is, and anything else as an empty text.

    Example:
        >>> web_url("https://commons.wikimedia.org/wiki/File:A.jpg"), web_url("javascript:alert(1)")
        ('https://commons.wikimedia.org/wiki/File:A.jpg', '')
    """
    return text if text and _WEB.match(text) else ""
