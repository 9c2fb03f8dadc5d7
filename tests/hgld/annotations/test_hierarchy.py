import pyarrow as pa
import pytest

from hgld.annotations.landmarks import hierarchy_rows, slug
from hgld.annotations.stage import AnnotateConfig, run_annotate
from hgld.engine.workspace import Workspace
from hgld.tables import HIERARCHY


@pytest.mark.parametrize(
    ("label", "text"),
    [
        ("ocean area ", "ocean-area"),
        ("castle / fort", "castle-fort"),
        ("Église  n° 2", "eglise-n-2"),
        ("../etc", "etc"),
        ("神社", ""),
    ],
)
def test_a_slug_has_letters_digits_and_hyphens_alone(label: str, text: str) -> None:
    assert slug(label) == text


def test_the_labels_in_use_are_counted_at_every_level(reviewed: Workspace) -> None:
    run_annotate(reviewed, AnnotateConfig(train="all"))
    assert reviewed.read(HIERARCHY).to_pylist() == [
        {
            "hierarchical_label_id": number,
            "hierarchical_label": label,
            "slug": text,
            "natural_or_human_made_id": side_id,
            "natural_or_human_made": side,
            "train_landmarks": train,
            "index_landmarks": index,
            "train_images": train_images,
            "index_images": index_images,
            "test_images": test,
        }
        for number, label, text, side_id, side, train, index, train_images, index_images, test in (
            (0, "church", "church", 0, "human-made", 2, 0, 2, 0, 0),
            (1, "museum", "museum", 0, "human-made", 0, 1, 0, 1, 0),
            (2, "ocean area ", "ocean-area", 1, "natural", 0, 1, 0, 1, 1),
        )
    ]


def test_labels_that_look_alike_have_slugs_and_counts_of_their_own() -> None:
    labels = ["ocean area ", "ocean area", "神社", "寺", "lake", "lake"]
    sides = ["natural", "natural", "human-made", "human-made", "natural", "human-made"]
    landmarks = pa.table(
        {
            "split": ["train"] * 6,
            "hierarchical_label": labels,
            "natural_or_human_made": sides,
        }
    )
    nothing = landmarks.select(["hierarchical_label", "natural_or_human_made"]).slice(0, 0)
    images = {"train": landmarks.slice(0, 5), "index": nothing, "test": nothing}
    rows = hierarchy_rows(landmarks, images).to_pylist()
    named = [
        (row["hierarchical_label"], row["slug"], row["natural_or_human_made"], row["train_images"])
        for row in rows
    ]
    assert named == [
        ("lake", "lake", "human-made", 0),
        ("lake", "lake-2", "natural", 1),
        ("ocean area", "ocean-area", "natural", 1),
        ("ocean area ", "ocean-area-2", "natural", 1),
        ("寺", "label", "human-made", 1),
        ("神社", "label-2", "human-made", 1),
    ]
    assert [row["hierarchical_label_id"] for row in rows] == list(range(6))
