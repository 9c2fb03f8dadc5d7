"""The page of columns in the docs."""

from tests.columns import PAGE, RENEW, page


def test_the_page_of_columns_is_that_of_the_tables() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), f"renew it with: {RENEW}"
