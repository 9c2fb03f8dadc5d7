"""`hgld search`: the nearest pictures of an index, in the terminal and as a page."""

import sys
import unicodedata
import webbrowser
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hgld.engine.files import write_text, writing
from hgld.engine.workspace import DEFAULT_ROOT, Workspace
from hgld.errors import InputError, how_to_install
from hgld.flows.cli.options import option_help
from hgld.training.config import TrainConfig
from hgld.training.index.folder import EmbeddedIndex, read_embedded_index
from hgld.training.index.places import run_folder, sole_index

if TYPE_CHECKING:
    from hgld.training.index.finding.looking import FoundPicture, FoundPictures

Searched = Annotated[
    list[Path], typer.Argument(help=option_help("Picture to search with; several at once.", "none"))
]
IndexFolder = Annotated[
    Path | None,
    typer.Option(
        "--index", help=option_help("Folder that `hgld index` wrote.", "the only one of the run")
    ),
]
KnownRoot = Annotated[
    Path | None,
    typer.Option(
        "--root",
        help=option_help(
            "Build whose annotations say what a picture is.", "that of the index, or build"
        ),
    ),
]
SearchRun = Annotated[
    str | None,
    typer.Option(
        "--run", help=option_help("Run the index was made with, if it has moved.", "as it says")
    ),
]
HowMany = Annotated[
    int,
    typer.Option("-k", help=option_help("How many pictures to find.", "10"), show_default=False),
]
HtmlFile = Annotated[
    Path | None,
    typer.Option("--html", help=option_help("Writes a page with the pictures here.", "none")),
]
NotOpened = Annotated[
    bool,
    typer.Option("--no-open", help=option_help("With --html: opens no browser.", "false")),
]
SearchDevice = Annotated[
    str,
    typer.Option(
        "--device", help=option_help("Such as cpu or cuda:0.", "auto"), show_default=False
    ),
]

_COLUMNS = ("picture", "rank", "similarity")


def search_command(  # noqa: PLR0913 - typer makes an option of each
    pictures: Searched,
    *,
    index: IndexFolder = None,
    root: KnownRoot = None,
    run: SearchRun = None,
    k: HowMany = 10,
    html: HtmlFile = None,
    no_open: NotOpened = False,
    device: SearchDevice = "auto",
) -> None:
    """Shows the pictures of an index that are nearest to a picture, with their labels.

    Reads an index, its run, and annotations/ where they know a picture; writes nothing, or with
    --html one file that asks no server for anything. Needs hgld[train].
    """
    workspace = Workspace(root or DEFAULT_ROOT)
    folder = index or sole_index(workspace, run or TrainConfig().name)
    there = read_embedded_index(folder)
    model = run_folder(workspace, run) if run else _own_run(there)
    try:
        from hgld.training.index.finding.looking import search_pictures
        from hgld.training.index.finding.page import search_page
    except ModuleNotFoundError as error:
        raise InputError(
            f"`hgld search` needs the package {error.name!r}: {how_to_install('train')}"
        ) from error
    known = root or (there.source if there.split else DEFAULT_ROOT)
    searches = search_pictures(there, pictures, k, run=model, root=known, device=device)
    if sys.stdout.isatty():
        _print_tables(searches)
    else:
        _print_lines(searches)
    if html is not None:
        with writing(html):
            write_text(html, search_page(there, searches))
        typer.echo(f"page  {html}", err=True)
        if sys.stdout.isatty() and not no_open:
            webbrowser.open(html.resolve().as_uri())


def _own_run(index: EmbeddedIndex) -> Path:
    """Returns the run that an index was made with.

    Raises:
        InputError: it is not there any more.
    """
    if not index.run.exists():
        raise InputError(
            f"{index.run}, whose model made {index.folder}, is not there; name where it lies by "
            f"--run"
        )
    return index.run


def _print_tables(searches: "Iterable[FoundPictures]") -> None:
    from hgld.training.index.finding.hierarchy import LEVEL_TITLES

    console = Console()
    for one in searches:
        table = Table(title=_shown(str(one.query)), title_justify="left", caption_justify="left")
        table.add_column("rank", justify="right")
        table.add_column("similarity", justify="right")
        for title in (*LEVEL_TITLES, "file"):
            table.add_column(title, overflow="fold")
        for found in one.found:
            table.add_row(*_cells(found))
        console.print(table)
        if most := one.commonest():
            said = ", ".join(f"{_shown(label)} ({count})" for _, label, count in most)
            console.print(f"most of {len(one.found)}: {said}", highlight=False)


def _print_lines(searches: "Iterable[FoundPictures]") -> None:
    """Prints a line a picture, its cells apart by tabs, under a line of their names."""
    from hgld.training.index.finding.hierarchy import LEVEL_TITLES

    typer.echo("\t".join((*_COLUMNS, *LEVEL_TITLES, "file")))
    for one in searches:
        for found in one.found:
            typer.echo("\t".join((_plain(str(one.query)), *_words(found))))


def _words(found: "FoundPicture") -> list[str]:
    from hgld.training.index.finding.hierarchy import LEVEL_TITLES

    names = found.labels.names if found.labels else ("",) * len(LEVEL_TITLES)
    return [
        str(found.rank),
        f"{found.similarity:.4f}",
        *map(_plain, names),
        _plain(str(found.file)),
    ]


def _cells(found: "FoundPicture") -> list[str]:
    return [escape(word) for word in _words(found)]


def _shown(text: str) -> str:
    return escape(_plain(text))


def _plain(text: str) -> str:
    """Returns a text on one line, in which nothing tells a terminal what to do."""
    return "".join(
        f"\\x{ord(one):02x}" if unicodedata.category(one).startswith("C") else one for one in text
    )
