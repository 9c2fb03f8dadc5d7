"""A second lab: traps that the first has not, each with the row that a right scrape ends in.

Where two answers could be defended, the trap is not here.
"""

import gzip
import json
import re
from pathlib import Path

from tests.worlds.second_lab import redirects
from tests.worlds.second_lab.files import Row, answer_key, write_lab
from tests.worlds.second_lab.items import LABELS, evidence_traps, item_traps
from tests.worlds.second_lab.parents import PARENT_TEXTS, parent_pages
from tests.worlds.second_lab.titles import no_page_traps, title_traps

TRAPS = (
    *title_traps(),
    *no_page_traps(),
    *redirects.soft_redirect_traps(),
    *redirects.chain_traps(),
    *item_traps(),
    *evidence_traps(),
)

GONE = tuple(redirects.gone_traps())
"""Traps of another run, in which the log is followed."""


_PAGE = re.compile(r"<page><title>(.*?)</title>.*?</page>", re.DOTALL)


def second_key() -> dict[str, Row]:
    """Returns the answer key of the traps, by name."""
    return answer_key((*TRAPS, *GONE), LABELS)


def write_all_labs(folder: Path, first: Path) -> None:
    """Writes the files that the servers are started from: this lab's and the first's together.

    Args:
        folder: where to.
        first: the folder of the first lab's files.
    """
    templates = {**redirects.TEMPLATES, **PARENT_TEXTS}
    write_lab(folder, (*TRAPS, *GONE, parent_pages()), templates, LABELS)
    ours, theirs = (_unpacked(one / "pages.xml.gz") for one in (folder, first))
    known = {page[1] for page in _PAGE.finditer(ours)}
    more = "\n".join(page[0] for page in _PAGE.finditer(theirs) if page[1] not in known)
    _pack(folder / "pages.xml.gz", ours.replace("</mediawiki>", f"{more}\n</mediawiki>"))
    triples = (_unpacked(one / "wikidata.nt.gz") for one in (folder, first))
    _pack(folder / "wikidata.nt.gz", "".join(triples))
    items = [json.loads((one / "items.json").read_text("utf-8")) for one in (folder, first)]
    assert not items[0].keys() & items[1].keys()
    (folder / "items.json").write_text(json.dumps(items[0] | items[1]), encoding="utf-8")


def _unpacked(path: Path) -> str:
    return gzip.decompress(path.read_bytes()).decode()


def _pack(path: Path, text: str) -> None:
    path.write_bytes(gzip.compress(text.encode()))
