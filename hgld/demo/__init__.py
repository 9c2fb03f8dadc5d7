"""The embedded data of the demo: facts about famous landmarks, and drawings of them."""

import json

from hgld.engine.workspace import Workspace

SOURCE = "source"
"""The demo's source folder in a build."""


def is_demo(workspace: Workspace) -> bool:
    """Says whether `write_demo` filled a build, or started to."""
    from hgld.demo.source import MARKER

    return workspace.path(f"{SOURCE}/{MARKER}").is_file()


def write_demo(workspace: Workspace, *, archive: bool = True) -> None:
    """Fills a workspace with the embedded data, so that an ordinary build can run on it.

    It writes `source/` (GLDv2's tables and tars, see `hgld.demo.source`), the raw archive that a
    replayed scrape reads, and decisions of the review on most classes. It keeps an existing
    decision log, with any additions, and an archive that has answers. An interrupted run resumes.

    Args:
        workspace: the build.
        archive: False does not write the raw archive, for a live scrape.

    Raises:
        InputError: Pillow is not installed.
        DamagedError: the decision log does not match its checksums or its copy.
    """
    from hgld.demo.facts import decisions_text, open_classes
    from hgld.errors import needing
    from hgld.review.log.decisions import append_decisions, read_decisions
    from hgld.review.log.history import Decision

    with needing("train", "the demo"):
        from hgld.demo.source import write_source
    write_source(workspace.path(SOURCE))
    if archive:
        from hgld.demo.answers import write_archive

        write_archive(workspace)
    left_out = read_decisions(workspace).keys() | open_classes()
    decisions = [Decision(**json.loads(line)) for line in decisions_text().splitlines()]
    append_decisions(workspace, [one for one in decisions if one.class_qid not in left_out])
