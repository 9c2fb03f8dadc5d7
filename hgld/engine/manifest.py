"""What a stage writes down when it ends: what it was made from, and every file it wrote."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hgld.engine.files import FileRecord
from hgld.errors import DamagedError, InputError

MANIFEST_FORMAT = 2
"""Of a manifest. 1 did not say what its files were."""


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
    records: dict[str, FileRecord | None]
    """Every file written, relative to the workspace, as it was then; None where an earlier version
    of this program did not write that down."""
    rows: int
    """Over all data sets."""
    problems: int
    """Rows whose status is not ok."""
    failed: int
    """Problems that a rerun can mend."""
    finished_at: str

    @property
    def files(self) -> list[str]:
        """Every file written, relative to the workspace."""
        return list(self.records)

    def text(self) -> str:
        """Returns the manifest as JSON, with a digest of itself."""
        values = dataclasses.asdict(self)
        head = {"format": MANIFEST_FORMAT, "sha256": _digest(values)}
        return json.dumps({**head, **values}, indent=2) + "\n"


def load_manifest(path: Path) -> Manifest:
    """Reads a manifest.

    Raises:
        DamagedError: it is not what was written.
        InputError: it was written by a later version of this program.
    """
    try:
        return _parsed(path)
    except (
        OSError,
        KeyError,
        TypeError,
        ValueError,
        AttributeError,
        RecursionError,
    ) as error:
        raise DamagedError(f"{path} is damaged ({error!r})") from error


def _parsed(path: Path) -> Manifest:
    values = json.loads(path.read_text(encoding="utf-8"))
    found = values.pop("format", 1)
    if found > MANIFEST_FORMAT:
        raise InputError(
            f"{path} was written by a later version of hgld (format {found}, this one knows "
            f"{MANIFEST_FORMAT}); use that version, or another --root"
        )
    if found == 1:
        values["records"] = dict.fromkeys(values.pop("files"))
    else:
        if values.pop("sha256") != _digest(values):
            raise ValueError("its digest is another one")
        records = values["records"].items()
        values["records"] = {name: one and FileRecord(*one) for name, one in records}
    manifest = Manifest(**values)
    # Under the name of another stage, that stage would remove the files it lists as its own.
    if manifest.stage != path.stem:
        raise ValueError(f"it is that of the stage {manifest.stage}")
    return manifest


def _digest(values: Mapping[str, object]) -> str:
    """Returns the SHA-256 of JSON values, as hex, whatever the order of their keys."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
