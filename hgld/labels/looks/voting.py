"""From the votes of a landmark's pictures to its label, or to why it has none."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

ZERO_SHOT = "zero_shot"


class Name(NamedTuple):
    """A super-category that pictures vote for."""

    hierarchical_label: str
    natural_or_human_made: str


class Vote(NamedTuple):
    """What one picture is nearest to."""

    name: int
    """Its position among the names."""
    confidence: float
    """Probability of that name among all of them, 0 to 1."""


class Unread(NamedTuple):
    """A picture that has no vote."""

    reason: str
    is_changed: bool
    """Whether it is not as it was recorded, which fetching it again mends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenPictures:
    """All that is known of a landmark's pictures."""

    votes: Sequence[Vote]
    unread: Sequence[Unread] = ()
    """Pictures of the build that turned out not to be readable."""
    bad: int = 0
    """Pictures that the build has listed as bad."""
    absent: int = 0
    """Pictures that GLDv2 has and the build has no file of."""


class Tally(NamedTuple):
    """The pictures of a landmark that voted for one name."""

    name: int
    pictures: int
    confidence: float
    """Their mean."""


def tally(votes: Sequence[Vote]) -> list[Tally]:
    """Counts votes.

    Returns:
        A tally for each name that has a vote: most pictures first, of equal ones the more
        confident, then the first of the names; empty for no vote.

    Example:
        >>> tally([Vote(0, 0.5), Vote(2, 0.9), Vote(2, 0.75), Vote(0, 0.5)])
        [Tally(name=2, pictures=2, confidence=0.825), Tally(name=0, pictures=2, confidence=0.5)]
    """
    of_name: dict[int, list[float]] = {}
    for vote in votes:
        of_name.setdefault(vote.name, []).append(vote.confidence)
    tallies = [
        Tally(name, len(found), math.fsum(found) / len(found)) for name, found in of_name.items()
    ]
    return sorted(tallies, key=lambda one: (-one.pictures, -one.confidence, one.name))


def decide(
    seen: SeenPictures, names: Sequence[Name], *, min_share: float, min_confidence: float
) -> dict[str, object]:
    """Decides on a landmark's label by the majority of its pictures.

    The name with most votes is in front (`tally` says which of equal ones). It becomes the label
    where its share of the votes and the mean confidence of its pictures are not too low.

    Args:
        seen: what is known of its pictures.
        names: what they vote for.
        min_share: from 0 to 1.
        min_confidence: from 0 to 1.

    Returns:
        The columns of PICTURE_VOTES from status on.

    Source:
        Ramzi et al., Optimization of Rank Losses for Image Retrieval, TPAMI 2025: zero-shot
        labels of a landmark's images and a majority vote. Thresholds and ties are ours.
    """
    row: dict[str, object] = {
        "hierarchical_label": None,
        "natural_or_human_made": None,
        "pictures": len(seen.votes),
        "left_out": len(seen.unread) + seen.bad,
        "method": ZERO_SHOT,
    }
    if not seen.votes:
        # Of nothing but changed pictures a rerun may make more; of bad ones it does not.
        status = "failed" if any(one.is_changed for one in seen.unread) else "no_picture"
        nothing = {"status": status, "best_guess": None, "confidence": None, "share": None}
        return row | nothing | {"evidence": _why_none(seen)}
    first, *others = tally(seen.votes)
    share = first.pictures / len(seen.votes)
    status, why = "ok", ""
    if share < min_share:
        status, why = "low_share", f", less than a share of {min_share:g}"
    elif first.confidence < min_confidence:
        status, why = "low_confidence", f", below {min_confidence:g}"
    else:
        row |= names[first.name]._asdict()
    evidence = (
        f"{names[first.name].hierarchical_label}: {first.pictures} of "
        f"{_pictures(len(seen.votes))}, confidence {first.confidence:.2f}{why}"
    )
    if others:
        evidence += f"; then {names[others[0].name].hierarchical_label}: {others[0].pictures}"
    if row["left_out"]:
        evidence += f"; {_pictures(len(seen.unread) + seen.bad)} left out as damaged"
    found = {
        "status": status,
        "best_guess": names[first.name].hierarchical_label,
        "confidence": first.confidence,
        "share": share,
    }
    return row | found | {"evidence": evidence}


def _why_none(seen: SeenPictures) -> str:
    parts = []
    if seen.absent:
        parts.append(f"{_pictures(seen.absent)} not in the build")
    if damaged := len(seen.unread) + seen.bad:
        parts.append(f"{_pictures(damaged)} left out as damaged")
    return f"no picture to look at: {', '.join(parts) or 'none is known'}"


def _pictures(count: int) -> str:
    return "1 picture" if count == 1 else f"{count} pictures"
