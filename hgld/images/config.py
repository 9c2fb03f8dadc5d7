"""Settings of the stage `images`: the source, the selection, the format and the parallelism."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hgld.engine.config import check_settings, setting
from hgld.http.download import check_base

FEW_BAD = 5
"""A split may always have this many bad pictures, unless `max_bad_share` is 0."""
_MOST_TARS = 1000  # a tar's number has three digits
_POLITE = 2
_MOST_DIGITS = 18  # always fits into 64 bits


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagesConfig:
    """Settings of the stages `images-train`, `images-index` and `images-test`.

    The numbers of tars change only the rows of their own split, through its list of tars, so they
    are not row settings of all three stages.
    """

    base_url: str = setting(
        "https://s3.amazonaws.com/google-landmark",
        "Place of GLDv2's tar files: an http(s) URL, an object store (s3://...) or a folder.",
        changes_rows=False,
    )
    from_: Literal["tars", "urls"] = setting(
        "tars",
        "tars: GLDv2's tar files; urls: the URLs in train.csv, for a few thousand images; needs "
        "--contact.",
        changes_rows=False,
    )
    url_hosts: tuple[str, ...] = setting(
        ("upload.wikimedia.org",),
        "With --from urls: the servers that may be asked.",
        changes_rows=False,
        needs="from_=urls",
    )
    split: Literal["", "train", "index", "test"] = setting(
        "", "The only split to fetch; default: all three.", changes_rows=False
    )
    only: Path | None = setting(
        None,
        "The only images to fetch: parquet or CSV with a column image_id, or one id per line.",
        changes_rows=False,
    )
    supercategory: tuple[str, ...] = setting(
        (), "Fetches only images of these super-categories, by the build's annotations."
    )
    landmark: tuple[str, ...] = setting(
        (), "Fetches only images of the landmarks with these ids; needs --split."
    )
    longest_side: int = setting(
        0,
        "Shrinks images to this longest side in pixels; 0: full size.",
        least=0,
        most=65_535,  # of a JPEG
    )
    shards: bool = setting(
        False,
        "Also packs images and labels into tars for WebDataset, in images/shards/.",
        changes_rows=False,
    )
    train_tars: int = setting(
        500, "Number of tars of train, 1 GB each.", changes_rows=False, least=1, most=_MOST_TARS
    )
    index_tars: int = setting(
        100, "Number of tars of index, 850 MB each.", changes_rows=False, least=1, most=_MOST_TARS
    )
    test_tars: int = setting(
        20, "Number of tars of test, 500 MB each.", changes_rows=False, least=1, most=_MOST_TARS
    )
    parallel: int = setting(
        2,
        "Number of tars to fetch at once, 1 to 16.",
        changes_rows=False,
        least=1,
        most=16,  # more requests at once would be impolite to a server
    )
    max_bad_share: float = setting(
        0.01,
        f"Maximum share of bad pictures in a split; if not 0, {FEW_BAD} are always allowed.",
        least=0,
        most=1,
    )

    def __post_init__(self) -> None:
        """Checks the settings."""
        check_settings(self)
        check_base(self.base_url)
        for number in self.landmark:
            if not (number.isascii() and number.isdecimal() and len(number) < _MOST_DIGITS):
                raise ValueError(f"landmark must be a number, got {number!r}")
        if self.landmark and not self.split:
            raise ValueError("landmark needs split: train and index number landmarks separately")
        if self.from_ == "urls" and self.parallel > _POLITE:
            what = f"parallel must be 1 to {_POLITE} with from_ urls, as Wikimedia asks"
            raise ValueError(f"{what}, got {self.parallel}")

    def row_values(self, split: str) -> dict[str, object]:
        """Returns the settings that change the rows of a split; None: not recorded."""
        return {
            "from": self.from_ if self.from_ != "tars" else None,
            "tars": self.tars(split) if self.from_ == "tars" else None,
            "max_bad_share": self.max_bad_share,
            "supercategory": list(self.supercategory) or None,
            "landmark": list(self.landmark) or None,
            "longest_side": self.longest_side or None,
        }

    def tars(self, split: str) -> int:
        """Returns the number of tars of a split to fetch, from `images_000.tar` on."""
        return int(getattr(self, f"{split}_tars"))
