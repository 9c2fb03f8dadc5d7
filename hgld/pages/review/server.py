"""The page served on this machine, and its browser opened."""

import contextlib
import gc
import sys
from collections.abc import Callable
from dataclasses import dataclass, field

from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.labels.proposing.stage import ProposeConfig
from hgld.pages.review import PORT
from hgld.pages.review.app import make_app
from hgld.pages.review.rendering import PageSettings
from hgld.pages.review.requests import Place, RefusedError, checked_name
from hgld.pages.review.session import ReviewSession
from hgld.pages.review.wording import count_of
from hgld.pages.serving.listening import PageServer, address_of, listen, open_browser
from hgld.pages.serving.security import Guard

_YOUNG = 100_000  # objects between two looks at the newest, 700 by default: no answer makes as many


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerConfig:
    """How the page is served."""

    host: str = "127.0.0.1"
    port: int = PORT
    """0: any that is free. One that is taken: the next that is free."""
    token: str = ""
    """The secret without which nobody is let in; needed where others can reach the address."""
    opens_browser: bool = True
    read_only: bool = False
    reviewer: str = ""
    propose: ProposeConfig = field(default_factory=ProposeConfig)


def serve_review(
    workspace: Workspace, config: ServerConfig, say: Callable[[str], None] = print
) -> None:
    """Serves the review of a build until Ctrl-C.

    Args:
        workspace: a build whose `propose` has finished.
        config: how.
        say: told the address, and at the end how much was decided.

    Raises:
        MissingInputError: no proposals.
        InputError: the address cannot be had, or others can reach it and there is no token.
        DamagedError: the log is not as it was written.
    """
    try:
        reviewer = checked_name(config.reviewer) if config.reviewer else ""
    except RefusedError as error:
        raise InputError(f"--reviewer: {error}") from error
    listening = listen(config.host, config.port)
    with contextlib.closing(listening):
        port = listening.getsockname()[1]
        guard = Guard(host=config.host, port=port, access=config.token, read_only=config.read_only)
        settings = PageSettings(guard=guard, reviewer=reviewer)
        say(f"reading {workspace.root} ...")
        session = ReviewSession(workspace, read_only=config.read_only, propose=config.propose)
        with contextlib.closing(session), contextlib.ExitStack() as at_end:
            at_end.callback(_put_answers_first())
            app = make_app(session, settings)
            app.state.rendering.compile()
            # What is worked out once, who opens the page first would wait for: 0.1 s.
            session.desk(reviewer, Place())
            before = session.line
            url = address_of(guard)
            say(f"review of {workspace.root}: {url}  (Ctrl-C ends it; all is saved at once)")
            if config.opens_browser:
                open_browser(url)
            PageServer(app, app.state.feed.close).run(sockets=[listening])
            say(_farewell(session, before))


def _put_answers_first() -> Callable[[], None]:
    """Lets answers wait for nothing as long as the page is served; returns what ends that.

    Python's collector looks no more through what is there: of 10,000 labels with their proposals
    that takes 40 ms, after every few actions, and finds nothing. And an answer gets the interpreter
    ten times as soon from the thread that scores proposals.
    """
    before, interval = gc.get_threshold(), sys.getswitchinterval()
    gc.set_threshold(_YOUNG, *before[1:])
    gc.freeze()
    sys.setswitchinterval(interval / 10)

    def end() -> None:
        gc.unfreeze()
        gc.set_threshold(*before)
        sys.setswitchinterval(interval)

    return end


def _farewell(session: ReviewSession, before: int) -> str:
    done = session.line - before
    if not done:
        return "nothing was decided"
    return f"{count_of(done, 'event')} added to the log; nothing else is to be saved"
