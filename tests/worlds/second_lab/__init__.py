"""A second lab: traps that the first has not, each with the row that a right scrape ends in.

Where two answers could be defended, the trap is not here.
"""

from pathlib import Path

from tests.worlds.second_lab.evidence import evidence_traps
from tests.worlds.second_lab.files import Row, answer_key, write_lab
from tests.worlds.second_lab.gone import gone_traps
from tests.worlds.second_lab.items import LABELS, item_traps
from tests.worlds.second_lab.redirects import TEMPLATES, chain_traps, soft_redirect_traps
from tests.worlds.second_lab.titles import no_page_traps, title_traps

TRAPS = (
    *title_traps(),
    *no_page_traps(),
    *soft_redirect_traps(),
    *chain_traps(),
    *item_traps(),
    *evidence_traps(),
)

GONE = tuple(gone_traps())
"""Traps of another run, in which the log is followed."""


def write_second_lab(folder: Path) -> dict[str, Row]:
    """Writes the files that the servers are started from; returns the answer key, by trap."""
    write_lab(folder, (*TRAPS, *GONE), TEMPLATES, LABELS)
    return answer_key((*TRAPS, *GONE), LABELS)
