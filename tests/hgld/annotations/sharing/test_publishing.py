import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from hgld.annotations.sharing.publishing import PublishReport, publish_release
from hgld.annotations.sharing.pulling import PullReport, pull_release
from hgld.engine.files import file_digest
from hgld.errors import DamagedError, FetchError, InputError, NotFoundError
from hgld.http.patience import HttpPolicy
from tests.hgld.annotations.sharing.conftest import CHANGED, FILES, tree, write_release
from tests.hgld.annotations.sharing.hub import NAME, Hub, serve_hub

# Of the hub's own package, about how it calls another one.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")


def publish(folder: Path, to: str, endpoint: str = "") -> PublishReport:
    return publish_release(folder, to, HttpPolicy(), endpoint=endpoint)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    # The hub of the test keeps large files as git-lfs does.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_PROGRESS_BARS", True)
    with serve_hub() as running:
        yield running


def test_a_release_is_published_into_a_folder_and_again(release: Path, tmp_path: Path) -> None:
    to = tmp_path / "public"
    assert publish(release, str(to)).sent == 4
    assert tree(to) == tree(release)
    again = publish(release, str(to))
    assert (again.sent, again.kept) == (0, 4)
    (release / "SHA256SUMS.minisig").write_text("signed")
    signed = publish(release, str(to))
    assert (signed.sent, signed.signature) == (0, "sent")
    assert tree(to) == tree(release)
    (release / "SHA256SUMS.minisig").unlink()
    write_release(release, FILES | {"README.md": b"changed"})
    unsigned = publish(release, str(to))
    assert (unsigned.sent, unsigned.signature) == (1, "removed")
    assert tree(to) == tree(release)


def test_what_is_published_is_what_was_released(release: Path, tmp_path: Path) -> None:
    (release / "landmarks.parquet").write_bytes(b"Landmarks")
    with pytest.raises(DamagedError, match=r"landmarks\.parquet"):
        publish(release, str(tmp_path / "public"))
    assert not (tmp_path / "public").exists()


def pull(ref: str, out: Path, hub: Hub) -> PullReport:
    return pull_release(ref, out, HttpPolicy(), endpoint=hub.url)


def test_the_hub_gets_a_release_in_one_commit_and_nothing_twice(
    hub: Hub, release: Path, tmp_path: Path
) -> None:
    (release / "SHA256SUMS.minisig").write_text("signed")
    assert publish(release, f"hf:{NAME}", hub.url).sent == 4
    assert len(hub.commits) == 1
    assert hub.files == tree(release)
    assert publish(release, f"hf:{NAME}", hub.url).sent == 0
    assert len(hub.commits) == 1
    shutil.rmtree(release)
    write_release(release, CHANGED)
    report = publish(release, f"hf:{NAME}", hub.url)
    assert (report.sent, report.kept) == (2, 2)
    assert hub.files == tree(release)  # README.md is gone, and the signature of the older list
    train = file_digest(release / "data/train-00000-of-00001.parquet")
    assert hub.received[train] == 1
    assert pull(f"hf:{NAME}", tmp_path / "out", hub).fetched == 4
    assert tree(tmp_path / "out") == tree(release)


def test_a_release_of_the_hub_is_pulled_at_one_commit(
    hub: Hub, release: Path, tmp_path: Path
) -> None:
    publish(release, f"hf:{NAME}", hub.url)
    first, before = hub.sha(), tree(release)
    shutil.rmtree(release)
    write_release(release, CHANGED)
    publish(release, f"hf:{NAME}", hub.url)
    pull(f"hf:{NAME}@{first}", tmp_path / "first", hub)
    assert tree(tmp_path / "first") == before
    out = tmp_path / "first"
    assert pull(f"hf:{NAME}", out, hub).kept == 2
    assert tree(out) == tree(release)
    assert hub.served["data/train-00000-of-00001.parquet"] == 1


def test_a_signature_that_comes_later_is_sent_to_the_hub_alone(hub: Hub, release: Path) -> None:
    publish(release, f"hf:{NAME}", hub.url)
    received = dict(hub.received)
    (release / "SHA256SUMS.minisig").write_text("signed")
    report = publish(release, f"hf:{NAME}", hub.url)
    assert (report.sent, report.kept, report.signature) == (0, 4, "sent")
    assert hub.files == tree(release)
    assert dict(hub.received) == received | {"SHA256SUMS.minisig": 1}
    (release / "SHA256SUMS.minisig").unlink()
    assert publish(release, f"hf:{NAME}", hub.url).signature == ""
    assert len(hub.commits) == 2
    write_release(release, CHANGED)
    assert publish(release, f"hf:{NAME}", hub.url).signature == "removed"
    assert "SHA256SUMS.minisig" not in hub.files


def test_a_hub_that_refuses_a_file_makes_no_commit(hub: Hub, release: Path) -> None:
    hub.refuses_objects = True
    with pytest.raises(FetchError, match="hf auth login"):
        publish(release, f"hf:{NAME}", hub.url)
    assert hub.commits == []


def test_what_the_hub_lacks_is_said(hub: Hub, release: Path, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="ann/labels"):
        pull(f"hf:{NAME}", tmp_path / "out", hub)
    publish(release, f"hf:{NAME}", hub.url)
    del hub.commits[-1]["landmarks.parquet"]
    with pytest.raises(NotFoundError, match=r"landmarks\.parquet"):
        pull(f"hf:{NAME}", tmp_path / "out", hub)
    with pytest.raises(InputError, match="hf:"):
        publish(release, f"hf:{NAME}@main", hub.url)
    with pytest.raises(FetchError, match="ann/labels"):
        pull_release(f"hf:{NAME}", tmp_path / "out", HttpPolicy(), endpoint="http://127.0.0.1:9")
