"""What is proposed of each cluster, from what is proposed of its members and nothing else.

A name, a proposal and a score come from a cluster's own members, so that renumbering or editing one
changes none of another. Only the place in the reviewer's order and which names are equal compare
clusters.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from hgld.labels.proposing.opinions import qid_age
from hgld.labels.proposing.rows import Proposal
from hgld.tables import CLUSTER_PROPOSALS

NAME_OF_IGNORED = "says nothing of looks"
"""How a cluster is named whose members are to be ignored."""

_WORD = re.compile(r"[^\W\d_]{3,}")
_COMMON = 1 / 3  # of the members must have a word that names a cluster
_PART = 0.2  # of the members that make a part of a cluster worth splitting off
_FEWEST = 2  # members of such a part
_WHISKER = 1.5  # interquartile ranges below which a member lies far out (Tukey, 1977)
_FEW = 4  # members, of fewer there are no quartiles


class ClusterPart(NamedTuple):
    """A part of a cluster that could be split off."""

    proposed_label: str | None
    classes: int
    landmarks: int


def cluster_proposals(proposals: Sequence[Proposal]) -> pa.Table:
    """Proposes a name, a label and what to do of each cluster.

    Args:
        proposals: of all classes.

    Returns:
        A CLUSTER_PROPOSALS table, what settles most first.
    """
    members: dict[int, list[Proposal]] = defaultdict(list)
    for each in proposals:
        members[each.cluster_id].append(each)
    commonness = Counter(word for each in proposals for word in telling_words(each.class_label))
    rows = [
        _row(number, sorted(found, key=lambda each: qid_age(each.class_qid)), commonness)
        for number, found in members.items()
    ]
    rows.sort(key=lambda row: (-row["settles"], -row["landmarks"], row.pop("first")))
    named: dict[str, list[int]] = defaultdict(list)
    for row in rows:
        named[row["name"]].append(row["cluster_id"])
    for place, row in enumerate(rows):
        row["place"] = place
        row["merge_with"] = sorted(set(named[row["name"]]) - {row["cluster_id"]})
    return pa.Table.from_pylist(rows, schema=CLUSTER_PROPOSALS.schema)


def telling_words(label: str) -> set[str]:
    """Returns the words of a label, casefolded, that may tell a cluster from others.

    Example:
        >>> sorted(telling_words("Church of England parish church"))
        ['church', 'england', 'parish']
    """
    return set(_WORD.findall(label.casefold()))


def _row(number: int, members: Sequence[Proposal], commonness: Mapping[str, int]) -> dict[str, Any]:
    weights = _weights(members)
    label = min(weights, key=lambda each: (-weights[each], each or ""))
    agreeing = [each for each in members if each.proposed_label == label]
    landmarks = sum(each.landmarks for each in members)
    return {
        "cluster_id": number,
        "name": cluster_name(members, label, commonness),
        "classes": len(members),
        "landmarks": landmarks,
        "proposed_label": label,
        "proposed_natural_or_human_made": agreeing[0].proposed_natural_or_human_made,
        "share": weights[label] / sum(weights.values()),
        "confidence": float(np.mean([each.confidence for each in agreeing])),
        "open": sum(each.tier != "decided" for each in members),
        "outliers": outliers(members, label),
        "split_into": [part._asdict() for part in parts(members)],
        "settles": sum(each.landmarks * (1 - each.confidence) for each in members),
        "first": qid_age(members[0].class_qid),
    }


def cluster_name(
    members: Sequence[Proposal], label: str | None, commonness: Mapping[str, int]
) -> str:
    """Names a cluster by its super-category and the word that tells it from others.

    The word is one that at least a third of the members have, the super-category's name has not,
    and few classes outside have: the greatest share^2 n / commonness. Where there is none, a
    cluster to be ignored is told by its member with most landmarks.

    Args:
        members: at least one.
        label: the super-category; None where they are to be ignored.
        commonness: word to the classes that have it, in all clusters.

    Returns:
        A name, never empty.
    """
    named = label.strip() if label else NAME_OF_IGNORED
    found = Counter(word for each in members for word in telling_words(each.class_label))
    telling = {
        word: count * count / commonness[word]
        for word, count in found.items()
        if count >= _COMMON * len(members) and word not in telling_words(named)
    }
    if not telling and label is not None:
        return named
    if not telling:  # of many that are ignored each is another thing, and none is to be merged
        first = max(members, key=lambda each: (each.landmarks, each.similarity))
        return f"{named}: {first.class_label}"
    return f"{named}: {min(telling, key=lambda word: (-telling[word], word))}"


def outliers(members: Sequence[Proposal], label: str | None) -> list[str]:
    """Returns the members that fit their cluster badly, by Q-id.

    They are proposed something else than the cluster, or lie further from its centre than 1.5
    interquartile ranges below the lower quartile.
    """
    near = np.array([each.similarity for each in members], dtype=np.float64)
    low, high = np.quantile(near, [0.25, 0.75])
    least = low - _WHISKER * (high - low) if len(members) >= _FEW else -np.inf
    return [
        each.class_qid
        for each, cosine in zip(members, near, strict=True)
        if each.proposed_label != label or cosine < least
    ]


def parts(members: Sequence[Proposal]) -> list[ClusterPart]:
    """Returns the parts into which a cluster could be split, by landmarks; none where it is one.

    A part is what is proposed for at least two members and a fifth of them.
    """
    classes = Counter(each.proposed_label for each in members)
    weights = _weights(members)
    found = [
        ClusterPart(
            label, count, sum(each.landmarks for each in members if each.proposed_label == label)
        )
        for label, count in classes.items()
        if count >= max(_FEWEST, _PART * len(members))
    ]
    found.sort(key=lambda part: (-weights[part.proposed_label], part.proposed_label or ""))
    return found if len(found) > 1 else []


def _weights(members: Sequence[Proposal]) -> dict[str | None, float]:
    """Returns what is proposed to how many landmarks; a class without one counts as one."""
    weights: dict[str | None, float] = defaultdict(float)
    for each in members:
        weights[each.proposed_label] += max(each.landmarks, 1)
    return weights
