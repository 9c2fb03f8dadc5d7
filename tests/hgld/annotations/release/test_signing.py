"""A signature that is made here is taken, and none that is off by a bit."""

import hashlib
import random
import re
import stat
import subprocess
from pathlib import Path

import pytest

from hgld.annotations.release.signing import (
    make_keys,
    read_secret_key,
    sign_sums,
    verify_signature,
)
from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, InputError
from tests.worlds.commands.typed import run_typed


@pytest.fixture
def folder(before: Path) -> Path:
    """A release as its publisher has it."""
    return before


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, str]:
    """The file of the secret key, and the public one as it is typed."""
    return tmp_path / "hgld.key", make_keys(tmp_path / "hgld.key", tmp_path / "hgld.pub")


def verify(root: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    return run_typed(["verify", "--root", root, *words])


def test_what_was_signed_is_verified_and_tells_its_version(
    folder: Path, keys: tuple[Path, str], tmp_path: Path
) -> None:
    secret, public = keys
    path = sign_sums(folder, secret)
    assert path == folder / "SHA256SUMS.minisig"
    for key in (public, str(tmp_path / "hgld.pub")):
        assert verify_signature(folder, key) == "release 1.0.0, file:SHA256SUMS, hashed"
    content = path.read_bytes()
    assert sign_sums(folder, secret).read_bytes() == content


def test_a_secret_key_is_for_its_owner_and_no_key_is_replaced(
    keys: tuple[Path, str], tmp_path: Path
) -> None:
    secret, _ = keys
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    before = secret.read_bytes()
    for pair in ((secret, tmp_path / "new.pub"), (tmp_path / "new.key", tmp_path / "hgld.pub")):
        with pytest.raises(InputError, match="hgld"):
            make_keys(*pair)
    assert secret.read_bytes() == before
    assert not (tmp_path / "new.key").exists()
    assert not (tmp_path / "new.pub").exists()


def test_a_flipped_bit_of_any_byte_of_the_signature_is_refused(
    folder: Path, keys: tuple[Path, str]
) -> None:
    path, chance = sign_sums(folder, keys[0]), random.Random(0)
    content = path.read_bytes()
    start = content.index(b"\n") + 1  # the first line is a comment that nobody trusts
    for place in range(start, len(content)):
        flipped = bytearray(content)
        flipped[place] ^= 1 << chance.randrange(8)
        path.write_bytes(flipped)
        with pytest.raises(DamagedError):
            verify_signature(folder, keys[1])
    for cut in (content + b"\n", content[:start], b"", content * 2):
        path.write_bytes(cut)
        with pytest.raises(DamagedError, match="signature"):
            verify_signature(folder, keys[1])


def test_who_changes_a_file_can_mend_its_sum_but_not_sign_that(
    folder: Path, keys: tuple[Path, str]
) -> None:
    key = ("--public-key", keys[1])
    sign_sums(folder, keys[0])
    assert verify(folder, *key).returncode == 0
    (folder / "README.md").write_text("another")
    changed = verify(folder, *key)
    assert (changed.returncode, len(changed.stdout.splitlines())) == (1, 1)
    assert str(folder / "README.md") in changed.stdout
    sums, digest = folder / "SHA256SUMS", hashlib.sha256(b"another").hexdigest()
    sums.write_text(re.sub(r"\w{64}(?=  README\.md)", digest, sums.read_text()))
    assert verify(folder).returncode == 0
    refused = verify(folder, *key)
    assert refused.returncode == 1
    assert "SHA256SUMS" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


def test_a_signature_of_another_key_or_none_is_refused(
    folder: Path, keys: tuple[Path, str], tmp_path: Path
) -> None:
    with pytest.raises(DamagedError, match="not signed"):
        verify_signature(folder, keys[1])
    make_keys(tmp_path / "other.key", tmp_path / "other.pub")
    sign_sums(folder, tmp_path / "other.key")
    with pytest.raises(DamagedError, match=r"key [0-9A-F]{16}"):
        verify_signature(folder, keys[1])
    assert verify_signature(folder, str(tmp_path / "other.pub"))


def test_the_release_in_a_build_is_verified_with_the_build(
    published: Workspace, keys: tuple[Path, str]
) -> None:
    folder = published.path("annotations")
    sign_sums(folder, keys[0])
    done = verify(published.root, "--public-key", keys[1])
    assert done.returncode == 0, done.stderr
    table = folder / "hierarchy.parquet"
    table.write_bytes(table.read_bytes()[::-1])
    # Once as a file of the stage, and once as one of the release.
    lines = verify(published.root, "--public-key", keys[1]).stdout.splitlines()
    assert [line.startswith(str(table)) for line in lines] == [True] * 2


def test_a_secret_key_that_is_none_is_refused(keys: tuple[Path, str], tmp_path: Path) -> None:
    for name in ("nowhere", "hgld.pub"):
        with pytest.raises(InputError, match=name):
            read_secret_key(tmp_path / name)
    content = bytearray(keys[0].read_bytes())
    content[-20] = ord("B" if content[-20] == ord("A") else "A")
    keys[0].write_bytes(content)
    with pytest.raises(InputError, match="damaged"):
        read_secret_key(keys[0])
