"""Signatures that the program minisign takes, and its own that are taken here."""

import shutil
import subprocess
from pathlib import Path

import pytest

from hgld.annotations.release.signing import make_keys, sign_sums, verify_signature
from hgld.errors import DamagedError, InputError

_PASSWORD = "horse staple"  # noqa: S105 - of keys of these tests only


@pytest.fixture
def minisign() -> str:
    found = shutil.which("minisign")
    if found is None:
        pytest.skip("needs minisign (apt-get install minisign)")
    return found


def test_minisign_itself_verifies_our_signature(
    before: Path, minisign: str, tmp_path: Path
) -> None:
    secret = tmp_path / "hgld.key"
    public = make_keys(secret, tmp_path / "hgld.pub")
    sign_sums(before, secret)
    command = [minisign, "-V", "-m", "SHA256SUMS"]
    for key in (["-P", public], ["-p", str(tmp_path / "hgld.pub")]):
        done = subprocess.run([*command, *key], cwd=before, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert "Trusted comment: release 1.0.0, file:SHA256SUMS, hashed" in done.stdout
    again = [minisign, "-S", "-m", "SHA256SUMS", "-s", str(secret), "-x", "again", "-t", "our key"]
    done = subprocess.run(again, cwd=before, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (before / "again").replace(before / "SHA256SUMS.minisig")
    assert verify_signature(before, public) == "our key"
    with (before / "SHA256SUMS").open("ab") as file:
        file.write(b"\n")
    done = subprocess.run([*command, "-P", public], cwd=before, capture_output=True, text=True)
    assert done.returncode != 0


def test_keys_and_signatures_of_minisign_are_taken(
    before: Path, minisign: str, tmp_path: Path
) -> None:
    secret, public = tmp_path / "m.key", tmp_path / "m.pub"
    subprocess.run([minisign, "-G", "-W", "-s", secret, "-p", public], check=True)
    subprocess.run([minisign, "-S", "-m", "SHA256SUMS", "-s", secret], cwd=before, check=True)
    assert "file:SHA256SUMS" in verify_signature(before, str(public))
    sign_sums(before, secret)
    assert verify_signature(before, str(public)).startswith("release 1.0.0")
    legacy = [minisign, "-S", "-l", "-m", "SHA256SUMS", "-s", str(secret)]
    subprocess.run(legacy, cwd=before, check=True)
    with pytest.raises(DamagedError, match="ED"):
        verify_signature(before, str(public))


def test_a_key_with_a_password_signs_where_that_is_given(
    before: Path, minisign: str, tmp_path: Path
) -> None:
    secret, public = tmp_path / "m.key", tmp_path / "m.pub"
    made = subprocess.run(
        [minisign, "-G", "-s", secret, "-p", public],
        input=f"{_PASSWORD}\n{_PASSWORD}\n",
        text=True,
        capture_output=True,
    )
    assert made.returncode == 0, made.stderr
    with pytest.raises(InputError, match="password"):
        sign_sums(before, secret)
    with pytest.raises(InputError, match="password"):
        sign_sums(before, secret, password=_PASSWORD[:-1])
    sign_sums(before, secret, password=_PASSWORD)
    assert verify_signature(before, str(public))
