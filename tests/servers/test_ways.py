"""The pictures of `docs/architecture.md` show the code as it is."""

from pathlib import Path

from tests.ways import PAGE, RENEW, page


def test_the_ways_are_drawn_as_the_code_goes(tmp_path: Path) -> None:
    assert PAGE.read_text(encoding="utf-8") == page(tmp_path), f"renew it with: {RENEW}"
