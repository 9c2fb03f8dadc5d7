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

Some pictures instead of all (`only`, `supercategory`, `landmark`) are fetched one by one where an
index tells where they lie in their tars (`hgld.images.subset`); every tar that was read to its end
leaves one in `images/tar_index/`. `longest_side` makes pictures smaller on their way to the disk.
With `from_ = "urls"` they come from their own addresses (`hgld.images.bringing.urls`).

What cannot be had becomes a row with status `failed`: one for a tar that is missing or does not
match its MD5 three times, and one for each member of a tar that is no image at its own place. The
other tars go on, the stage counts as incomplete, and a rerun tries those tars again.
"""

import contextlib
import hashlib
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from hgld.engine.stage import Stage, StageReport, run_stage
from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, InputError
from hgld.http.download import open_source
from hgld.images.at_rest import read_shard
from hgld.images.bringing.fetch import known_tars, list_tars
from hgld.images.bringing.plan import FetchPlan, in_words, plan_tars
from hgld.images.bringing.reading import TarReader
from hgld.images.config import ImagesConfig
from hgld.images.rows import chosen
from hgld.images.sources import digest_of_urls, pictures_of_urls, wanted_urls
from hgld.images.split import SplitPictures
from hgld.images.subset.produce import SubsetRows
from hgld.images.subset.wanted import wanted_images
from hgld.tables import BAD_IMAGES, IMAGE_FILES

_SETTLED = pa.array(["ok", "bad"])


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
    wanted = wanted_images(workspace, split, config.choice())
    if wanted is None:
        with open_source(config.base_url, config.policy()) as source:
            return plan_tars(source, workspace, known_tars(workspace, split, config.tars(split)))
    shards = (read_shard(path) for path in workspace.shards(IMAGE_FILES[split]))
    there = (chosen(rows, wanted) for rows in shards if rows is not None)
    missing = wanted.difference(
        *(rows.filter(pc.is_in(rows["status"], _SETTLED))["image_id"].to_pylist() for rows in there)
    )
    if config.from_ == "urls":
        wanted_urls(workspace, config, split, wanted)  # refuses what the run would refuse
        note = f"at least {in_words(len(missing) * config.pause_s)}, one at a time"
        sizes = {}
    else:
        note = "those are searched for in whole tars"
        sizes = config.places(workspace).sizes(split, missing)
    return FetchPlan(
        split=split,
        unit="pictures",
        note=note,
        total=len(wanted),
        missing=len(missing),
        missing_bytes=sum(sizes.values()),
        unknown=len(missing) - len(sizes),
    )


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
    wanted = wanted_images(workspace, split, config.choice())
    with _opened(workspace, config, split, wanted) as (pictures, settings):
        chosen_ids = pictures.wanted if config.from_ == "tars" else wanted
        rows = None if chosen_ids is None else SubsetRows(pictures, chosen_ids).produce
        lost = pictures.restore()
        report = run_stage(
            workspace, stage, settings, lambda writer: pictures.produce(writer, rows)
        )
    if lost:
        raise DamagedError(lost)
    if pictures.too_many_bad:
        raise InputError(pictures.too_many_bad)
    return report


@contextlib.contextmanager
def _opened(
    workspace: Workspace, config: ImagesConfig, split: str, wanted: frozenset[str] | None
) -> Iterator[tuple[SplitPictures, dict[str, object]]]:
    """Gives what fetches the pictures of a split, and the settings that decide the rows."""
    if config.from_ == "urls":
        urls = wanted_urls(workspace, config, split, wanted)
        with pictures_of_urls(workspace, config, split, urls) as pictures:
            settings = _settings(config, split, wanted) | {"urls": digest_of_urls(urls, config)}
            yield pictures, settings
        return
    with open_source(config.base_url, config.policy()) as source:
        count = 0 if wanted == frozenset() else config.tars(split)
        tars = list_tars(source, workspace, split, count) if count else []
        reader = TarReader(workspace, source, config.rules(), config.places(workspace))
        md5s = "\n".join(f"{tar.name} {tar.md5}" for tar in tars)
        yield (
            SplitPictures(reader, split, tars, wanted, config.parallel),
            _settings(config, split, wanted) | {"md5s": _digest(md5s)},
        )


def _settings(config: ImagesConfig, split: str, wanted: frozenset[str] | None) -> dict[str, object]:
    """Returns the settings that decide the rows, and a digest of what was chosen."""
    values = {key: value for key, value in config.row_values(split).items() if value is not None}
    if wanted is not None:
        values["wanted"] = _digest("\n".join(sorted(wanted)))
    if config.only is not None:  # so that it is known whether there was one
        values["only"] = values["wanted"]
    return values


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
