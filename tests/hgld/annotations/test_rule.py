from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from hgld.annotations.rule import deciding_classes
from hgld.annotations.stage import AnnotateConfig, run_annotate
from hgld.engine.workspace import Workspace
from hgld.labels.embedding.stage import unique_classes
from hgld.tables import TAXONOMY
from tests.worlds.builders import class_rows, table_of, write_metadata, write_scrape, write_taxonomy
from tests.worlds.review.sheets import rows_of


def taxonomy_of(landmarks: Mapping[str, int], labels: Mapping[str, str]) -> pa.Table:
    """Returns TAXONOMY of classes and how many landmarks have each; without a label: ignored."""
    rows = [
        {"class_qid": qid, "class_label": qid, "landmarks": count, "hierarchical_label": label}
        | {"decision": "assigned" if label else "ignored"}
        for qid, count in landmarks.items()
        for label in (labels.get(qid),)
    ]
    return table_of(TAXONOMY, rows)


def test_the_landmarks_of_two_label_spaces_that_share_a_number_are_decided_by_hand() -> None:
    classes = {
        ("train", 7): [(qid, qid) for qid in ("Q1", "Q2", "Q3", "Q4", "Q5")],
        ("index", 7): [("Q5", "Q5"), ("Q6", "Q6")],
        ("index", 8): [("Q2", "Q2"), ("Q4", "Q4")],
    }
    landmarks = {"Q1": 9, "Q2": 5, "Q3": 7, "Q4": 3, "Q5": 1, "Q6": 2}
    labels = {"Q1": "church", "Q2": "museum", "Q3": "church", "Q4": "lake"}
    decided = deciding_classes(class_rows(classes), taxonomy_of(landmarks, labels))
    names = ["split", "landmark_id", "hierarchical_label", "class_qid"]
    assert [tuple(row.values()) for row in decided.select(names).to_pylist()] == [
        ("index", 7, None, "Q5"),  # all are ignored
        ("index", 8, "lake", "Q4"),  # of equal votes the more specific one
        # Two votes win over the more specific lake; the deciding class is the rarer of the two.
        ("train", 7, "church", "Q3"),
    ]


CLASS_IDS = [f"Q{number}" for number in range(8, 14)]


@settings(deadline=None)  # of a busy machine
@given(
    st.dictionaries(
        st.integers(1, 5), st.lists(st.sampled_from(CLASS_IDS), min_size=1), min_size=1
    ),
    st.fixed_dictionaries({qid: st.integers(1, 3) for qid in CLASS_IDS}),
    st.dictionaries(st.sampled_from(CLASS_IDS), st.sampled_from(["church", "museum", "lake"])),
)
def test_the_rule_agrees_with_its_plain_reading(
    scraped: dict[int, list[str]], landmarks: dict[str, int], labels: dict[str, str]
) -> None:
    def most_specific(classes: set[str]) -> str:
        return min(classes, key=lambda qid: (landmarks[qid], int(qid[1:])))

    expected, ranked = {}, {}
    for landmark_id, classes in scraped.items():
        votes = defaultdict[str, set[str]](set)
        for qid in classes:
            if qid in labels:
                votes[labels[qid]].add(qid)
        bests = {label: most_specific(voters) for label, voters in votes.items()}
        order = sorted(
            votes, key=lambda one: (-len(votes[one]), landmarks[bests[one]], int(bests[one][1:]))
        )
        expected[landmark_id] = bests[order[0]] if order else most_specific(set(classes))
        ranked[landmark_id] = [
            {"hierarchical_label": label, "votes": len(votes[label]), "class_qid": bests[label]}
            | {"landmarks": landmarks[bests[label]]}
            for label in order
        ]

    rows = class_rows({("index", key): [(q, q) for q in value] for key, value in scraped.items()})
    decided = deciding_classes(rows, taxonomy_of(landmarks, labels)).to_pylist()
    assert {row["landmark_id"]: row["class_qid"] for row in decided} == expected
    assert [row["landmark_id"] for row in decided] == sorted(scraped)
    for row in decided:
        assert row["hierarchical_label"] == labels.get(row["class_qid"])
        assert row["candidates"] == ranked[row["landmark_id"]]


def test_the_published_labels_of_the_mini_follow_from_its_classes(
    workspace: Workspace, shared: Path
) -> None:
    published = shared / "gldv2_mini" / "metadata"
    answers = {row["category"]: row for row in rows_of(shared / "wikimedia_lab" / "expected.csv")}
    landmarks, scraped = [], {}
    for split in ("train", "index"):
        for row in rows_of(published / f"{split}_label_to_category.csv"):
            number, answer = int(row["landmark_id"]), answers.get(row["category"], {})
            landmarks.append({**row, "split": split, "landmark_id": number})
            if qids := answer.get("p31_qids"):
                pairs = zip(qids.split("|"), answer["p31_labels"].split("|"), strict=True)
                scraped[split, number] = list(pairs)
    classes = class_rows(scraped)
    official = {
        row["supercategory"]: ("assigned", row["hierarchical_label"], row["natural_or_human_made"])
        for row in rows_of(shared / "labels" / "supercategory_to_label.csv")
        if row["hierarchical_label"]
    }
    decisions = {
        row["class_qid"]: official[row["class_label"]]
        for row in unique_classes(classes).to_pylist()
        if row["class_label"] in official
    }
    write_metadata(workspace, landmarks, [])
    write_scrape(workspace, classes, [{**row, "status": "ok"} for row in landmarks])
    write_taxonomy(workspace, classes, decisions)
    run_annotate(workspace, AnnotateConfig())
    assert len(landmarks) == 772
    for split in ("train", "index"):
        name = f"{split}_label_to_hierarchical.csv"
        ours = workspace.path(f"annotations/{name}").read_bytes()
        assert ours.splitlines() == (published / name).read_bytes().splitlines()
