"""The settings of the parents."""

import pytest

from hgld.scrape.parents.config import ParentsConfig


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"levels": 0}, "levels must be 1 or 2, got 0"),
        ({"levels": 3}, "levels must be 1 or 2, got 3"),
        ({"levels": True}, "levels must be int, got True"),
        ({"most_parents": 0}, "most_parents must be at least 1, got 0"),
        ({"sample_share": 1.5}, "sample_share must be from 0 to 1, got 1.5"),
        ({"sample_share": float("nan")}, "sample_share must be from 0 to 1, got nan"),
        ({"sample_at_least": -1}, "sample_at_least must not be below 0, got -1"),
    ],
)
def test_what_no_run_could_use_is_refused(settings: dict[str, object], error: str) -> None:
    with pytest.raises(ValueError, match=error):
        ParentsConfig(**settings)  # type: ignore[arg-type] # some are of no such type
