"""A release: its files, its version, its fills, and what it says of the one before."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from hgld.annotations.release.facts import SCHEMA_VERSION, ReleaseConfig, next_version
from hgld.annotations.release.released import read_release, read_releases
from hgld.annotations.release.stage import run_release
from hgld.annotations.stage import AnnotateConfig, run_annotate
from hgld.engine.files import file_digest
from hgld.engine.verify import verify_sums
from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, InputError
from hgld.tables import ANNOTATIONS, LABEL_CHANGES
from tests.hgld.annotations.release.worlds import decide, kept, release, tree
from tests.hgld.annotations.world import CHURCH, IMAGES, PARISH, write_fills, write_inputs

CHAPEL = {CHURCH: ("assigned", "chapel", "human-made")}


def newest(folder: Path) -> dict[str, Any]:
    """Returns what a release says of itself."""
    return dict(json.loads((folder / "releases.json").read_text(encoding="utf-8"))[0])


def test_the_sums_name_every_file_of_both_stages_and_agree_with_them(reviewed: Workspace) -> None:
    folder = release(reviewed, annotate=AnnotateConfig(images_per_shard=1))
    lines = (folder / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    sums = {line[66:]: line[:64] for line in lines}
    files = {
        name
        for stage in ("annotate", "release")
        for name in getattr(reviewed.manifest(stage), "records", ())
    }
    assert {f"annotations/{name}" for name in sums} == files - {"annotations/SHA256SUMS"}
    assert {"data/index-00001-of-00002.parquet", "releases.json"} <= set(sums)
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert there == {*sums, "SHA256SUMS"}
    assert all(file_digest(folder / name) == digest for name, digest in sums.items())
    assert [damage for damage in verify_sums(folder) if damage.what] == []
    done = subprocess.run(["sha256sum", "--strict", "-c", "SHA256SUMS"], cwd=folder, check=False)
    assert done.returncode == 0  # of everybody's program


def test_a_first_release_is_counted_and_has_no_changes(published: Workspace) -> None:
    folder = published.path("annotations")
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
    for name, digest in entry["files"].items():
        assert file_digest(folder / name) == digest
    assert set(entry["files"]) == {
        *{path.relative_to(folder).as_posix() for path in folder.rglob("*.parquet")},
        *{path.name for path in folder.glob("*.csv")},
    }
    assert len(published.read(LABEL_CHANGES)) == 0


def test_a_release_after_another_tells_of_both(published: Workspace, before: Path) -> None:
    decide(published, CHAPEL)
    folder = release(published, ReleaseConfig(previous=before, date="2026-05-04"))
    entry, first = json.loads((folder / "releases.json").read_text(encoding="utf-8"))
    assert [first] == json.loads((before / "releases.json").read_text(encoding="utf-8"))
    assert (entry["version"], entry["follows"]) == ("2.0.0", "1.0.0")
    counts = {name: count for name, count in entry["changes"]["landmarks"].items() if count}
    # Of one that is changed, and has more classes, only the candidates are others.
    assert counts == {"changed": 2, "unchanged": 5, "label_changed": 1}
    # The landmark that was relabelled, train 2, has no image.
    assert set(entry["changes"]["images"].values()) == {0, len(IMAGES)}
    relabelled, other = published.read(LABEL_CHANGES).to_pylist()[::-1]
    assert (relabelled["split"], relabelled["landmark_id"]) == ("train", 2)
    assert relabelled["why"] == "label relabelled"
    assert relabelled["hierarchical_label_before"] == "church"
    assert relabelled["hierarchical_label_after"] == "chapel"
    assert relabelled["reviewer_after"] == "ann"
    assert (other["landmark_id"], other["why"]) == (1, "evidence")  # it won by fewer votes
    note = (folder / "RELEASE_NOTE.md").read_text(encoding="utf-8")
    assert "2.0.0 (2026-05-04)" in note
    assert "| church | chapel | label relabelled | 1 |" in note


def test_the_images_of_a_relabelled_landmark_are_told_of(
    published: Workspace, before: Path
) -> None:
    decide(published, CHAPEL | {PARISH: ("assigned", "chapel", "human-made")})
    folder = release(published, ReleaseConfig(previous=before))
    assert newest(folder)["changes"]["images"]["label_changed"] == 2  # a0 and a1, of landmark 1
    note = (folder / "RELEASE_NOTE.md").read_text(encoding="utf-8")
    assert "| have another label | 2 | 2 |" in note.splitlines()


def test_a_label_of_several_lines_is_a_line_of_the_note(published: Workspace, before: Path) -> None:
    decide(published, {CHURCH: ("assigned", "cha|pel\n# of ease", "human-made")})
    folder = release(published, ReleaseConfig(previous=before))
    note = (folder / "RELEASE_NOTE.md").read_text(encoding="utf-8")
    assert "| church | cha\\|pel # of ease | label relabelled | 1 |\n" in note


def test_the_same_build_and_what_is_the_release_before_give_the_same_bytes(
    published: Workspace, before: Path, tmp_path: Path
) -> None:
    decide(published, CHAPEL)
    second = kept(release(published, ReleaseConfig(previous=before)), "second")
    elsewhere = before.rename(tmp_path / "elsewhere")
    other = Workspace(tmp_path / "other")
    write_inputs(other)
    decide(other, CHAPEL)
    for workspace, previous in ((other, elsewhere), (published, second), (other, second)):
        folder = release(workspace, ReleaseConfig(previous=previous))
        assert tree(folder) == tree(second)
        assert {row["kind"] for row in workspace.read(LABEL_CHANGES).to_pylist()} == {"landmark"}
    folder = release(published, ReleaseConfig(previous=second, title="Another"))
    assert (newest(folder)["version"], newest(folder)["follows"]) == ("2.0.1", "2.0.0")
    assert len(published.read(LABEL_CHANGES)) == 0


def test_it_is_skipped_where_nothing_changed_and_sums_new_bytes_of_equal_rows(
    published: Workspace,
) -> None:
    reviewed = published
    assert run_release(reviewed, ReleaseConfig()).skipped
    assert not run_release(reviewed, ReleaseConfig(title="Another")).skipped
    assert run_release(reviewed, ReleaseConfig(title="Another")).skipped
    # A setting that changes no row, and the bytes of the files, which tell of it.
    before = reviewed.shards(ANNOTATIONS["train"])[0].read_bytes()
    run_annotate(reviewed, AnnotateConfig(train="all", images_per_shard=100))
    assert reviewed.shards(ANNOTATIONS["train"])[0].read_bytes() != before
    assert not run_release(reviewed, ReleaseConfig(title="Another")).skipped
    assert not [one for one in verify_sums(reviewed.path("annotations")) if one.what]


def test_a_release_whose_tables_have_other_columns_is_refused(before: Path) -> None:
    path = before / "landmarks.parquet"
    pq.write_table(pq.read_table(path).drop_columns(["classes"]), path)
    with pytest.raises(InputError, match="classes"):
        read_release(before)
    path.unlink()
    with pytest.raises(InputError, match=r"landmarks\.parquet"):
        read_release(before)


def test_what_is_no_release_before_is_refused(published: Workspace, before: Path) -> None:
    folder = published.path("annotations")
    for previous in (folder, folder.parent / "nowhere"):
        with pytest.raises(InputError, match="previous"):
            run_release(published, ReleaseConfig(previous=previous))
    sums = (before / "SHA256SUMS").read_text(encoding="utf-8").splitlines(keepends=True)
    whole = (before / "releases.json").read_bytes()
    (before / "releases.json").write_bytes(whole.replace(b'"1.0.0"', b'"9.0.0"', 1))
    with pytest.raises(DamagedError, match=r"releases\.json"):
        run_release(published, ReleaseConfig(previous=before))
    assert published.manifest("release") is not None  # what stood stands
    (before / "releases.json").unlink()
    without = "".join(line for line in sums if "releases.json" not in line)
    (before / "SHA256SUMS").write_text(without, encoding="utf-8")
    with pytest.raises(InputError, match=r"releases\.json"):
        run_release(published, ReleaseConfig(previous=before))


BEFORE = {"version": "3.4.5", "schema": SCHEMA_VERSION}


@pytest.mark.parametrize(
    ("landmarks", "images", "expected"),
    [
        ({}, {}, "3.4.6"),
        ({"added": 0, "label_changed": 0}, {"unchanged": 5}, "3.4.6"),
        ({"added": 1}, {}, "3.5.0"),
        ({"changed": 1}, {}, "3.5.0"),
        ({"changed": 1, "label_added": 1}, {}, "3.5.0"),
        ({}, {"moved": 1, "label_added": 1}, "3.5.0"),
        ({"removed": 1}, {}, "3.5.0"),  # it had no label
        ({"removed": 1, "labels_gone": 1}, {}, "4.0.0"),
        ({"changed": 1, "label_changed": 1}, {}, "4.0.0"),
        ({"changed": 1, "label_removed": 1}, {}, "4.0.0"),
        ({}, {"moved": 1, "label_removed": 1}, "4.0.0"),
        ({}, {"changed": 1, "label_changed": 1}, "4.0.0"),
    ],
)
def test_the_version_says_what_it_does_to_those_who_use_the_labels(
    landmarks: dict[str, int], images: dict[str, int], expected: str
) -> None:
    counts = {"landmarks": landmarks, "images": images}
    assert next_version(BEFORE, counts) == expected
    assert next_version({**BEFORE, "schema": SCHEMA_VERSION - 1}, counts) == "4.0.0"


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", "[1]", '[{"version": "1.0.0"}]', '[{"version":"1.2","date":"","files":{}}]'],
)
def test_a_list_of_releases_that_is_none_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "releases.json"
    path.write_text(content)
    with pytest.raises(InputError, match=r"releases\.json"):
        read_releases(path)
    release = {**BEFORE, "date": None, "files": {}}
    path.write_text(json.dumps([release]))
    assert read_releases(path) == [release]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("title", [" ", "Ours\n# Theirs"]),
        ("license", ["CC BY"]),
        ("date", ["2026-02-30", "20260228"]),
        ("creators", [(), ("Ann", ""), ("Ann\nBob",)]),
    ],
)
def test_settings_that_no_release_could_have_are_refused(name: str, values: list[object]) -> None:
    for value in values:
        given: dict[str, Any] = {name: value}
        with pytest.raises(ValueError, match=name):
            ReleaseConfig(**given)


def test_a_licence_has_an_address() -> None:
    for license_id, address in (
        ("CC-BY-4.0", "creativecommons.org/licenses/by/4.0/"),
        ("CC-BY-NC-SA-3.0", "creativecommons.org/licenses/by-nc-sa/3.0/"),
        ("ODbL-1.0", "spdx.org/licenses/ODbL-1.0.html"),
    ):
        assert ReleaseConfig(license=license_id).license_url == f"https://{address}"


TAKEN = AnnotateConfig(train="all", fills=True, images_per_shard=1)


def test_labels_of_classes_and_fills_are_counted_apart(reviewed: Workspace) -> None:
    write_fills(reviewed)
    folder = release(reviewed, annotate=TAKEN)
    counts = newest(folder)["counts"]
    assert counts["images"] == {"train": 2, "index": 2, "test": 1}  # as without fills
    assert counts["filled"] == {"train": 2, "index": 0, "test": 0}
    assert counts["filled_by"] == {"reviewed": 1, "words+parents": 1}
    assert (counts["landmarks_with_label"], counts["landmarks_filled"]) == (4, 2)
    assert (counts["labels"], counts["credits_missing"]) == (3, 2)
    note = (folder / "RELEASE_NOTE.md").read_text(encoding="utf-8")
    assert "2 landmarks without a label of their classes" in note
    assert "`reviewed` 1, `words+parents` 1" in note
    for name in ("README.md", "DATASHEET.md"):
        text = (folder / name).read_text(encoding="utf-8")
        for count in ("1 of 7", "excluded images: 3", "`reviewed` 1, `words", "`filled`: 2"):
            assert count in text


def test_taking_fills_adds_and_leaves_every_other_label(published: Workspace, before: Path) -> None:
    without = (before / "README.md").read_text(encoding="utf-8")
    assert "No label is imputed" in without
    folder = release(published, ReleaseConfig(previous=before), TAKEN)
    said = newest(folder)
    assert said["version"] == "1.1.0"
    assert said["changes"]["landmarks"]["label_added"] == 2
    assert said["changes"]["landmarks"]["label_changed"] == 0
    counts = {name: count for name, count in said["changes"]["images"].items() if count}
    assert counts == {"moved": 2, "unchanged": 8}  # no label comes to what is published
    told = published.read(LABEL_CHANGES).to_pylist()
    of_landmark = "decision reviewer method label relabelled reason evidence"
    assert [(row["landmark_id"], row["image_id"], row["why"]) for row in told] == [
        (3, None, of_landmark),
        (4, None, of_landmark),
        (3, "a2", "ignored -> filled"),
        (4, "a3", "no_item -> filled"),
    ]
