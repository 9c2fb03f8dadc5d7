"""A release: its files, its version, its fills, and what it says of the one before."""

import subprocess
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from hgld.annotations.release.facts import SCHEMA_VERSION, ReleaseConfig, next_version
from hgld.annotations.release.released import read_release
from hgld.annotations.release.stage import run_release
from hgld.annotations.stage import AnnotateConfig, run_annotate
from hgld.engine.files import file_digest
from hgld.engine.verify import verify_sums
from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, InputError
from hgld.tables import ANNOTATIONS, EXCLUDED, LABEL_CHANGES
from tests.hgld.annotations.release.worlds import decide, kept, release, releases, text_of, tree
from tests.hgld.annotations.world import IMAGES, write_inputs


def test_the_sums_name_every_file_of_all_stages_and_agree_with_them(reviewed: Workspace) -> None:
    folder = release(reviewed, annotate=AnnotateConfig(images_per_shard=1))
    sums = {line[66:]: line[:64] for line in text_of(folder, "SHA256SUMS").splitlines()}
    assert {"data/index-00001-of-00002.parquet", "releases.json"} <= set(sums)
    manifests = [reviewed.manifest(stage) for stage in ("annotate", "hierarchy", "release")]
    files = {name for one in manifests for name in getattr(one, "records", ())}
    assert files == {f"annotations/{name}" for name in (*sums, "SHA256SUMS")}
    assert tree(folder).keys() == {*sums, "SHA256SUMS"}
    assert all(file_digest(folder / name) == digest for name, digest in sums.items())
    assert [damage for damage in verify_sums(folder) if damage.what] == []
    done = subprocess.run(["sha256sum", "--strict", "-c", "SHA256SUMS"], cwd=folder, check=False)
    assert done.returncode == 0  # of everybody's program


def test_a_first_release_is_counted_and_has_no_changes(published: Workspace) -> None:
    folder = published.path("annotations")
    (entry,) = releases(folder)
    assert (entry["version"], entry["follows"], entry["changes"]) == ("1.0.0", None, None)
    assert entry["date"] == "2025-01-01"  # of the last page that was asked for
    assert entry["counts"] == {
        "images": {"train": 2, "index": 2, "test": 1},
        "filled": {"train": 0, "index": 0, "test": 0},
        "filled_by": {},
        "excluded": {row["reason"]: 1 for row in published.read(EXCLUDED).to_pylist()},
        "bad": {},
        "landmarks": {"train": 5, "index": 2},
        "landmarks_with_label": 4,
        "landmarks_filled": 0,
        "labels": 3,
        "credits_missing": 0,
    }
    paths = [*folder.rglob("*.parquet"), *folder.glob("*.csv")]
    digests = {path.relative_to(folder).as_posix(): file_digest(path) for path in paths}
    assert entry["files"] == digests
    assert len(published.read(LABEL_CHANGES)) == 0


def test_a_release_after_another_tells_of_both(published: Workspace, before: Path) -> None:
    decide(published)
    folder = release(published, ReleaseConfig(previous=before, date="2026-05-04"))
    entry, first = releases(folder)
    assert [first] == releases(before)
    assert (entry["version"], entry["follows"]) == ("2.0.0", "1.0.0")
    counts = {name: count for name, count in entry["changes"]["landmarks"].items() if count}
    # Of one that is changed, and has more classes, only the candidates are others.
    assert counts == {"changed": 2, "unchanged": 5, "label_changed": 1}
    # The landmark that was relabelled, train 2, has no image.
    assert set(entry["changes"]["images"].values()) == {0, len(IMAGES)}
    names = ["split", "landmark_id", "why", "reviewer_after"]
    names += [f"hierarchical_label_{when}" for when in ("before", "after")]
    told = published.read(LABEL_CHANGES).select(names).to_pylist()
    assert [tuple(row.values()) for row in told] == [
        ("train", 1, "evidence", "ann", "church", "church"),  # it won by fewer votes
        ("train", 2, "label relabelled", "ann", "church", "chapel"),
    ]
    note = text_of(folder, "RELEASE_NOTE.md")
    assert "| church | chapel | label relabelled | 1 |" in note


def test_the_same_build_and_what_is_the_release_before_give_the_same_bytes(
    published: Workspace, before: Path, tmp_path: Path
) -> None:
    decide(published)
    second = kept(release(published, ReleaseConfig(previous=before)), "second")
    elsewhere = before.rename(tmp_path / "elsewhere")
    other = Workspace(tmp_path / "other")
    write_inputs(other)
    decide(other)
    for workspace, previous in ((other, elsewhere), (published, second), (other, second)):
        folder = release(workspace, ReleaseConfig(previous=previous))
        assert tree(folder) == tree(second)
        assert {row["kind"] for row in workspace.read(LABEL_CHANGES).to_pylist()} == {"landmark"}
    folder = release(published, ReleaseConfig(previous=second, title="Another"))
    entry = releases(folder)[0]
    assert (entry["version"], entry["follows"]) == ("2.0.1", "2.0.0")
    assert len(published.read(LABEL_CHANGES)) == 0


def test_it_is_skipped_where_nothing_changed_and_sums_new_bytes_of_equal_rows(
    published: Workspace,
) -> None:
    another = ReleaseConfig(title="Another")
    assert not run_release(published, another).skipped
    assert run_release(published, another).skipped
    # A setting that changes no row, and the bytes of the files, which tell of it.
    before = published.shards(ANNOTATIONS["train"])[0].read_bytes()
    run_annotate(published, AnnotateConfig(train="all", images_per_shard=100))
    assert published.shards(ANNOTATIONS["train"])[0].read_bytes() != before
    assert not run_release(published, another).skipped
    assert not [one for one in verify_sums(published.path("annotations")) if one.what]


def test_what_is_no_release_before_or_has_other_columns_is_refused(
    published: Workspace, before: Path
) -> None:
    folder = published.path("annotations")
    for previous in (folder, folder.parent / "nowhere"):
        with pytest.raises(InputError, match="previous"):
            run_release(published, ReleaseConfig(previous=previous))
    whole = (before / "releases.json").read_bytes()
    (before / "releases.json").write_bytes(whole.replace(b'"1.0.0"', b'"9.0.0"', 1))
    with pytest.raises(DamagedError, match=r"releases\.json"):
        run_release(published, ReleaseConfig(previous=before))
    path = before / "landmarks.parquet"
    pq.write_table(pq.read_table(path).drop_columns(["classes"]), path)
    with pytest.raises(InputError, match="classes"):
        read_release(before)


BEFORE = {"version": "3.4.5", "schema": SCHEMA_VERSION}


@pytest.mark.parametrize(
    ("landmarks", "images", "expected"),
    [
        ("", "unchanged", "3.4.6"),
        ("added", "", "3.5.0"),
        ("changed label_added", "", "3.5.0"),
        ("", "moved label_added", "3.5.0"),
        ("removed", "", "3.5.0"),  # it had no label
        ("removed labels_gone", "", "4.0.0"),
        ("changed label_changed", "", "4.0.0"),
        ("changed label_removed", "", "4.0.0"),
        ("", "moved label_removed", "4.0.0"),
        ("", "changed label_changed", "4.0.0"),
    ],
)
def test_the_version_says_what_it_does_to_those_who_use_the_labels(
    landmarks: str, images: str, expected: str
) -> None:
    nothing = dict.fromkeys(("added", "removed", "label_changed"), 0)
    changed = (nothing | dict.fromkeys(kind.split(), 1) for kind in (landmarks, images))
    counts = dict(zip(("landmarks", "images"), changed, strict=True))
    assert next_version(BEFORE, counts) == expected
    assert next_version({**BEFORE, "schema": SCHEMA_VERSION - 1}, counts) == "4.0.0"


WRONG: dict[str, list[Any]] = {
    "title": [" ", "Ours\n# Theirs"],
    "license": ["CC BY"],
    "date": ["2026-02-30", "20260228"],
    "creators": [(), ("Ann", ""), ("Ann\nBob",)],
}


@pytest.mark.parametrize("name", WRONG)
def test_settings_that_no_release_could_have_are_refused(name: str) -> None:
    for value in WRONG[name]:
        with pytest.raises(ValueError, match=name):
            ReleaseConfig(**{name: value})


TAKEN = AnnotateConfig(train="all", fills=True, images_per_shard=1)


def test_taking_fills_adds_and_leaves_every_other_label(published: Workspace, before: Path) -> None:
    assert "No label is imputed" in text_of(before, "README.md")
    folder = release(published, ReleaseConfig(previous=before), TAKEN)
    entry = releases(folder)[0]
    assert entry["version"] == "1.1.0"
    assert entry["counts"]["images"] == {"train": 2, "index": 2, "test": 1}  # as without fills
    assert entry["counts"]["filled"] == {"train": 2, "index": 0, "test": 0}
    assert entry["counts"]["filled_by"] == {"reviewed": 1, "words+parents": 1}
    for name in ("README.md", "DATASHEET.md"):
        assert "`reviewed` 1, `words" in text_of(folder, name)
    landmarks = entry["changes"]["landmarks"]
    assert (landmarks["label_added"], landmarks["label_changed"]) == (2, 0)
    counts = {name: count for name, count in entry["changes"]["images"].items() if count}
    assert counts == {"moved": 2, "unchanged": 8}  # no label comes to what is published
    told = published.read(LABEL_CHANGES).select(["landmark_id", "image_id", "why"]).to_pylist()
    of_landmark = "decision reviewer method label relabelled reason evidence"
    assert [tuple(row.values()) for row in told] == [
        (3, None, of_landmark),
        (4, None, of_landmark),
        (3, "a2", "ignored -> filled"),
        (4, "a3", "no_item -> filled"),
    ]
