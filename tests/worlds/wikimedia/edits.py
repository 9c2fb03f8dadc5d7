"""What is edited in the small Wikimedia between two scrapes."""

import contextlib
import copy
from collections.abc import Iterator

import pytest

from tests.worlds.wikimedia import small


@contextlib.contextmanager
def edited() -> Iterator[None]:
    """Edits a landmark for each way to change, and the label of a class."""
    statements = copy.deepcopy(small.STATEMENTS)
    statements["Q1"] = [("P31", "Q101", "Preferred"), ("P31", "Q102", "Normal")]
    statements["Q5"] = [("P31", "Q105", "Normal"), ("P31", "Q99", "Normal")]
    statements["Q31"] = statements["Q3"]
    pages = dict(small.PAGES)
    del pages["Category:Café & Bar"]
    pages["Category:Bare"] = {"pageprops": {"wikibase_item": "Q999"}}
    pages["Category:Merged"] = {"pageprops": {"wikibase_item": "Q31"}}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(small, "STATEMENTS", statements)
        patch.setattr(small, "LABELS", {**small.LABELS, "Q103": {"en": "castle | keep"}})
        patch.setattr(small, "PAGES", pages)
        yield
