"""How many actions a review costs: upstream's way, ours, and ours with proposals that learn.

    python -m hgld.benchmarks.reviewing.effort --labels LABELS.csv --official OFFICIAL.csv \
        [--landmarks FILE.csv ...] --out F.json [--plot F.svg]

A reviewer who knows the official answers works through clusters in the order in which they are
shown (`hgld.benchmarks.reviewing.simulated`), and landmarks that are rightly labelled are counted
against actions, in two settings:

- *Among all*: all labels are clustered, as in a real review. Those without an official answer cost
  no action and count for nothing, neither in the order nor in the curves. Few members of a cluster
  are known, so that there is little to accept together, or to move.
- *Known only*: labels with an answer, in as many clusters as make them as large as among all.
  Every member counts, but clusters are more mixed than in a real review, which lies between.

A label weighs as many landmarks as FILE has rows of it, and 1 where it has none. Where the official
answer is blank it is right to ignore the label. MiniLM (`hgld[offline]`) encodes for all ways.
"""

import argparse
import csv
import itertools
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hgld.benchmarks.environment import describe_environment
from hgld.benchmarks.labels.proposals.scoring import Official, read_official
from hgld.benchmarks.labels.proposals.silver import (
    PROMPT,
    SilverClass,
    SilverSource,
    inputs_of,
    shipped_source,
)
from hgld.benchmarks.reviewing.simulated import (
    CurvePoint,
    KnownClass,
    actions_until,
    review_by_name,
    review_proposals,
)
from hgld.engine.dataset import read_csv
from hgld.engine.files import write_text
from hgld.labels.clustering.kmeans import cold_groups, points_of
from hgld.labels.proposing.calibration import shipped_calibration
from hgld.labels.proposing.learning import OpenProposals
from hgld.labels.proposing.opinions import IGNORE
from hgld.labels.scikit_learn import one_thread
from hgld.plots.chart import Chart, figure
from hgld.plots.chart import draw as draw_chart

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
    settings = {
        "among all": (reviewed, options.clusters),
        "known only": known_only(reviewed, options.clusters),
    }
    source, total, told = shipped_source(), sum(reviewed.landmarks.values()), {}
    for name, (each, clusters) in settings.items():
        reviews = simulate(source, each, clusters, range(options.seeds))
        ways = {way: summary(curves, total) for way, curves in reviews.items()}
        told[name] = {"labels": len(each.classes), "clusters": clusters, "ways": ways}
    report = {
        "metadata": {
            **describe_environment(["numpy", "scikit-learn", "pyarrow"]),
            "encoder": "all-MiniLM-L6-v2",
            "prompt": PROMPT,
            "labels": len(reviewed.classes),
            "known": len(official),
            "known_to_ignore": sum(not row.hierarchical_label for row in official),
            "landmarks": total,
            "seeds": options.seeds,
        },
        "counted": COUNTED,
        "settings": told,
    }
    text = json.dumps(report, indent=2, ensure_ascii=False)
    # Three numbers are a point of a curve, and one line: else the file has three times as many.
    write_text(options.out, _POINT.sub(r"[\1, \2, \3]", text) + "\n")
    if options.plot is not None:
        write_text(options.plot, draw(report))


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


def known_only(reviewed: ReviewedList, clusters: int) -> tuple[ReviewedList, int]:
    """Returns the labels with an answer, and the K that makes clusters as large as K of all."""
    known = [each for each in reviewed.classes if each.qid in reviewed.landmarks]
    scaled = round(clusters * len(known) / len(reviewed.classes))
    return ReviewedList(known, reviewed.landmarks), max(scaled, 1)


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


def draw(report: Mapping[str, Any]) -> str:
    """Returns an SVG of the reviews: a chart for each setting and way of counting.

    Args:
        report: as it is written. A curve is the mean over seeds; one that has ended stays at its
            end.
    """
    drawings = []
    for (setting, of_setting), (place, counted) in itertools.product(
        report["settings"].items(), enumerate(COUNTED, start=1)
    ):
        lines = {}
        for way, of_way in of_setting["ways"].items():
            runs = [[point[place] for point in curve] for curve in of_way["curves"]]
            longest = max(map(len, runs))
            means = np.mean([run + run[-1:] * (longest - len(run)) for run in runs], axis=0)
            lines[way] = (range(longest), (means / report["metadata"]["landmarks"]).tolist())
        chart = Chart(
            title=f"{setting.capitalize()}: share of landmarks {counted}",
            lines=lines,
            x_title="actions",
            y_text="{:.0%}".format,
            y_mark=0.95,
            looks={way: look for look, way in enumerate(lines)},
        )
        drawings.append(draw_chart(chart))
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


if __name__ == "__main__":
    main()
