"""Settings of the stage `images`: where from, which pictures, as what, and how much at once."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hgld.engine.config import check_settings, setting
from hgld.http.download import check_base

FEW_BAD = 5
"""So many bad pictures of a split are never too many, where any are allowed."""
_LIMITS = {
    # A tar's number has three digits.
    **dict.fromkeys(("train_tars", "index_tars", "test_tars"), (1, 1000)),
    "pause_s": (0, 3600),
    "longest_side": (0, 65_535),  # of a JPEG
    "shard_images": (1, 1_000_000),
    "parallel": (1, 16),  # what one server may be asked at once without being rude
    "max_bad_share": (0, 1),
}
_POLITE = 2
_MOST_DIGITS = 18  # of a number that fits into 64 bits


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagesConfig:
    """Settings of the stages `images-train`, `images-index` and `images-test`.

    The numbers of tars act on the rows of their own split only, through its list of tars, which is
    why none of them is a row setting of all three.
    """

    base_url: str = setting(
        "https://s3.amazonaws.com/google-landmark",
        "Where GLDv2's tar files are: an http(s) address or a folder.",
        changes_rows=False,
    )
    from_: Literal["tars", "urls"] = setting(
        "tars",
        "tars: GLDv2's tar files; urls: the addresses in train.csv, for a few thousand images.",
        changes_rows=False,
    )
    contact: str = setting(
        "",
        "How the servers of --from urls reach you: an e-mail address or a page.",
        changes_rows=False,
    )
    pause_s: float = setting(0.5, "Seconds between requests of --from urls.", changes_rows=False)
    url_hosts: tuple[str, ...] = setting(
        ("upload.wikimedia.org",),
        "The servers that images may be fetched from, with --from urls.",
        changes_rows=False,
    )
    split: Literal["", "train", "index", "test"] = setting(
        "", "The one split to fetch; none: all three.", changes_rows=False
    )
    only: Path | None = setting(
        None,
        "The only images to fetch: parquet or CSV with a column image_id, or an id a line.",
        changes_rows=False,
    )
    supercategory: tuple[str, ...] = setting(
        (), "The super-categories whose images are fetched, by the build's annotations."
    )
    landmark: tuple[str, ...] = setting(
        (), "The numbers of the landmarks whose images are fetched; needs --split."
    )
    longest_side: int = setting(0, "Pixels of the longest side that images get; 0: as they are.")
    shards: bool = setting(
        False,
        "Also packs the images, and their labels, into tars of images/shards/ for WebDataset.",
        changes_rows=False,
    )
    shard_images: int = setting(5000, "Images of each of these tars.", changes_rows=False)
    train_tars: int = setting(500, "How many tars of train, of 1 GB each.", changes_rows=False)
    index_tars: int = setting(100, "How many tars of index, of 850 MB each.", changes_rows=False)
    test_tars: int = setting(20, "How many tars of test, of 500 MB each.", changes_rows=False)
    parallel: int = setting(2, "Tars that are fetched at once, 1 to 16.", changes_rows=False)
    max_bad_share: float = setting(
        0.01, f"Share of a split's pictures that may be bad; {FEW_BAD} always may, unless it is 0."
    )

    def __post_init__(self) -> None:
        """Refuses what no run could use."""
        check_settings(self)
        check_base(self.base_url)
        for name, (least, most) in _LIMITS.items():
            if not least <= getattr(self, name) <= most:
                raise ValueError(f"{name} must be {least} to {most}, got {getattr(self, name)}")
        for number in self.landmark:
            if not (number.isascii() and number.isdecimal() and len(number) < _MOST_DIGITS):
                raise ValueError(f"landmark must be a number, got {number!r}")
        if self.landmark and not self.split:
            raise ValueError("landmark needs split: train and index number their landmarks apart")
        if self.from_ == "urls" and self.parallel > _POLITE:
            what = f"parallel must be 1 to {_POLITE} with from_ urls, as Wikimedia asks"
            raise ValueError(f"{what}, got {self.parallel}")

    def row_values(self, split: str) -> dict[str, object]:
        """Returns the settings that decide the rows of a split; None: not written down."""
        return {
            "from": self.from_ if self.from_ != "tars" else None,
            "tars": self.tars(split) if self.from_ == "tars" else None,
            "max_bad_share": self.max_bad_share,
            "supercategory": list(self.supercategory) or None,
            "landmark": list(self.landmark) or None,
            "longest_side": self.longest_side or None,
        }

    def tars(self, split: str) -> int:
        """Returns how many tars of a split are wanted, from `images_000.tar` on."""
        return int(getattr(self, f"{split}_tars"))
