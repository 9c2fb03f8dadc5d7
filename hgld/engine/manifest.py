"""What a stage writes down when it ends: what it was made from, and every file it wrote."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hgld.engine.files import FileRecord, open_file
from hgld.errors import DamagedError, InputError

MANIFEST_FORMAT = 2


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

    def text(self) -> str:
        """Returns the manifest as JSON, with a digest of itself."""
        values = dataclasses.asdict(self)
        head = {"format": MANIFEST_FORMAT, "sha256": _digest(values)}
        return json.dumps({**head, **values}, indent=2) + "\n"


def load_manifest(path: Path) -> Manifest:
    """Reads a manifest.

    Raises:
        DamagedError: it is not what was written, or is that of another stage.
        InputError: a later version of this program wrote it.
    """
    try:
        with open_file(path) as file:
            values = json.loads(file.read())
        found = values.pop("format")
        is_whole = found == MANIFEST_FORMAT and values.pop("sha256") == _digest(values)
        is_later = found > MANIFEST_FORMAT
    except (OSError, LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise DamagedError(f"{path} is damaged ({error!r})") from error
    if is_later:
        raise InputError(
            f"{path} was written by a later version of hgld (format {found}, this one knows "
            f"{MANIFEST_FORMAT}); use that version, or another --root"
        )
    # A stage that took the manifest of another for its own would remove the files of that.
    if not is_whole or values["stage"] != path.stem:
        raise DamagedError(f"{path} is damaged: it is not what the stage {path.stem} wrote")
    records = {name: FileRecord(*record) for name, record in values["records"].items()}
    return Manifest(**{**values, "records": records})


def _digest(values: Mapping[str, object]) -> str:
    """Returns the SHA-256 of JSON values, as hex, whatever the order of their keys."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
