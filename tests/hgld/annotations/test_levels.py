"""Levels of one's own: columns, classes, what these are subclasses of, and groups of them."""

import itertools

import numpy as np
import pyarrow as pa
import pytest

from hgld.annotations.levels import HierarchyConfig, level_rows, run_hierarchy
from hgld.engine.workspace import Workspace
from hgld.errors import InputError, MissingInputError
from hgld.tables import EMBEDDINGS, LANDMARK_LABELS, LEVELS, SUPERCLASSES
from tests.worlds.builders import table_of

CLASSES = {"Q1": "suspension bridge", "Q2": "arch bridge", "Q3": "church", "Q4": "Q3 of another"}
ABOVE = {
    ("Q1", 1): ["Q10", "Q11"],
    ("Q2", 1): ["Q10"],
    ("Q3", 1): ["Q12"],
    ("Q1", 2): ["Q20"],
    ("Q2", 2): ["Q21", "Q20"],
    ("Q3", 2): ["Q21"],
}
NAMES = {"Q10": "bridge", "Q11": "road", "Q12": "building", "Q20": "structure", "Q21": "structure"}


def landmarks_of(*classes: str | None, **columns: list[str | None]) -> pa.Table:
    """Returns landmarks of these deciding classes; `columns` are further ones."""
    rows: list[dict[str, object]] = [
        {
            "split": "train",
            "landmark_id": number,
            "class_qid": one,
            "supercategory": CLASSES.get(one or ""),
            "rule": "no_vote",
            "provenance": {"status": "ok"},
            **{name: values[number] for name, values in columns.items()},
        }
        for number, one in enumerate(classes)
    ]
    return table_of(LANDMARK_LABELS, rows)


def superclass_rows(above: dict[tuple[str, int], list[str]]) -> pa.Table:
    rows = [
        {"class_qid": one, "depth": depth, "superclass_qid": each, "status": "ok"}
        | {"superclass_label": NAMES.get(each, each)}
        for (one, depth), several in above.items()
        for each in several
    ]
    return table_of(SUPERCLASSES, rows)


def labels_of(rows: pa.Table) -> dict[str, list[str | None]]:
    """Returns the labels of each level, in the order of the landmarks."""
    found: dict[str, list[str | None]] = {}
    for row in rows.to_pylist():
        found.setdefault(row["name"], []).append(row["label"])
    return found


NO_VECTORS = EMBEDDINGS.schema.empty_table()


def test_superclasses_are_those_of_most_landmarks_and_nest() -> None:
    landmarks = landmarks_of("Q1", "Q2", "Q3", "Q1", None, "Q4")
    levels = ("class", "superclass", "superclass:2")
    found = labels_of(level_rows(landmarks, levels, superclass_rows(ABOVE), NO_VECTORS))
    assert found == {
        "class": [*(CLASSES[one] for one in ("Q1", "Q2", "Q3", "Q1")), None, CLASSES["Q4"]],
        # Three landmarks are bridges and two are roads; what has nothing above it stays itself.
        "superclass": ["bridge", "bridge", "building", "bridge", None, CLASSES["Q4"]],
        # Three bridges are Q20, and one is Q21: all bridges go the same way.
        "superclass:2": [
            *("structure (Q20)", "structure (Q20)", "structure (Q21)", "structure (Q20)"),
            *(None, CLASSES["Q4"]),
        ],
    }


@pytest.mark.parametrize("seed", range(5))
def test_what_a_level_joins_no_coarser_one_parts(seed: int) -> None:
    chance = np.random.default_rng(seed)
    names = [f"Q{number}" for number in range(1, 30)]
    above = {
        (one, depth): sorted({*chance.choice(names, chance.integers(0, 4)).tolist()})
        for one in names
        for depth in (1, 2, 3)
    }
    classes = chance.choice(names, 80).tolist()
    landmarks = landmarks_of(*classes, supercategory=classes)
    vectors = chance.normal(size=(len(names), 8))
    vectors /= np.linalg.norm(vectors, axis=1)[:, None]
    embeddings = table_of(
        EMBEDDINGS,
        [
            {"class_qid": one, "text": one, "embedding": vector.tolist()}
            for one, vector in zip(names, vectors, strict=True)
        ],
    )
    for levels in (
        ("class", "superclass", "superclass:2", "superclass:3"),
        ("class", "clusters:12", "clusters:5", "clusters:2"),
    ):
        found = labels_of(level_rows(landmarks, levels, superclass_rows(above), embeddings))
        for fine, coarse in itertools.pairwise(levels):
            pairs = {*zip(found[fine], found[coarse], strict=True)}
            assert len(pairs) == len({*found[fine]})
        for level in levels:
            if level.startswith("clusters"):
                assert len({*found[level]}) == int(level.partition(":")[2])


def test_groups_of_classes_are_those_whose_labels_are_near() -> None:
    directions = {"Q1": (1, 0, 0.1), "Q2": (1, 0, -0.1), "Q3": (0, 1, 0.1), "Q4": (0, 1, -0.1)}
    rows = [{"class_qid": one, "text": "", "embedding": v} for one, v in directions.items()]
    landmarks = landmarks_of("Q1", "Q2", "Q2", "Q3", "Q4", None)
    levels = ("clusters:9", "clusters:2")
    found = labels_of(
        level_rows(landmarks, levels, superclass_rows({}), table_of(EMBEDDINGS, rows))
    )
    # Named after the class of most landmarks, then of the smallest Q-id.
    named = ["arch bridge"] * 3 + ["church"] * 2 + [None]
    assert found["clusters:2"] == named
    assert len({*found["clusters:9"]} - {None}) == 4  # no more than there are classes
    one = table_of(EMBEDDINGS, rows[:1])
    alone = level_rows(landmarks_of("Q1"), ("clusters:2",), superclass_rows({}), one)
    assert alone["label"].to_pylist() == ["suspension bridge"]


def test_a_column_of_the_landmarks_is_a_level_as_it_is() -> None:
    landmarks = landmarks_of("Q1", "Q2", country=["Peru", None], continent=["Asia", "Asia"])
    rows = level_rows(landmarks, ("country", "continent"), superclass_rows({}), NO_VECTORS)
    assert labels_of(rows) == {"country": ["Peru", None], "continent": ["Asia", "Asia"]}
    assert rows["level"].to_pylist() == [1, 1, 2, 2]


def test_superclasses_that_were_not_asked_for_are_refused() -> None:
    with pytest.raises(InputError, match="superclass_depth = 3"):
        level_rows(landmarks_of("Q1"), ("superclass:3",), superclass_rows(ABOVE), NO_VECTORS)


@pytest.mark.parametrize(
    ("levels", "word"),
    [
        (("class", "country"), "landmark"),
        (("landmark",), "landmark"),
        (("landmark", "class", "class"), "once"),
        (("landmark", "planet"), "planet"),
        (("landmark", "clusters"), "clusters"),
        (("landmark", "clusters:0"), "clusters:0"),
        (("landmark", "superclass:2", "superclass"), "finest"),
        (("landmark", "superclass", "superclass:1"), "finest"),
        (("landmark", "clusters:5", "clusters:20"), "finest"),
    ],
)
def test_levels_that_are_none_are_refused(levels: tuple[str, ...], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        HierarchyConfig(levels=levels)


def test_the_stage_reads_what_its_levels_need_and_is_empty_without_any(
    annotated: Workspace,
) -> None:
    run_hierarchy(annotated, HierarchyConfig())
    assert len(annotated.read(LEVELS)) == 0
    own = HierarchyConfig(levels=("landmark", "class", "country"))
    assert not run_hierarchy(annotated, own).skipped
    assert run_hierarchy(annotated, own).skipped
    rows = labels_of(annotated.read(LEVELS))
    assert rows["class"][:2] == ["World Heritage Site", "parish church"]
    with pytest.raises(MissingInputError, match="embed"):
        run_hierarchy(annotated, HierarchyConfig(levels=("landmark", "clusters:2")))
