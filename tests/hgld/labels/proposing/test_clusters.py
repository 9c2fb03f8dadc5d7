import pyarrow as pa

from hgld.engine.dataset import conform
from hgld.labels.proposing.clusters import NAME_OF_IGNORED, cluster_proposals
from hgld.labels.proposing.learning import OpenProposals
from hgld.labels.proposing.rows import Proposal
from hgld.tables import CLUSTER_PROPOSALS
from tests.hgld.labels.proposing.small_world import CLASSES, moved, small_inputs

MATERIAL = small_inputs(CLASSES)
OF_THE_MEMBERS = ("name", "proposed_label", "share", "confidence", "outliers", "settles")


def member(  # noqa: PLR0913 - what differs between members
    qid: str,
    label: str,
    proposed: str | None,
    *,
    landmarks: int = 1,
    cluster: int = 0,
    similarity: float = 0.9,
    confidence: float = 0.9,
) -> Proposal:
    return Proposal(
        class_qid=qid,
        class_label=label,
        landmarks=landmarks,
        cluster_id=cluster,
        similarity=similarity,
        proposed_label=proposed,
        proposed_natural_or_human_made=None if proposed is None else "natural",
        proposed_action="accept",
        confidence=confidence,
        tier="likely",
        evidence="because",
        runner_up=None,
        runner_up_confidence=0.0,
    )


def by_id(table: pa.Table) -> dict[int, dict[str, object]]:
    return {row["cluster_id"]: row for row in table.to_pylist()}


def test_a_cluster_is_named_by_its_label_and_the_word_that_tells_it_from_others() -> None:
    table = cluster_proposals(
        [
            member("Q1", "wooden church", "church", landmarks=9),
            member("Q2", "wooden chapel", "church", landmarks=5),
            member("Q3", "lake", "lake", cluster=1),
            member("Q4", "sea area", "ocean area ", cluster=2),
            member("Q5", "listed building", None, cluster=3),
        ]
    )
    names = {number: row["name"] for number, row in by_id(table).items()}
    assert names == {
        0: "church: wooden",
        1: "lake",
        2: "ocean area: sea",
        3: f"{NAME_OF_IGNORED}: building",
    }
    assert by_id(table)[3]["proposed_label"] is None
    conform(table, CLUSTER_PROPOSALS.schema)


def test_a_label_of_no_letters_still_gives_a_name() -> None:
    table = cluster_proposals([member("Q1", "4711", None), member("Q2", "", "lake", cluster=1)])
    assert [row["name"] for row in table.to_pylist()] == [f"{NAME_OF_IGNORED}: 4711", "lake"]


def test_clusters_of_one_name_are_proposed_to_be_merged() -> None:
    table = cluster_proposals(
        [
            member("Q1", "tarn", "lake", cluster=4),
            member("Q2", "tarn", "lake", cluster=2),
            member("Q3", "mere", "lake", cluster=7),
        ]
    )
    merges = {number: row["merge_with"] for number, row in by_id(table).items()}
    assert merges == {4: [2], 2: [4], 7: []}


def test_what_settles_most_comes_first() -> None:
    table = cluster_proposals(
        [
            member("Q1", "a", "lake", landmarks=100, confidence=0.99, cluster=0),  # settles 1
            member("Q2", "b", "lake", landmarks=4, confidence=0.25, cluster=1),  # settles 3
            member("Q4", "d", "lake", landmarks=2, confidence=0.5, cluster=2),  # 1, but smaller
            member(
                "Q3", "c", "lake", landmarks=2, confidence=0.5, cluster=3
            ),  # the same, and older
        ]
    )
    assert [row["cluster_id"] for row in table.to_pylist()] == [1, 0, 3, 2]
    assert [row["place"] for row in table.to_pylist()] == [0, 1, 2, 3]
    assert [round(row["settles"], 6) for row in table.to_pylist()] == [3, 1, 1, 1]


def test_members_that_fit_badly_are_told() -> None:
    near = [member(f"Q{n}", "tarn", "lake", similarity=0.9 + n / 1000) for n in range(1, 9)]
    far = member("Q20", "pond", "lake", similarity=0.2)
    other = member("Q21", "dam", "dam", similarity=0.9)
    table = cluster_proposals([*near, far, other])
    assert table["outliers"].to_pylist() == [["Q20", "Q21"]]


def test_a_cluster_of_two_kinds_is_proposed_to_be_split() -> None:
    lakes = [member(f"Q{n}", "tarn", "lake", landmarks=2) for n in range(3)]
    dams = [member(f"Q{n}", "weir", "dam", landmarks=5) for n in range(10, 12)]
    stray = member("Q30", "kirk", "church")
    (row,) = cluster_proposals([*lakes, *dams, stray]).to_pylist()
    assert row["split_into"] == [
        {"proposed_label": "dam", "classes": 2, "landmarks": 10},
        {"proposed_label": "lake", "classes": 3, "landmarks": 6},
    ]
    (whole,) = cluster_proposals([*lakes, stray]).to_pylist()
    assert whole["split_into"] == []


def test_renumbering_clusters_changes_no_name_proposal_or_score() -> None:
    other = {0: 12, 1: 3, 2: 0, 3: 7}
    renumbered = moved(MATERIAL, {each[0]: other[each[4]] for each in CLASSES})
    before = by_id(cluster_proposals(OpenProposals(MATERIAL).proposals()))
    after = by_id(cluster_proposals(OpenProposals(renumbered).proposals()))
    for number, row in before.items():
        assert {key: row[key] for key in (*OF_THE_MEMBERS, "place")} == {
            key: after[other[number]][key] for key in (*OF_THE_MEMBERS, "place")
        }


def test_editing_two_clusters_changes_no_other_and_no_proposal_of_its_members() -> None:
    edited = moved(MATERIAL, {"Q12": 0})  # a chapel, from the forts to the churches
    before, after = OpenProposals(MATERIAL).proposals(), OpenProposals(edited).proposals()
    clusters, others = by_id(cluster_proposals(before)), by_id(cluster_proposals(after))
    assert others[0] != clusters[0]
    for number in (1, 2):
        assert all(others[number][key] == clusters[number][key] for key in OF_THE_MEMBERS)
    untouched = [(a, b) for a, b in zip(before, after, strict=True) if a.cluster_id in {1, 2}]
    assert len(untouched) == 5
    assert all(a == b for a, b in untouched)


def test_no_class_gives_an_empty_table_of_the_schema() -> None:
    assert cluster_proposals([]).schema == CLUSTER_PROPOSALS.schema
