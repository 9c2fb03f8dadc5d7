"""A small disk of its own, that a test fills; mounting it needs the right to."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

_PAGE = 4096


@dataclass(frozen=True, slots=True)
class Disk:
    """A file system of its own, in memory."""

    folder: Path

    def resize(self, pages: int) -> None:
        """Gives it so many pages; a file takes one for each 4 KiB."""
        option = f"remount,size={pages * _PAGE}"
        subprocess.run(["mount", "-o", option, self.folder], check=True)

    def fill(self) -> None:
        """Leaves no page of it free."""
        room = os.statvfs(self.folder)
        (self.folder / "filler").write_bytes(bytes(room.f_bavail * room.f_frsize))

    def empty(self) -> None:
        """Makes room again."""
        (self.folder / "filler").unlink()

    @contextlib.contextmanager
    def read_only(self) -> Iterator[None]:
        """Refuses every write, also of the administrator's."""
        subprocess.run(["mount", "-o", "remount,ro", self.folder], check=True)
        try:
            yield
        finally:
            subprocess.run(["mount", "-o", "remount,rw", self.folder], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={10 * _PAGE}", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("needs the right to mount a file system: run it as root")
    try:
        yield Disk(folder)
    finally:
        subprocess.run(["umount", folder], check=True)
