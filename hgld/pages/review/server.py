"""The page served on this machine, and its browser opened."""

import contextlib
import gc
import sys
from collections.abc import Callable
from dataclasses import replace

from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.labels.proposing.stage import ProposeConfig
from hgld.pages.review.app import make_app
from hgld.pages.review.rendering import PageSettings
from hgld.pages.review.requests import Place
from hgld.pages.review.session import ReviewSession
from hgld.pages.review.wording import count_of
from hgld.pages.serving.listening import PageServer, address_of, listen, open_browser
from hgld.pages.serving.security import Guard
from hgld.review.log.events import reviewer_name

_YOUNG = 100_000  # objects between two looks at the newest, 700 by default: no answer makes as many
_SWITCH_S = 0.0005  # a tenth of the default


def serve_review(
    workspace: Workspace,
    guard: Guard,
    *,
    reviewer: str,
    propose: ProposeConfig,
    opens_browser: bool,
    say: Callable[[str], None],
) -> None:
    """Serves the review of a build until Ctrl-C; the process serves nothing else from then on.

    Args:
        workspace: a build whose `propose` has finished.
        guard: the address, and who may ask. A port that is taken: the next that is free; 0: any.
        reviewer: who reviews where a browser has not been told; may be empty.
        propose: the settings of the proposals.
        opens_browser: whether a browser is opened.
        say: told the address, and at the end how much was decided.

    Raises:
        MissingInputError: no proposals.
        InputError: the address cannot be had, or the reviewer has no name that can be kept.
        DamagedError: the log is not as it was written.
    """
    try:
        reviewer = reviewer and reviewer_name(reviewer)
    except ValueError as error:
        raise InputError(f"--reviewer: {error}") from error
    with contextlib.ExitStack() as at_end:
        listening = at_end.enter_context(contextlib.closing(listen(guard.host, guard.port)))
        guard = replace(guard, port=listening.getsockname()[1])
        say(f"reading {workspace.root} ...")
        session = ReviewSession(workspace, read_only=guard.read_only, propose=propose)
        at_end.enter_context(contextlib.closing(session))
        app = make_app(session, PageSettings(guard=guard, reviewer=reviewer))
        app.state.rendering.compile()
        # What is worked out once, who opens the page first would wait for: 0.1 s.
        session.desk(reviewer, Place())
        _put_answers_first()
        before, url = session.line, address_of(guard)
        say(f"review of {workspace.root}: {url}  (Ctrl-C ends it; all is saved at once)")
        if opens_browser:
            open_browser(url)
        PageServer(app).run(sockets=[listening])
        done = session.line - before
        kept = f"{count_of(done, 'event')} added to the log; nothing else is to be saved"
        say(kept if done else "nothing was decided")


def _put_answers_first() -> None:
    """Lets answers wait for nothing.

    Python's collector looks no more through what is there: of 10,000 labels with their proposals
    that takes 40 ms, after every few actions, and finds nothing. And an answer gets the interpreter
    ten times as soon from the thread that scores proposals.
    """
    gc.set_threshold(_YOUNG, *gc.get_threshold()[1:])
    gc.freeze()
    sys.setswitchinterval(_SWITCH_S)
