"""The signature of a release, as the program minisign makes and checks it.

What is signed is SHA256SUMS, and with it every file that it lists. The keys are the publisher's;
nothing is asked of a network. Of minisign's two kinds of signature this is the one of a digest
(`ED`): Ed25519 of the BLAKE2b of the file, and a second one of the first with the trusted comment.

Source: https://jedisct1.github.io/minisign/ (signature and key formats)
"""

import base64
import binascii
import hashlib
import os
import secrets
from pathlib import Path
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from hgld.annotations.release.released import RELEASES_FILE
from hgld.annotations.release.versions import read_releases
from hgld.engine.files import write_text, writing
from hgld.engine.verify import RELEASE_SUMS, SIGNATURE
from hgld.errors import DamagedError, InputError

_UNTRUSTED, _TRUSTED = "untrusted comment: ", "trusted comment: "
_KEY, _DIGEST_SIGNED = b"Ed", b"ED"
_SCRYPT, _PLAIN, _BLAKE2B = b"Sc", b"\0\0", b"B2"
_ID_BYTES, _SEED_BYTES, _SIGNATURE_BYTES = 8, 32, 64
# kind, key derivation, checksum; salt and two limits of it; id, secret and public key, checksum.
_SECRET_BYTES = 6 + 48 + _ID_BYTES + 64 + 32
_PUBLIC_BYTES = 2 + _ID_BYTES + 32
_MIB = 1 << 20
_MOST_MEMORY = (1 << 31) - 1
_LINES = 4  # of a signature


class SecretKey(NamedTuple):
    """What signs."""

    key_id: bytes
    key: Ed25519PrivateKey


class PublicKey(NamedTuple):
    """What checks a signature."""

    key_id: bytes
    key: Ed25519PublicKey


def make_keys(secret_key_file: Path, public_key_file: Path) -> str:
    """Makes a pair of keys.

    Args:
        secret_key_file: the file for the secret key, for its owner's eyes and without a password;
            who wants one makes keys with `minisign -G`, which `sign_sums` reads as well.
        public_key_file: the file for the public one, to be given to everybody.

    Returns:
        The public key, as it is typed.

    Raises:
        InputError: there is a file already, which is never replaced, or no place to write.
    """
    for path in (secret_key_file, public_key_file):
        if path.exists():
            raise InputError(f"{path} is there already; a key is never replaced, name another file")
    key, key_id = Ed25519PrivateKey.generate(), secrets.token_bytes(_ID_BYTES)
    public = key.public_key().public_bytes_raw()
    secret = key_id + key.private_bytes_raw() + public
    secret += _checksum(secret)
    head = _KEY + _PLAIN + _BLAKE2B + bytes(48)
    name = key_id[::-1].hex().upper()
    _write_secret(secret_key_file, _lines(f"hgld secret key {name}", head + secret))
    typed = base64.b64encode(_KEY + key_id + public).decode()
    text = f"{_UNTRUSTED}minisign public key {name}\n{typed}\n"
    with writing(public_key_file):
        write_text(public_key_file, text)
    return typed


def sign_sums(folder: Path, secret_key_file: Path, *, password: str | None = None) -> Path:
    """Signs a release, and so every file of it.

    Args:
        folder: with SHA256SUMS and releases.json.
        secret_key_file: of `make_keys` or `minisign -G`.
        password: of the key, where it has one.

    Returns:
        The file of the signature, `SHA256SUMS.minisig`. Its trusted comment has the version.

    Raises:
        InputError: the folder is no release, or the key cannot be read.
    """
    sums = _read(folder / RELEASE_SUMS, "name the folder of a release")
    secret = read_secret_key(secret_key_file, password=password)
    version = read_releases(folder / RELEASES_FILE)[0]["version"]
    signature = secret.key.sign(_digest(sums))
    comment = f"release {version}, file:{RELEASE_SUMS}, hashed"
    of_both = secret.key.sign(signature + comment.encode())
    path = folder / SIGNATURE
    text = _lines("signature of a release", _DIGEST_SIGNED + secret.key_id + signature)
    text += f"{_TRUSTED}{comment}\n{base64.b64encode(of_both).decode()}\n"
    with writing(path):
        write_text(path, text)
    return path


def verify_signature(folder: Path, public_key: str) -> str:
    """Checks that a release's SHA256SUMS is what the owner of a key signed.

    The files that it lists are compared by `hgld.engine.verify.verify_sums`.

    Args:
        folder: with SHA256SUMS and its signature.
        public_key: as it is typed, or the name of a file with it.

    Returns:
        The trusted comment of the signature.

    Raises:
        InputError: the key, or the folder, is none.
        DamagedError: there is no signature, or it is not one of this key of these sums.
    """
    key = read_public_key(public_key)
    sums = _read(folder / RELEASE_SUMS, "name the folder of a release")
    path = folder / SIGNATURE
    again = "fetch the release again, and its publisher's key from where you trust it"
    try:
        lines = path.read_bytes().decode().removesuffix("\n").split("\n")
    except FileNotFoundError as error:
        raise DamagedError(f"{path} is not there: the release is not signed; {again}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise DamagedError(f"{path} is no signature ({error}); {again}") from error
    blank = [""] * (_LINES - len(lines))
    head, first, comment, last, *more = [*lines, *blank]
    signed, both = _decoded(first), _decoded(last)
    kind, key_id, signature = signed[:2], signed[2:10], signed[10:]
    heads = head.startswith(_UNTRUSTED) and comment.startswith(_TRUSTED)
    if more or not heads or kind != _DIGEST_SIGNED:
        raise DamagedError(f"{path} is no signature of minisign's kind ED; {again}")
    if key_id != key.key_id:
        raise DamagedError(
            f"{path} is of key {_named(key_id)} and not of {_named(key.key_id)}; {again}"
        )
    trusted = comment.removeprefix(_TRUSTED)
    messages = ((signature, _digest(sums)), (both, signature + trusted.encode()))
    if not all(_holds(key, one, message) for one, message in messages):
        raise DamagedError(f"{path} does not sign {folder / RELEASE_SUMS}; {again}")
    return trusted


def read_public_key(text: str) -> PublicKey:
    """Reads a public key, as it is typed or from the file of that name.

    Raises:
        InputError: it is none.
    """
    typed = text.strip()
    path = Path(text)
    if len(typed) != len(base64.b64encode(bytes(_PUBLIC_BYTES))) and path.is_file():
        typed = _last_line(path)
    content = _decoded(typed)
    if len(content) != _PUBLIC_BYTES or content[:2] != _KEY:
        raise InputError(
            f"the public key must be one of minisign, 56 letters that begin with RW, or a file "
            f"with one, got {text!r}"
        )
    return PublicKey(content[2:10], Ed25519PublicKey.from_public_bytes(content[10:]))


def read_secret_key(path: Path, *, password: str | None = None) -> SecretKey:
    """Reads a secret key.

    Args:
        path: the file, of `make_keys` or `minisign -G`.
        password: where it has one. To find the key out of it takes 1 GiB and some seconds.

    Raises:
        InputError: it is none, or the password is another.
    """
    content = _decoded(_last_line(path))
    if len(content) != _SECRET_BYTES or content[:2] != _KEY or content[4:6] != _BLAKE2B:
        raise InputError(f"{path} is no secret key of minisign; make one with `minisign -G`")
    derivation, salt, limits, secret = content[2:4], content[6:38], content[38:54], content[54:]
    if derivation == _SCRYPT:
        if password is None:
            raise InputError(f"the secret key {path} has a password, which was not given")
        secret = _unlocked(secret, password, salt, limits)
    # Without a password minisign writes no checksum.
    sums = {_checksum(secret[:-32]), bytes(32) if derivation == _PLAIN else b""}
    if secret[-32:] not in sums:
        what = "the password is another" if derivation == _SCRYPT else "it is damaged"
        raise InputError(f"cannot read the secret key {path}: {what}")
    seed = secret[_ID_BYTES : _ID_BYTES + _SEED_BYTES]
    return SecretKey(secret[:_ID_BYTES], Ed25519PrivateKey.from_private_bytes(seed))


def _unlocked(secret: bytes, password: str, salt: bytes, limits: bytes) -> bytes:
    """Undoes what minisign did with a password, as libsodium chooses scrypt's parameters."""
    operations, memory = (int.from_bytes(part, "little") for part in (limits[:8], limits[8:]))
    operations = max(operations, 32_768)
    block = 8
    most = operations // (block * 4) if operations < memory // 32 else memory // (block * 128)
    cost = 2
    while cost <= most // 2:
        cost *= 2
    parallel = 1
    if operations >= memory // 32:
        parallel = max(1, min(operations // 4 // cost, 0x3FFFFFFF) // block)
    if 128 * block * cost * parallel > _MOST_MEMORY - _MIB:
        raise InputError("the secret key's password takes over 2 GiB; make it with `minisign -G`")
    mask = hashlib.scrypt(
        password.encode(),
        salt=salt,
        n=cost,
        r=block,
        p=parallel,
        maxmem=_MOST_MEMORY,
        dklen=len(secret),
    )
    return bytes(one ^ other for one, other in zip(secret, mask, strict=True))


def _holds(key: PublicKey, signature: bytes, message: bytes) -> bool:
    try:
        key.key.verify(signature, message)
    except InvalidSignature:
        return False
    return len(signature) == _SIGNATURE_BYTES


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content).digest()


def _checksum(secret: bytes) -> bytes:
    return hashlib.blake2b(_KEY + secret, digest_size=32).digest()


def _named(key_id: bytes) -> str:
    return key_id[::-1].hex().upper()


def _lines(comment: str, content: bytes) -> str:
    return f"{_UNTRUSTED}{comment}\n{base64.b64encode(content).decode()}\n"


def _write_secret(path: Path, text: str) -> None:
    """Writes a new file that its owner alone may read."""
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)


def _read(path: Path, hint: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}; {hint}") from error


def _last_line(path: Path) -> str:
    lines = _read(path, "name the file of a key").decode(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def _decoded(text: str) -> bytes:
    """Returns what a text of base64 says; nothing where it is none, or says it in another way."""
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
    return content if base64.b64encode(content).decode() == text else b""
