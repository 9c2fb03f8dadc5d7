"""`hgld browse`: a finished data set shown read-only, or written as a site of files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from hgld.engine.workspace import DEFAULT_ROOT
from hgld.errors import InputError, how_to_install
from hgld.flows.cli.options import option_help
from hgld.pages.browse import BROWSE_PORT

_LOOPBACK = "127.0.0.1"

BrowsedRoot = Annotated[
    Path,
    typer.Option(
        "--root",
        show_default=False,
        help=option_help("Folder of a build, of its annotations, or of a release.", "build"),
    ),
]
BrowsePort = Annotated[
    int | None,
    typer.Option(
        help=option_help("Port of the page; 0 is any.", f"{BROWSE_PORT}, or the next that is free")
    ),
]
NoBrowser = Annotated[
    bool, typer.Option("--no-open", help=option_help("Opens no browser.", "false"))
]
BrowseHost = Annotated[
    str | None,
    typer.Option(help=option_help("Address to listen on; one of others needs --token.", _LOOPBACK)),
]
BrowseToken = Annotated[
    str | None,
    typer.Option(help=option_help("Secret that stands in the page's address.", "none")),
]
StaticFolder = Annotated[
    Path | None,
    typer.Option(
        "--static", help=option_help("Writes a site of files here instead of a page.", "none")
    ),
]
MostPictures = Annotated[
    int | None,
    typer.Option(help=option_help("With --static: the most images in the site.", "20000")),
]
NoDownloads = Annotated[
    bool,
    typer.Option(
        "--no-downloads",
        help=option_help("With --static: leaves the files of the release out.", "false"),
    ),
]


def browse_command(  # noqa: PLR0913 - typer makes an option of each
    root: BrowsedRoot = DEFAULT_ROOT,
    *,
    port: BrowsePort = None,
    no_open: NoBrowser = False,
    host: BrowseHost = None,
    token: BrowseToken = None,
    static: StaticFolder = None,
    pictures: MostPictures = None,
    no_downloads: NoDownloads = False,
) -> None:
    """Shows a finished data set: the hierarchy, every landmark and why, changes, downloads.

    Reads annotations/, and of a build images/, labels/ and review/ where they are there; writes
    nothing, or with --static a site that any web server serves. Needs hgld[review].
    """
    of_page = {"--port": port, "--no-open": no_open or None, "--host": host, "--token": token}
    of_site = {"--pictures": pictures, "--no-downloads": no_downloads or None}
    if static is None:
        _refuse(of_site, "goes with --static, which writes a site")
    else:
        _refuse(of_page, "goes with the page, which --static does not open")
    try:
        if static is None:
            from hgld.pages.browse.serving.server import BrowseConfig, serve_browse

            config = BrowseConfig(
                host=host or _LOOPBACK,
                port=BROWSE_PORT if port is None else port,
                token=token or "",
                opens_browser=not no_open,
            )
            serve_browse(root, config, typer.echo)
        else:
            _write(root, static, pictures, downloads=not no_downloads)
    except ModuleNotFoundError as error:
        raise InputError(
            f"`hgld browse` needs the package {error.name!r}: {how_to_install('review')}"
        ) from error


def _write(root: Path, out: Path, pictures: int | None, *, downloads: bool) -> None:
    from hgld.pages.browse.site.writer import SiteConfig, write_site

    try:
        config = (
            SiteConfig(downloads=downloads)
            if pictures is None
            else SiteConfig(pictures=pictures, downloads=downloads)
        )
    except ValueError as error:
        raise InputError(str(error)) from error
    done = write_site(root, out, config)
    typer.echo(
        f"{out}: {done.files:,} files, {done.bytes:,} bytes, {done.landmarks:,} landmarks, "
        f"{done.pictures:,} pictures; any web server shows it: python -m http.server --directory "
        f"{out}"
    )


def _refuse(options: Mapping[str, object], why: str) -> None:
    for name, value in options.items():
        if value is not None:
            raise InputError(f"{name} {why}; leave one of the two out")
