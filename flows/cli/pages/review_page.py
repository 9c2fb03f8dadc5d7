"""`hgld review` without a task: the page, opened and served until Ctrl-C."""

from pathlib import Path

import typer

from hgld.engine.config import from_mapping
from hgld.engine.workspace import Workspace
from hgld.errors import InputError, how_to_install
from hgld.flows.loaders import Section
from hgld.labels.proposing.stage import ProposeConfig
from hgld.pages.review import PORT

LOOPBACK = "127.0.0.1"


def open_review(  # noqa: PLR0913 - an argument for each option
    workspace: Workspace,
    *,
    port: int | None = None,
    open_browser: bool = True,
    host: str = LOOPBACK,
    token: str = "",
    read_only: bool = False,
    reviewer: str = "",
    known: Path | None = None,
    propose: Section | None = None,
) -> None:
    """Serves the review page of a build until Ctrl-C, and says how much was decided.

    Args:
        workspace: a build whose `propose` has finished, of a scrape or of a list of labels.
        port: None takes the usual one, or the next that is free; 0 any that is free.
        open_browser: whether the browser is opened.
        host: the address to bind; one that others can reach needs a token.
        token: the secret that stands in the address.
        read_only: whether the review is only shown.
        reviewer: who reviews, where the browser has not been told.
        known: a CSV file of known answers, for the second opinion.
        propose: the settings of the step `propose`.

    Raises:
        InputError: the build cannot be opened, a package is missing, or the address is no good.
        MissingInputError: no proposals.
        DamagedError: the log is not as it was written.
    """
    workspace.require()
    try:
        from hgld.pages.review.serving.server import ServerConfig, serve_review
    except ModuleNotFoundError as error:
        raise InputError(
            f"{workspace.command('review')} needs the package {error.name!r}: "
            f"{how_to_install('review')}; or review in a spreadsheet with --export"
        ) from error
    config = ServerConfig(
        host=host,
        port=PORT if port is None else port,
        token=token,
        opens_browser=open_browser,
        read_only=read_only,
        reviewer=reviewer,
        known=known,
        propose=from_mapping(ProposeConfig, propose or {}, where="[propose]"),
    )
    serve_review(workspace, config, typer.echo)
