"""What does a long review cost: 10,000 events opened and replayed, and one more appended?

The log has edits of 1 to 20 of 10,000 classes, and undo, redo and single edits taken back. Then,
with all of it there:

- `open`: the log read, checked and replayed, as when the page starts;
- `append`: an event of the log kept open, on the disk with its copy;
- `append plainly`: the way of a command, which reads and checks the log, and copies it whole;
- `sync`: a look for what others have added, where there is nothing, as twice a second;
- `follow`: the same where another process has added one event, so that the log is read anew;
- `undo`: what the next undo switches, and what the log comes to with it, by a replay of all of it.

    python -m hgld.benchmarks.speed.review.log --out review_log.json
"""

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from hgld.benchmarks.environment import describe_environment
from hgld.benchmarks.speed.measuring import write_report
from hgld.engine.workspace import Workspace
from hgld.memory import peak_memory_mb, reset_peak_memory
from hgld.review.log.chain import sealed
from hgld.review.log.decisions import (
    DECISIONS_COPY,
    DECISIONS_FILE,
    OpenLog,
    append_event,
    log_lock,
)
from hgld.review.log.events import Change, Event, event_content
from hgld.review.log.history import Standing, standing_of
from hgld.review.log.undoing import undo

MOST_S = 2.0
"""To open and replay it."""
MOST_MS = 100.0
"""For an event, at the 95th percentile; the rest of the page has to fit into that too."""
_CLASSES = 10_000
_NAMES = 78
_MOST_AT_ONCE = 20
_SWITCHES = 0.1
_WHO = ("ann", "bob")


@dataclass(frozen=True, slots=True)
class Timing:
    """What a way took."""

    way: str
    rounds: int
    median_ms: float
    p95_ms: float
    least_ms: float
    most_ms: float


def made_up_events(count: int, seed: int) -> list[Event]:
    """Returns the events of a review: edits of classes, and a tenth of switches."""
    chance, events, edits = random.Random(seed), list[Event](), list[int]()  # noqa: S311 - not for secrets
    for number in range(1, count + 1):
        if edits and chance.random() < _SWITCHES:
            events.append(_switch(number, edits, events, chance))
        else:
            edits.append(number)
            events.append(made_up_edit(chance).numbered(number))
    return events


def made_up_edit(chance: random.Random) -> Event:
    """Returns an edit of 1 to 20 classes."""
    qids = chance.sample(range(1, _CLASSES + 1), chance.randint(1, _MOST_AT_ONCE))
    change = Change(
        classes={f"Q{qid}": f"made-up class {qid}" for qid in qids},
        effect="assign",
        hierarchical_label=f"super-category {chance.randrange(_NAMES)}",
        natural_or_human_made="human-made",
    )
    return Event(
        event="accept",
        decided_at="2026-11-26T09:00:00+00:00",
        reviewer=chance.choice(_WHO),
        changes=(change,),
    )


def _switch(
    number: int, edits: Sequence[int], events: Sequence[Event], chance: random.Random
) -> Event:
    """Takes a late edit back, or brings it back where the last event did that."""
    before = events[-1]
    if not before.is_edit and before.off and chance.random() < 0.5:  # noqa: PLR2004 - half of them
        return Event(
            event="redo" if before.of else "restore",
            decided_at=before.decided_at,
            reviewer=before.reviewer,
            number=number,
            on=before.off,
            of=before.of,
        )
    edit = chance.choice(edits[-20:])
    is_undo = edit == edits[-1]
    return Event(
        event="undo" if is_undo else "revert",
        decided_at=before.decided_at,
        reviewer=events[edit - 1].reviewer if is_undo else chance.choice(_WHO),
        number=number,
        off=(edit,),
        of=edit if is_undo else 0,
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures, writes the JSON file, and fails where the bar is not met."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--events", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5, help="of opening, and of the plain way")
    parser.add_argument("--appends", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="on the disk that is to be measured")
    parser.add_argument("--note", default="", help="what else ran on the machine")
    options = parser.parse_args(arguments)
    events = made_up_events(options.events, options.seed)
    with tempfile.TemporaryDirectory(prefix="hgld-review-log-", dir=options.folder) as name:
        workspace = Workspace(Path(name))
        size = _write(workspace, events)
        del events
        reset_peak_memory()
        timings = [_opening(workspace, options.rounds)]
        peak_mb = peak_memory_mb()
        timings += _going_on(workspace, options)
    by_way = {timing.way: timing for timing in timings}
    ours, plain = by_way["append"], by_way["append plainly"]
    report = {
        "metadata": {
            **describe_environment(["pyarrow"]),
            "events": options.events,
            "log_mb": round(size / 1e6, 2),
            "seed": options.seed,
            "note": options.note,
        },
        "results": [asdict(timing) for timing in timings],
        "open_peak_mb": peak_mb,
        "append / append plainly": round(ours.median_ms / plain.median_ms, 4),
    }
    bars = {
        "open: median_s": (by_way["open"].median_ms / 1000, MOST_S),
        "append: p95_ms": (ours.p95_ms, MOST_MS),
    }
    write_report(parser, options.out, report, bars)


def _write(workspace: Workspace, events: Sequence[Event]) -> int:
    """Writes a log and its copy, and returns its size."""
    data = sealed(b"", map(event_content, events))
    for path in (workspace.path(DECISIONS_FILE), workspace.path(DECISIONS_COPY)):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return len(data)


def _opening(workspace: Workspace, rounds: int) -> Timing:
    def open_and_replay() -> None:
        log = OpenLog(workspace)
        decisions = standing_of(log.events).decisions()
        if not decisions:
            raise RuntimeError("the log must decide a class, got none")

    return _timed("open", rounds, open_and_replay)


def _going_on(workspace: Workspace, options: argparse.Namespace) -> list[Timing]:
    log, other = OpenLog(workspace), OpenLog(workspace)
    chance = random.Random(options.seed + 1)  # noqa: S311 - not for secrets
    edits = iter([made_up_edit(chance) for _ in range(4 * options.appends + options.rounds)])

    def append_plainly() -> None:
        with log_lock(workspace):
            append_event(workspace, next(edits))

    def follow() -> None:
        if len(log.sync()) != 1:
            raise RuntimeError("one event must have been added")

    timings = [
        _timed("append", options.appends, lambda: log.append(next(edits))),
        _timed("append plainly", options.rounds, append_plainly),
        _timed("sync", options.appends, log.sync),
        _timed("follow", options.rounds, follow, lambda: other.append(next(edits))),
        _timed("undo", options.rounds, lambda: _undone(log.events)),
    ]
    if log.events != OpenLog(workspace).events:
        raise RuntimeError("the log kept open must have what the file has")
    return timings


def _undone(events: Sequence[Event]) -> Standing:
    toggle, last = undo(events, _WHO[0]), events[-1]
    if toggle is None:
        raise RuntimeError("there must be something to undo")
    event = toggle.signed(_WHO[0], last.decided_at, number=last.number + 1)
    return standing_of([*events, event])


def _timed(
    way: str,
    rounds: int,
    work: Callable[[], object],
    before: Callable[[], object] = lambda: None,
) -> Timing:
    taken = []
    for _ in range(rounds):
        before()
        start = time.perf_counter()
        work()
        taken.append((time.perf_counter() - start) * 1000)
    taken.sort()
    return Timing(
        way=way,
        rounds=rounds,
        median_ms=round(statistics.median(taken), 4),
        p95_ms=round(taken[min(len(taken) - 1, int(0.95 * len(taken)))], 4),
        least_ms=round(taken[0], 4),
        most_ms=round(taken[-1], 4),
    )


if __name__ == "__main__":
    main()
