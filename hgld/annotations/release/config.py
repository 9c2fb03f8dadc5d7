"""Settings of a release: who publishes it, under which terms, and what it follows."""

import re
from dataclasses import dataclass
from datetime import date as Date  # noqa: N812 - `date` is a setting here
from pathlib import Path

from hgld.engine.config import check_settings, setting

_CREATIVE_COMMONS = re.compile(r"CC-(BY(?:-[A-Z]+)*)-(\d\.\d)")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseConfig:
    """Settings of the stage; none of them is needed."""

    title: str = setting("H-GLDv2 labels", "Title of the data set.")
    description: str = setting(
        "Hierarchical labels for Google Landmarks v2: for each image its landmark, the landmark's "
        "super-category, and whether that is natural or human-made, each with where it came from.",
        "What the data set is, in a sentence or two.",
    )
    creators: tuple[str, ...] = setting(
        ("The hgld maintainers",), "Who made the labels, for citations."
    )
    contact: str = setting("", "How users reach you: an address of e-mail or of a page of issues.")
    url: str = setting("", "Address at which the release is found.")
    license: str = setting(
        "CC-BY-4.0",
        "Licence of the labels, by its SPDX identifier. Facts of Wikidata are CC0-1.0, and each "
        "picture has a licence of its own.",
    )
    date: str = setting(
        "",
        "Date of the release, YYYY-MM-DD. Where it is not set, the day on which the last page that "
        "the labels come from was asked for, so that the same tables give the same release.",
    )
    previous: Path | None = setting(
        None,
        "Folder of the release before, as it was published. Without one this is a first release, "
        "1.0.0.",
        changes_rows=False,
    )

    def __post_init__(self) -> None:
        """Refuses what no release could say.

        Raises:
            ValueError: a title that is blank or of several lines, a date that is none, or a licence
                that is no identifier.
        """
        check_settings(self)
        for name in ("title", "description", "license"):
            if not getattr(self, name).strip():
                raise ValueError(f"{name} must be some text, got {getattr(self, name)!r}")
        for text in (self.title, self.contact, self.url, *self.creators):
            if len(text.splitlines()) > 1:
                raise ValueError(
                    f"title, creators, contact and url must be a line each, got {text!r}"
                )
        if not re.fullmatch(r"[A-Za-z0-9.+-]+", self.license):
            raise ValueError(
                f"license must be an SPDX identifier such as CC-BY-4.0, got {self.license!r}"
            )
        if not self.creators or not all(name.strip() for name in self.creators):
            raise ValueError(f"creators must be one name or more, got {list(self.creators)}")
        if self.date and not _is_day(self.date):
            raise ValueError(f"date must be a day as YYYY-MM-DD, got {self.date!r}")

    @property
    def license_url(self) -> str:
        """Where the terms of the licence are read."""
        if match := _CREATIVE_COMMONS.fullmatch(self.license):
            return f"https://creativecommons.org/licenses/{match[1].lower()}/{match[2]}/"
        return f"https://spdx.org/licenses/{self.license}.html"


def _is_day(text: str) -> bool:
    try:
        return Date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
