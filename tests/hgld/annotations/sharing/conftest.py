from pathlib import Path

import pytest

from hgld.engine.files import file_digest

FILES = {
    "data/train-00000-of-00001.parquet": b"train" * 50_000,
    "data/index-00000-of-00001.parquet": b"index" * 10,
    "landmarks.parquet": b"landmarks",
    "README.md": b"# A release\n",
}
CHANGED = FILES | {"landmarks.parquet": b"other landmarks", "new.md": b"new"}
del CHANGED["README.md"]


def write_release(folder: Path, files: dict[str, bytes]) -> Path:
    """Writes files and the list of them."""
    lines = []
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        lines.append(f"{file_digest(path)}  {name}\n")
    (folder / "SHA256SUMS").write_text("".join(lines))
    return folder


def tree(folder: Path) -> dict[str, bytes]:
    """Returns the content of every file of a folder, by name."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """A folder with a release."""
    return write_release(tmp_path / "release", FILES)
