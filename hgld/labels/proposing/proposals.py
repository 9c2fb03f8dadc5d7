"""Proposals as a reviewer reads them: label, confidence and evidence of classes and clusters.

A cluster's name, proposal and score come only from its own members, so renumbering or editing one
cluster changes no other. Only the place in the reviewer's order compares clusters.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import pyarrow as pa

from hgld.labels.proposing.calibration import Calibration
from hgld.labels.proposing.opinions import IGNORE, qid_age
from hgld.labels.taxonomy.rows import Action
from hgld.tables import CLUSTER_PROPOSALS, PROPOSALS

ProposalMethod = Literal[
    "classes", "wording", "tags", "superclasses", "namesakes", "neighbours", "prototypes"
]
METHODS: tuple[ProposalMethod, ...] = get_args(ProposalMethod)
CHANGING: tuple[ProposalMethod, ...] = ("superclasses", "namesakes", "neighbours")
"""The methods whose opinions change with decisions."""

CONFIDENCE_DECIMALS = 4

Certainty = Literal["decided", "automatic", "likely", "doubtful"]

_SHOWN = 4  # reasons, the strongest first

NAME_OF_IGNORED = "says nothing of looks"
"""Name of a cluster whose members are to be ignored."""
_WORD = re.compile(r"[^\W\d_]{3,}")
_COMMON = 1 / 3  # least share of members with a word that names a cluster
_WHISKER = 1.5  # interquartile ranges to an outlier (Tukey, 1977)
_FEW = 4  # members; fewer have no quartiles
SURE_WEIGHT = 0.05
"""What an open landmark weighs in the reviewer's order where its proposal is certain.

By doubt alone (0) 95% of the landmarks of 1,406 labels are decided after 37 actions, so after 29;
all are right after 31 and 36.
"""


class Proposal(NamedTuple):
    """A row of PROPOSALS."""

    class_qid: str
    class_label: str
    landmarks: int
    cluster_id: int
    similarity: float
    proposed_label: str | None
    proposed_natural_or_human_made: str | None
    proposed_action: Action
    confidence: float
    tier: Certainty
    evidence: str
    runner_up: str | None
    runner_up_confidence: float


def proposals_table(proposals: Sequence[Proposal]) -> pa.Table:
    """Returns proposals as a PROPOSALS table."""
    columns = zip(*proposals, strict=True) if proposals else [[] for _ in Proposal._fields]
    return pa.table(dict(zip(Proposal._fields, columns, strict=True)), schema=PROPOSALS.schema)


def proposals_of(table: pa.Table) -> list[Proposal]:
    """Returns the proposals of a PROPOSALS table, equal to those it was made from.

    The table has confidences as float32, so they are rounded again.
    """
    return [
        Proposal(**row)._replace(
            confidence=round(row["confidence"], CONFIDENCE_DECIMALS),
            runner_up_confidence=round(row["runner_up_confidence"], CONFIDENCE_DECIMALS),
        )
        for row in table.to_pylist()
    ]


class Reason(NamedTuple):
    """A method's reason for the proposed target, or for the runner-up."""

    weight: float
    """How much likelier it makes the target, as a logarithm."""
    words: str


def choose(
    target: str,
    confidence: float,
    calibration: Calibration,
    *,
    may_ignore: bool,
    is_doubted: bool = False,
) -> tuple[Action, Certainty]:
    """Chooses what to do with the likeliest target.

    A reviewer is asked in three cases: the target is more likely wrong than right; the taxonomy
    asks about this very class and the answer is not certain; the only reason to ignore the class is
    that nothing supports a label.

    Args:
        target: the likeliest; may be IGNORE.
        confidence: of it.
        calibration: has the thresholds.
        may_ignore: whether the class may be ignored without asking.
        is_doubted: whether the taxonomy asks about this class, or about its exact label.

    Example:
        >>> choose("lake", 0.97, Calibration(), may_ignore=False)
        ('accept', 'likely')
        >>> choose("", 0.8, Calibration(), may_ignore=False)
        ('ask', 'doubtful')
    """
    is_certain = confidence >= calibration.automatic_from
    is_doubtful = confidence < calibration.ask_below or (is_doubted and not is_certain)
    if is_doubtful or (target == IGNORE and not may_ignore):
        return "ask", "doubtful"
    return "ignore" if target == IGNORE else "accept", "automatic" if is_certain else "likely"


def evidence(speaking: Sequence[Reason], against: Sequence[Reason], runner_up: str) -> str:
    """Puts reasons into words, the strongest first.

    Args:
        speaking: reasons for the proposed target.
        against: reasons for the runner-up, of methods that find it likelier.
        runner_up: its name; IGNORE is shown as `ignore`.

    Returns:
        One line, never empty.

    Example:
        >>> evidence([Reason(1.0, "like 'tarn' 0.91")], [], "river")
        "like 'tarn' 0.91"
    """
    told, contrary = (
        [each.words for each in sorted(reasons, key=lambda each: -each.weight) if each.words]
        for reasons in (speaking, against)
    )
    line = "; ".join(told[:_SHOWN]) or "only because little supports anything else"
    return f"{line}; but for {runner_up or 'ignore'}: {contrary[0]}" if contrary else line


def cluster_proposals(proposals: Sequence[Proposal]) -> pa.Table:
    """Proposes a name and a label for each cluster.

    Args:
        proposals: for all classes.

    Returns:
        A CLUSTER_PROPOSALS table, the clusters that settle most first.
    """
    members: dict[int, list[Proposal]] = defaultdict(list)
    for each in proposals:
        members[each.cluster_id].append(each)
    commonness = Counter(word for each in proposals for word in telling_words(each.class_label))
    rows = [_row(number, found, commonness) for number, found in members.items()]
    rows.sort(key=lambda row: (-row["settles"], -row["landmarks"], row.pop("first")))
    for place, row in enumerate(rows):
        row["place"] = place
    return pa.Table.from_pylist(rows, schema=CLUSTER_PROPOSALS.schema)


def telling_words(label: str) -> set[str]:
    """Returns the casefolded words of a label that may distinguish a cluster.

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
        "settles": sum(
            each.landmarks * (1 + SURE_WEIGHT - each.confidence)
            for each in members
            if each.tier != "decided"
        ),
        "first": min(qid_age(each.class_qid) for each in members),
    }


def cluster_name(
    members: Sequence[Proposal], label: str | None, commonness: Mapping[str, int]
) -> str:
    """Names a cluster by its super-category and a distinguishing word.

    At least a third of the members have the word, the super-category's name does not, and few
    classes outside do: the largest share^2 n / commonness. Without such a word, a cluster to ignore
    is named after its member with the most landmarks.

    Args:
        members: at least one.
        label: the super-category; None to ignore.
        commonness: word to the number of classes with it, in all clusters.

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
    if not telling:  # ignored clusters differ from each other, so each needs its own name
        first = max(members, key=lambda each: (each.landmarks, each.similarity))
        return f"{named}: {first.class_label}"
    return f"{named}: {min(telling, key=lambda word: (-telling[word], word))}"


def outliers(members: Sequence[Proposal], label: str | None) -> list[str]:
    """Returns the Q-ids of members that fit their cluster badly.

    Their proposal differs from the cluster's, or their similarity to its centre is more than 1.5
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


def _weights(members: Sequence[Proposal]) -> dict[str | None, float]:
    """Counts the landmarks of each proposed label; a class without one counts as one."""
    weights: dict[str | None, float] = defaultdict(float)
    for each in members:
        weights[each.proposed_label] += max(each.landmarks, 1)
    return weights
