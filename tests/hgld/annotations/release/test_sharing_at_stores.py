"""A release sent to an object store: whole or not there, and never over anybody's own files."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hgld.annotations.release.sharing import publish_release, release_before
from hgld.engine.store import Store, open_store
from hgld.engine.verify import RELEASE_SUMS
from hgld.errors import FetchError, InputError, WorkspaceBusyError
from hgld.http.patience import HttpPolicy
from tests.hgld.annotations.release.test_sharing import (
    BIG,
    CHANGED,
    FILES,
    follow_changes,
    publish,
    pull,
    write_release,
)
from tests.hgld.annotations.release.worlds import tree
from tests.worlds.stopped import Stopped

SHELF = "fsspec+memory://shelf"


@pytest.fixture(autouse=True)
def _empty_store() -> Iterator[None]:
    yield
    store = open_store(SHELF)
    for name in store.sizes():
        store.remove(name)


@pytest.fixture
def release(tmp_path: Path) -> Path:
    return write_release(tmp_path / "release", FILES)


def objects(address: str) -> dict[str, bytes]:
    """Returns the content of every object below an address, by name."""
    store = open_store(address)
    return {name: b"".join(store.chunks(name)) for name in sorted(store.sizes())}


def test_a_release_is_published_pulled_and_sent_again_only_where_it_changed(
    release: Path, tmp_path: Path
) -> None:
    there = f"{SHELF}/labels"
    follow_changes(release, there, tmp_path / "out")
    assert publish(release, f"{there}/") == (0, 4)
    assert objects(there) == tree(release)


def stop_before(call: int, patch: pytest.MonkeyPatch) -> None:
    """Has the given call that changes a store raise, and none after it."""
    made = 0

    def counted(act: Callable[..., None]) -> Callable[..., None]:
        def counting(*arguments: object) -> None:
            nonlocal made
            made += 1
            if made == call:
                raise Stopped
            act(*arguments)

        return counting

    for name in ("send", "copy", "remove"):
        patch.setattr(Store, name, counted(getattr(Store, name)))


@pytest.mark.parametrize("is_first", [True, False])
def test_a_publish_stopped_before_any_request_is_ended_by_the_next(
    tmp_path: Path, *, is_first: bool
) -> None:
    older = write_release(tmp_path / "older/release", FILES)
    newer = write_release(tmp_path / "newer/release", CHANGED)
    for call in range(1, 30):
        there, out = f"{SHELF}/{call}", tmp_path / f"out-{call}"
        if not is_first:
            publish(older, there)
        with pytest.MonkeyPatch.context() as patch:
            stop_before(call, patch)
            try:
                publish(newer, there)
                break
            except Stopped:
                pass
        found = objects(there)
        if found.get(RELEASE_SUMS) == tree(newer)[RELEASE_SUMS]:
            pull(there, out)
            assert tree(out) == tree(newer)
        elif not is_first and all(found[name] == one for name, one in FILES.items()):
            pull(there, out)
            assert tree(out) == tree(older)
        else:  # part of both, or of a release without its list
            with pytest.raises(FetchError):
                pull(there, out)
            assert not out.exists() or not [one for one in out.iterdir() if one.name != ".pull"]
        assert publish(newer, there).moved <= len(CHANGED)
        assert objects(there) == tree(newer)
    assert call > 6


def test_a_truncated_upload_and_a_file_of_another_release_are_sent_again(
    release: Path, tmp_path: Path
) -> None:
    there, store = f"{SHELF}/labels", open_store(f"{SHELF}/labels")
    digest = hashlib.sha256(FILES[BIG]).hexdigest()
    (tmp_path / "part").write_bytes(FILES[BIG][:-1])
    store.send(tmp_path / "part", f".publish/{digest}")
    assert publish(release, there) == (4, 0)
    assert publish(release, there) == (0, 4)
    assert objects(there) == tree(release)
    # Listed and of the right size, but an interrupted publish of other files put it there.
    (tmp_path / "other").write_bytes(bytes(reversed(FILES[BIG])))
    store.send(tmp_path / "other", BIG)
    store.send(tmp_path / "part", f".publish/{digest}")
    assert publish(release, there) == (1, 3)
    assert objects(there) == tree(release)


def test_files_of_others_and_a_release_that_came_meanwhile_are_not_written_over(
    release: Path, tmp_path: Path
) -> None:
    (tmp_path / "mine").write_text("mine")
    open_store(f"{SHELF}/own").send(tmp_path / "mine", "thesis.tex")
    with pytest.raises(InputError, match="own"):  # before a release is made
        release_before(f"{SHELF}/own", tmp_path, HttpPolicy())
    there = f"{SHELF}/labels"
    publish(release, there)
    open_store(there).send(tmp_path / "mine", "new.md")
    before = objects(there)
    write_release(release, CHANGED)
    with pytest.raises(InputError, match=r"new\.md"):
        publish(release, there)
    with pytest.raises(WorkspaceBusyError, match="labels"):
        publish_release(release, there, HttpPolicy(), before=None)
    assert objects(there) == before
