"""`hgld review` without a task: the page, opened and served until Ctrl-C."""

from dataclasses import dataclass

import typer

from hgld.engine.config import from_mapping
from hgld.engine.workspace import Workspace
from hgld.errors import InputError, how_to_install
from hgld.flows.loaders import Section


@dataclass(frozen=True, slots=True, kw_only=True)
class PageOptions:
    """How the page is opened, as it is typed."""

    port: int | None = None
    """None takes the usual one, or the next that is free; 0 any that is free."""
    opens_browser: bool = True
    host: str = "127.0.0.1"
    """The address to bind; one that others can reach needs a token."""
    token: str = ""
    read_only: bool = False
    reviewer: str = ""
    """Who reviews, where the browser has not been told."""


def open_review(workspace: Workspace, options: PageOptions, propose: Section) -> None:
    """Serves the review page of a build until Ctrl-C, and says how much was decided.

    Args:
        workspace: a build whose `propose` has finished, of a scrape or of a list of labels.
        options: how.
        propose: the settings of the step `propose`.

    Raises:
        InputError: the build cannot be opened, a package is missing, or the address is no good.
        MissingInputError: no proposals.
        DamagedError: the log is not as it was written.
    """
    workspace.require()
    try:
        from hgld.labels.proposing.stage import ProposeConfig
        from hgld.pages.review.server import PORT, ServerConfig, serve_review
    except ModuleNotFoundError as error:
        raise InputError(
            f"{workspace.command('review')} needs the package {error.name!r}: "
            f"{how_to_install('review')}; or review in a spreadsheet with --export"
        ) from error
    config = ServerConfig(
        host=options.host,
        port=PORT if options.port is None else options.port,
        token=options.token,
        opens_browser=options.opens_browser,
        read_only=options.read_only,
        reviewer=options.reviewer,
        propose=from_mapping(ProposeConfig, propose, where="[propose]"),
    )
    serve_review(workspace, config, typer.echo)
