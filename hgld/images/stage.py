"""Stage `images`: GLDv2's image tars, checked and extracted, one stage a split.

The bucket holds `<split>/images_000.tar` and so on, and for each tar its MD5 as
`md5sum/<split>/md5.images_000.txt`. An image becomes `images/<split>/a/b/c/<id>.jpg`, where a, b, c
are the first letters of its id, and a tar becomes one shard of records, written when all its
images are on the disk. Images the metadata do not know are kept: a record is of a file only.

Space: train has 500 tars of about 1 GB, index 100 of 850 MB, test 20 of 500 MB. While a downloaded
tar is extracted it lies beside its images, so that twice its size must be free; a tar of a folder
is read where it lies.

What decides the rows is the list of tars with their MD5s, not the address. It is asked for first
and kept in `images/tars/<split>.json`; delete that file to have it asked for again. A tar that was
extracted before under the same MD5 is not fetched again, also when the number of tars or the
address has changed. To restore deleted images, delete the tar's shard in `images/records/` and
rerun.

What cannot be had becomes a row with status `failed`: one for a tar that is missing or does not
match its MD5 twice, and one for each member of a tar that is no image at its own place. The other
tars go on, the stage counts as incomplete, and a rerun tries those tars again.
"""

import hashlib
import json
import logging
import re
import shutil
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq

from hgld.engine.config import check_settings, setting
from hgld.engine.files import write_text
from hgld.engine.progress import progress
from hgld.engine.stage import Stage, StageReport, StageWriter, run_stage
from hgld.engine.workspace import Workspace
from hgld.errors import FetchError, InputError, NotFoundError
from hgld.http.download import Source, check_base, open_source
from hgld.http.patience import HttpPolicy
from hgld.images.tars import extract_images
from hgld.tables import IMAGE_FILES

logger = logging.getLogger(__name__)

_MD5_LINE = re.compile(r"([0-9a-f]{32}) [ *](\S+)")
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

    def __post_init__(self) -> None:
        """Refuses what no run could use."""
        check_settings(self)
        check_base(self.base_url)
        self.policy()
        for split in IMAGE_FILES:
            if not 1 <= self.tars(split) <= _MOST_TARS:
                raise ValueError(f"{split}_tars must be 1 to {_MOST_TARS}, got {self.tars(split)}")

    def tars(self, split: str) -> int:
        """Returns how many tars of a split are wanted, from `images_000.tar` on."""
        return {"train": self.train_tars, "index": self.index_tars, "test": self.test_tars}[split]

    def policy(self) -> HttpPolicy:
        """Returns the bounds of every request."""
        return HttpPolicy(
            download_bytes=self.download_bytes, slowest_bytes_per_s=self.slowest_bytes_per_s
        )


@dataclass(frozen=True, slots=True)
class _Tar:
    split: str
    name: str
    md5: str | None
    """None where the source has no MD5 for it, so that there is no such tar."""

    @property
    def address(self) -> str:
        return f"{self.split}/{self.name}"

    @property
    def shard(self) -> str:
        return self.name.removesuffix(".tar")


def images_stage(split: str) -> Stage:
    """Returns the stage of a split.

    Raises:
        InputError: no such split.
    """
    if split not in IMAGE_FILES:
        raise InputError(f"split must be one of {', '.join(IMAGE_FILES)}, got {split!r}")
    return Stage(
        name=f"images-{split}",
        version=1,
        outputs=(IMAGE_FILES[split],),
        result=f"images/{split}",
    )


def run_images(workspace: Workspace, config: ImagesConfig, split: str) -> StageReport:
    """Fetches the tars of a split that are not there yet, and extracts their images.

    Args:
        workspace: the build.
        config: where the tars come from, and how many.
        split: `train`, `index` or `test`.

    Returns:
        The report; with failed rows, the stage is incomplete.

    Raises:
        FetchError: the base address cannot be reached (any more), or has no tar of this split.
        InputError: no such split, too little room, or a file that cannot be written.
    """
    stage = images_stage(split)
    with open_source(config.base_url, config.policy()) as source:
        tars = _list_tars(source, workspace, split, config.tars(split))
        md5s = "\n".join(f"{tar.name} {tar.md5}" for tar in tars)
        settings = {"tars": len(tars), "md5s": hashlib.sha256(md5s.encode()).hexdigest()}
        return run_stage(
            workspace, stage, settings, lambda writer: _produce(writer, source, split, tars)
        )


def _list_tars(source: Source, workspace: Workspace, split: str, count: int) -> list[_Tar]:
    """Asks for the MD5s that are not known yet of a base address, and keeps them."""
    path = workspace.path(f"images/tars/{split}.json")
    kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    md5s: dict[str, str] = kept["md5s"] if kept.get("base") == source.base else {}
    names = [f"images_{number:03d}.tar" for number in range(count)]
    # A folder is asked again: that is cheap, and its files may change.
    unknown = [name for name in names if source.is_folder or name not in md5s]
    with progress(f"images: {split} MD5s", len(unknown)) as advance:
        for name in unknown:
            try:
                md5s[name] = _read_md5(source, split, name)
            except NotFoundError as error:
                if name == names[0] and name not in md5s:
                    raise FetchError(
                        f"{source.base} has no images of split {split}: {error}"
                    ) from error
            advance(1)
    write_text(path, json.dumps({"base": source.base, "md5s": md5s}, indent=1) + "\n")
    return [_Tar(split, name, md5s.get(name)) for name in names]


def _read_md5(source: Source, split: str, name: str) -> str:
    address = f"md5sum/{split}/md5.{name.removesuffix('.tar')}.txt"
    text = source.read_text(address)
    match = _MD5_LINE.fullmatch(text.strip())
    if match is None or match[2] != name:
        raise FetchError(
            f"{source.address(address)} must hold an MD5 and {name}, got {text[:60]!r}; "
            f"check the base address {source.base}"
        )
    return match[1]


def _produce(writer: StageWriter, source: Source, split: str, tars: list[_Tar]) -> None:
    with progress(f"images: {split} tars", len(tars)) as advance:
        for tar in tars:
            if not _is_done(writer, tar):
                dataset = IMAGE_FILES[split]
                rows = list(_fetch_tar(source, writer.workspace, tar))
                errors = [row["error"] for row in rows if row["status"] == "failed"]
                if errors:
                    logger.warning("%s: %d failed, first: %s", tar.address, len(errors), errors[0])
                writer.write(dataset, tar.shard, pa.Table.from_pylist(rows, dataset.schema))
            advance(1)


def _is_done(writer: StageWriter, tar: _Tar) -> bool:
    """Says whether this very tar has been extracted, and counts its shard as written.

    The fingerprint of a shard covers all tars of the split. When only others have changed, the
    shard is written again under the new one, which spares fetching a gigabyte.
    """
    dataset = IMAGE_FILES[tar.split]
    path = writer.path(f"{dataset.path}/{tar.shard}.parquet")
    if not path.exists():
        return False
    rows = pq.read_table(path, partitioning=None)
    version = (rows.schema.metadata or {}).get(b"hgld.version")
    if version != str(writer.stage.version).encode() or rows.schema.names != dataset.schema.names:
        return False
    statuses, md5s = (set(rows[name].unique().to_pylist()) for name in ("status", "tar_md5"))
    if not (statuses <= {"ok"} and md5s <= {tar.md5}):
        return False
    if not writer.has(dataset, tar.shard):
        if not all(writer.workspace.path(image).exists() for image in rows["path"].to_pylist()):
            return False
        writer.write(dataset, tar.shard, rows)
    return True


def _fetch_tar(source: Source, workspace: Workspace, tar: _Tar) -> Iterator[dict[str, object]]:
    """Fetches, checks and extracts a tar, and yields a row for each of its files."""
    # One name a split, so that the next tar overwrites what a killed run left.
    temporary = workspace.path(f"images/.{tar.split}.tar.part")
    _check_room(source, tar, temporary.parent)
    try:
        path = _obtain(source, tar, temporary)
        for image in extract_images(path, tar.split, workspace.root):
            yield _row(tar, image_id=image.image_id, path=image.path, error=image.error)
    except FetchError as error:
        yield _row(tar, error=str(error))
    except tarfile.TarError as error:
        yield _row(
            tar,
            error=f"{source.address(tar.address)} must be a whole, uncompressed tar, got the right "
            f"MD5 but '{error}'; tell its publisher, or lower {tar.split}_tars (--tars) below it",
        )
    finally:
        temporary.unlink(missing_ok=True)


def _obtain(source: Source, tar: _Tar, temporary: Path) -> Path:
    """Returns where a tar with the right MD5 lies; what fails once is tried once more."""
    hint = f"if split {tar.split} has fewer tars, lower {tar.split}_tars (--tars) and rerun"
    if tar.md5 is None:
        raise NotFoundError(f"{source.address(tar.address)} has no MD5, so it is not there; {hint}")
    try:
        try:
            return _bring_checked(source, tar, temporary)
        except NotFoundError:
            raise
        except FetchError as error:
            logger.warning("%s; trying once more", error)
            return _bring_checked(source, tar, temporary)
    except NotFoundError as error:
        raise NotFoundError(f"{error}; {hint}") from error


def _check_room(source: Source, tar: _Tar, folder: Path) -> None:
    """Stops before a tar that would fill the disk, and where the server is gone.

    Neither would go better with the next tar, so that these are errors of the run and not rows.
    """
    size = source.size(tar.address)
    needed = size if source.is_folder else 2 * size
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise InputError(
            f"{folder} must have {needed / 1e9:.2f} GB free for {tar.address} and its images, got "
            f"{free / 1e9:.2f} GB; make room or choose another --root, then rerun"
        )


def _bring_checked(source: Source, tar: _Tar, temporary: Path) -> Path:
    path = source.bring(tar.address, temporary)
    with path.open("rb") as file:
        md5 = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    if md5 != tar.md5:
        raise FetchError(
            f"{source.address(tar.address)} must have the MD5 {tar.md5}, got {md5}; rerun, and if "
            f"it stays so, delete images/tars/{tar.split}.json to have the MD5 asked for again"
        )
    return path


def _row(
    tar: _Tar, *, image_id: str = "", path: str | None = None, error: str | None = None
) -> dict[str, object]:
    return {
        "image_id": image_id,
        "tar": tar.name,
        "tar_md5": tar.md5,
        "status": "ok" if error is None else "failed",
        "path": path,
        "error": error,
    }
