"""Settings of the stage `images`: where from, which pictures, as what, and how much at once."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hgld.engine.config import check_settings, setting
from hgld.engine.workspace import Workspace
from hgld.http.download import check_base
from hgld.http.patience import HttpPolicy
from hgld.images.extract import PictureRules
from hgld.images.split import FEW_BAD
from hgld.images.subset.places import TarPlaces
from hgld.images.subset.wanted import ImageChoice
from hgld.images.tars import TarLimits
from hgld.pictures import MAX_PIXELS, MOST_PIXELS
from hgld.tables import IMAGE_FILES

_LONGEST_PAUSE_S = 3600
_POLITE = 2
_MOST_PARALLEL = 16  # what one server may be asked at once without being rude
_BEST_QUALITY = 95  # above it Pillow's files grow and look the same
_MOST_DIGITS = 18  # of a number that fits into 64 bits
_MOST_TARS = 1000  # a tar's number has three digits


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
        "tars: GLDv2's tar files; urls: the addresses of the images in train.csv, for a few "
        "thousand that --only, --supercategory or --landmark choose.",
        changes_rows=False,
    )
    contact: str = setting(
        "",
        "How the servers of --from urls reach you: an e-mail address or a page. They ask for it.",
        changes_rows=False,
    )
    pause_s: float = setting(
        0.5, "Seconds between two requests to a server, with --from urls.", changes_rows=False
    )
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
        "List of the only images to fetch: parquet or CSV with a column image_id, as `hgld subset` "
        "writes it, or an id a line.",
        changes_rows=False,
    )
    supercategory: tuple[str, ...] = setting(
        (), "The super-categories whose images alone are fetched, by the build's annotations."
    )
    landmark: tuple[str, ...] = setting(
        (), "The numbers of the landmarks whose images alone are fetched; needs --split."
    )
    tar_index: str = setting(
        "",
        "Index of the tars, a parquet file or a folder of them, by which single images are fetched "
        "instead of whole tars; besides what images/tar_index of the build has.",
        changes_rows=False,
    )
    longest_side: int = setting(
        0, "Pixels of the longest side that an image is made smaller to; 0: all stay as they are."
    )
    quality: int = setting(90, "JPEG quality of images that are made smaller, 1 to 95.")
    shards: bool = setting(
        False,
        "Also packs the images into tars of images/shards/, with their labels where there are "
        "any, as WebDataset reads them.",
        changes_rows=False,
    )
    shard_images: int = setting(
        5000, "Images of each of these tars, of about 600 MB then.", changes_rows=False
    )
    train_tars: int = setting(
        500, "How many tars of the train images, of about 1 GB each.", changes_rows=False
    )
    index_tars: int = setting(
        100, "How many tars of the index images, of about 850 MB each.", changes_rows=False
    )
    test_tars: int = setting(
        20, "How many tars of the test images, of about 500 MB each.", changes_rows=False
    )
    download_bytes: int = setting(
        4_000_000_000,
        "Bytes of a tar at most; a larger one is not fetched. GLDv2's largest have about 1 GB.",
        changes_rows=False,
    )
    slowest_bytes_per_s: int = setting(
        20_000,
        "Bytes a second that a download must make on average after its first two minutes; slower, "
        "it is given up. So 1 GB may take 14 hours.",
        changes_rows=False,
    )
    parallel: int = setting(
        2,
        "Tars that are fetched at once, 1 to 16; each takes room while it is.",
        changes_rows=False,
    )
    max_pixels: int = setting(
        MAX_PIXELS,
        "Width x height of the largest picture that is decoded, at 4 bytes a pixel; the default is "
        "above what a full-frame camera has.",
    )
    max_bad_share: float = setting(
        0.01,
        f"Share of a split's pictures that may be bad before the stage stops; {FEW_BAD} always "
        f"may, unless it is 0.",
    )
    max_members: int = setting(
        100_000,
        "Members of a tar, folders included; GLDv2's have about 8,300 images.",
        changes_rows=False,
    )
    max_tar_bytes: int = setting(
        4_000_000_000,
        "Bytes of a tar's pictures in all; GLDv2's have about 1 GB.",
        changes_rows=False,
    )
    max_picture_bytes: int = setting(
        50_000_000,
        "Bytes of one picture, which is held in memory; GLDv2's have about 120 kB.",
        changes_rows=False,
    )
    workers: int = setting(4, "Threads that decode and write pictures.", changes_rows=False)

    def __post_init__(self) -> None:
        """Refuses what no run could use."""
        check_settings(self)
        check_base(self.base_url)
        self.policy()
        most = {f"{split}_tars": _MOST_TARS for split in IMAGE_FILES}
        most |= {
            "max_pixels": MOST_PIXELS,
            "parallel": _MOST_PARALLEL,
            "quality": _BEST_QUALITY,
        }
        for name, limit in most.items():
            if not 1 <= getattr(self, name) <= limit:
                raise ValueError(f"{name} must be 1 to {limit}, got {getattr(self, name)}")
        if self.longest_side < 0:
            raise ValueError(f"longest_side must not be below 0, got {self.longest_side}")
        self._check_choice()
        self._check_manners()
        if not 0 <= self.max_bad_share <= 1:
            raise ValueError(f"max_bad_share must be 0 to 1, got {self.max_bad_share}")
        for name in (
            "max_members",
            "max_tar_bytes",
            "max_picture_bytes",
            "workers",
            "shard_images",
        ):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")

    def _check_choice(self) -> None:
        for number in self.landmark:
            if not (number.isascii() and number.isdecimal() and len(number) < _MOST_DIGITS):
                raise ValueError(f"landmark must be a number, got {number!r}")
        if self.landmark and not self.split:
            raise ValueError(
                "landmark needs split: the landmarks of train and index are numbered apart"
            )

    def _check_manners(self) -> None:
        if not 0 <= self.pause_s <= _LONGEST_PAUSE_S:
            raise ValueError(f"pause_s must be 0 to {_LONGEST_PAUSE_S}, got {self.pause_s}")
        if self.from_ == "urls" and self.parallel > _POLITE:
            raise ValueError(
                f"parallel must be 1 to {_POLITE} with from_ urls, as Wikimedia asks, got "
                f"{self.parallel}"
            )

    def choice(self) -> ImageChoice:
        """Returns which images are wanted."""
        return ImageChoice(
            only=self.only,
            landmarks=self.landmark,
            supercategories=self.supercategory,
            is_one_split=bool(self.split),
        )

    def places(self, workspace: Workspace) -> TarPlaces:
        """Returns what is known of where pictures lie in their tars."""
        return TarPlaces(workspace, Path(self.tar_index) if self.tar_index else None)

    def row_values(self, split: str) -> dict[str, object]:
        """Returns the settings that decide the rows of a split, as they are written down.

        What is as it was before there was such a setting is None, and left out of the manifest, so
        that what was made then stands.
        """
        shrinks = self.longest_side > 0
        return {
            "from": self.from_ if self.from_ != "tars" else None,
            "tars": self.tars(split) if self.from_ == "tars" else None,
            "max_pixels": self.max_pixels,
            "max_bad_share": self.max_bad_share,
            "supercategory": list(self.supercategory) or None,
            "landmark": list(self.landmark) or None,
            "longest_side": self.longest_side if shrinks else None,
            "quality": self.quality if shrinks else None,
        }

    def tars(self, split: str) -> int:
        """Returns how many tars of a split are wanted, from `images_000.tar` on."""
        return {"train": self.train_tars, "index": self.index_tars, "test": self.test_tars}[split]

    def policy(self) -> HttpPolicy:
        """Returns the bounds of every request."""
        return HttpPolicy(
            download_bytes=self.download_bytes, slowest_bytes_per_s=self.slowest_bytes_per_s
        )

    def rules(self) -> PictureRules:
        """Returns what is taken of a tar."""
        limits = TarLimits(
            members=self.max_members,
            total_bytes=self.max_tar_bytes,
            picture_bytes=self.max_picture_bytes,
        )
        return PictureRules(
            limits=limits,
            max_pixels=self.max_pixels,
            max_bad_share=self.max_bad_share,
            workers=self.workers,
            longest_side=self.longest_side,
            quality=self.quality,
        )
