"""What a benchmark leaves on the page of its run: a table, a link to the report, a drawing."""

import base64
import json
from collections.abc import Iterator
from typing import NamedTuple
from xml.sax.saxutils import escape as xml_escape

from hgld.benchmarks.retrieval.report.metrics import best_first, cells_of, metrics_of
from hgld.benchmarks.retrieval.report.plots import Plot, leaderboard_plot
from hgld.benchmarks.retrieval.results import Results, read_results, result_files
from hgld.engine.workspace import Workspace

_NAME_PX, _PLOT_PX, _ROW_PX, _TOP_PX = 220, 400, 26, 40
_LONGEST = 32


class RunArtifact(NamedTuple):
    """What Prefect shows on the page of a run."""

    key: str
    kind: str
    """As Prefect calls it: `table`, `markdown` or `image`."""
    about: str
    data: str


def benchmark_artifacts(workspace: Workspace, data_set: str | None = None) -> Iterator[RunArtifact]:
    """Yields the leaderboard as a table, a link to the report, and a drawing of what leads.

    Prefect's own `create_table_artifact`, `create_link_artifact` and `create_image_artifact` make
    the same of them.

    Args:
        workspace: a build; without results of a benchmark there is nothing.
        data_set: on which it measured; None: on the build's own queries.

    Raises:
        InputError: the results cannot be read.
    """
    files = result_files(data_set)
    if not workspace.path(files.results).exists():
        return
    results = read_results(workspace, data_set)
    on = f" on {data_set}" if data_set else ""
    about = f"benchmark{on} of the build in {workspace.root}"
    rows = json.dumps(list(leaderboard_rows(results)), ensure_ascii=False)
    yield RunArtifact("hgld-benchmark-table", "table", f"The leaderboard: {about}", rows)
    address = workspace.path(files.report).resolve().as_uri()
    link = f"[report.html](<{address}>)"
    yield RunArtifact("hgld-benchmark-report", "markdown", f"The report: {about}", link)
    leading = metrics_of(results)[0]
    drawing = plot_svg(leaderboard_plot(results, leading))
    address = f"data:image/svg+xml;base64,{base64.b64encode(drawing.encode()).decode()}"
    words = f"{leading.name} of every method: {about}"
    yield RunArtifact("hgld-benchmark-plot", "image", words, address)


def leaderboard_rows(results: Results) -> Iterator[dict[str, str]]:
    """Yields a row a method, best first: its title, and each metric with its interval.

    Of several seeds their standard deviation stands before it.
    """
    metrics = metrics_of(results)
    columns = {f"{metric.title}, {metric.level}": cells_of(results, metric) for metric in metrics}
    for number in best_first(results, metrics[0]):
        cells = {name: each[number] for name, each in columns.items()}
        figures = {
            name: " ".join(
                filter(None, (cell.mean, cell.deviation and f"± {cell.deviation}", cell.interval))
            )
            for name, cell in cells.items()
        }
        yield {"method": results.methods[number].title, **figures}


def plot_svg(plot: Plot) -> str:
    """Returns a plot as a picture of its own: a line a method, with its interval."""
    bottom = _TOP_PX + _ROW_PX * len(plot.marks)

    def x(at: float) -> float:
        return round(_NAME_PX + _PLOT_PX * at / 100, 1)

    title = xml_escape(f"{plot.title}, {plot.level}, with 95% intervals")
    parts = [f'<text x="8" y="22" font-weight="bold">{title}</text>']
    for at, text in plot.ticks:
        parts.append(
            f'<path d="M{x(at)} {_TOP_PX}V{bottom}" stroke="#ddd"/>'
            f'<text x="{x(at)}" y="{bottom + 16}" text-anchor="middle" fill="#555">{text}</text>'
        )
    for row, mark in enumerate(plot.marks):
        y = _TOP_PX + _ROW_PX * row + _ROW_PX / 2
        name = mark.name if len(mark.name) <= _LONGEST else f"{mark.name[: _LONGEST - 1]}…"
        parts.append(
            f'<text x="8" y="{y + 4}">{xml_escape(name)}</text>'
            f'<path d="M{x(mark.low)} {y}H{x(mark.high)}" stroke="#2563eb" stroke-width="2"/>'
            f'<circle cx="{x(mark.at)}" cy="{y}" r="5" fill="#2563eb"/>'
            f'<text x="{_NAME_PX + _PLOT_PX + 12}" y="{y + 4}">{mark.text} {mark.interval}</text>'
        )
    width = _NAME_PX + _PLOT_PX + 160
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{bottom + 28}" '
        f'font-family="sans-serif" font-size="13"><rect width="100%" height="100%" fill="#fff"/>'
        f"{''.join(parts)}</svg>"
    )
