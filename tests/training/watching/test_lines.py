"""What is read of a log."""

import json
from pathlib import Path

from hgld.training.watching.lines import (
    best_validation,
    progress_note,
    read_lines,
    training_curves,
    validation_curves,
)
from tests.training.watching.curves import validation_line


def test_a_log_is_read_without_what_a_kill_cut_short(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    assert read_lines(path) == []
    whole = [{"step": 1, "loss": 0.5}, {"step": 2, "loss": float("nan")}]
    odd = '{"loss": 1}\n[3]\n7\n{"step": "x"}\n{"step": true}\n\xff\n{"step": 3, "lo'
    text = "".join(json.dumps(line) + "\n" for line in whole) + odd
    path.write_bytes(text.encode("latin-1"))
    found = read_lines(path)
    assert [line["step"] for line in found] == [1, 2]
    assert found[0] == whole[0]


def test_training_and_validation_are_told_apart() -> None:
    lines = [{"step": 5, "epoch": 0, "loss": 0.5, "is_new": True}, validation_line(5, 0.6)]
    assert list(training_curves(lines)) == ["loss"]
    assert validation_curves(lines)["h_ap"].values == [0.6]
    assert "epoch" not in validation_curves(lines)


def test_of_equal_validations_the_first_is_the_best_and_an_undefined_one_is_none() -> None:
    lines = [
        validation_line(step, h_ap) for step, h_ap in ((1, None), (2, 0.6), (3, 0.6), (4, 0.5))
    ]
    assert best_validation(lines) == (2, 0.6, 2)
    assert best_validation(lines[:1]) is None
    assert best_validation([]) is None


def test_the_note_leaves_out_what_is_not_there() -> None:
    assert progress_note({"step": 1, "loss": None}) == ""
    assert progress_note({"step": 1, "images_per_s": 7.6}, 0.5) == "H-AP 50.0 · 8 images/s"
    assert progress_note({"step": 1, "loss": float("nan")}, float("nan")) == ""
