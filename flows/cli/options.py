"""Options that commands share, and the one that tells the version."""

from pathlib import Path
from typing import Annotated

import typer

import hgld

Root = Annotated[Path, typer.Option(help="Workspace folder that holds the build.")]
Config = Annotated[
    Path | None, typer.Option(help="Settings file (TOML); default: hgld.toml in the workspace.")
]
BaseUrl = Annotated[str | None, typer.Option(help="Address or folder with GLDv2's files.")]
AcceptProposals = Annotated[
    bool | None, typer.Option("--accept-proposals", help="Go on without a person's review.")
]
Contact = Annotated[
    str | None, typer.Option(help="How Wikimedia reaches you; required for its servers.")
]
ROOT = Path("build")


def _tell_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"hgld {hgld.__version__}")
        raise typer.Exit


Version = Annotated[
    bool,
    typer.Option("--version", callback=_tell_version, is_eager=True, help="Show the version."),
]
