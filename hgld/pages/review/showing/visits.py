"""Up to where each reviewer has looked at the history: a note of the page, never in the log."""

import json

from hgld.engine.files import write_text
from hgld.engine.workspace import Workspace

VISITS_FILE = "review/.seen.json"
"""Losing it loses nothing."""


class Visits:
    """The last line that each reviewer has seen."""

    def __init__(self, workspace: Workspace) -> None:
        """Reads the note; one that cannot be read says nothing."""
        self._path = workspace.path(VISITS_FILE)
        self._lines = self._noted()

    def of(self, reviewer: str) -> int:
        """Returns the last line that a reviewer has seen; 0 where they were never here."""
        return max(self._lines.get(reviewer, 0), 0)

    def mark(self, reviewer: str, line: int) -> None:
        """Notes that a reviewer has seen all up to a line."""
        self._lines = self._noted() | {reviewer: line}  # another page of the build notes here too
        write_text(self._path, json.dumps(self._lines, ensure_ascii=False) + "\n")

    def _noted(self) -> dict[str, int]:
        try:
            found = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        if not isinstance(found, dict):
            return {}
        return {name: line for name, line in found.items() if isinstance(line, int)}
