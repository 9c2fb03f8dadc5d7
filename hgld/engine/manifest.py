"""What a stage writes down when it ends: what it was made from, and every file it wrote."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from hgld.engine.files import FileRecord, read_sealed, write_sealed
from hgld.errors import DamagedError, InputError

MANIFEST_FORMAT = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a stage writes down when it ends, as `stages/<name>.json`."""

    stage: str
    version: int
    fingerprint: str
    settings: dict[str, object]
    inputs: dict[str, str]
    """Data set or file to digest."""
    outputs: dict[str, str]
    """Data set or file to digest."""
    records: dict[str, FileRecord]
    """Every file written, by its path relative to the workspace, as it was then."""
    rows: int
    """Over all data sets."""
    problems: int
    """Rows whose status is not ok."""
    failed: int
    """Problems that a rerun can mend."""
    finished_at: str

    def write(self, path: Path) -> None:
        """Writes it as JSON with a digest of itself."""
        write_sealed(path, {"format": MANIFEST_FORMAT, **dataclasses.asdict(self)})


def load_manifest(path: Path) -> Manifest:
    """Reads a manifest.

    Raises:
        DamagedError: it is not what was written, or is that of another stage.
        InputError: a later version of this program wrote it.
    """
    values = read_sealed(path)
    if (found := values.pop("format", 0)) > MANIFEST_FORMAT:
        theirs = f"format {found}, this one knows {MANIFEST_FORMAT}"
        raise InputError(
            f"{path} is of a later version of hgld ({theirs}); use that, or another --root"
        )
    # A stage that took the manifest of another for its own would remove the files of that.
    if found != MANIFEST_FORMAT or values["stage"] != path.stem:
        raise DamagedError(f"{path} is not what the stage {path.stem} wrote")
    records = {name: FileRecord(*record) for name, record in values["records"].items()}
    return Manifest(**{**values, "records": records})
