"""A reviewer who knows the answers, and how many actions a review costs that person.

An action decides open members of one cluster: *accept* all of them as they are shown, accept *the
confident ones* (those whose action is not `ask`), *move* a selection to one super-category, or
*ignore* a selection. Fixing one label is a move of one. Looking costs nothing.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol, TypeAlias

from hgld.labels.proposing.knowledge import Ruling
from hgld.labels.proposing.opinions import IGNORE
from hgld.labels.proposing.proposals import Proposal, cluster_proposals


class KnownClass(NamedTuple):
    """A class whose answer the reviewer knows."""

    qid: str
    cluster_id: int
    target: str
    """A super-category, or IGNORE."""
    landmarks: int


ReviewAction: TypeAlias = tuple[KnownClass, ...]
"""What a reviewer decides at once, each to its target: nothing is ever decided wrong."""


class CurvePoint(NamedTuple):
    """How far a review is."""

    actions: int
    decided: int
    """Landmarks of classes that were decided, which are right."""
    standing: int
    """Those, and landmarks of open classes that would be right if the review ended here and
    proposals were accepted (`--accept-proposals`); what is to be asked about is not."""


class Proposer(Protocol):
    """Shows what is proposed, and is told what is decided: `OpenProposals`, for one."""

    def proposal(self, qid: str) -> Proposal:
        """Returns what is proposed of a class now."""

    def decide(self, decisions: Mapping[str, Ruling | None]) -> object:
        """Takes up decisions."""


def review_by_name(classes: Sequence[KnownClass]) -> list[CurvePoint]:
    """Reviews clusters that have names only, as upstream did, those of most landmarks first.

    One action gives a cluster the label of most of its landmarks. Then each group of members of
    another label is moved to it, one action a group; one of them may be to ignore the group.

    Args:
        classes: with their clusters.

    Returns:
        The curve from no action to the last; an open class has no label that could stand.
    """
    clusters = sorted(
        _clusters(classes).values(),
        key=lambda members: (-_landmarks(members), min(each.qid for each in members)),
    )
    curve = [CurvePoint(0, 0, 0)]
    for members in clusters:
        for group in _moves(members):
            decided = curve[-1].decided + _landmarks(group)
            curve.append(CurvePoint(len(curve), decided, decided))
    return curve


def review_proposals(
    classes: Sequence[KnownClass], proposer: Proposer, *, learns: bool
) -> list[CurvePoint]:
    """Reviews clusters with proposals, what settles most first; one is finished before the next.

    Args:
        classes: with their clusters.
        proposer: what proposes.
        learns: whether it is told each action's decisions before the next is chosen.

    Returns:
        The curve from no action to the last.
    """
    open_ones = {each.qid: each for each in classes}
    shown = _shown(open_ones, proposer)
    decided, cluster = 0, None
    curve = [CurvePoint(0, 0, _standing(open_ones.values(), shown))]
    while open_ones:
        clusters = _clusters(open_ones.values())
        if cluster not in clusters:
            cluster = cluster_proposals(list(shown.values()))["cluster_id"][0].as_py()
        action = next_action(clusters[cluster], shown)
        if learns:
            proposer.decide({each.qid: Ruling(each.target) for each in action})
        for each in action:
            del open_ones[each.qid]
        decided += _landmarks(action)
        shown = _shown(open_ones, proposer)
        standing = decided + _standing(open_ones.values(), shown)
        curve.append(CurvePoint(len(curve), decided, standing))
    return curve


def next_action(members: Sequence[KnownClass], shown: Mapping[str, Proposal]) -> ReviewAction:
    """Returns what the reviewer does next in a cluster: the first action of the shortest way.

    Ways are: to move each group of one answer; to move those with a wrong proposal and accept the
    rest; to accept the confident ones, where all are right, and go on with the rest. Of ways with
    as many actions that one is taken that settles more landmarks in its first action, then in the
    first two, and so on. With a wrong proposal, those of the same answer are moved along.

    Args:
        members: the open ones, at least one.
        shown: what is proposed, by class.

    Returns:
        An action that decides nothing wrong.
    """
    ways = [_wrong_first(members, shown), _moves(members)]
    confident = tuple(each for each in members if shown[each.qid].proposed_action != "ask")
    rest = [each for each in members if each not in confident]
    if confident and rest and all(_is_right(each, shown) for each in confident):
        ways += [[confident, *_wrong_first(rest, shown)], [confident, *_moves(rest)]]
    return min(ways, key=lambda way: (len(way), [-_landmarks(each) for each in way]))[0]


def actions_until(curve: Sequence[int], landmarks: float) -> int:
    """Returns how many actions it takes until so many landmarks are right, and stay so.

    Args:
        curve: landmarks that are right after 0, 1, 2 ... actions; the last has as many.
        landmarks: how many are wanted.

    Example:
        >>> actions_until([2, 6, 5, 9], 6), actions_until([2, 6, 5, 9], 2)
        (3, 0)
    """
    below = [actions for actions, right in enumerate(curve) if right < landmarks]
    return below[-1] + 1 if below else 0


def _landmarks(classes: Iterable[KnownClass]) -> int:
    return sum(each.landmarks for each in classes)


def _wrong_first(
    members: Sequence[KnownClass], shown: Mapping[str, Proposal]
) -> list[ReviewAction]:
    wrong = {each.target for each in members if not _is_right(each, shown)}
    rest = tuple(each for each in members if each.target not in wrong)
    moves = _moves([each for each in members if each.target in wrong])
    return [*moves, rest] if rest else moves


def _is_right(known: KnownClass, shown: Mapping[str, Proposal]) -> bool:
    return (shown[known.qid].proposed_label or IGNORE) == known.target


def _shown(classes: Mapping[str, KnownClass], proposer: Proposer) -> dict[str, Proposal]:
    return {
        qid: proposer.proposal(qid)._replace(landmarks=each.landmarks)
        for qid, each in classes.items()
    }


def _standing(classes: Iterable[KnownClass], shown: Mapping[str, Proposal]) -> int:
    settled = (each for each in classes if shown[each.qid].proposed_action != "ask")
    return _landmarks(each for each in settled if _is_right(each, shown))


def _clusters(classes: Iterable[KnownClass]) -> dict[int, list[KnownClass]]:
    clusters = defaultdict[int, list[KnownClass]](list)
    for each in classes:
        clusters[each.cluster_id].append(each)
    return clusters


def _moves(members: Sequence[KnownClass]) -> list[ReviewAction]:
    """Returns members in groups of one answer, those of most landmarks first."""
    targets = {each.target for each in members}
    groups = [tuple(each for each in members if each.target == target) for target in targets]
    return sorted(groups, key=lambda group: (-_landmarks(group), group[0].target))
