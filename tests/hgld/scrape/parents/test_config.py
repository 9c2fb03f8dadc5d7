"""The settings of the parents."""

import pytest

from hgld.scrape.parents.config import ParentsConfig


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("levels", 0),
        ("levels", 3),
        ("levels", True),
        ("most_parents", 0),
        ("sample_share", 1.5),
        ("sample_share", float("nan")),
        ("sample_at_least", -1),
    ],
)
def test_what_no_run_could_use_is_refused_by_its_name(name: str, bad: float) -> None:
    with pytest.raises(ValueError, match=name):
        ParentsConfig(**{name: bad})  # type: ignore[arg-type] # some are of no such type
