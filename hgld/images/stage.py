"""Stage `images`: GLDv2's image tars, checked and extracted, one stage a split.

The bucket holds `<split>/images_000.tar` and so on, and for each tar its MD5 as
`md5sum/<split>/md5.images_000.txt`. An image becomes `images/<split>/a/b/c/<id>.jpg`, where a, b, c
are the first letters of its id, and a tar becomes one shard of records, written when all its
images are on the disk. Images the metadata do not know are kept: a record is of a file only.

Every picture is decoded once (`hgld.pictures`). One that cannot be is left out, and listed with the
reason in `images/bad_images/<split>`; it makes no stage fail, but more than `max_bad_share` do.

Space: train has 500 tars of about 1 GB, index 100 of 850 MB, test 20 of 500 MB. Some are fetched at
once (`parallel`); each lies in `images/.parts/` until its pictures are extracted, and is gone then;
a tar of a folder is read where it lies. Before the first byte the tars that are missing are summed
up, and a disk without room for them and their pictures is refused. A download that was stopped, by
a kill too, is gone on with where it was (`hgld.http.transfer`).

What decides the rows is the list of tars with their MD5s, not the address. It is asked for first
and kept in `images/tars/<split>.json`; delete that file to have it asked for again. A tar that was
extracted before under the same MD5 is not fetched again, also when the number of tars or the
address has changed. At each start the recorded pictures are looked for: the tars of those that are
gone, or that were altered, are fetched again, and those pictures alone are written anew.

What cannot be had becomes a row with status `failed`: one for a tar that is missing or does not
match its MD5 three times, and one for each member of a tar that is no image at its own place. The other
tars go on, the stage counts as incomplete, and a rerun tries those tars again.
"""

import hashlib
from dataclasses import dataclass
from typing import Literal

from hgld.engine.config import check_settings, setting
from hgld.engine.stage import Stage, StageReport, run_stage
from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, InputError
from hgld.http.download import check_base, open_source
from hgld.http.patience import HttpPolicy
from hgld.images.extract import PictureRules
from hgld.images.fetch import known_tars, list_tars
from hgld.images.plan import FetchPlan, plan_tars
from hgld.images.split import FEW_BAD, SplitPictures
from hgld.images.tars import TarLimits
from hgld.pictures import MAX_PIXELS, MOST_PIXELS
from hgld.tables import BAD_IMAGES, IMAGE_FILES

_MOST_PARALLEL = 16  # what one server may be asked at once without being rude
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
    split: Literal["", "train", "index", "test"] = setting(
        "", "The one split to fetch; none: all three.", changes_rows=False
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
        for split in IMAGE_FILES:
            if not 1 <= self.tars(split) <= _MOST_TARS:
                raise ValueError(f"{split}_tars must be 1 to {_MOST_TARS}, got {self.tars(split)}")
        if not 1 <= self.max_pixels <= MOST_PIXELS:
            raise ValueError(f"max_pixels must be 1 to {MOST_PIXELS}, got {self.max_pixels}")
        if not 1 <= self.parallel <= _MOST_PARALLEL:
            raise ValueError(f"parallel must be 1 to {_MOST_PARALLEL}, got {self.parallel}")
        if not 0 <= self.max_bad_share <= 1:
            raise ValueError(f"max_bad_share must be 0 to 1, got {self.max_bad_share}")
        for name in ("max_members", "max_tar_bytes", "max_picture_bytes", "workers"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")

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
        )


def images_stage(split: str) -> Stage:
    """Returns the stage of a split.

    Raises:
        InputError: no such split.
    """
    if split not in IMAGE_FILES:
        raise InputError(f"split must be one of {', '.join(IMAGE_FILES)}, got {split!r}")
    return Stage(
        name=f"images-{split}",
        version=2,  # the records say of each picture what it is, and which are none
        outputs=(IMAGE_FILES[split], BAD_IMAGES[split]),
        result=f"images/{split}",
    )


def plan_images(workspace: Workspace, config: ImagesConfig, split: str) -> FetchPlan:
    """Says what `run_images` would fetch; writes nothing.

    Raises:
        FetchError: the base address cannot be reached.
    """
    with open_source(config.base_url, config.policy()) as source:
        return plan_tars(source, workspace, known_tars(workspace, split, config.tars(split)))


def run_images(workspace: Workspace, config: ImagesConfig, split: str) -> StageReport:
    """Fetches the tars of a split that are not there yet, and extracts their images.

    Pictures that were recorded before and are gone, or are not what they were, are fetched again,
    also where the stage is up to date.

    Args:
        workspace: the build.
        config: where the tars come from, and how many.
        split: `train`, `index` or `test`.

    Returns:
        The report; with failed rows, the stage is incomplete.

    Raises:
        FetchError: the base address cannot be reached (any more), or has no tar of this split.
        InputError: no such split, too little room, a file that cannot be written, or more bad
            pictures than `max_bad_share` allows.
        DamagedError: a picture is gone or altered, and cannot be had again.
    """
    stage = images_stage(split)
    with open_source(config.base_url, config.policy()) as source:
        tars = list_tars(source, workspace, split, config.tars(split))
        pictures = SplitPictures(workspace, source, split, tars, config.rules(), config.parallel)
        lost = pictures.restore()
        md5s = "\n".join(f"{tar.name} {tar.md5}" for tar in tars)
        settings = {
            "tars": len(tars),
            "md5s": hashlib.sha256(md5s.encode()).hexdigest(),
            "max_pixels": config.max_pixels,
            "max_bad_share": config.max_bad_share,
        }
        report = run_stage(workspace, stage, settings, pictures.produce)
    if lost:
        raise DamagedError(lost)
    if pictures.too_many_bad:
        raise InputError(pictures.too_many_bad)
    return report
