"""Signatures that the program minisign takes, and none that is off by a bit."""

import random
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from hgld.annotations.release.signing import (
    make_keys,
    read_public_key,
    read_secret_key,
    sign_sums,
    verify_signature,
)
from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, InputError
from hgld.flows.cli.commands import app
from tests.hgld.annotations.release.worlds import kept, release

_PASSWORD = "horse staple"  # noqa: S105 - of keys of these tests alone


@pytest.fixture
def folder(reviewed: Workspace) -> Path:
    """A release as its publisher has it."""
    return kept(release(reviewed), "release")


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, str]:
    """The file of the secret key, and the public one as it is typed."""
    return tmp_path / "hgld.key", make_keys(tmp_path / "hgld.key", tmp_path / "hgld.pub")


@pytest.fixture
def minisign() -> str:
    found = shutil.which("minisign")
    if found is None:
        pytest.skip("needs minisign (apt-get install minisign)")
    return found


def verify(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["verify", "--root", *map(str, arguments)])


def test_what_was_signed_is_verified_and_tells_its_version(
    folder: Path, keys: tuple[Path, str], tmp_path: Path
) -> None:
    secret, public = keys
    path = sign_sums(folder, secret)
    assert path == folder / "SHA256SUMS.minisig"
    said = "release 1.0.0, file:SHA256SUMS, hashed"
    assert verify_signature(folder, public) == said
    assert verify_signature(folder, str(tmp_path / "hgld.pub")) == said
    content = path.read_bytes()
    assert sign_sums(folder, secret).read_bytes() == content


def test_a_secret_key_is_for_its_owner_and_no_key_is_replaced(
    keys: tuple[Path, str], tmp_path: Path
) -> None:
    secret, _ = keys
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    before = secret.read_bytes()
    for pair in ((secret, tmp_path / "new.pub"), (tmp_path / "new.key", tmp_path / "hgld.pub")):
        with pytest.raises(InputError, match="is there already; a key is never replaced"):
            make_keys(*pair)
    assert secret.read_bytes() == before
    assert not (tmp_path / "new.key").exists()
    assert not (tmp_path / "new.pub").exists()


def test_every_flipped_bit_of_the_signature_is_refused(
    folder: Path, keys: tuple[Path, str]
) -> None:
    path = sign_sums(folder, keys[0])
    content = path.read_bytes()
    start = content.index(b"\n") + 1  # the first line is a comment that nobody trusts
    for place in range(8 * start, 8 * len(content)):
        flipped = bytearray(content)
        flipped[place // 8] ^= 1 << place % 8
        path.write_bytes(flipped)
        with pytest.raises(DamagedError):
            verify_signature(folder, keys[1])
    for cut in (content[:-1], content + b"\n", content[:start], b"", content * 2):
        path.write_bytes(cut)
        if cut != content[:-1]:  # without its last line break it says the same
            with pytest.raises(DamagedError, match="is no signature"):
                verify_signature(folder, keys[1])


def test_one_flipped_bit_of_any_file_is_refused(folder: Path, keys: tuple[Path, str]) -> None:
    sign_sums(folder, keys[0])
    assert verify(folder, "--public-key", keys[1]).exit_code == 0
    chance = random.Random(0)
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    assert folder / "SHA256SUMS" in paths
    assert len(paths) > 15
    for path in paths:
        content = path.read_bytes()
        start = content.index(b"\n") if path.suffix == ".minisig" else 0
        place = chance.randrange(8 * start, 8 * len(content))
        flipped = bytearray(content)
        flipped[place // 8] ^= 1 << place % 8
        path.write_bytes(flipped)
        done = verify(folder, "--public-key", keys[1])
        if path.name.startswith("SHA256SUMS"):
            assert isinstance(done.exception, DamagedError)
            assert "fetch the release again" in str(done.exception)
        else:
            line = f"{path} has other bytes than were released; fetch the release again"
            assert (done.exit_code, done.stdout.splitlines()) == (1, [line])
        path.write_bytes(content)
    assert verify(folder, "--public-key", keys[1]).exit_code == 0


def test_sums_that_follow_a_changed_file_are_refused(folder: Path, keys: tuple[Path, str]) -> None:
    """Who changes a file can mend its sum, but not sign that."""
    sign_sums(folder, keys[0])
    (folder / "README.md").write_text("another")
    done = subprocess.run(
        ["bash", "-c", "sed -i '/README/d' SHA256SUMS; sha256sum README.md >> SHA256SUMS"],
        cwd=folder,
        check=True,
    )
    assert done.returncode == 0
    assert verify(folder).exit_code == 0
    done_too = verify(folder, "--public-key", keys[1])
    assert isinstance(done_too.exception, DamagedError)
    assert "does not sign" in str(done_too.exception)


def test_a_signature_of_another_key_or_none_is_refused(
    folder: Path, keys: tuple[Path, str], tmp_path: Path
) -> None:
    with pytest.raises(DamagedError, match=r"minisig is not there: the release is not signed"):
        verify_signature(folder, keys[1])
    make_keys(tmp_path / "other.key", tmp_path / "other.pub")
    sign_sums(folder, tmp_path / "other.key")
    with pytest.raises(DamagedError, match=r"is of key [0-9A-F]{16} and not of [0-9A-F]{16}"):
        verify_signature(folder, keys[1])
    assert verify_signature(folder, str(tmp_path / "other.pub"))


def test_the_release_in_a_build_is_verified_with_the_build(
    reviewed: Workspace, keys: tuple[Path, str]
) -> None:
    folder = release(reviewed)
    sign_sums(folder, keys[0])
    done = verify(reviewed.root, "--public-key", keys[1])
    assert done.exit_code == 0, done.output
    table = folder / "hierarchy.parquet"
    table.write_bytes(table.read_bytes()[::-1])
    lines = verify(reviewed.root, "--public-key", keys[1]).stdout.splitlines()
    assert [line.startswith(f"{table} has other bytes than were ") for line in lines] == [True] * 2


@pytest.mark.parametrize("text", ["", "RW", "nowhere.pub", "A" * 56, "RW" + "é" * 54])
def test_a_public_key_that_is_none_is_refused(folder: Path, text: str) -> None:
    with pytest.raises(InputError, match="the public key must be one of minisign, 56 letters"):
        read_public_key(text)
    assert isinstance(verify(folder, "--public-key", text).exception, InputError)


def test_a_secret_key_that_is_none_is_refused(keys: tuple[Path, str], tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read .*nowhere: No such file"):
        read_secret_key(tmp_path / "nowhere")
    with pytest.raises(InputError, match="is no secret key of minisign; make one with"):
        read_secret_key(tmp_path / "hgld.pub")
    content = keys[0].read_bytes()
    keys[0].write_bytes(
        content[:-20] + (b"A" if content[-20:-19] != b"A" else b"B") + content[-19:]
    )
    with pytest.raises(InputError, match=r"cannot read the secret key .*: it is damaged"):
        read_secret_key(keys[0])


def test_a_folder_that_is_no_release_is_not_signed(keys: tuple[Path, str], tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"cannot read .*SHA256SUMS: .*name the folder of a release"
    ):
        sign_sums(tmp_path, keys[0])
    assert not (tmp_path / "SHA256SUMS.minisig").exists()


def test_minisign_itself_verifies_our_signature(
    folder: Path, keys: tuple[Path, str], minisign: str, tmp_path: Path
) -> None:
    sign_sums(folder, keys[0])
    command = [minisign, "-V", "-m", "SHA256SUMS"]
    for key in (["-P", keys[1]], ["-p", str(tmp_path / "hgld.pub")]):
        done = subprocess.run([*command, *key], cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert "Trusted comment: release 1.0.0, file:SHA256SUMS, hashed" in done.stdout
    again = [minisign, "-S", "-m", "SHA256SUMS", "-s", str(keys[0]), "-x", "again", "-t", "our key"]
    done = subprocess.run(again, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (folder / "again").replace(folder / "SHA256SUMS.minisig")
    assert verify_signature(folder, keys[1]) == "our key"
    with (folder / "SHA256SUMS").open("ab") as file:
        file.write(b"\n")
    done = subprocess.run([*command, "-P", keys[1]], cwd=folder, capture_output=True, text=True)
    assert done.returncode != 0


def test_keys_and_signatures_of_minisign_are_taken(
    folder: Path, minisign: str, tmp_path: Path
) -> None:
    secret, public = tmp_path / "m.key", tmp_path / "m.pub"
    subprocess.run([minisign, "-G", "-W", "-s", secret, "-p", public], check=True)
    subprocess.run([minisign, "-S", "-m", "SHA256SUMS", "-s", secret], cwd=folder, check=True)
    assert "file:SHA256SUMS" in verify_signature(folder, str(public))
    sign_sums(folder, secret)
    assert verify_signature(folder, str(public)).startswith("release 1.0.0")
    legacy = [minisign, "-S", "-l", "-m", "SHA256SUMS", "-s", str(secret)]
    subprocess.run(legacy, cwd=folder, check=True)
    with pytest.raises(DamagedError, match="is no signature of minisign's kind ED"):
        verify_signature(folder, str(public))


@pytest.mark.slow
def test_a_key_with_a_password_signs_where_that_is_given(
    folder: Path, minisign: str, tmp_path: Path
) -> None:
    secret, public = tmp_path / "m.key", tmp_path / "m.pub"
    made = subprocess.run(
        [minisign, "-G", "-s", secret, "-p", public],
        input=f"{_PASSWORD}\n{_PASSWORD}\n",
        text=True,
        capture_output=True,
    )
    assert made.returncode == 0, made.stderr
    with pytest.raises(InputError, match="has a password, which was not given"):
        sign_sums(folder, secret)
    with pytest.raises(InputError, match="the password is another"):
        sign_sums(folder, secret, password=_PASSWORD[:-1])
    sign_sums(folder, secret, password=_PASSWORD)
    assert verify_signature(folder, str(public))
