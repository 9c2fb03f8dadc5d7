"""Damaged logs: each is named or healed, and none becomes a machine's proposals."""

import hashlib
import re
import shutil
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError
from hgld.review.exporting import export_file
from hgld.review.log.chain import scan
from hgld.review.log.decisions import append_decisions, check_decisions, read_decisions
from hgld.review.stage import run_decided, run_review
from tests.hgld.review.log.acts import ignored
from tests.worlds.builders import write_proposals
from tests.worlds.review.sheets import (
    CLASSES,
    LAKE,
    PROPOSE,
    apply_sheet,
    copy_of,
    fill_in,
    finished,
    flip,
    log_of,
    type_command,
)


def refusal(workspace: Workspace) -> str:
    """Returns how the log is refused: by the stage, and by whatever else would use it."""
    with pytest.raises(DamagedError) as caught:
        run_review(workspace, PROPOSE)
    text = str(caught.value)
    assert "\n" not in text
    for use in (
        lambda: run_decided(workspace),
        lambda: export_file(workspace, workspace.root / "never.csv"),
        lambda: append_decisions(workspace, [ignored("Q10")]),
    ):
        with pytest.raises(DamagedError, match=re.escape(text)):
            use()
    assert text in {f"{workspace.path(one.path)} {one.what}" for one in check_decisions(workspace)}
    return text


def end_of_line(data: bytes, line: int) -> int:
    return sum(map(len, data.splitlines(keepends=True)[:line]))


@pytest.mark.fault(24, "emptied log")
@pytest.mark.parametrize(("kept", "what"), [(None, "gone"), (0, "line 0"), (4, "line 4")])
def test_a_log_that_is_gone_emptied_or_cut_at_a_line_is_restored_as_told(
    reviewed: Workspace, kept: int | None, what: str
) -> None:
    clean, before = log_of(reviewed).read_bytes(), finished(reviewed)
    if kept is None:
        log_of(reviewed).unlink()
    else:
        log_of(reviewed).write_bytes(clean[: end_of_line(clean, kept)])
    text = refusal(reviewed)
    assert text.startswith(str(log_of(reviewed)))
    assert what in text
    type_command(text, "cp")
    assert log_of(reviewed).read_bytes() == clean
    assert run_review(reviewed, PROPOSE).skipped
    assert finished(reviewed) == before


@pytest.mark.fault(21, "log and copy of decisions gone")
@pytest.mark.parametrize("kept", [None, 0, 2, 4])
def test_decisions_that_the_last_review_read_are_missed_also_without_a_copy(
    reviewed: Workspace, kept: int | None
) -> None:
    clean, before = log_of(reviewed).read_bytes(), finished(reviewed)
    for path in (log_of(reviewed), copy_of(reviewed)):
        if kept is None:
            path.unlink()
        else:  # as from an old backup
            path.write_bytes(clean[: end_of_line(clean, kept)])
    text = refusal(reviewed)
    assert ("gone" if kept is None else f"line {kept}") in text
    assert "`cp " not in text
    log_of(reviewed).write_bytes(clean)
    assert run_review(reviewed, PROPOSE).manifest.outputs == before.outputs
    assert log_of(reviewed).read_bytes() == copy_of(reviewed).read_bytes() == clean


@pytest.mark.parametrize("kept", [None, 0, 2])
def test_a_log_that_a_person_shortened_on_purpose_counts_once_that_is_said(
    reviewed: Workspace, kept: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(reviewed.root.parent)
    reviewed = Workspace(Path(reviewed.root.name))  # as it is by default: what is told fits both
    clean = log_of(reviewed).read_bytes()
    log_of(reviewed).unlink()
    if kept is not None:
        log_of(reviewed).write_bytes(clean[: end_of_line(clean, kept)])
    type_command(refusal(reviewed), "rm")
    assert not run_review(reviewed, PROPOSE).skipped
    assert len(read_decisions(reviewed)) == (kept or 0)
    assert check_decisions(reviewed) == []


def test_the_log_of_another_build_is_not_taken_for_this_one(
    reviewed: Workspace, tmp_path: Path
) -> None:
    other = Workspace(tmp_path / "other")
    write_proposals(other, CLASSES)
    apply_sheet(other, fill_in(other, {"Q9": LAKE}), "eve")
    clean = log_of(reviewed).read_bytes()
    shutil.copy(log_of(other), log_of(reviewed))
    assert "line 1" in refusal(reviewed)
    shutil.copy(copy_of(other), copy_of(reviewed))
    assert "last review" in refusal(reviewed)
    for path in (log_of(reviewed), copy_of(reviewed)):
        path.write_bytes(clean)
    assert run_review(reviewed, PROPOSE).skipped


@pytest.mark.parametrize("place", [50, -50])
def test_lines_that_no_copy_has_yet_are_not_given_up_unasked(
    reviewed: Workspace, place: int
) -> None:
    """A crash before the copy was made, and then a flipped bit."""
    clean = log_of(reviewed).read_bytes()
    copy_of(reviewed).write_bytes(clean[: end_of_line(clean, 3)])
    log_of(reviewed).write_bytes(flip(clean, place % len(clean), 0))
    text = refusal(reviewed)
    assert f"line {1 if place == 50 else 5}" in text
    assert str(copy_of(reviewed)) in text


def test_a_line_whose_number_is_not_that_of_its_place_is_damaged() -> None:
    for number, damaged_line in ((1, 0), (2, 1)):
        text = f'{{"number": {number}, "a": 1'
        chained = f'{text}, "chain": "{hashlib.sha256(text.encode()).hexdigest()}"}}\n'
        assert scan(chained.encode()).damaged_line == damaged_line


def test_files_that_cannot_be_read_are_named(reviewed: Workspace) -> None:
    clean = log_of(reviewed).read_bytes()
    log_of(reviewed).unlink()
    log_of(reviewed).mkdir()
    assert "Is a directory" in refusal(reviewed)
    log_of(reviewed).rmdir()
    log_of(reviewed).write_bytes(clean)
    copy_of(reviewed).unlink()
    copy_of(reviewed).mkdir()
    (found,) = check_decisions(reviewed)
    assert "Is a directory" in found.what
    copy_of(reviewed).rmdir()
    assert run_review(reviewed, PROPOSE).skipped
    assert check_decisions(reviewed) == []
