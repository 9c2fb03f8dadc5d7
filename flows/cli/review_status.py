"""How far a review is, in lines: `hgld review --status`."""

import dataclasses
import json
from collections.abc import Mapping

import typer

from hgld.engine.workspace import Workspace
from hgld.review.log.events import harmless
from hgld.review.status import Replayed, review_status, share_of

_TOLD = 3  # classes, and events, that a line names


def tell_review_status(workspace: Workspace, *, is_json: bool) -> None:
    """Prints how far the review is, what a new scrape changed, and what a second reviewer said.

    Args:
        workspace: a build whose `propose` has finished.
        is_json: whether all of it is printed, as JSON.

    Raises:
        MissingInputError: no proposals.
        DamagedError: the log, or a table, is not as it was written.
    """
    status = review_status(workspace)
    if is_json:
        found = {"root": str(workspace.root)} | dataclasses.asdict(status)
        typer.echo(json.dumps(found, indent=2))
        return
    now = status.progress
    settled = now.landmarks - now.landmarks_open
    lines = {
        "clusters": f"{now.clusters - now.clusters_open:,} of {now.clusters:,} done",
        "classes": f"{now.classes - now.classes_open:,} of {now.classes:,} decided",
        "landmarks": f"{settled:,} of {now.landmarks:,} settled, {share_of(settled, now.landmarks)}"
        f": all their classes are decided",
        "log": f"{status.lines:,} events, {status.edits:,} edits count",
        "reviewers": ", ".join(f"{who} {count:,}" for who, count in status.reviewers.items()),
        "new": _classes(status.new),
    }
    for state in ("applied", "gone", "changed"):
        edits = [one for one in status.replayed if one.state == state]
        lines[state] = f"{len(edits):,} edits"
        if state != "applied" and edits:
            lines[state] += f": {_some([_edit(one) for one in edits], '; ')}"
    for name, line in lines.items():
        typer.echo(f"{name:<10} {harmless(line) or 'none'}")
    if status.second_opinions:  # else the page's packages may not be there
        from hgld.pages.review.second.summary import second_opinion_text

        for line in second_opinion_text(workspace).split("\n"):
            typer.echo(harmless(line))


def _edit(one: Replayed) -> str:
    changed = [f"{qid} {was!r} is now {now!r}" for qid, (was, now) in one.changed.items()]
    gone = [f"{qid} {label!r} is gone" for qid, label in one.gone.items()]
    return f"line {one.number} ({one.event}, {one.reviewer}): {_some([*changed, *gone], ', ')}"


def _classes(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    named = _some([f"{qid} {label!r}" for qid, label in labels.items()], ", ")
    return f"{len(labels):,} classes since the last review: {named}"


def _some(items: list[str], between: str) -> str:
    more = f"{between}and {len(items) - _TOLD:,} more (--json)" if len(items) > _TOLD else ""
    return between.join(items[:_TOLD]) + more
