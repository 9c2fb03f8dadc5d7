from typing import Any

import pytest

from hgld.engine.dataset import conform
from hgld.labels.proposing import proposals
from hgld.labels.proposing.calibration import Calibration
from hgld.labels.proposing.proposals import ClusterPart, Proposal, cluster_proposals, parts
from hgld.tables import CLUSTER_PROPOSALS

TYPICAL = Proposal(
    *("Q1", "tarn", 1, 0, 0.9, "lake", "natural", "accept", 0.9, "likely", "because", None, 0.0)
)


def member(qid: str, label: str, proposed: str | None, **others: Any) -> Proposal:  # noqa: ANN401
    """Returns a proposal with some `landmarks`, `cluster_id`, `similarity` or `confidence`."""
    return TYPICAL._replace(class_qid=qid, class_label=label, proposed_label=proposed, **others)


def test_a_cluster_is_named_by_its_label_and_the_word_that_tells_it_from_others() -> None:
    members = [
        member("Q1", "wooden church", "church", landmarks=9),
        member("Q2", "wooden chapel", "church", landmarks=5),
        member("Q3", "lake", "lake", cluster_id=1),
        member("Q4", "sea area", "ocean area ", cluster_id=2),
        member("Q5", "listed building", None, cluster_id=3),
        member("Q6", "4711", None, cluster_id=4),  # no letters
    ]
    table = cluster_proposals(members)
    rows = sorted(table.to_pylist(), key=lambda row: row["cluster_id"])
    names = [row["name"] for row in rows]
    assert names[:3] == ["church: wooden", "lake", "ocean area: sea"]
    assert names[3:] == [f"{proposals.NAME_OF_IGNORED}: {one}" for one in ("building", "4711")]
    assert rows[3]["proposed_label"] is None
    conform(table, CLUSTER_PROPOSALS.schema)
    assert cluster_proposals([]).schema == CLUSTER_PROPOSALS.schema


def test_what_settles_most_comes_first() -> None:
    members = [
        member("Q1", "a", "lake", landmarks=100, confidence=0.99, cluster_id=0),  # settles 1
        member("Q2", "b", "lake", landmarks=4, confidence=0.25, cluster_id=1),  # settles 3
        member("Q4", "d", "lake", landmarks=2, confidence=0.5, cluster_id=2),  # 1, but smaller
        member("Q3", "c", "lake", landmarks=2, confidence=0.5, cluster_id=3),  # and older
    ]
    table = cluster_proposals(members)
    assert table["place"].to_pylist() == [0, 1, 2, 3]
    assert table["cluster_id"].to_pylist() == [1, 0, 3, 2]
    assert table["settles"].to_pylist() == pytest.approx([3, 1, 1, 1])


def test_members_that_fit_badly_are_told() -> None:
    near = [member(f"Q{n}", "tarn", "lake", similarity=0.9 + n / 1000) for n in range(1, 9)]
    far, other = member("Q20", "pond", "lake", similarity=0.2), member("Q21", "dam", "dam")
    assert proposals.outliers([*near, far, other], "lake") == ["Q20", "Q21"]


def test_a_cluster_of_two_kinds_is_proposed_to_be_split() -> None:
    lakes = [member(f"Q{n}", "tarn", "lake", landmarks=2) for n in range(3)]
    dams = [member(f"Q{n}", "weir", "dam", landmarks=5) for n in range(10, 12)]
    stray = member("Q30", "kirk", "church")
    assert parts([*lakes, *dams, stray]) == [ClusterPart("dam", 2, 10), ClusterPart("lake", 3, 6)]
    assert parts([*lakes, stray]) == []


@pytest.mark.parametrize(
    ("confidence", "tier"),
    [(0.49, "doubtful"), (0.5, "likely"), (0.98, "likely"), (0.99, "automatic")],
)
def test_only_the_surest_are_automatic(confidence: float, tier: str) -> None:
    tiers = Calibration(ask_below=0.5, automatic_from=0.99)
    chosen = proposals.choose(("lake", "river"), (confidence, 0.0), tiers, may_ignore=True)
    assert chosen.tier == tier
