import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("sklearn", reason="needs `pip install 'hgld[cluster]'`")

from hgld.benchmarks.labels.proposals import Official
from hgld.benchmarks.reviewing import effort
from hgld.benchmarks.reviewing.effort import (
    CurvePoint,
    KnownClass,
    main,
    next_action,
    review_by_name,
    review_proposals,
    reviewed_list,
    summary,
)
from hgld.labels.proposing.knowledge import Ruling
from hgld.labels.proposing.learning import OpenProposals
from hgld.labels.proposing.opinions import IGNORE
from hgld.labels.proposing.proposals import Certainty, Proposal
from hgld.labels.taxonomy.rows import Action as ProposedAction
from hgld.labels.taxonomy.rows import load_taxonomy_tables
from tests.benchmarks.labels.silver_worlds import source_of


class Clerk(OpenProposals):
    """Proposes what it is told to; learns that classes of one first word are of one answer."""

    def __init__(self, shown: Mapping[str, tuple[str, ProposedAction, float]]) -> None:
        self.shown = dict(shown)
        self.decisions: list[dict[str, str]] = []

    def proposal(self, qid: str) -> Proposal:
        label, action, confidence = self.shown[qid]
        cluster = int(qid.rpartition(" ")[2])
        tier: Certainty = "doubtful" if action == "ask" else "likely"
        sure = (label or None, None, action, confidence, tier)
        return Proposal(qid, qid, 1, cluster, 1.0, *sure, "", None, 0)

    def decide(self, decisions: Mapping[str, Ruling | None]) -> list[str]:
        told = {qid: each.hierarchical_label for qid, each in decisions.items() if each}
        self.decisions.append(told)
        words = {qid.split()[0]: label for qid, label in told.items()}
        for qid in self.shown:
            if label := words.get(qid.split()[0]):
                self.shown[qid] = (label, "accept", 0.9)
        return list(self.shown)


def known(name: str, target: str, landmarks: int = 1) -> KnownClass:
    """A class in the cluster that its name ends in."""
    return KnownClass(name, int(name.rpartition(" ")[2]), target, landmarks)


WORLD: dict[KnownClass, tuple[str, ProposedAction, float]] = {
    known("church 0", "church", 6): ("church", "accept", 0.9),
    known("chapel 0", "church", 3): ("church", "ask", 0.5),  # 6 x 0.1 + 3 x 0.5 = 2.1 mistakes
    known("tarn one 1", "lake", 4): ("river", "accept", 0.4),  # 2.4: is seen first
    known("tarn two 2", "lake", 4): ("river", "accept", 0.6),
    known("weir 2", "dam", 2): ("dam", "accept", 0.8),  # 1.6 + 2 x 0.2 = 2.0
    # 0.5: more than the weir alone, whose cluster is finished first.
    known("pier 3", "harbor", 1): ("harbor", "accept", 0.5),
}


def test_a_review_that_learns_is_the_one_counted_by_hand() -> None:
    clerk = Clerk({each.qid: shown for each, shown in WORLD.items()})
    assert review_proposals(list(WORLD), clerk, learns=True) == [
        CurvePoint(0, 0, 9),  # the church, the weir and the pier would be right
        CurvePoint(1, 4, 17),  # one tarn moved: the other is proposed right from now on
        CurvePoint(2, 13, 20),
        CurvePoint(3, 19, 20),  # and accepted with the weir
        CurvePoint(4, 20, 20),
    ]
    assert clerk.decisions == [
        {"tarn one 1": "lake"},
        {"church 0": "church", "chapel 0": "church"},
        {"tarn two 2": "lake", "weir 2": "dam"},
        {"pier 3": "harbor"},
    ]


def test_without_learning_and_by_names_alone_it_takes_an_action_more() -> None:
    clerk = Clerk({each.qid: shown for each, shown in WORLD.items()})
    # The second tarn is proposed wrong to the end, and is moved alone; then the weir is accepted.
    learned_nothing = [(0, 9), (4, 13), (13, 16), (17, 20), (19, 20), (20, 20)]
    assert review_proposals(list(WORLD), clerk, learns=False) == [
        CurvePoint(number, *point) for number, point in enumerate(learned_nothing)
    ]
    # By names the largest cluster comes first, and in it the label of most landmarks.
    assert review_by_name(list(WORLD)) == [
        CurvePoint(number, done, done) for number, done in enumerate((0, 9, 13, 15, 19, 20))
    ]


def test_of_ways_that_are_as_short_the_one_that_settles_more_at_once_is_taken() -> None:
    church, lake, dam = known("a 0", "church", 2), known("b 0", "lake", 2), known("c 0", "dam")
    weir = known("d 0", "dam", 5)
    clerk = Clerk(
        {
            "a 0": ("church", "accept", 0.9),
            "b 0": ("lake", "accept", 0.9),
            "c 0": ("", "ask", 0.1),
            "d 0": ("dam", "ask", 0.4),
        }
    )
    shown = {qid: clerk.proposal(qid) for qid in clerk.shown}
    assert next_action([dam, lake, church], shown) == (lake, church)
    # With a wrong one those of its answer are moved.
    assert next_action([dam, lake, weir, church], shown) == (dam, weir)


def test_actions_are_summed_up_over_seeds() -> None:
    first = [CurvePoint(*one, one[1]) for one in enumerate((0, 50, 94, 95, 100))]
    told = summary([first, [CurvePoint(0, 0, 0), CurvePoint(1, 100, 100)]], landmarks=100)
    assert told["actions_until"]["decided"]["0.95"] == {"mean": 2, "least": 1, "most": 3}
    assert told["curves"][1] == [[0, 0, 0], [1, 100, 100]]


def test_a_list_takes_the_first_free_q_id_and_the_answers_that_it_lacks(tmp_path: Path) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text("label,qids\nlake,Q1|Q2\ntarn,Q1|Q3\nthing,\n", encoding="utf-8")
    official = [Official("tarn", "lake", "natural"), Official("region", "", "")]
    reviewed = reviewed_list(labels, official, {"tarn": 7, "lake": 5})
    assert [each.qid for each in reviewed.classes] == ["Q1", "Q3", "label 2", "label 3"]
    assert reviewed.classes[1].target == "lake"
    assert reviewed.classes[3] == ("label 3", "region", IGNORE)
    assert reviewed.landmarks == {"Q3": 7, "label 3": 1}


def test_the_program_writes_figures_and_curves_of_every_way_and_seed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Of the shipped taxonomy only the names to compare with.
    source = source_of(replace(load_taxonomy_tables(), aliases=()))
    monkeypatch.setattr(effort, "shipped_source", lambda: source)
    things = ["lake", "river", "church", "tower", "thing", "museum"]
    names = [f"{kind} {thing}" for thing in things for kind in ("old", "stone", "small")]
    rows = [f"{n},{n.split()[1].replace('thing', '')}," for n in names if "stone" not in n]
    official = ["supercategory,hierarchical_label,natural_or_human_made", *rows]
    files = {"labels": ["label", *names], "official": official}
    files["landmarks"] = ["supercategory", "old lake", "old lake", "old church"]
    out, plot = tmp_path / "out.json", tmp_path / "plot.svg"
    arguments = f"--out {out} --plot {plot} --clusters 6 --seeds 2".split()
    for name, lines in files.items():
        path = tmp_path / f"{name}.csv"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        arguments += [f"--{name}", str(path)]
    main(arguments)
    report = json.loads(out.read_text(encoding="utf-8"))
    meta = report["metadata"]
    assert (meta["known"], meta["known_to_ignore"], meta["landmarks"]) == (12, 2, 13)
    ends = {way: [curve[-1][1] for curve in one["curves"]] for way, one in report["ways"].items()}
    assert ends == {way: [13, 13] for way in effort.WAYS}
    assert plot.read_text(encoding="utf-8").count("<path") == 2 * 3 + 3


def test_the_published_curves_are_of_the_published_figures() -> None:
    root = Path(__file__).parents[3]
    report = json.loads((root / "benchmarks/results/review/effort.json").read_text("utf-8"))
    published = (root / "docs/review_effort.svg").read_text("utf-8")
    curve = re.compile(r' d="(.*?)"')
    assert curve.findall(effort.draw_effort(report)) == curve.findall(published)
