"""The page of a run: what is on it, that it needs nothing else, and that it is whole."""

import re
from pathlib import Path
from typing import Any

import pytest

from hgld.engine.workspace import Workspace
from hgld.training.data.labels import training_images
from hgld.training.model.embedding import build_model
from hgld.training.run.page import RetrievedRow, retrieved_rows, write_run_page
from hgld.training.run.validation import measure_images
from tests.training.run.curves import Log, good_log, validation_line
from tests.worlds.pages.reading import PageReader
from tests.worlds.training_runs import TINY

SETTINGS = {"name": "happier", "batch_size": 8, "learning_rate": 1e-4, "init": None}


@pytest.fixture
def rows(tiny_build: Workspace) -> list[RetrievedRow]:
    """What a model finds; another one is shown the same queries."""
    images = training_images(tiny_build)
    found, others = (
        retrieved_rows(measure_images(build_model(TINY.model, seed=seed), images, TINY), images)
        for seed in (0, 1)
    )
    assert [row.query for row in found] == [row.query for row in others]
    return found


def page(folder: Path, lines: Log, **more: Any) -> str:  # noqa: ANN401
    options = {"settings": SETTINGS, "steps": 600, "is_running": True, **more}
    write_run_page(folder, lines=lines, **options)
    return (folder / "run.html").read_text(encoding="utf-8")


def test_the_page_says_where_a_run_is_and_what_it_found(tmp_path: Path) -> None:
    text = PageReader(page(tmp_path / "tries", good_log(), steps=6000)).words
    for told in ("tries", "under way", "step 600 of 6,000", "H-AP 64.7", "Gradient norm"):
        assert told in text
    # 5,400 steps of 8 images at about 100 a second.
    assert re.search(r"about 0:0[67]:\d\d left", text)
    for steps, word in ((600, "ended"), (601, "stopped")):
        ended = page(tmp_path, good_log(), steps=steps, is_running=False)
        assert f"{word} step 600 of {steps}" in PageReader(ended).words
        assert "refresh" not in ended


def test_a_run_without_a_line_or_a_number_has_a_page(tmp_path: Path) -> None:
    assert "step 0 of 10" in PageReader(page(tmp_path, [], settings={}, steps=10)).words
    lines: Log = [{"step": 1, "loss": float("nan")}, {"step": 2, "loss": None}]
    lines.append(validation_line(2, None))
    assert "loss n/a" in PageReader(page(tmp_path, lines, settings={}, steps=9)).words


def test_the_page_asks_for_nothing_and_escapes_every_name_and_value(
    tmp_path: Path, rows: list[RetrievedRow]
) -> None:
    hostile = '<img src=x onerror="alert(1)">'
    lines = [{**line, f"{hostile}_loss": 1.0, hostile: 2.0} for line in good_log()]
    html = page(tmp_path, lines, settings={hostile: hostile}, retrieved=rows)
    assert "&lt;img" in html
    assert "<img src=x" not in html
    assert not re.search(r"(?:src|href)=\"(?!data:)|https?://|url\(", html)


def test_the_rows_mark_right_and_wrong_at_each_level(
    tmp_path: Path, rows: list[RetrievedRow]
) -> None:
    assert len({row.query.labels[0] for row in rows}) == len(rows) == 4
    for row in rows:
        assert row.levels == ("landmark", "super-category", "natural / human-made")
        assert row.query.image_id not in {picture.image_id for picture in row.found}
        assert len(row.found) == 6
        for picture in row.found:
            pairs = zip(picture.labels, row.query.labels, strict=True)
            same = [one == other for one, other in pairs]
            # A level counts where all coarser ones are shared too.
            assert picture.shares == tuple(all(same[level:]) for level in range(3))
    html = page(tmp_path, good_log(), retrieved=rows)
    shown = [picture for row in rows for picture in row.found]
    assert html.count(">✓</span>") == sum(sum(picture.shares) for picture in shown)
    assert html.count(">✗</span>") == sum(3 - sum(picture.shares) for picture in shown)
