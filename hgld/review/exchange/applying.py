"""A file applied: all that its reviewer decided becomes one event, which one undo takes back."""

import contextlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.review.exchange.exporting import suffix_of
from hgld.review.exchange.log_file import read_events
from hgld.review.exchange.merge import Merged, Prefer, gathered, merge
from hgld.review.exchange.preview import SuperCategoryChange, compare_super_categories
from hgld.review.exchange.rows import ClassStatement, SheetReader, exported_line
from hgld.review.exchange.skos import SkosTaxonomy, read_skos
from hgld.review.exchange.spelling import TOLD, Spellings, check_name, listed
from hgld.review.log.decisions import (
    DecisionLog,
    append_event,
    labels_in_use,
    log_lock,
    read_log,
)
from hgld.review.log.events import Change, Edit, Event
from hgld.review.log.history import Decision, standing_of
from hgld.review.log.opened import OpenLog
from hgld.review.log.texts import check_typed, has_controls, reviewer_name
from hgld.review.progress import LandmarkCounts
from hgld.tables import PROPOSALS


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What applying a file did, or would do."""

    appended: int
    """Decisions that are new, differ from the one in force, or take it back."""
    unchanged: int
    """Rows with a decision that are as they were exported, or say what is in force."""
    undecided: int
    """Classes that have no decision then, in the file or out of it."""
    settled: int = 0
    """Conflicts in which the preferred version was taken."""
    absent: tuple[str, ...] = ()
    """Classes, in words, on which the file decides and which the build lacks: the decisions are
    kept, since a class may come back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyChoices:
    """How a file is applied."""

    prefer: Prefer | None = None
    """Whose version counts in a conflict, the file's (mine) or that of the log (theirs); None
    applies nothing where there is one."""
    known: Collection[str] = ()
    """Names of the taxonomy that proposals are made of, beside those that are proposed."""
    meant: Collection[str] = ()
    """New names that are meant, though they look like a typo."""


def apply_sheet(
    workspace: Workspace, path: Path, reviewer: str, *, prefer: Prefer | None = None
) -> Applied:
    """Applies a file, as `apply_file` does, with no choice made but that of a conflict."""
    return apply_file(workspace, path, reviewer, ApplyChoices(prefer=prefer))


def apply_file(
    workspace: Workspace, path: Path, reviewer: str, choices: ApplyChoices | None = None
) -> Applied:
    """Appends a file's decisions to the log as one event: all of them, or none where one is wrong.

    A sheet (`.csv`): a row that is as it was exported decides nothing, also where another
    reviewer's sheet has changed the decision since; one that both changed differently is a
    conflict. A row with the action `assign` needs hierarchical_label and natural_or_human_made; one
    with `ignore` or `clear` needs nothing; one with a blank action is an assignment where
    hierarchical_label is filled in, and otherwise decides nothing: a decision in force stays, and
    one that the row showed must be taken back with `clear`. Rows may be missing or in another
    order. Rows that say what is in force append nothing.

    The events of a log (`.jsonl`): where this log is their beginning, those that it lacks are
    appended as they are, with who decided and when. Else what they come to is merged.

    SKOS (`.ttl`): a class that the file does not have keeps its decision.

    Args:
        workspace: a build whose `propose` has finished.
        path: what `export_file` wrote and somebody changed.
        reviewer: who decided.
        choices: how; None makes none.

    Returns:
        The counts.

    Raises:
        InputError: no reviewer, no such file, a row that decides nothing clear, names that look
            like typos, or a sheet of another log; the text names them.
        ConflictError: the file and the log changed a class differently since the export.
        DamagedError: the log is not as it was written.
        MissingInputError: no proposals.
    """
    try:
        reviewer = reviewer_name(reviewer)
    except ValueError as error:
        raise InputError(f"reviewer: {error}; nothing was applied") from error
    # Opened before the lock is taken, which it takes itself to mend what a crash left.
    opened = OpenLog(workspace) if suffix_of(path) == ".jsonl" else None
    skos = _skos(path)  # that of 10,000 classes takes 10 s, and a page must not wait for it
    with log_lock(workspace):
        build = _Build(workspace, read_log(workspace, mend=True))
        plan = _plan(build, path, reviewer, choices or ApplyChoices(), skos)
        if plan.ahead and opened is not None:
            opened.sync()
            for event in plan.ahead:
                opened.append_locked(event)
        elif plan.changes:
            append_event(workspace, plan.event(reviewer, path))
    return plan.applied


def preview_file(
    workspace: Workspace, path: Path, choices: ApplyChoices | None = None
) -> tuple[Applied, list[SuperCategoryChange]]:
    """Tells what applying a file would do, and writes nothing.

    Args:
        workspace: a build whose `propose` has finished.
        path: as in `apply_file`.
        choices: as in `apply_file`.

    Returns:
        The counts, and the super-categories that would be new, vanish, or change.

    Raises:
        InputError, ConflictError, DamagedError, MissingInputError: as `apply_file` does.
    """
    build = _Build(workspace, read_log(workspace))
    plan = _plan(build, path, "you", choices or ApplyChoices(), _skos(path))
    counts = LandmarkCounts(workspace, build.classes)
    return plan.applied, compare_super_categories(build.decided(), plan.after, counts)


class _Build:
    """The classes of a build, and its log."""

    def __init__(self, workspace: Workspace, log: DecisionLog) -> None:
        columns = ["class_qid", "class_label", "landmarks", "proposed_label", "runner_up"]
        self.classes = workspace.read(PROPOSALS, columns).to_pylist()
        self.labels = {row["class_qid"]: row["class_label"] for row in self.classes}
        self.log = log

    def decided(self) -> dict[str, Decision]:
        """Returns the decisions in force on classes that the build has."""
        return self.of_build(self.log.in_force())

    def of_build(self, decisions: Mapping[str, Decision]) -> dict[str, Decision]:
        return {qid: one for qid, one in decisions.items() if qid in self.labels}

    def known(self, choices: ApplyChoices) -> list[str]:
        """Returns names of the taxonomy, and what is proposed somewhere."""
        columns = ("proposed_label", "runner_up")
        proposed = {row[name] for row in self.classes for name in columns if row[name]}
        return [*choices.known, *sorted(proposed)]

    def absent(self, classes: Mapping[str, str]) -> tuple[str, ...]:
        """Returns those of some classes, by Q-id with their labels, that the build lacks."""
        return tuple(f"{qid} {label!r}" for qid, label in classes.items() if qid not in self.labels)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    kind: Edit
    applied: Applied
    after: dict[str, Decision]
    """Decisions then, of classes that the build has."""
    changes: tuple[Change, ...] = ()
    seen: int = 0
    ahead: tuple[Event, ...] = field(default=())

    def event(self, reviewer: str, path: Path) -> Event:
        return Event(
            event=self.kind,
            decided_at=datetime.now(UTC).isoformat(timespec="seconds"),
            reviewer=reviewer,
            why=path.name.encode("utf-8", "replace").decode(),  # a file may have any bytes as name
            seen=self.seen,
            changes=self.changes,
        )


def _skos(path: Path) -> SkosTaxonomy | None:
    """Returns what a file of SKOS says; None: it is none."""
    return read_skos(path) if suffix_of(path) == ".ttl" else None


def _plan(
    build: _Build, path: Path, reviewer: str, choices: ApplyChoices, skos: SkosTaxonomy | None
) -> _Plan:
    """Reads a file, unless it is SKOS and was read, and tells what would come of it."""
    said: Sequence[ClassStatement]
    remarks: tuple[Change, ...] = ()
    kind: Edit
    if skos is not None:
        said, kind, what = _said_in_skos(build, skos, path, choices), "import", "the file"
    elif suffix_of(path) == ".jsonl":
        found = read_events(path, build.log, build.labels)
        if found.ahead:
            return _going_on(build, found.ahead)
        said, remarks, kind, what = found.said, found.remarks, "import", "the file"
    else:
        reader = SheetReader(
            labels=build.labels,
            log=build.log,
            known=build.known(choices),
            meant=choices.meant,
        )
        said, kind, what = reader.read(path), "sheet", "the sheet"
    merged = merge(said, build.log.in_force(), choices.prefer, what)
    after = _after(build, merged.new, reviewer)
    try:
        # The file's own first: of two that clash, the text then names the file's.
        new = {one.qid for one in merged.new}
        labels_in_use(sorted(after.values(), key=lambda one: one.class_qid not in new))
    except InputError as error:
        raise InputError(f"{path}: {error}; nothing was applied") from error
    return _Plan(
        kind=kind,
        applied=_counts(build, merged, after),
        after=after,
        changes=(*merged.changes(), *gathered(remarks)),
        seen=min((one.line for one in merged.new), default=0),
    )


def _counts(build: _Build, merged: Merged, after: Mapping[str, Decision]) -> Applied:
    return Applied(
        appended=len(merged.new),
        unchanged=merged.unchanged,
        settled=merged.settled,
        undecided=len(build.labels) - len(after),
        absent=build.absent({one.qid: one.change.classes[one.qid] for one in merged.new}),
    )


def _going_on(build: _Build, ahead: tuple[Event, ...]) -> _Plan:
    """Returns what comes of events that simply come next."""
    before = build.log.in_force()
    then = standing_of((*build.log.events, *ahead)).decisions()
    differ = [
        qid
        for qid in dict.fromkeys((*before, *then))
        if (one := then.get(qid)) is None or (two := before.get(qid)) is None or one != two
    ]
    after = build.of_build(then)
    return _Plan(
        kind="import",
        applied=Applied(
            appended=len(differ),
            unchanged=len(then) - sum(qid in then for qid in differ),
            undecided=len(build.labels) - len(after),
            absent=build.absent({qid: then[qid].class_label for qid in differ if qid in then}),
        ),
        after=after,
        ahead=ahead,
    )


def _after(build: _Build, new: Iterable[ClassStatement], reviewer: str) -> dict[str, Decision]:
    """Returns the decisions of the build's classes once something new is said of some."""
    after = build.log.in_force()
    for one in new:
        change = one.change
        if change.effect not in {"assign", "ignore"}:
            after.pop(one.qid, None)
            continue
        after[one.qid] = Decision(
            decided_at="",
            reviewer=reviewer,
            class_qid=one.qid,
            class_label=change.classes[one.qid],
            action="assign" if change.effect == "assign" else "ignore",
            hierarchical_label=change.hierarchical_label,
            natural_or_human_made=change.natural_or_human_made,
            note=change.note,
        )
    return build.of_build(after)


def _said_in_skos(
    build: _Build, found: SkosTaxonomy, path: Path, choices: ApplyChoices
) -> list[ClassStatement]:
    """Returns what a file of SKOS says: since its export, where that was of this log.

    Raises:
        InputError: names that look like typos, or classes with a name that is none.
    """
    log = build.log
    base, line, is_of_log = dict[str, Decision](), 0, False
    if found.position:
        with contextlib.suppress(ValueError):  # of another build: all of it is its reviewer's
            line = exported_line(found.position, log.found.digests())
            base, is_of_log = log.in_force(line), True
    in_use = filter(None, (one.hierarchical_label for one in log.in_force().values()))
    spellings = Spellings(in_use, build.known(choices))
    said, wrong = list[ClassStatement](), list[str]()
    new: dict[str, list[str]] = {}
    for change in found.changes:
        (qid,) = change.classes
        before = base.get(qid)
        try:
            spelt = _spelt(build, change, before, spellings, is_ours=bool(found.position))
        except ValueError as error:
            wrong.append(f"{qid}: {error}")
            continue
        said.append(ClassStatement(spelt, before, line, is_of_log))
        name = spelt.hierarchical_label
        if name and not (before and before.hierarchical_label == name):
            new.setdefault(name, []).append(qid)
    if wrong:
        raise InputError(f"{path}: {listed(wrong)}; nothing was applied")
    by_classes = sorted(new.items(), key=lambda item: -len(item[1]))
    places = {name: ", ".join(qids[:TOLD]) for name, qids in by_classes}
    try:
        spellings.check_new(places, choices.meant, "correct the labels in the file")
    except ValueError as error:
        raise InputError(f"{path}: {error}") from error
    return said


def _spelt(
    build: _Build, change: Change, before: Decision | None, spellings: Spellings, *, is_ours: bool
) -> Change:
    """Returns a change in which the super-category is spelt as it is in use, or in the taxonomy.

    A new name gets single spaces, unless this program wrote the file. A class is called as in the
    build where the file does not call it anything that a terminal may show.

    Raises:
        ValueError: the name of the super-category, or of a class that the build lacks, is none.
    """
    ((qid, label),) = change.classes.items()
    if qid in build.labels and (not label.strip() or has_controls(label)):
        label = build.labels[qid]
    elif not label.strip():
        raise ValueError("it must have a skos:prefLabel, since the build lacks it; give it one")
    else:
        check_typed("skos:prefLabel", label)
    name = change.hierarchical_label
    if name and not (before and before.hierarchical_label == name):
        if spellings.knows(name) or not is_ours:
            name = spellings.read(name)
        if not spellings.knows(name):
            check_name(name)
    return replace(change, classes={qid: label}, hierarchical_label=name)
