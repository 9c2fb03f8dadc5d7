"""The ledger as a table for a terminal, and as one HTML page that plots questions over commits."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from hgld.benchmarks.pages import page_template
from hgld.benchmarks.speed.suite.ledger import Entry
from hgld.benchmarks.speed.suite.questions import QUESTIONS, Way

WIDTH, HEIGHT = 320, 96
"""Of a plot, in units of its view box."""
_MARGIN, _SCALE = 10.0, 48.0  # what the numbers at the left take
_UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """An entry in a plot."""

    x: float
    y: float
    machine: int
    """Position among the machines of the page."""
    text: str
    """What it says when pointed at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeedPlot:
    """A question at one size over commits."""

    title: str
    asks: str
    size: str
    of_what: str
    """What is plotted: the ratio to the baseline or, without one, the time."""
    points: tuple[Point, ...]
    lines: tuple[str, ...]
    """Of each machine the points of its line, as SVG has them."""
    top: str
    """The value at the upper edge; the lower edge is 0."""
    span: str
    """The first and the last commit of the ledger."""
    one: float | None
    """Where a ratio of 1 lies, if it does."""


def time_text(seconds: float | None) -> str:
    """Writes a time in the unit that suits it.

    Example:
        >>> time_text(0.01234), time_text(74.3), time_text(5.4e-6), time_text(None)
        ('12.3 ms', '74.3 s', '5.4 µs', '')
    """
    if seconds is None:
        return ""
    size, unit = next(((size, unit) for size, unit in _UNITS if seconds >= size), _UNITS[-1])
    return f"{seconds / size:.1f} {unit}" if seconds else "0 s"


def ratio_text(ratio: float | None) -> str:
    """Writes how long ours takes of the baseline's time.

    Example:
        >>> ratio_text(0.0762), ratio_text(1.284), ratio_text(None)
        ('0.076', '1.28', '')
    """
    return "" if ratio is None else f"{ratio:.3f}" if ratio < 0.1 else f"{ratio:.2f}"  # noqa: PLR2004


def memory_text(way: Way | None) -> str:
    """Writes the memory of a way in MB, empty where it was not measured."""
    return "" if way is None or way.memory_mb is None else f"{way.memory_mb:,.0f} MB"


def size_of(entry: Entry) -> str:
    """Returns `small`, `full`, or the options of its script."""
    small = {question.name: question.small for question in QUESTIONS}
    if not entry.options:
        return "full"
    return "small" if entry.options == small.get(entry.question) else " ".join(entry.options)


def format_speed_table(entries: Sequence[Entry], names: Sequence[str]) -> Table:
    """Returns the last entry of each question and size as a table for a terminal.

    Args:
        entries: of the ledger, oldest first.
        names: the questions shown.
    """
    table = Table(
        title="Speed: our way, and the baseline of the same run",
        caption="spread: slowest less fastest round; a ratio below 1 is faster",
        title_justify="left",
        caption_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    for name in ("question", "our way"):
        table.add_column(name)
    for name in ("median", "spread", "memory"):
        table.add_column(name, justify="right")
    table.add_column("baseline")
    for name in ("median", "ratio"):
        table.add_column(name, justify="right")
    for entry in latest_entries(entries):
        if entry.question not in names:
            continue
        size = size_of(entry)
        told = [entry.question if size == "small" else f"{entry.question} ({size})"]
        if entry.answer is None:
            table.add_row(*map(escape, [*told, f"failed: {entry.failed}"]))
            continue
        ours, baseline = entry.answer.ours, entry.answer.baseline
        told += [ours.name, time_text(ours.median_s), time_text(ours.spread_s), memory_text(ours)]
        told += [baseline.name, time_text(baseline.median_s)] if baseline else ["", ""]
        table.add_row(*map(escape, [*told, ratio_text(entry.answer.ratio)]))
    return table


def latest_entries(entries: Sequence[Entry]) -> list[Entry]:
    """Returns the last entry of each question and size: that which was answered, if any was."""
    last: dict[tuple[str, tuple[str, ...]], Entry] = {}
    for entry in entries:
        key = entry.question, entry.options
        if entry.answer is not None or key not in last or last[key].answer is None:
            last[key] = entry
    order = [question.name for question in QUESTIONS]
    known = [one for one in last.values() if one.question in order]
    return sorted(known, key=lambda one: (order.index(one.question), one.options))


def plots_of(entries: Sequence[Entry]) -> list[SpeedPlot]:
    """Returns a plot for each question and size, commits in the order of the ledger."""
    commits = list(dict.fromkeys(entry.commit for entry in entries))
    machines = machines_of(entries)
    return [
        _plot(
            [
                one
                for one in entries
                if (one.question, one.options) == (last.question, last.options) and one.answer
            ],
            commits,
            machines,
        )
        for last in latest_entries(entries)
        if last.answer is not None
    ]


def machines_of(entries: Sequence[Entry]) -> list[str]:
    """Returns the machines in the order of the ledger."""
    return list(dict.fromkeys(entry.machine for entry in entries))


def render_speed_page(entries: Sequence[Entry]) -> str:
    """Returns the ledger as one HTML page that asks no server for anything.

    Args:
        entries: oldest first.
    """
    template = page_template(
        "hgld.benchmarks.speed.suite",
        "speed.html.j2",
        time=time_text,
        ratio=ratio_text,
        memory=memory_text,
        size=size_of,
    )
    asks = {question.name: question.asks for question in QUESTIONS}
    return template.render(
        entries=entries,
        latest=latest_entries(entries),
        plots=plots_of(entries),
        machines=machines_of(entries),
        asks=asks,
        width=WIDTH,
        height=HEIGHT,
    )


def _plot(entries: Sequence[Entry], commits: Sequence[str], machines: Sequence[str]) -> SpeedPlot:
    last = entries[-1]
    has_ratio = all(one.answer and one.answer.baseline for one in entries)
    values = [_value(one, has_ratio=has_ratio) for one in entries]
    top = max(values) or 1.0
    step = (WIDTH - _SCALE - _MARGIN) / max(len(commits) - 1, 1)

    def height(value: float) -> float:
        return round(HEIGHT - _MARGIN - (HEIGHT - 2 * _MARGIN) * value / top, 1)

    points = tuple(
        Point(
            x=round(_SCALE + step * commits.index(one.commit), 1),
            y=height(value),
            machine=machines.index(one.machine),
            text=_said(one),
        )
        for one, value in zip(entries, values, strict=True)
    )
    lines = [
        " ".join(f"{one.x},{one.y}" for one in points if one.machine == number)
        for number in range(len(machines))
    ]
    return SpeedPlot(
        title=last.question,
        asks={question.name: question.asks for question in QUESTIONS}[last.question],
        size=size_of(last),
        of_what="time over that of the baseline" if has_ratio else "time",
        points=points,
        lines=tuple(line for line in lines if " " in line),
        top=ratio_text(top) if has_ratio else time_text(top),
        span=" to ".join(
            dict.fromkeys((commits[0] or "no checkout", commits[-1] or "no checkout"))
        ),
        one=height(1.0) if has_ratio and top >= 1 else None,
    )


def _value(entry: Entry, *, has_ratio: bool) -> float:
    if entry.answer is None:  # only those that are answered are plotted
        raise ValueError(f"an entry must have an answer to be plotted, {entry.question} has none")
    ratio = entry.answer.ratio
    return ratio if has_ratio and ratio is not None else entry.answer.ours.median_s


def _said(entry: Entry) -> str:
    if entry.answer is None:
        return entry.failed
    ours = entry.answer.ours
    told = f"{entry.commit or 'no checkout'}: {ours.name} {time_text(ours.median_s)}"
    if entry.answer.baseline:
        baseline = entry.answer.baseline
        told += f", {baseline.name} {time_text(baseline.median_s)}"
        told += f", ratio {ratio_text(entry.answer.ratio)}"
    return f"{told} ({entry.machine})"
