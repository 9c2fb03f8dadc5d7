"""How many actions a review costs: upstream's way, ours, and ours with proposals that learn.

    python -m hgld.benchmarks.reviewing.effort --labels LABELS.csv --official OFFICIAL.csv \
        [--landmarks FILE.csv ...] --out F.json [--plot F.svg]

A reviewer who knows the official answers works through clusters of all labels, in the order in
which they are shown, and landmarks that are rightly labelled are counted against actions. Labels
without an official answer cost no action and count for nothing, neither in the order nor in the
curves: few members of a cluster are known, so that there is little to accept together, or to move.

An action decides open members of one cluster: *accept* all of them as they are shown, accept *the
confident ones* (those whose action is not `ask`), *move* a selection to one super-category, or
*ignore* a selection. Fixing one label is a move of one. Looking costs nothing.

A label weighs as many landmarks as FILE has rows of it, and 1 where it has none. Where the official
answer is blank it is right to ignore the label. MiniLM (`hgld[offline]`) encodes for all ways.
"""

import argparse
import csv
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hgld.benchmarks.environment import describe_environment
from hgld.benchmarks.labels.proposals import Official, read_official
from hgld.benchmarks.labels.silver import (
    PROMPT,
    SilverClass,
    SilverSource,
    inputs_of,
    shipped_source,
)
from hgld.engine.dataset import read_csv
from hgld.engine.files import write_text
from hgld.labels.clustering.kmeans import cold_groups, points_of
from hgld.labels.proposing.calibration import shipped_calibration
from hgld.labels.proposing.knowledge import Ruling
from hgld.labels.proposing.learning import OpenProposals
from hgld.labels.proposing.opinions import IGNORE
from hgld.labels.proposing.proposals import Proposal, cluster_proposals
from hgld.labels.scikit_learn import one_thread
from hgld.plots.chart import Chart, draw, figure

WAYS = (
    "K-Means with names only (upstream's way)",
    "ours, proposals that stay as they are",
    "ours, proposals that learn from each action",
)
COUNTED = {
    "decided": "landmarks of classes that the reviewer has decided",
    "standing": "those, and open ones that are right if proposals are accepted as they are then",
}
SHARES = (0.8, 0.9, 0.95, 0.99, 1.0)
_POINT = re.compile(r"\[\s+(\d+),\s+(\d+),\s+(\d+)\s+\]")


class ReviewedList(NamedTuple):
    """Labels of which some have a known answer."""

    classes: Sequence[SilverClass]
    """All; the target counts where the label is known."""
    landmarks: Mapping[str, int]
    """class_qid to landmarks, of those that are known."""


class KnownClass(NamedTuple):
    """A class whose answer the reviewer knows."""

    qid: str
    cluster_id: int
    target: str
    """A super-category, or IGNORE."""
    landmarks: int


ReviewAction = tuple[KnownClass, ...]
"""What a reviewer decides at once, each to its target: nothing is ever decided wrong."""


class CurvePoint(NamedTuple):
    """How far a review is."""

    actions: int
    decided: int
    """Landmarks of classes that were decided, which are right."""
    standing: int
    """Those, and landmarks of open classes that would be right if the review ended here and
    proposals were accepted (`--accept-proposals`); what is to be asked about is not."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Simulates the reviews and writes the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--labels", type=Path, required=True, help="CSV with label, maybe qids")
    parser.add_argument("--official", type=Path, required=True, help="CSV with official answers")
    parser.add_argument("--landmarks", type=Path, nargs="*", default=[], help="CSV: supercategory")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--plot", type=Path, help="SVG file to write")
    parser.add_argument("--clusters", type=int, default=78)
    parser.add_argument("--seeds", type=int, default=5, help="of K-Means")
    options = parser.parse_args(arguments)
    official, counts = read_official(options.official), Counter[str]()
    for path in options.landmarks:
        counts.update(read_csv(path, {"supercategory": pa.string()})["supercategory"].to_pylist())
    reviewed = reviewed_list(options.labels, official, counts)
    total = sum(reviewed.landmarks.values())
    reviews = simulate(shipped_source(), reviewed, options.clusters, range(options.seeds))
    report = {
        "metadata": {
            **describe_environment(["numpy", "scikit-learn", "pyarrow"]),
            "encoder": "all-MiniLM-L6-v2",
            "prompt": PROMPT,
            "labels": len(reviewed.classes),
            "known": len(official),
            "known_to_ignore": sum(not row.hierarchical_label for row in official),
            "landmarks": total,
            "clusters": options.clusters,
            "seeds": options.seeds,
        },
        "counted": COUNTED,
        "ways": {way: summary(curves, total) for way, curves in reviews.items()},
    }
    text = json.dumps(report, indent=2, ensure_ascii=False)
    # Three numbers are a point of a curve, and one line: else the file has three times as many.
    write_text(options.out, _POINT.sub(r"[\1, \2, \3]", text) + "\n")
    if options.plot is not None:
        write_text(options.plot, draw_effort(report))


def reviewed_list(
    labels: Path, official: Sequence[Official], counts: Mapping[str, int]
) -> ReviewedList:
    """Puts a list of labels and official answers together; each label is one class.

    Args:
        labels: CSV with the column label, and perhaps qids with `|` between them; the first that no
            label before has names the class. One without gets a name that is no Q-id.
        official: the answers; labels that are not in the list are added to it.
        counts: label to landmarks; 1 where it has none.
    """
    with labels.open(encoding="utf-8-sig", newline="") as file:
        qids = {row["label"]: row.get("qids") or "" for row in csv.DictReader(file)}
    answers = {row.label: row.hierarchical_label or IGNORE for row in official}
    qids |= {label: "" for label in answers if label not in qids}
    taken: set[str] = set()
    classes, landmarks = [], {}
    for place, (label, text) in enumerate(qids.items()):
        own = (qid for qid in text.split("|") if qid and qid not in taken)
        qid = next(own, f"label {place}")
        taken.add(qid)
        classes.append(SilverClass(qid, label, answers.get(label, IGNORE)))
        if label in answers:
            landmarks[qid] = counts.get(label, 1)
    return ReviewedList(classes, landmarks)


def simulate(
    source: SilverSource, reviewed: ReviewedList, clusters: int, seeds: Sequence[int]
) -> dict[str, tuple[list[CurvePoint], ...]]:
    """Reviews a list in each way; returns by way the curve with clusters of each seed.

    Upstream's K-Means is on the vectors as they are, ours on centred ones, as the stage makes them.

    Args:
        source: what proposals are made of.
        reviewed: the labels.
        clusters: K.
        seeds: of K-Means.
    """
    calibration, classes = shipped_calibration(), reviewed.classes
    vectors = source.encode([each.label for each in classes])
    found = []
    for seed in seeds:
        plain = _known(reviewed, _grouped(vectors, clusters, seed, centre=False))
        groups = _grouped(vectors, clusters, seed, centre=True)
        ours = _known(reviewed, groups)
        proposals = OpenProposals(inputs_of(source, classes, calibration, groups))
        found.append(
            (
                review_by_name(plain),
                review_proposals(ours, proposals, learns=False),
                review_proposals(ours, proposals, learns=True),  # last: it ends with all decided
            )
        )
    return dict(zip(WAYS, zip(*found, strict=True), strict=True))


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
    classes: Sequence[KnownClass], proposals: OpenProposals, *, learns: bool
) -> list[CurvePoint]:
    """Reviews clusters with proposals, what settles most first; one is finished before the next.

    Args:
        classes: with their clusters.
        proposals: of these classes.
        learns: whether it is told each action's decisions before the next is chosen.

    Returns:
        The curve from no action to the last.
    """
    open_ones = {each.qid: each for each in classes}
    shown = _shown(open_ones, proposals)
    decided, cluster = 0, None
    curve = [CurvePoint(0, 0, _standing(open_ones.values(), shown))]
    while open_ones:
        clusters = _clusters(open_ones.values())
        if cluster not in clusters:
            cluster = cluster_proposals(list(shown.values()))["cluster_id"][0].as_py()
        action = next_action(clusters[cluster], shown)
        if learns:
            proposals.decide({each.qid: Ruling(each.target) for each in action})
        for each in action:
            del open_ones[each.qid]
        decided += _landmarks(action)
        shown = _shown(open_ones, proposals)
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


def summary(curves: Sequence[Sequence[CurvePoint]], landmarks: int) -> dict[str, Any]:
    """Sums up reviews over seeds.

    Args:
        curves: one a seed.
        landmarks: that there are.

    Returns:
        For each way of counting the actions until a share of the landmarks is right and stays so;
        and the curves as lists of (actions, decided, standing), a list a seed.
    """
    told: dict[str, dict[str, object]] = {}
    for counted in COUNTED:
        runs = [[getattr(point, counted) for point in curve] for curve in curves]
        told[counted] = {}
        for share in SHARES:
            found = [actions_until(run, share * landmarks) for run in runs]
            mean = round(float(np.mean(found)), 4)
            told[counted][f"{share:g}"] = {"mean": mean, "least": min(found), "most": max(found)}
    return {"actions_until": told, "curves": [[list(each) for each in curve] for curve in curves]}


def draw_effort(report: Mapping[str, Any]) -> str:
    """Returns an SVG of the reviews: a chart for each way of counting.

    Args:
        report: as it is written. A curve is the mean over seeds; one that has ended stays at its
            end.
    """
    drawings = []
    for place, counted in enumerate(COUNTED, start=1):
        lines = {}
        for way, of_way in report["ways"].items():
            runs = [[point[place] for point in curve] for curve in of_way["curves"]]
            longest = max(map(len, runs))
            means = np.mean([run + run[-1:] * (longest - len(run)) for run in runs], axis=0)
            lines[way] = (range(longest), (means / report["metadata"]["landmarks"]).tolist())
        chart = Chart(
            title=f"Share of landmarks {counted}",
            lines=lines,
            x_title="actions",
            y_text="{:.0%}".format,
            y_mark=0.95,
            looks={way: look for look, way in enumerate(lines)},
        )
        drawings.append(draw(chart))
    return figure(drawings, "Landmarks that are right, by actions of a reviewer")


def _grouped(vectors: NDArray[np.float32], clusters: int, seed: int, *, centre: bool) -> list[int]:
    points = points_of(vectors, centre=centre)
    with one_thread():
        groups = cold_groups(points.vectors, clusters, seed=seed)
    return [int(group) for group in groups[points.row]]


def _known(reviewed: ReviewedList, groups: Sequence[int]) -> list[KnownClass]:
    return [
        KnownClass(each.qid, group, each.target, reviewed.landmarks[each.qid])
        for each, group in zip(reviewed.classes, groups, strict=True)
        if each.qid in reviewed.landmarks
    ]


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


def _shown(classes: Mapping[str, KnownClass], proposals: OpenProposals) -> dict[str, Proposal]:
    return {
        qid: proposals.proposal(qid)._replace(landmarks=each.landmarks)
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


if __name__ == "__main__":
    main()
