"""What GLDv2's CSV files were when they came, so that any later change of them is noticed.

`metadata/csv/FILES.json` holds size and SHA-256 of each file and of `SOURCE`, and a digest of
itself. Without it the files are taken as they are, and written down.
"""

import hashlib
import json
from collections.abc import Mapping

from hgld.engine.files import FileRecord, write_text
from hgld.engine.workspace import Damage, Workspace
from hgld.errors import DamagedError

FOLDER = "metadata/csv"
"""Where the files lie, relative to the workspace."""
RECORD = f"{FOLDER}/FILES.json"


def csv_damages(workspace: Workspace) -> list[Damage]:
    """Returns what is gone or altered of the CSV files, by name; empty where all is as it came.

    Files that were never written down, and a folder that is not there, are none.
    """
    try:
        records = read_records(workspace)
    except DamagedError:
        return [Damage(RECORD, "is not what was written")]
    found = []
    for name, record in sorted(records.items()):
        path = f"{FOLDER}/{name}"
        try:
            found += workspace.damages({path: record}, ())
        except OSError as error:
            found.append(Damage(path, f"cannot be read: {error.strerror or error}"))
    return found


def read_records(workspace: Workspace) -> dict[str, FileRecord]:
    """Returns the record of each file, empty where there is none.

    Raises:
        DamagedError: they are not what was written.
    """
    path = workspace.path(RECORD)
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        records = {name: FileRecord(size, sha) for name, (size, sha) in values["files"].items()}
        is_same = values["sha256"] == _digest(records)
    except FileNotFoundError:
        return {}
    except (OSError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise DamagedError(f"{path} is not what was written: {error}") from error
    if not is_same:
        raise DamagedError(f"{path} is not what was written: its digest is another one")
    return records


def write_records(workspace: Workspace, records: Mapping[str, FileRecord]) -> None:
    """Writes the record of each file, atomically."""
    values = {"sha256": _digest(records), "files": records}
    write_text(workspace.path(RECORD), json.dumps(values, indent=1) + "\n")


def _digest(records: Mapping[str, FileRecord]) -> str:
    return hashlib.sha256(json.dumps(records, sort_keys=True).encode()).hexdigest()
