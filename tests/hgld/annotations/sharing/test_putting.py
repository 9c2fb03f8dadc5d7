"""A release under an address: sent once, gone on with, and never under another's signature."""

import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from hgld.annotations.sharing import putting
from hgld.annotations.sharing.publishing import PublishReport, publish_release
from hgld.annotations.sharing.pulling import pull_release
from hgld.errors import FetchError
from hgld.http.download import Source, open_source
from hgld.http.patience import HttpPolicy
from tests.hgld.annotations.sharing.conftest import CHANGED, tree, write_release
from tests.hgld.annotations.sharing.store import Store, serve_store

SIGNATURE = "SHA256SUMS.minisig"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with serve_store(tmp_path / "store") as server:
        yield server


def publish(folder: Path, to: str, policy: HttpPolicy | None = None) -> PublishReport:
    return publish_release(folder, to, policy or HttpPolicy())


def test_an_address_gets_each_file_once_and_the_list_last(
    store: Store, release: Path, tmp_path: Path
) -> None:
    (release / "SHA256SUMS.minisig").write_text("signed")
    assert publish(release, store.url).sent == 4
    assert tree(store.folder) == tree(release)
    assert store.order[-2:] == ["SHA256SUMS.minisig", "SHA256SUMS"]
    assert publish(release, store.url).sent == 0
    assert set(store.puts.values()) == {1}
    shutil.rmtree(release)
    write_release(release, CHANGED)
    (release / "SHA256SUMS.minisig").write_text("signed again")
    report = publish(release, store.url)
    assert (report.sent, report.kept) == (2, 2)
    assert store.puts["data/train-00000-of-00001.parquet"] == 1
    pull_release(store.url, tmp_path / "out", HttpPolicy())
    assert tree(tmp_path / "out") == tree(release)


def test_an_address_that_refuses_a_file_keeps_its_release_and_gets_nothing_twice(
    store: Store, release: Path, tmp_path: Path
) -> None:
    publish(release, store.url)
    before = (store.folder / "SHA256SUMS").read_bytes()
    shutil.rmtree(release)
    write_release(release, CHANGED)
    store.refused.add("new.md")
    with pytest.raises(FetchError, match=r"new\.md"):
        publish(release, store.url)
    assert (store.folder / "SHA256SUMS").read_bytes() == before
    with pytest.raises(FetchError, match="SHA-256"):  # never half of each
        pull_release(store.url, tmp_path / "out", HttpPolicy())
    store.refused.clear()
    assert publish(release, store.url).sent == 2
    assert (store.puts["landmarks.parquet"], store.puts["new.md"]) == (2, 1)
    pull_release(store.url, tmp_path / "out", HttpPolicy())
    assert tree(tmp_path / "out") == tree(release)
    assert [path.name for path in release.parent.glob(".*")] == []


def test_the_signature_of_another_release_goes_before_anything_comes(
    store: Store, release: Path, tmp_path: Path
) -> None:
    (release / SIGNATURE).write_text("signed")
    publish(release, store.url)
    shutil.rmtree(release)
    write_release(release, CHANGED)
    before, sent = tree(store.folder), len(store.order)
    store.deletes = False
    with pytest.raises(FetchError, match="405"):
        publish(release, store.url)
    assert tree(store.folder) == before
    store.deletes = True
    assert publish(release, store.url).signature == "removed"
    assert store.order[sent:] == [
        f"DELETE {SIGNATURE}",
        "landmarks.parquet",
        "new.md",
        "SHA256SUMS",
    ]
    pull_release(store.url, tmp_path / "out", HttpPolicy())
    assert not (tmp_path / "out" / SIGNATURE).exists()


def test_a_file_that_a_busy_server_did_not_take_is_sent_whole_again(
    store: Store, release: Path
) -> None:
    store.busy["data/train-00000-of-00001.parquet"] = 1
    publish(release, store.url, HttpPolicy(backoff_s=0.01))
    assert store.busy["data/train-00000-of-00001.parquet"] == 0
    assert tree(store.folder) == tree(release)


def test_a_file_that_was_sent_on_to_another_place_was_not_taken(
    store: Store, release: Path
) -> None:
    store.moved = store.url
    with pytest.raises(FetchError, match="302"):
        publish(release, store.url)


def test_a_large_file_may_take_longer_than_an_answer(
    store: Store, release: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = list[float]()

    def opened(base: str, policy: HttpPolicy) -> AbstractContextManager[Source]:
        asked.append(policy.deadline_s)
        return open_source(base, policy)

    monkeypatch.setattr(putting, "open_source", opened)
    policy = HttpPolicy(deadline_s=10, slowest_bytes_per_s=100_000)
    assert publish(release, store.url, policy).sent == 4
    assert asked[-1] == 10 + 2.5  # 250,000 bytes at that rate
