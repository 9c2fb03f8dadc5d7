"""What a run keeps on disk as it goes, so that it can be stopped at any moment and go on.

A checkpoint is what `torch.save` writes, a zip, whose comment is the SHA-256 of all bytes before
it. So `torch.load` reads it as any other, the same content gives the same bytes, and a bit that
flips anywhere is noticed. Nothing in it is run as code.
"""

import hashlib
import json
import pickle
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from hgld.engine.files import append_bytes, atomic_file, write_text, writing
from hgld.engine.workspace import Damage, Workspace
from hgld.errors import DamagedError, InputError

_MARK = b"hgld-sha256:"
_SEAL_BYTES = len(_MARK) + 2 * hashlib.sha256().digest_size


class RunFiles:
    """The folder of a run: a checkpoint while it is under way, and its log."""

    def __init__(self, folder: Path) -> None:
        """Names the files in the folder of a run."""
        self.folder = folder
        self.checkpoint = folder / "checkpoint.pt"
        """All that the next step depends on, as of some step."""
        self.best = folder / "best.pt"
        """The weights of the best step so far, where these are kept."""
        self.vectors = folder / "vectors.f16"
        """What a frozen run learns from, where it is one."""
        self.metrics = folder / "metrics.jsonl"
        """The log: one JSON object a line, each with its `step`."""
        self.made_with = folder / "made_with.json"
        """Each environment that its steps were taken in (`describe_numerics`), in order."""

    def save(self, path: Path, content: Mapping[str, object]) -> None:
        """Writes the checkpoint or the best weights, whole or not at all.

        Args:
            path: `checkpoint` or `best`.
            content: tensors, numbers, texts, and lists and dicts of them; `step` (steps done), and
                in a checkpoint `fingerprint` (of the run; another run does not go on from here).

        Raises:
            InputError: there is no room, or the file system refuses; what was there stays.
        """
        with writing(path), atomic_file(path) as temporary:
            save_sealed(dict(content), temporary)

    def load(self, path: Path) -> dict[str, Any]:
        """Returns what `save` wrote.

        Raises:
            DamagedError: it is gone, or does not have the bytes it was written with.
        """
        try:
            check_sealed(path)
            # weights_only: what names any other code is refused, and not run.
            return dict(torch.load(path, map_location="cpu", weights_only=True))
        except pickle.UnpicklingError as error:
            what = f"{path} holds more than tensors, numbers and texts, and is not run"
            raise DamagedError(f"{what}; {_start_again(self.folder)}") from error
        except (DamagedError, OSError) as error:
            raise DamagedError(f"{error}; {_start_again(self.folder)}") from error

    def resume(self, fingerprint: str) -> dict[str, Any] | None:
        """Returns the content of the run's checkpoint, and cuts the log to it.

        Args:
            fingerprint: of the run.

        Returns:
            None where there is no checkpoint: the run starts, with an empty log.

        Raises:
            InputError: the checkpoint is of another run, or the file system refuses.
            DamagedError: it does not have the bytes it was written with.
        """
        with writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            if not self.checkpoint.exists():
                self.metrics.unlink(missing_ok=True)
                return None
        content = self.load(self.checkpoint)
        step = content["step"]
        if content["fingerprint"] != fingerprint:
            raise InputError(
                f"{self.checkpoint} is of other settings or images, stopped after step {step}: go "
                f"on with those, give this run another name, or {_start_again(self.folder)}"
            )
        if self.metrics.exists():
            lines = self.metrics.read_bytes().splitlines(keepends=True)
            write_text(self.metrics, "".join(_text_until(step, line) for line in lines))
        return content

    def log(self, line: Mapping[str, object]) -> None:
        """Appends a line to the log.

        Raises:
            InputError: there is no room, or the file system refuses.
        """
        with writing(self.metrics):
            append_bytes(self.metrics, (json.dumps(dict(line)) + "\n").encode())

    def note_environment(self, environment: Mapping[str, object], *, is_new: bool) -> None:
        """Notes what the steps from here on are taken with.

        Args:
            environment: of `describe_numerics`, and how many processes.
            is_new: the run starts; else what it was taken with before is kept.

        Raises:
            InputError: there is no room, or the file system refuses.
        """
        before = [] if is_new else self.environments()
        if environment not in before:
            write_text(self.made_with, json.dumps([*before, environment], indent=1) + "\n")

    def environments(self) -> list[dict[str, Any]]:
        """Returns what `note_environment` wrote; nothing where that is not known."""
        try:
            return list(json.loads(self.made_with.read_bytes()))
        except (OSError, ValueError, TypeError):
            return []

    def end(self) -> None:
        """Removes the checkpoint of a run that has ended, and what it learned from."""
        for path in (self.checkpoint, self.best, self.vectors):
            path.unlink(missing_ok=True)


def _text_until(step: int, line: bytes) -> str:
    """Returns a line of the log, or nothing where it is of a later step.

    A line that a kill cut short, or that was damaged since, is dropped too.
    """
    try:
        is_kept = line.endswith(b"\n") and json.loads(line)["step"] <= step
        return line.decode() if is_kept else ""
    except (ValueError, TypeError, LookupError):
        return ""


def checkpoint_damages(workspace: Workspace) -> Iterator[Damage]:
    """Yields the checkpoints and best weights of a build's runs that are not as they were written.

    Their run does not go on, and says so.
    """
    for path in sorted(workspace.path("runs").glob("*/*.pt")):
        try:
            check_sealed(path)
        except DamagedError as error:
            what = str(error).removeprefix(f"{path} ")
            yield Damage(
                path.relative_to(workspace.root).as_posix(), f"{what}; {_start_again(path.parent)}"
            )


def _start_again(folder: Path) -> str:
    return f"delete {folder} and rerun, which trains it again"


def save_sealed(content: object, path: Path) -> None:
    """Writes tensors, numbers, texts, and lists and dicts of them.

    Args:
        content: what `RunFiles.load` is to return.
        path: the file to write, in place: rename it when it is whole.

    Raises:
        OSError: there is no room, or the file system refuses.
    """
    # Through an open file: given a path, torch writes the file's name into the archive.
    with path.open("wb") as file:
        try:
            torch.save(content, file)
        except RuntimeError as error:
            # torch tries to end the archive when a write has failed, and only tells of that.
            if isinstance(error.__context__, OSError):
                raise error.__context__ from None
            raise
    with path.open("rb+") as file:
        file.seek(-2, 2)  # a zip ends with the length of its comment, and the comment
        file.write(struct.pack("<H", _SEAL_BYTES))
        file.seek(0)
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        file.write(_MARK + digest.encode())


def check_sealed(path: Path) -> None:
    """Compares a file with the digest at its end, without reading what is in it.

    Raises:
        OSError: it cannot be opened or read.
        DamagedError: it does not have the bytes it was written with.
    """
    hasher = hashlib.sha256()
    with path.open("rb") as file:
        left = file.seek(0, 2) - _SEAL_BYTES
        file.seek(0)
        while block := file.read(max(0, min(left, 1 << 20))):
            hasher.update(block)
            left -= len(block)
        seal = file.read()
    if seal != _MARK + hasher.hexdigest().encode():
        raise DamagedError(f"{path} is damaged: it has other bytes than were written")
