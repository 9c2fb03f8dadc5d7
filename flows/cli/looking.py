"""Commands on pictures and pages: `hgld index`, `hgld search`, `hgld browse`."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hgld.engine.config import setting
from hgld.engine.files import write_text
from hgld.engine.ray_pool import actors_of_ray
from hgld.engine.workspace import DEFAULT_ROOT, Workspace
from hgld.errors import IncompleteError, InputError, needing
from hgld.flows.cli.options import Command, ManyOptions, PageOptions, chosen_share, refuse_idle
from hgld.flows.cli.output import TRIED_AGAIN, print_table
from hgld.pages.browse import BROWSE_PORT
from hgld.review.log.events import harmless
from hgld.training.config import TrainConfig
from hgld.training.index.folder import IndexConfig

if TYPE_CHECKING:
    from hgld.training.index.search import FoundPictures

_RUN = TrainConfig().name


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexOptions(ManyOptions, IndexConfig):
    """Options of `hgld index`."""

    root: Path = setting(DEFAULT_ROOT, "Folder of the build.")
    run: str = setting(_RUN, "Run whose model to use: its name, or a folder or file.")
    images: Path | None = setting(None, "Folder of pictures, with its subfolders.")
    split: str | None = setting(None, "Split of the build: train, index, test.")
    out: Path | None = setting(None, "Folder of the index; default: one beside the model.")


@click.command("index", cls=Command, options=IndexOptions)
def index(options: IndexOptions) -> None:
    """Embeds a folder of pictures, or a split of the build, for `hgld search`.

    Reads a run in runs/, and the pictures of a folder or of images/; writes one folder: the
    embeddings as parquet shards and as a numpy array. Needs hgld[train].
    """
    from hgld.training.index.folder import default_index, picture_source, run_folder

    workspace = Workspace(options.root)
    source = picture_source(workspace, options.images, options.split)
    place = run_folder(workspace, options.run)
    with needing("train", "`hgld index`"):
        from hgld.training.index.making import PictureEmbedder, make_index
    out, share, embed = options.out or default_index(place, source), chosen_share(options), None
    if options.ray:
        given, takes_gpu = (place.resolve(), source, options), options.device != "cpu"
        embed = actors_of_ray(options.ray, PictureEmbedder, *given, takes_gpu=takes_gpu)
    report = make_index(place, source, out, options, embed=embed, share=share)
    click.echo(f"share {share} of {report.words()}" if share else report.words())
    if failed := report.manifest.failed:
        raise IncompleteError(f"{out}: {failed:,} pictures could not be read; {TRIED_AGAIN}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchOptions:
    """Options of `hgld search`."""

    index: Path | None = setting(None, "Output of `hgld index`; default: the only one of the run.")
    root: Path | None = setting(None, "Build with the labels; default: that of the index.")
    run: str = setting("", "Run that made the index, if it has moved.")
    k: int = setting(10, "How many pictures to find.")
    html: Path | None = setting(None, "Writes a page with the pictures to this file.")
    device: str = setting("auto", "Such as cpu or cuda:0.")


@click.command("search", cls=Command, options=SearchOptions)
@click.argument("pictures", type=click.Path(path_type=Path), nargs=-1, required=True)
def search(options: SearchOptions, pictures: tuple[Path, ...]) -> None:
    """Shows the pictures of an index that are most similar to PICTURES, with their labels.

    Reads an index, its run, and labels in annotations/, if any; writes nothing, or with --html one
    self-contained file. Needs hgld[train].
    """
    from hgld.training.index.folder import only_index, read_embedded_index, run_folder

    workspace = Workspace(options.root or DEFAULT_ROOT)
    folder = options.index or only_index(workspace, options.run or _RUN)
    there = read_embedded_index(folder)
    origin = there.origin
    model = run_folder(workspace, options.run) if options.run else Path(origin.run)
    if not model.exists():
        raise InputError(f"{model}, which made {folder}, is missing; give its place with --run")
    with needing("train", "`hgld search`"):
        from hgld.training.index.search import search_page, search_pictures
    known = options.root or (Path(origin.source) if origin.split else DEFAULT_ROOT)
    searches = search_pictures(
        there, list(pictures), options.k, run=model, root=known, device=options.device
    )
    _tell(searches)
    if options.html is not None:
        write_text(options.html, search_page(there, searches))
        click.echo(f"page  {options.html}", err=True)


def _tell(searches: "Sequence[FoundPictures]") -> None:
    """Prints what was found: tables on a terminal, otherwise tab-separated lines."""
    from hgld.training.index.search import LEVEL_TITLES

    columns, is_terminal = ("rank", "similarity", *LEVEL_TITLES, "file"), sys.stdout.isatty()
    if not is_terminal:
        click.echo("\t".join(("picture", *columns)))
    for one in searches:
        query, rows = harmless(str(one.query)), []
        for found in one.found:
            names = found.labels.names if found.labels else [""] * len(LEVEL_TITLES)
            words = (str(found.rank), f"{found.similarity:.4f}", *names, str(found.file))
            rows.append([harmless(word) for word in words])
        if is_terminal:
            print_table(columns, rows, title=query)
            if most := one.commonest():
                said = ", ".join(f"{harmless(label)} ({count})" for _, label, count in most)
                click.echo(f"most of {len(one.found)}: {said}")
        else:
            for cells in rows:
                click.echo("\t".join((query, *cells)))


@dataclass(frozen=True, slots=True, kw_only=True)
class BrowseOptions(PageOptions):
    """Options of `hgld browse`."""

    root: Path = setting(DEFAULT_ROOT, "Folder of a build, of its annotations, or of a release.")
    port: int = setting(BROWSE_PORT, "Port of the page; if taken, the next free one. 0: any.")
    static: Path | None = setting(None, "Writes a static site to this folder.")


@click.command("browse", cls=Command, options=BrowseOptions)
def browse(options: BrowseOptions) -> None:
    """Shows a finished data set: the hierarchy, every landmark and why, changes, downloads.

    Reads annotations/, and in a build images/, labels/ and review/, if any; writes nothing, or with
    --static a site for any web server. Needs hgld[review].
    """
    if options.static is not None:
        refuse_idle(options, "port host token open_", "the page, which --static does not open")
    with needing("review", "`hgld browse`"):
        from hgld.pages.browse.app import serve_browse
        from hgld.pages.browse.site import write_site
    if options.static is None:
        serve_browse(
            options.root,
            host=options.host,
            port=options.port,
            token=options.token,
            opens_browser=options.open_,
            say=click.echo,
        )
        return
    done = write_site(options.root, options.static)
    click.echo(
        f"{options.static}: {done.files:,} files, {done.bytes:,} bytes, {done.landmarks:,} "
        f"landmarks, {done.pictures:,} pictures; open {options.static / 'index.html'}"
    )
