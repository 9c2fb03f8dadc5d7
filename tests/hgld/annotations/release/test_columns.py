"""The page of columns in the docs."""

from hgld.annotations.release.columns import PAGE, RENEW, page
from tests.worlds.commands.readme import ROOT


def test_the_page_of_columns_is_that_of_the_tables() -> None:
    assert (ROOT / PAGE).read_text(encoding="utf-8") == page(), f"renew it: {RENEW}"
