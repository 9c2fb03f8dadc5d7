"""Releases, pictures and embeddings at a real S3 server (moto), which runs on loopback."""

import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pyarrow.fs as pafs
import pytest
import requests

import hgld
from hgld.engine.store import Store, open_store
from hgld.engine.workspace import Workspace
from hgld.errors import FetchError, InputError, NotFoundError
from hgld.images.config import ImagesConfig
from hgld.images.stage import plan_images, run_images
from hgld.training.index.embedding_files import embeddings_digest, read_embeddings
from tests.hgld.annotations.release.test_sharing import (
    FILES,
    follow_changes,
    publish,
    pull,
    write_release,
)
from tests.hgld.annotations.release.test_sharing_at_stores import objects
from tests.hgld.annotations.release.worlds import tree
from tests.hgld.annotations.world import write_inputs
from tests.hgld.loading.world import write_annotated
from tests.training.index.test_embedding_files import IDS, UNIT, array, parquet
from tests.worlds.commands.readme import ROOT, commands_on
from tests.worlds.commands.typed import only_line, said
from tests.worlds.gldv2.files import add_tar, images_tar

_NO_LIMIT = 1 << 30


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """The host and port of an S3 server."""
    from moto.moto_server.threaded_moto_server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    yield "{}:{}".format(*server.get_host_and_port())
    server.stop()


@pytest.fixture
def bucket(s3: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of an empty bucket, for whose server and login the environment is set."""
    requests.post(f"http://{s3}/moto-api/reset", timeout=60)
    values = {"ENDPOINT_URL": f"http://{s3}", "REGION": "us-east-1"}
    for name, value in {**values, "ACCESS_KEY_ID": "ann", "SECRET_ACCESS_KEY": "key"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    pafs.FileSystem.from_uri("s3://bucket?allow_bucket_creation=true")[0].create_dir("bucket")
    return "s3://bucket"


def upload(folder: Path, address: str) -> str:
    """Copies a folder to a store as anybody would; returns the address."""
    pafs.copy_files(str(folder), address)
    return address


@pytest.fixture
def release(tmp_path: Path) -> Path:
    return write_release(tmp_path / "release", FILES)


def test_a_release_is_published_and_pulled_from_where_the_query_or_environment_says(
    bucket: str, s3: str, release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there, out = f"{bucket}/labels/x", tmp_path / "out"
    follow_changes(release, there, out)
    assert objects(there) == tree(release)
    for name in ("AWS_ENDPOINT_URL", "AWS_REGION"):
        monkeypatch.delenv(name)
    assert pull(f"{there}?region=us-east-1&scheme=http&endpoint_override={s3}", out) == (0, 4)


def test_an_upload_killed_midway_leaves_nothing_and_what_was_sent_is_not_sent_again(
    bucket: str, release: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = f"{bucket}/labels"
    killing = f"""
import os, signal, sys
from pathlib import Path
from hgld.annotations.release.sharing import publish_release
from hgld.engine.store import Store
from hgld.http.patience import HttpPolicy
send = Store.send
def killed(store, path, name):
    if path.name == "landmarks.parquet":
        stream = store.files.open_output_stream(f"{{store.root}}/{{name}}")
        stream.write(b"half of it")
        os.kill(os.getpid(), signal.SIGKILL)
    send(store, path, name)
Store.send = killed
publish_release(Path({str(release)!r}), {there!r}, HttpPolicy(), before=None)
"""
    done = subprocess.run([sys.executable, "-c", killing], capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    kept = objects(there)
    assert kept
    assert all(name.startswith(".publish/") for name in kept)
    assert set(kept.values()) < set(FILES.values())  # whole files
    sent: list[str] = []
    send = Store.send

    def counted(store: Store, path: Path, name: str) -> None:
        sent.append(name)
        send(store, path, name)

    monkeypatch.setattr(Store, "send", counted)
    assert publish(release, there) == (4, 0)
    assert not kept.keys() & set(sent)
    assert len(kept) + len(sent) == len(FILES) + 1
    assert objects(there) == tree(release)


def test_a_bucket_or_login_that_is_wrong_is_said_before_anything_is_made(
    bucket: str, s3: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "build"
    write_annotated(root)
    before, words = tree(root), ("publish", "--root", root, "--to")
    assert "s3://nobody/x" in only_line(*words, "s3://nobody/x")
    requests.post(f"http://{s3}/moto-api/reset-auth", data=b"0", timeout=60)
    try:  # from now on it knows nobody
        assert "credentials" in only_line(*words, f"{bucket}/x")
        assert "credentials" in only_line("pull", f"{bucket}/x", "--out", root / "out")
    finally:
        requests.post(f"http://{s3}/moto-api/reset-auth", data=str(_NO_LIMIT).encode(), timeout=60)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    assert "127.0.0.1:1" in only_line("pull", f"{bucket}/x", "--out", root / "out")
    assert tree(root) == before


def test_the_commands_of_the_docs_send_a_build_and_fetch_it_and_it_is_loaded_where_it_lies(
    bucket: str, tmp_path: Path
) -> None:
    write_inputs(Workspace(tmp_path / "build"))
    lines = [line for line in commands_on(ROOT / "docs/release.md") if bucket in line]
    sent, fetched = (said(*shlex.split(line)[1:], folder=tmp_path) for line in lines)
    assert sent.splitlines()[-1].startswith("s3://bucket/labels: ")
    assert fetched.endswith("all are intact\n")
    assert tree(tmp_path / "labels") == tree(tmp_path / "build/annotations")
    loaded = hgld.load(f"{bucket}/labels").train.to_arrow()
    assert loaded.equals(hgld.load(tmp_path / "build").train.to_arrow())
    with pytest.raises(NotFoundError, match="s3://bucket/none"):
        hgld.load(f"{bucket}/none")


def test_what_all_may_read_needs_no_login(bucket: str, release: Path, tmp_path: Path) -> None:
    there = "s3://anonymous@bucket/labels"
    publish(release, f"{bucket}/labels")
    with pytest.raises(FetchError, match="DENIED"):
        pull(there, tmp_path / "out")
    files = open_store(bucket).files
    for name, content in tree(release).items():
        with files.open_output_stream(
            f"bucket/labels/{name}", metadata={"ACL": "public-read"}
        ) as to:
            to.write(content)
    assert pull(there, tmp_path / "out") == (4, 0)


def test_pictures_come_from_tars_in_a_bucket(
    bucket: str, workspace: Workspace, tmp_path: Path
) -> None:
    for number in range(2):
        add_tar(tmp_path / "gldv2", "train", number, images_tar([2 * number, 2 * number + 1]))
    there = upload(tmp_path / "gldv2", f"{bucket}/gldv2")
    config = ImagesConfig(base_url=there, train_tars=2, split="train")
    assert plan_images(workspace, config, "train").startswith("train: 2 of 2 tars")
    own = Workspace(tmp_path / "own")
    of_folder = run_images(own, replace(config, base_url=str(tmp_path / "gldv2")), "train")
    assert run_images(workspace, config, "train").manifest.outputs == of_folder.manifest.outputs


def test_embeddings_are_read_from_a_bucket_as_from_the_disk(bucket: str, tmp_path: Path) -> None:
    folder = tmp_path / "embeddings"
    folder.mkdir()
    parquet(folder / "0.parquet", IDS[:20], UNIT[:20])
    parquet(folder / "1.parquet", IDS[20:], UNIT[20:])
    array(folder / "a.npy", IDS, UNIT)
    there = Path(upload(folder, f"{bucket}/embeddings"))
    for here, at in ((folder, there), (folder / "0.parquet", there / "0.parquet")):
        assert embeddings_digest(at) == embeddings_digest(here)
        found = read_embeddings(at, IDS[:20], split="test")
        assert found.equal(read_embeddings(here, IDS[:20], split="test"))
    for name, why in (("none.parquet", "address"), ("a.npy", "parquet")):
        for read in (embeddings_digest, partial(read_embeddings, image_ids=IDS, split="test")):
            with pytest.raises((InputError, FetchError), match=rf"s3://bucket/.*{name}.*{why}"):
                read(there / name)
