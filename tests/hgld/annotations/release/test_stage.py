import json
import subprocess
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from hgld.annotations.release.changes import apply_changes
from hgld.annotations.release.config import ReleaseConfig
from hgld.annotations.release.released import by_key, read_release
from hgld.annotations.release.signing import make_keys, sign_sums, verify_signature
from hgld.annotations.release.stage import STAGE, found_settings, run_release, sums_damages
from hgld.annotations.stage import AnnotateConfig, run_annotate
from hgld.engine.files import file_digest
from hgld.engine.verify import verify_stages, verify_sums
from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, InputError, MissingInputError
from hgld.tables import ANNOTATIONS, LABEL_CHANGES
from tests.hgld.annotations.release.worlds import ALL, decide, kept, release
from tests.hgld.annotations.world import ATTRIBUTIONS, CHURCH, IMAGES, LANDMARKS, write_inputs
from tests.worlds.builders import write_metadata


def test_the_sums_name_every_file_of_both_stages_and_agree_with_them(reviewed: Workspace) -> None:
    folder = release(reviewed, annotate=AnnotateConfig(images_per_shard=1))
    lines = (folder / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    sums = {line[66:]: line[:64] for line in lines}
    files = {
        name
        for stage in ("annotate", "release")
        for name in getattr(reviewed.manifest(stage), "files", ())
    }
    assert {f"annotations/{name}" for name in sums} == files - {"annotations/SHA256SUMS"}
    assert {"data/index-00001-of-00002.parquet", "releases.json"} <= set(sums)
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert there == {*sums, "SHA256SUMS"}
    assert all(file_digest(folder / name) == digest for name, digest in sums.items())
    assert [damage for damage in verify_sums(folder) if damage.what] == []
    done = subprocess.run(["sha256sum", "--strict", "-c", "SHA256SUMS"], cwd=folder, check=False)
    assert done.returncode == 0


def test_a_first_release_is_counted_and_has_no_changes(reviewed: Workspace) -> None:
    folder = release(reviewed)
    (entry,) = json.loads((folder / "releases.json").read_text(encoding="utf-8"))
    assert (entry["version"], entry["follows"], entry["changes"]) == ("1.0.0", None, None)
    assert entry["date"] == "2025-01-01"  # of the last page that was asked for
    assert entry["counts"] == {
        "images": {"train": 2, "index": 2, "test": 1},
        "filled": {"train": 0, "index": 0, "test": 0},
        "filled_by": {},
        "excluded": dict.fromkeys(
            ("ignored", "no_category", "no_item", "no_landmark", "not_scraped"), 1
        ),
        "bad": {},
        "landmarks": {"train": 5, "index": 2},
        "landmarks_with_label": 4,
        "landmarks_filled": 0,
        "labels": 3,
        "credits_missing": 0,
    }
    assert set(entry["schema"]) == {"version", "digest"}
    for name, digest in entry["files"].items():
        assert file_digest(folder / name) == digest
    assert set(entry["files"]) == {
        *{path.relative_to(folder).as_posix() for path in folder.rglob("*.parquet")},
        *{path.name for path in folder.glob("*.csv")},
    }
    assert len(reviewed.read(LABEL_CHANGES)) == 0
    assert "The first release." in (folder / "RELEASE_NOTE.md").read_text(encoding="utf-8")


def test_an_image_without_a_known_credit_is_counted(reviewed: Workspace) -> None:
    write_metadata(reviewed, LANDMARKS, IMAGES, ATTRIBUTIONS[1:2])
    folder = release(reviewed)
    (entry,) = json.loads((folder / "releases.json").read_text(encoding="utf-8"))
    assert entry["counts"]["credits_missing"] == 2


def test_the_date_of_a_setting_comes_before_that_of_the_data(reviewed: Workspace) -> None:
    folder = release(reviewed, ReleaseConfig(date="2026-05-04"))
    (entry,) = json.loads((folder / "releases.json").read_text(encoding="utf-8"))
    assert entry["date"] == "2026-05-04"


def test_the_same_build_twice_gives_the_same_bytes(reviewed: Workspace, tmp_path: Path) -> None:
    before = kept(release(reviewed), "before")
    decide(reviewed, {CHURCH: ("assigned", "chapel", "human-made")})
    folder = release(reviewed, ReleaseConfig(previous=before))
    other = Workspace(tmp_path / "other")
    write_inputs(other)
    decide(other, {CHURCH: ("assigned", "chapel", "human-made")})
    elsewhere = tmp_path / "elsewhere"
    before.rename(elsewhere)
    again = release(other, ReleaseConfig(previous=elsewhere))
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            assert path.read_bytes() == (again / path.relative_to(folder)).read_bytes(), path


def test_a_release_after_another_tells_of_both(reviewed: Workspace) -> None:
    before = kept(release(reviewed), "before")
    decide(reviewed, {CHURCH: ("assigned", "chapel", "human-made")})
    folder = release(reviewed, ReleaseConfig(previous=before, date="2026-05-04"))
    newest, first = json.loads((folder / "releases.json").read_text(encoding="utf-8"))
    assert [first] == json.loads((before / "releases.json").read_text(encoding="utf-8"))
    assert (newest["version"], newest["follows"]) == ("2.0.0", "1.0.0")
    assert newest["changes"]["landmarks"] == {
        "added": 0,
        "removed": 0,
        "changed": 2,  # of one that has more classes, the candidates alone are others
        "unchanged": 5,
        "label_added": 0,
        "label_removed": 0,
        "label_changed": 1,
        "labels_gone": 0,
    }
    assert set(newest["changes"]["images"].values()) == {0, len(IMAGES)}
    relabelled, other = reviewed.read(LABEL_CHANGES).to_pylist()[::-1]
    assert (relabelled["split"], relabelled["landmark_id"]) == ("train", 2)
    assert relabelled["why"] == "label relabelled"
    assert relabelled["hierarchical_label_before"] == "church"
    assert relabelled["hierarchical_label_after"] == "chapel"
    assert relabelled["reviewer_after"] == "ann"
    assert (other["landmark_id"], other["why"]) == (1, "evidence")  # it won by fewer votes
    note = (folder / "RELEASE_NOTE.md").read_text(encoding="utf-8")
    assert note.startswith("# H-GLDv2 labels 2.0.0 (2026-05-04)\n")
    assert "| church | chapel | label relabelled | 1 |" in note
    assert "| have another label | 1 | 0 |" in note


def test_a_label_of_several_lines_is_a_line_of_the_note(reviewed: Workspace) -> None:
    before = kept(release(reviewed), "before")
    decide(reviewed, {CHURCH: ("assigned", "cha|pel\n# of ease", "human-made")})
    folder = release(reviewed, ReleaseConfig(previous=before))
    note = (folder / "RELEASE_NOTE.md").read_text(encoding="utf-8")
    assert "| church | cha\\|pel # of ease | label relabelled | 1 |\n" in note


def test_other_shards_of_the_same_rows_are_a_patch(reviewed: Workspace) -> None:
    before = kept(release(reviewed), "before")
    folder = release(
        reviewed,
        ReleaseConfig(previous=before),
        AnnotateConfig(train="all", images_per_shard=1),
    )
    newest = json.loads((folder / "releases.json").read_text(encoding="utf-8"))[0]
    assert newest["version"] == "1.0.1"
    assert len(reviewed.read(LABEL_CHANGES)) == 0


def test_more_images_are_a_minor_version(reviewed: Workspace) -> None:
    before = kept(release(reviewed, annotate=AnnotateConfig()), "before")
    folder = release(reviewed, ReleaseConfig(previous=before))
    newest = json.loads((folder / "releases.json").read_text(encoding="utf-8"))[0]
    assert newest["version"] == "1.1.0"
    (row,) = reviewed.read(LABEL_CHANGES).to_pylist()
    assert (row["image_id"], row["change"], row["why"]) == ("a1", "moved", "not_clean -> labelled")
    assert newest["changes"]["images"]["label_added"] == 1


def test_fewer_images_are_a_major_version(reviewed: Workspace) -> None:
    before = kept(release(reviewed), "before")
    folder = release(reviewed, ReleaseConfig(previous=before), AnnotateConfig())
    newest = json.loads((folder / "releases.json").read_text(encoding="utf-8"))[0]
    assert newest["version"] == "2.0.0"
    assert newest["changes"]["images"]["label_removed"] == 1


def test_what_is_the_release_before_is_that_one_byte_for_byte(
    reviewed: Workspace, tmp_path: Path
) -> None:
    first = kept(release(reviewed), "first")
    decide(reviewed, {CHURCH: ("assigned", "chapel", "human-made")})
    second = kept(release(reviewed, ReleaseConfig(previous=first)), "second")
    other = Workspace(tmp_path / "other")
    write_inputs(other)
    decide(other, {CHURCH: ("assigned", "chapel", "human-made")})
    for workspace in (reviewed, other):
        folder = release(workspace, ReleaseConfig(previous=second))
        names = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
        assert sorted(names) == sorted(
            path.relative_to(second) for path in second.rglob("*") if path.is_file()
        )
        for name in names:
            assert (folder / name).read_bytes() == (second / name).read_bytes(), name
        (row, _) = workspace.read(LABEL_CHANGES).to_pylist()
        assert row["kind"] == "landmark"
    folder = release(reviewed, ReleaseConfig(previous=second, title="Another"))
    newest = json.loads((folder / "releases.json").read_text(encoding="utf-8"))[0]
    assert (newest["version"], newest["follows"]) == ("2.0.1", "2.0.0")
    assert len(reviewed.read(LABEL_CHANGES)) == 0


def test_it_is_skipped_where_nothing_changed_and_sums_new_bytes_of_equal_rows(
    reviewed: Workspace,
) -> None:
    release(reviewed)
    assert run_release(reviewed, ReleaseConfig()).skipped
    assert not run_release(reviewed, ReleaseConfig(title="Another")).skipped
    assert run_release(reviewed, ReleaseConfig(title="Another")).skipped
    # A setting that changes no row, and the bytes of the files, which tell of it.
    before = reviewed.shards(ANNOTATIONS["train"])[0].read_bytes()
    run_annotate(reviewed, AnnotateConfig(train="all", images_per_shard=100))
    assert reviewed.shards(ANNOTATIONS["train"])[0].read_bytes() != before
    assert not run_release(reviewed, ReleaseConfig(title="Another")).skipped
    assert not [one for one in verify_sums(reviewed.path("annotations")) if one.what]


def test_a_new_list_of_files_ends_the_signature_of_the_old_one(
    reviewed: Workspace, tmp_path: Path
) -> None:
    folder = release(reviewed)
    make_keys(tmp_path / "hgld.key", tmp_path / "hgld.pub")
    signature = sign_sums(folder, tmp_path / "hgld.key")
    run_release(Workspace(reviewed.root, remakes=True), ReleaseConfig())
    assert verify_signature(folder, str(tmp_path / "hgld.pub"))  # the same bytes are made again
    run_release(reviewed, ReleaseConfig(title="Another"))
    assert not signature.exists()


def test_a_list_of_the_release_before_is_found_between_the_two_stages(
    reviewed: Workspace,
) -> None:
    release(reviewed)
    assert list(sums_damages(reviewed)) == []
    before = found_settings(reviewed)
    # As a death leaves it: equal rows in other bytes, of which no stage's own output tells.
    run_annotate(reviewed, AnnotateConfig(train="all", images_per_shard=100))
    assert [one.what for one in verify_stages(reviewed) if one.what] == []
    (damage,) = sums_damages(reviewed)
    assert damage.path == "annotations/SHA256SUMS"
    assert damage.what.startswith("is of the release before, and not of these files; `hgld annot")
    assert found_settings(reviewed) != before
    run_release(reviewed, ReleaseConfig())
    assert list(sums_damages(reviewed)) == []


def test_what_is_no_release_before_is_refused(reviewed: Workspace, tmp_path: Path) -> None:
    folder = release(reviewed)
    with pytest.raises(InputError, match="must be another folder than the one that is written"):
        run_release(reviewed, ReleaseConfig(previous=folder))
    with pytest.raises(InputError, match=r"with SHA256SUMS in it, got .*nowhere"):
        run_release(reviewed, ReleaseConfig(previous=tmp_path / "nowhere"))
    before = kept(folder, "before")
    sums = (before / "SHA256SUMS").read_text(encoding="utf-8").splitlines(keepends=True)
    whole = (before / "releases.json").read_bytes()
    (before / "releases.json").write_bytes(whole.replace(b'"1.0.0"', b'"9.0.0"', 1))
    with pytest.raises(DamagedError, match=r"releases\.json has other bytes than were released"):
        run_release(reviewed, ReleaseConfig(previous=before))
    assert reviewed.manifest("release") is not None  # what stood stands
    (before / "releases.json").unlink()
    without = "".join(line for line in sums if "releases.json" not in line)
    (before / "SHA256SUMS").write_text(without, encoding="utf-8")
    with pytest.raises(InputError, match=r"with releases\.json in it"):
        run_release(reviewed, ReleaseConfig(previous=before))


def without_column(before: Path, column: str) -> None:
    """Makes a release one of a version of the program that did not know a column of landmarks."""
    path = before / "landmarks.parquet"
    sums = (before / "SHA256SUMS").read_text(encoding="utf-8")
    old = file_digest(path)
    pq.write_table(pq.read_table(path).drop_columns([column]), path)
    (before / "SHA256SUMS").write_text(sums.replace(old, file_digest(path)), encoding="utf-8")


def test_a_release_of_before_a_column_came_is_followed_by_a_minor_one(
    reviewed: Workspace,
) -> None:
    before = kept(release(reviewed), "before")
    without_column(before, "rule")
    folder = release(reviewed, ReleaseConfig(previous=before))
    newest = json.loads((folder / "releases.json").read_text(encoding="utf-8"))[0]
    assert newest["version"] == "1.1.0"
    changes = reviewed.read(LABEL_CHANGES)
    assert set(changes["why"].to_pylist()) == {"evidence"}
    rebuilt, new = apply_changes(read_release(before), changes), read_release(folder)
    assert by_key(rebuilt.landmarks, "landmark_id").equals(by_key(new.landmarks, "landmark_id"))


@pytest.mark.parametrize("column", ["hierarchical_label", "landmark_id", "classes"])
def test_a_release_whose_tables_have_other_columns_is_refused(
    reviewed: Workspace, column: str
) -> None:
    before = kept(release(reviewed), "before")
    without_column(before, column)
    with pytest.raises(InputError, match=rf"has other columns than this version .*\({column}\)"):
        run_release(reviewed, ReleaseConfig(previous=before))
    (before / "landmarks.parquet").unlink()
    with pytest.raises(InputError, match=r"has no landmarks\.parquet; a release has one"):
        read_release(before)


def test_it_needs_annotations(reviewed: Workspace) -> None:
    with pytest.raises(MissingInputError, match="run `hgld annotate`"):
        run_release(reviewed, ReleaseConfig())
    run_annotate(reviewed, ALL)
    run_release(reviewed, ReleaseConfig())
    assert STAGE.result_path(reviewed) == reviewed.path("annotations")


def test_a_build_without_images_and_classes_is_released(workspace: Workspace) -> None:
    write_inputs(workspace, [])
    folder = release(workspace)
    assert [one for one in verify_sums(folder) if one.what] == []
