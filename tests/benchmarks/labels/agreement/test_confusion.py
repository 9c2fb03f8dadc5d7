"""Where the cells of the picture stand, and in which order labels are."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from hgld.benchmarks.labels.agreement.confusion import (
    MOST_LABELS,
    HeatMap,
    heat_map,
    order_by_confusion,
    shade_of,
)
from hgld.benchmarks.labels.agreement.levels import compare_level
from hgld.benchmarks.labels.agreement.suspects import without_classes
from tests.benchmarks.labels.agreement.worlds import labels_table

Labels = Sequence[str | None]


def map_of(folder: Path, official: Labels, ours: Labels) -> HeatMap:
    first, second, rows = labels_table(folder, dict(enumerate(official)), dict(enumerate(ours)))
    column = "hierarchical_label"
    columns = (first[column], second[column])
    level = compare_level(column, without_classes(rows), columns, draws=0, seed=0)
    return heat_map(level)


def test_cells_stand_where_the_numbers_say(tmp_path: Path) -> None:
    found = map_of(
        tmp_path,
        ["lake", "lake", "lake", "lake", "church", "church", None],
        ["lake", "lake", "lake", None, "pond", "lake", "lake"],
    )
    assert [row.text for row in found.rows] == ["lake", "church"]
    names = [column.text for column in found.columns]
    assert names == ["lake", "church", "another label", "no label"]
    size = found.cell_px
    cells = {
        (
            found.rows[cell.y // size].text,
            names[[column.at for column in found.columns].index(cell.x + size // 2)],
        ): (cell.landmarks, cell.shade, cell.is_same)
        for cell in found.cells
    }
    assert cells == {
        ("lake", "lake"): (3, 7, True),
        ("lake", "no label"): (1, 4, False),
        ("church", "lake"): (1, 6, False),
        ("church", "another label"): (1, 6, False),
    }
    assert "church: 1 of 2 are another label" in {cell.title for cell in found.cells}
    assert found.width_px == found.columns[-1].at + size // 2
    assert found.left_out == 0


def test_labels_that_are_confused_stand_together() -> None:
    # a is taken for d, b for e; c for nothing
    labels = list("abcde")
    counts = np.diag([9, 8, 7, 6, 5])
    counts[0, 3] = counts[4, 1] = 4
    assert order_by_confusion(labels, counts) == ["a", "d", "b", "e", "c"]


def test_chains_are_joined_at_the_ends_that_are_confused_most() -> None:
    # a - b and c - d are the closest; b and d are what joins the two pairs
    counts = np.array([[50, 40, 0, 0], [40, 50, 0, 9], [0, 0, 50, 40], [0, 9, 40, 50]])
    assert order_by_confusion(list("abcd"), counts) == ["a", "b", "d", "c"]


def test_every_label_is_there_once_whatever_is_confused() -> None:
    generator = np.random.default_rng(0)
    labels = [f"label {number}" for number in range(78)]
    counts = generator.poisson(0.2, (78, 78)) + np.diag(generator.integers(1, 99, 78))
    order = order_by_confusion(labels, counts)
    assert sorted(order) == sorted(labels)
    assert order == order_by_confusion(labels, counts)
    assert order_by_confusion([], np.zeros((0, 0), dtype=np.int64)) == []


@pytest.mark.parametrize("count", [2, 30, 78, MOST_LABELS + 5])
def test_a_picture_of_many_labels_stays_readable(tmp_path: Path, count: int) -> None:
    official = [f"label {number:03}" for number in range(count)] * 2
    found = map_of(tmp_path, official, official[1:] + official[:1])
    assert len(found.rows) == min(count, MOST_LABELS)
    assert found.left_out == max(0, count - MOST_LABELS)
    assert found.font_px >= 10
    assert found.cell_px >= found.font_px
    ends = [label.at for label in found.rows]
    assert np.diff(ends).tolist() == [found.cell_px] * (len(ends) - 1)
    if count == 78:  # as wide as the page, with its margin for names
        assert found.margin_px + found.width_px < 1140


def test_a_rare_confusion_has_a_shade() -> None:
    assert [shade_of(share) for share in (1e-6, 0.02, 0.5, 1.0)] == [1, 2, 6, 8]


def test_nothing_official_is_no_picture(tmp_path: Path) -> None:
    assert map_of(tmp_path, [None], ["lake"]).rows == ()


def test_a_long_name_is_cut_and_kept_as_its_title(tmp_path: Path) -> None:
    found = map_of(tmp_path, ["x" * 80], ["x" * 80])
    assert (found.rows[0].text, found.rows[0].title) == ("x" * 25 + "…", "x" * 80)
