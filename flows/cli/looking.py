"""Commands on pictures and pages: `hgld index`, `hgld search`, `hgld browse`."""

import sys
import unicodedata
import webbrowser
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hgld.engine.config import from_mapping, setting_fields
from hgld.engine.files import write_text, writing
from hgld.engine.workspace import DEFAULT_ROOT, Workspace
from hgld.errors import IncompleteError, InputError, how_to_install
from hgld.flows.cli.options import PATH, SettingOption, flag, path_option, root_option
from hgld.training.config import TrainConfig
from hgld.training.index.config import IndexConfig

if TYPE_CHECKING:
    from hgld.training.index.finding.looking import FoundPicture, FoundPictures

_RUN = TrainConfig().name
_COLUMNS = ("picture", "rank", "similarity")
_INDEX_SETTINGS = [SettingOption("index", field) for field in setting_fields(IndexConfig)]


@click.command("index", params=[root_option(), *_INDEX_SETTINGS])
@click.option(
    "--run",
    default=_RUN,
    show_default=True,
    help="Run whose model embeds: its name, or a folder or file.",
)
@path_option("--images", default="none", help="Folder of pictures, and those under it.")
@click.option("--split", show_default="none", help="Split of the build: train, index, test.")
@path_option(
    "--out",
    default="index-NAME beside the model; NAME of the split or folder",
    help="Folder of the index.",
)
def index(
    root: Path, run: str, images: Path | None, split: str | None, out: Path | None, **typed: object
) -> None:
    """Embeds a folder of pictures, or a split of the build, for `hgld search`.

    Reads a run in runs/, and pictures: of a folder, or images/; writes one folder: the embeddings
    as parquet shards and as an array for numpy, and index.json. Needs hgld[train].
    """
    from hgld.training.index.places import default_index, picture_source, run_folder

    values = {option.field.name: typed[str(option.name)] for option in _INDEX_SETTINGS}
    given = {name: value for name, value in values.items() if value is not None}
    config = from_mapping(IndexConfig, given, where="hgld index")
    workspace = Workspace(root)
    source = picture_source(workspace, images, split)
    place = run_folder(workspace, run)
    try:
        from hgld.training.index.making.run import run_index
    except ModuleNotFoundError as error:
        raise _missing("index", "train", error) from error
    report = run_index(place, source, out or default_index(place, source), config)
    click.echo(report.words())
    if report.index.failed:
        raise IncompleteError(
            f"{report.index.folder}: {report.index.failed:,} pictures could not be read and "
            f"nothing else was lost; the column `error` says why, and the same command tries again"
        )


def _missing(command: str, extra: str, error: ModuleNotFoundError) -> InputError:
    return InputError(f"`hgld {command}` needs the package {error.name!r}: {how_to_install(extra)}")


@click.command("search")
@click.argument("pictures", type=PATH, nargs=-1, required=True)
@path_option("--index", default="the only one of the run", help="Folder that `hgld index` wrote.")
@path_option(
    "--root",
    default="that of the index, or build",
    help="Build whose annotations say what a picture is.",
)
@click.option(
    "--run", show_default="as it says", help="Run the index was made with, if it has moved."
)
@click.option("-k", default=10, show_default=True, help="How many pictures to find.")
@path_option("--html", default="none", help="Writes a page with the pictures here.")
@flag("--no-open", help="With --html: opens no browser.")
@click.option("--device", default="auto", show_default=True, help="Such as cpu or cuda:0.")
def search(  # noqa: PLR0913 - an argument for each option
    pictures: tuple[Path, ...],
    *,
    index: Path | None,
    root: Path | None,
    run: str | None,
    k: int,
    html: Path | None,
    no_open: bool,
    device: str,
) -> None:
    """Shows the pictures of an index that are nearest to PICTURES, with their labels.

    Reads an index, its run, and annotations/ where they know a picture; writes nothing, or with
    --html one file that asks no server for anything. Needs hgld[train].
    """
    from hgld.training.index.folder import read_embedded_index
    from hgld.training.index.places import run_folder, sole_index

    workspace = Workspace(root or DEFAULT_ROOT)
    folder = index or sole_index(workspace, run or _RUN)
    there = read_embedded_index(folder)
    model = run_folder(workspace, run) if run else there.run
    if not model.exists():
        raise InputError(
            f"{model}, whose model made {folder}, is not there; name where it lies by --run"
        )
    try:
        from hgld.training.index.finding.looking import search_pictures
        from hgld.training.index.finding.page import search_page
    except ModuleNotFoundError as error:
        raise _missing("search", "train", error) from error
    known = root or (there.source if there.split else DEFAULT_ROOT)
    searches = search_pictures(there, list(pictures), k, run=model, root=known, device=device)
    if sys.stdout.isatty():
        _print_tables(searches)
    else:
        _print_lines(searches)
    if html is not None:
        with writing(html):
            write_text(html, search_page(there, searches))
        click.echo(f"page  {html}", err=True)
        if sys.stdout.isatty() and not no_open:
            webbrowser.open(html.resolve().as_uri())


def _print_tables(searches: "Iterable[FoundPictures]") -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from hgld.training.index.finding.hierarchy import LEVEL_TITLES

    console = Console()
    for one in searches:
        title = escape(_plain(str(one.query)))
        table = Table(title=title, title_justify="left", caption_justify="left")
        table.add_column("rank", justify="right")
        table.add_column("similarity", justify="right")
        for level in (*LEVEL_TITLES, "file"):
            table.add_column(level, overflow="fold")
        for found in one.found:
            table.add_row(*map(escape, _words(found)))
        console.print(table)
        if most := one.commonest():
            said = ", ".join(f"{escape(_plain(label))} ({count})" for _, label, count in most)
            console.print(f"most of {len(one.found)}: {said}", highlight=False)


def _print_lines(searches: "Iterable[FoundPictures]") -> None:
    """Prints a line a picture, its cells apart by tabs, under a line of their names."""
    from hgld.training.index.finding.hierarchy import LEVEL_TITLES

    click.echo("\t".join((*_COLUMNS, *LEVEL_TITLES, "file")))
    for one in searches:
        for found in one.found:
            click.echo("\t".join((_plain(str(one.query)), *_words(found))))


def _words(found: "FoundPicture") -> list[str]:
    from hgld.training.index.finding.hierarchy import LEVEL_TITLES

    names = found.labels.names if found.labels else ("",) * len(LEVEL_TITLES)
    words = [str(found.rank), f"{found.similarity:.4f}", *names, str(found.file)]
    return [_plain(word) for word in words]


def _plain(text: str) -> str:
    """Returns a text on one line, in which nothing tells a terminal what to do."""
    return "".join(
        f"\\x{ord(one):02x}" if unicodedata.category(one).startswith("C") else one for one in text
    )


@click.command(
    "browse", params=[root_option(text="Folder of a build, of its annotations, or of a release.")]
)
@click.option(
    "--port",
    type=int,
    show_default="8770, or the next that is free",
    help="Port of the page; 0 is any.",
)
@flag("--no-open", help="Opens no browser.")
@click.option(
    "--host",
    show_default="127.0.0.1",
    help="Address to listen on; one of others needs --token.",
)
@click.option("--token", show_default="none", help="Secret that stands in the page's address.")
@path_option("--static", default="none", help="Writes a site of files here instead of a page.")
@click.option(
    "--pictures",
    type=int,
    show_default="20000",
    help="With --static: the most images in the site.",
)
@flag("--no-downloads", help="With --static: leaves the files of the release out.")
def browse(  # noqa: PLR0913 - an argument for each option
    root: Path,
    *,
    port: int | None,
    no_open: bool,
    host: str | None,
    token: str | None,
    static: Path | None,
    pictures: int | None,
    no_downloads: bool,
) -> None:
    """Shows a finished data set: the hierarchy, every landmark and why, changes, downloads.

    Reads annotations/, and of a build images/, labels/ and review/ where they are there; writes
    nothing, or with --static a site that any web server serves. Needs hgld[review].
    """
    page = {"port": port, "host": host, "token": token, "no-open": no_open or None}
    site = {"pictures": pictures, "no-downloads": no_downloads or None}
    if static is None:
        _refuse(site, "goes with --static, which writes a site")
    else:
        _refuse(page, "goes with the page, which --static does not open")
    try:
        if static is None:
            from hgld.pages.browse import BROWSE_PORT
            from hgld.pages.browse.serving.server import BrowseConfig, serve_browse

            config = BrowseConfig(
                host=host or "127.0.0.1",
                port=BROWSE_PORT if port is None else port,
                token=token or "",
                opens_browser=not no_open,
            )
            serve_browse(root, config, click.echo)
        else:
            _write_site(root, static, pictures, downloads=not no_downloads)
    except ModuleNotFoundError as error:
        raise _missing("browse", "review", error) from error


def _write_site(root: Path, out: Path, pictures: int | None, *, downloads: bool) -> None:
    from hgld.pages.browse.site.writer import SiteConfig, write_site

    most = {} if pictures is None else {"pictures": pictures}
    try:
        config = SiteConfig(downloads=downloads, **most)
    except ValueError as error:
        raise InputError(str(error)) from error
    done = write_site(root, out, config)
    click.echo(
        f"{out}: {done.files:,} files, {done.bytes:,} bytes, {done.landmarks:,} landmarks, "
        f"{done.pictures:,} pictures; any web server shows it: python -m http.server --directory "
        f"{out}"
    )


def _refuse(options: Mapping[str, object], why: str) -> None:
    for name, value in options.items():
        if value is not None:
            raise InputError(f"--{name} {why}; leave one of the two out")
