"""How many keys a review costs, counted on the real page in a real browser, beside a sheet's cells.

    python -m hgld.benchmarks.reviewing.keys --labels LABELS.csv --official KNOWN.csv --out F.json

Two lists are reviewed to the end by `hgld.benchmarks.reviewing.typist`: the classes of the demo,
whose answers the demo's own decisions tell, and the labels of LABELS.csv, of which KNOWN.csv
tells some. Where no answer is known the proposal is accepted, which costs the fewest keys: what is
counted is the least that a person presses who agrees with it.

A sheet has two cells to fill for a class that gets a super-category (its name, and its side), and
one for a class that is ignored. A cell is counted once, however many letters are typed into it.

It needs `chromium`, playwright, and the extras `cluster`, `offline` and `review`.
"""

import argparse
import csv
import json
import shutil
import statistics
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from hgld.benchmarks.environment import describe_environment
from hgld.benchmarks.labels.proposals.scoring import read_official
from hgld.benchmarks.reviewing.building import call_hgld, run_python
from hgld.benchmarks.reviewing.chromium import started_chromium
from hgld.benchmarks.reviewing.desk import Desk
from hgld.benchmarks.reviewing.served import ServedPage
from hgld.benchmarks.reviewing.typist import Typist
from hgld.engine.files import write_text
from hgld.engine.workspace import Workspace
from hgld.review.log.decisions import read_decisions, read_log
from hgld.tables import PROPOSALS

_DEMO = """
import sys
from pathlib import Path
from hgld.demo import write_demo
from hgld.engine.workspace import Workspace
from hgld.flows.demo import write_settings
workspace = Workspace(Path(sys.argv[1]))
write_demo(workspace)
write_settings(workspace, contact="")
"""
_CELLS = {"assign": 2, "ignore": 1}
_COUNT = "items_seen"


class KnownBuild(NamedTuple):
    """A build to review, and what is known of its classes."""

    root: Path
    answers: Mapping[str, str | None]
    """class_qid to super-category; None: to be ignored."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Reviews both lists and writes the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--labels", type=Path, required=True, help="CSV: label, qids, items_seen")
    parser.add_argument("--official", type=Path, required=True, help="CSV with official answers")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--note", default="", help="what a reader should know")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="hgld-keys-") as name:
        builds = {
            "the demo's classes": demo_build(Path(name) / "demo"),
            "real labels": list_build(Path(name) / "list", options.labels, options.official),
        }
        lists = {what: count_keys(build) for what, build in builds.items()}
    report = {
        "metadata": {
            **describe_environment(["playwright", "scikit-learn"]),
            "encoder": "all-MiniLM-L6-v2",
            "note": options.note,
        },
        "lists": lists,
    }
    write_text(options.out, json.dumps(report, indent=2, ensure_ascii=False) + "\n")
    for what, figures in lists.items():
        print(
            f"{what}: {figures['keys']} keys for {figures['classes']} classes in "
            f"{figures['clusters']} clusters, {figures['keys_a_cluster']['median']:g} a cluster in "
            f"the median, {figures['keys_a_landmark']:g} a landmark; the sheet has "
            f"{figures['sheet_cells']} cells to fill, {figures['cells_a_landmark']:g} a landmark"
        )


def demo_build(root: Path) -> KnownBuild:
    """Makes the demo as far as its proposals, as if nobody had decided anything.

    Raises:
        InputError: it could not be made.
    """
    workspace = Workspace(root)
    run_python(_DEMO, str(root))
    decided = read_decisions(workspace)
    shutil.rmtree(workspace.path("review"))
    for step in ("metadata", "scrape", "embed", "cluster", "propose"):
        call_hgld(step, "--root", str(root))
    return KnownBuild(root, {qid: one.hierarchical_label for qid, one in decided.items()})


def list_build(root: Path, labels: Path, official: Path) -> KnownBuild:
    """Makes a build of a list of labels, each with the landmarks it was seen at, or with one.

    Args:
        root: the folder to write.
        labels: CSV with label, qids and items_seen.
        official: CSV with the answers of some.

    Raises:
        InputError: it could not be made.
    """
    root.mkdir(parents=True)
    path = root / "list.csv"
    with labels.open(encoding="utf-8-sig", newline="") as file:
        rows = [
            (row["label"], row["qids"], max(int(row[_COUNT]), 1)) for row in csv.DictReader(file)
        ]
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("label", "qids", "count"), *rows])
    call_hgld("cluster", "--labels", str(path), "--out", str(root), "--encoder", "minilm")
    known = {row.label: row.hierarchical_label or None for row in read_official(official)}
    classes = Workspace(root).read(PROPOSALS).select(["class_qid", "class_label"]).to_pylist()
    answers = {
        row["class_qid"]: known[row["class_label"]]
        for row in classes
        if row["class_label"] in known
    }
    return KnownBuild(root, answers)


def count_keys(build: KnownBuild) -> dict[str, Any]:
    """Reviews a build to the end in a browser.

    Args:
        build: of which nothing is decided; its log is written.

    Returns:
        How many keys were pressed, by cluster, landmark and class; which; how many cells a sheet
        has for the same; and how many of the known answers were proposed wrong at first, and stand
        at the end.
    """
    workspace = Workspace(build.root)
    proposals = workspace.read(PROPOSALS).to_pylist()
    with started_chromium() as browser, ServedPage(build.root) as server:
        desk = Desk(browser.new_page(), server.url).open(reviewer="a typist")
        clusters = len(desk.groups())
        typist = Typist(desk, build.answers)
        typist.review()
        landmarks = desk.tell(
            "async () => (await (await fetch('/progress.json')).json()).at(-1)[2]"
        )
    decided = read_decisions(workspace)
    known = {qid: one and one.strip() for qid, one in build.answers.items()}
    cells = sum(_CELLS[one.action] for one in decided.values())
    keys = Counter(key if len(key) > 1 else "a sign" for key in desk.pressed)
    return {
        "classes": len(proposals),
        "decided": len(decided),
        "clusters": clusters,
        "landmarks": landmarks,
        "keys": len(desk.pressed),
        "keys_a_cluster": {
            "median": statistics.median(typist.keys.values()),
            "most": max(typist.keys.values()),
            "one_alone": sum(count == 1 for count in typist.keys.values()),
        },
        "keys_a_landmark": round(len(desk.pressed) / landmarks, 4),
        "keys_a_class": round(len(desk.pressed) / len(proposals), 4),
        "pressed": dict(keys.most_common()),
        "events": len(read_log(workspace).events),
        "sheet_cells": cells,
        "cells_a_landmark": round(cells / landmarks, 4),
        "cells_a_key": round(cells / len(desk.pressed), 1),
        "known": len(known),
        "known_proposed_wrong": sum(
            known[row["class_qid"]] != (row["proposed_label"] and row["proposed_label"].strip())
            for row in proposals
            if row["class_qid"] in known
        ),
        "known_right_at_the_end": sum(
            qid in decided and known[qid] == _label(decided[qid].hierarchical_label)
            for qid in known
        ),
    }


def _label(text: str | None) -> str | None:
    return text and text.strip()


if __name__ == "__main__":
    main()
