"""The settings of the parents; whom to ask and how is in those of the scrape."""

from dataclasses import dataclass

from hgld.engine.config import check_settings, setting

_LEVELS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class ParentsConfig:
    """Settings of the parents."""

    levels: int = setting(
        _LEVELS, "How far up it is asked. 1: the parents; 2: and the parents of those."
    )
    most_parents: int = setting(
        20,
        "Of how many parents of a category the parents are asked for, at most; the first ones by "
        "title.",
    )
    sample_share: float = setting(
        0.05,
        "Share of the categories of landmarks that have a class which is asked about as well, from "
        "0 to 1, so that it can be measured what parents tell.",
    )
    sample_at_least: int = setting(
        100, "How many of those are asked about at least, as far as there are so many."
    )

    def __post_init__(self) -> None:
        """Refuses what no run could use."""
        check_settings(self)
        if not 1 <= self.levels <= _LEVELS:
            raise ValueError(f"levels must be 1 or {_LEVELS}, got {self.levels}")
        if self.most_parents < 1:
            raise ValueError(f"most_parents must be at least 1, got {self.most_parents}")
        if not 0 <= self.sample_share <= 1:
            raise ValueError(f"sample_share must be from 0 to 1, got {self.sample_share:g}")
        if self.sample_at_least < 0:
            raise ValueError(f"sample_at_least must not be below 0, got {self.sample_at_least}")
