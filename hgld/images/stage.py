"""Stage `images`: downloads, checks and extracts GLDv2's image tars, one stage per split.

The bucket has `<split>/images_000.tar` and so on, and the MD5 of each tar as
`md5sum/<split>/md5.images_000.txt`. An image becomes `images/<split>/a/b/c/<id>.jpg`, where a, b, c
are the first letters of its id. A tar becomes one shard of records, written once all its images are
on the disk. Images missing from the metadata are kept: records describe files only.

Every picture is decoded once (`hgld.pictures`). Bad ones are not written, but listed with the
reason in `images/bad_images/<split>`; the stage fails only if their share exceeds `max_bad_share`.

Space: train has 500 tars of about 1 GB, index 100 of 850 MB, test 20 of 500 MB. `parallel` tars are
downloaded at once to `images/.parts/` and deleted once extracted; tars in a folder are read in
place. Before the first byte, the stage checks that the disk has room for the missing tars and their
pictures. Interrupted downloads are resumed, even after a kill (`hgld.http.transfer`).

The rows depend on the list of tars with their MD5s, not on the address. The list is saved in
`images/tars/<split>.json`; delete that file to fetch it again. A tar that was extracted with the
same MD5 is not fetched again, even if the address or the number of tars changes. Each run first
checks the recorded pictures: if some are gone or altered, it fetches their tars again and writes
only those pictures.

If only some pictures are wanted (`only`, `supercategory`, `landmark`), whole tars are searched
until all are found. `longest_side` shrinks pictures before they are written. With `from_ = "urls"`
they come from their own URLs (`hgld.images.urls`).

Failures become rows with status `failed`: one for a tar that is missing or fails its MD5 three
times, and one for each member of a tar that is not an image in its right place. The other tars
continue, the stage is incomplete, and a rerun retries the failed tars. A picture in the metadata
that is in no tar of its split is recorded as gone.
"""

import contextlib
import logging
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from hgld.engine.stage import Stage, StageReport, run_stage
from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, InputError, MissingInputError
from hgld.http.download import open_source
from hgld.http.patience import HttpPolicy
from hgld.http.session import make_session, require_contact
from hgld.images.bucket import TarReader, announced_sizes, known_tars, list_tars
from hgld.images.chosen import wanted_images
from hgld.images.config import ImagesConfig
from hgld.images.records import are_right, chosen, read_shard
from hgld.images.split import SplitRun, digest_of
from hgld.images.tars import MOST_PICTURE_BYTES
from hgld.images.urls import UrlReader, addresses_of, groups_of, wanted_urls
from hgld.tables import BAD_IMAGES, IMAGE_FILES, IMAGES, of_split

logger = logging.getLogger(__name__)

PAUSE_S = 0.5
"""Between two requests for pictures by their URLs."""
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
        version=3,
        outputs=(IMAGE_FILES[split], BAD_IMAGES[split]),
        result=f"images/{split}",
    )


def plan_images(workspace: Workspace, config: ImagesConfig, split: str) -> str:
    """Describes in one line what `run_images` would fetch; writes nothing.

    Raises:
        FetchError: the base address cannot be reached.
    """
    wanted = wanted_images(workspace, split, config)
    shards = {path.stem: read_shard(path) for path in workspace.shards(IMAGE_FILES[split])}
    if wanted is None:
        tars = known_tars(workspace, split, config.tars(split))
        missing = []
        for tar in tars:
            rows = shards.get(tar.shard)
            if rows is None or not tar.md5 or not are_right(rows, split, tar.md5):
                missing.append(tar)
        with open_source(config.base_url) as source:
            sizes = announced_sizes(source, missing)
        size = f"{sum(sizes) / 1e9:.3g} GB, {_times(sum(sizes))}" if any(sizes) else "unknown size"
        what = f"{len(missing):,} of {len(tars):,} tars"
    else:
        there = [chosen(rows, wanted) for rows in shards.values() if rows is not None]
        settled = (rows.filter(pc.is_in(rows["status"], _SETTLED)) for rows in there)
        left = wanted.difference(*(rows["image_id"].to_pylist() for rows in settled))
        what, size = f"{len(left):,} of {len(wanted):,} pictures", "searched for in whole tars"
        if config.from_ == "urls":
            wanted_urls(workspace, config, split, wanted)  # raises the errors of the run
            size = f"at least {_in_words(len(left) * PAUSE_S)}, one at a time"
    if what.startswith("0 "):
        return f"{split}: all {what.partition(' of ')[2]} are there"
    return f"{split}: {what} to fetch, {size}"


def _times(size: int) -> str:
    """Returns how long a download takes at two speeds."""
    speeds = (("100 Mbit/s", 1e8), ("1 Gbit/s", 1e9))
    return " or ".join(f"{_in_words(size * 8 / bits)} at {name}" for name, bits in speeds)


def _in_words(seconds: float) -> str:
    """Formats a duration: `75 s`, `10 min`, `13.6 h`."""
    if seconds < 90:  # noqa: PLR2004 - a minute and a half
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"  # noqa: PLR2004


def run_images(
    workspace: Workspace, config: ImagesConfig, split: str, *, contact: str = ""
) -> StageReport:
    """Fetches the missing tars of a split and extracts their images.

    Recorded pictures that are gone or altered are fetched again, even if the stage is up to date.

    Args:
        workspace: the build.
        config: the settings.
        split: `train`, `index` or `test`.
        contact: for pictures from their URLs, how the servers can reach you.

    Returns:
        The report; with failed rows, the stage is incomplete.

    Raises:
        FetchError: the base address cannot be reached, or has no tar of this split.
        InputError: no such split, too little space, a file that cannot be written, or more bad
            pictures than `max_bad_share` allows.
        DamagedError: a picture is gone or altered, and cannot be fetched again.
    """
    stage = images_stage(split)
    wanted = wanted_images(workspace, split, config)
    values = {key: value for key, value in config.row_values(split).items() if value is not None}
    if wanted is not None:
        _tell_of_others(workspace, split, wanted)
        values["wanted"] = digest_of(sorted(wanted))
    if config.only is not None:  # records that there was a list
        values["only"] = values["wanted"]
    with _opened(workspace, config, split, wanted, contact) as (run, decisive):
        lost = run.restore()
        report = run_stage(workspace, stage, values | decisive, run.produce)
    if lost:
        raise DamagedError(lost)
    if run.too_many_bad:
        raise InputError(run.too_many_bad)
    return report


def _tell_of_others(workspace: Workspace, split: str, wanted: frozenset[str]) -> None:
    """Warns of pictures that are there, and that no step will use any more."""
    with contextlib.suppress(MissingInputError, DamagedError):
        rows = workspace.read(IMAGE_FILES[split], ["image_id", "status"])
        there = rows["image_id"].filter(pc.equal(rows["status"], "ok")).to_pylist()
        if others := len({*there} - wanted):
            logger.warning(
                "images: %s pictures of %s that are there are not among the %s chosen: their files "
                "stay, but training and benchmark will use the chosen ones alone; run %s for all",
                *(f"{others:,}", split, f"{len(wanted):,}", workspace.command("images")),
            )


@contextlib.contextmanager
def _opened(
    workspace: Workspace,
    config: ImagesConfig,
    split: str,
    wanted: frozenset[str] | None,
    contact: str,
) -> Iterator[tuple[SplitRun, dict[str, object]]]:
    """Gives the run of a split, and the further values that its rows depend on."""
    if config.from_ == "urls":
        urls = wanted_urls(workspace, config, split, wanted)
        require_contact(contact, *urls.values())
        policy = HttpPolicy(answer_bytes=MOST_PICTURE_BYTES, requests_per_minute=60 / PAUSE_S)
        with make_session(contact, policy) as session:
            reader = UrlReader(workspace, session, config, urls)
            absent = f"{split}.csv has no URL for it; check the list"
            run = SplitRun(reader, split, groups_of(split, urls), wanted, absent)
            asked = {key: addresses_of(url, config.longest_side) for key, url in urls.items()}
            yield run, {"urls": digest_of(f"{key} {asked[key]}" for key in sorted(asked))}
        return
    with open_source(config.base_url) as source:
        count = 0 if wanted == frozenset() else config.tars(split)
        tars, are_all = list_tars(source, workspace, split, count) if count else ([], False)
        absent = f"it is in none of the {len(tars)} tars of {split}; check the list"
        run = SplitRun(TarReader(workspace, source, config), split, tars, wanted, absent)
        decisive: dict[str, object] = {"md5s": digest_of(f"{tar.name} {tar.md5}" for tar in tars)}
        if wanted is None and are_all:
            with contextlib.suppress(MissingInputError):
                known = workspace.read(IMAGES, ["split", "image_id"])
                run.expected = of_split(known, split)["image_id"]
                decisive["expected"] = digest_of(run.expected.to_pylist())
        yield run, decisive
