"""python -m tests.hgld.pages.review.second.run_page BUILD PORT: the page, to be killed."""

import sys
from pathlib import Path

from hgld.engine.workspace import Workspace
from hgld.pages.review.server import ServerConfig, serve_review
from tests.worlds.review_list import small_settings


def serve(root: str, port: str) -> None:
    """Serves a build until it is killed."""
    workspace = Workspace(Path(root))
    config = ServerConfig(port=int(port), opens_browser=False, propose=small_settings(workspace))
    serve_review(workspace, config, lambda text: print(text, flush=True))


if __name__ == "__main__":
    serve(*sys.argv[1:])
