"""The scrape of as many landmarks as GLDv2 has, from a real MediaWiki, killed twice on the way.

A MediaWiki and a SPARQL engine on loopback hold 203,094 made-up landmarks (`rehearsal_world`). The
scrape runs in processes of their own; the first two are killed when a third and two thirds of the
pages are there, and the third one ends it. Every row is compared with what is true of the world.
Then the tables are rebuilt from the raw archive; and the world moves on, and a refresh must find
those landmarks that it changed, and no others. The baseline is one title a request, on the first
landmarks only.

    python -m hgld.benchmarks.speed.scraping.rehearsal --out rehearsal.json

It needs PHP, MediaWiki and oxigraph, and says how to install them.
"""

import argparse
import contextlib
import math
import multiprocessing
import os
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from hgld.benchmarks.environment import describe_environment
from hgld.benchmarks.speed.measuring import write_report
from hgld.benchmarks.speed.scraping.local_wikimedia import (
    LocalWikimedia,
    local_wikimedia,
    mediawiki_version,
    missing_programs,
)
from hgld.benchmarks.speed.scraping.rehearsal_world import Landmark
from hgld.engine.workspace import Workspace
from hgld.scrape.archive import COMMONS_PAGES
from hgld.scrape.stage import STAGE, ScrapeConfig, run_scrape
from hgld.tables import CATEGORIES, CLASSES, LANDMARK_CHANGES

_LANDMARKS = 203_094
MOST_MB = 500.0
MOST_COMMONS = 25.0  # requests per 1,000 categories
MOST_SPARQL = 5.0  # queries per 1,000 items

_POLL_S = 0.02
_RAM_DISK = Path("/dev/shm")  # noqa: S108 - a folder with a name of its own is made in it


@dataclass(frozen=True, slots=True, kw_only=True)
class ScrapeRun:
    """One process of the scrape."""

    task: str
    ended: str
    """done | killed"""
    seconds: float
    cpu_s: float
    requests: int
    """That MediaWiki's server logged meanwhile."""
    rss_mb: list[float]
    """Memory of the process, libraries included, at each tenth of its time."""
    peak_mb: float


def main(arguments: Sequence[str] | None = None) -> None:
    """Rehearses, writes the result, and fails where a row is wrong or a bar is not met."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--landmarks", type=int, default=_LANDMARKS)
    parser.add_argument("--baseline-landmarks", type=int, default=500)
    parser.add_argument("--note", default="", help="what else ran on the machine")
    options = parser.parse_args(arguments)
    if missing := missing_programs():
        parser.error(
            f"needs {', '.join(missing)}: apt-get install -y --no-install-recommends mediawiki "
            f"php-cli php-sqlite3 php-mbstring php-xml php-intl; pip install oxigraph"
        )
    load = os.getloadavg()
    with tempfile.TemporaryDirectory(
        dir=_RAM_DISK if os.access(_RAM_DISK, os.W_OK) else None
    ) as at:
        folder = Path(at)
        (folder / "servers").mkdir()
        started = time.perf_counter()
        with local_wikimedia(folder / "servers", options.landmarks) as servers:
            prepared_s = time.perf_counter() - started
            print(f"the world is there after {prepared_s:.0f} s", flush=True)
            (folder / "categories.csv").write_text(
                "landmark_id,category\n" + "".join(_input_rows(options.landmarks)), encoding="utf-8"
            )
            one = Rehearsal(
                servers=servers,
                workspace=Workspace(folder / "build"),
                categories=folder / "categories.csv",
                landmarks=options.landmarks,
            )
            results, bars = rehearse(one, options.baseline_landmarks)
    report = {
        "metadata": {
            **describe_environment(
                ["mwclient", "SPARQLWrapper", "requests", "pyarrow", "oxigraph"]
            ),
            "mediawiki": mediawiki_version(),
            "landmarks": options.landmarks,
            "load_average_before": list(load),
            "load_average_after": list(os.getloadavg()),
            "note": options.note,
        },
        **results,
    }
    write_report(parser, options.out, report, bars)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """What the parts of a rehearsal share."""

    servers: LocalWikimedia
    workspace: Workspace
    categories: Path
    landmarks: int

    def config(self) -> ScrapeConfig:
        """Settings of the scrape, by default but for the addresses."""
        return ScrapeConfig(commons=self.servers.commons, sparql=self.servers.sparql)

    def answers(self, service: str = "*") -> int:
        """Counts the answers of a service that are in the raw archive, of all generations."""
        return sum(1 for _ in self.workspace.path("raw").rglob(f"{service}/*.json.gz"))


def rehearse(
    one: Rehearsal, baseline_landmarks: int
) -> tuple[dict[str, Any], dict[str, tuple[float, float]]]:
    """Scrapes with two kills, replays, refreshes; returns the figures, and the bars."""
    pages = math.ceil(one.landmarks / one.config().titles_per_request)
    thirds = [pages // 3, 2 * pages // 3]
    runs = [
        watch(one, f"scrape {number}", one.config(), die_at)
        for number, die_at in enumerate([*thirds, 0], 1)
    ]
    requests, archived = one.servers.api_requests(), one.answers("commons-*")
    items = sum(qid.is_valid for qid in one.workspace.read(CATEGORIES)["qid"])
    queries = one.answers("wikidata-*")
    wrong_rows = count_wrong_rows(one.workspace, one.landmarks, later=False)
    statuses = Counter(one.workspace.read(CATEGORIES)["status"].to_pylist())
    outputs = _outputs(one.workspace)
    runs.append(watch(one, "replay", replace(one.config(), replay=True)))
    differing = sum(outputs[name] != digest for name, digest in _outputs(one.workspace).items())
    changed = set(changed_landmarks(one.landmarks))
    one.servers.move_on(changed)
    runs.append(watch(one, "refresh", replace(one.config(), refresh=True)))
    found = set(one.workspace.read(LANDMARK_CHANGES)["landmark_id"].to_pylist())
    wrong_rows += count_wrong_rows(one.workspace, one.landmarks, later=True)
    bars = {
        "wrong rows": (wrong_rows, 0),
        "requests that a kill made for nothing": (requests - archived, len(thirds)),
        "tables that the replay made otherwise": (differing, 0),
        "landmarks that the refresh took for changed or overlooked": (len(found ^ changed), 0),
        "peak_mb": (max(run.peak_mb for run in runs), MOST_MB),
        "commons_per_1000_categories": (round(1000 * requests / one.landmarks, 3), MOST_COMMONS),
        "sparql_per_1000_items": (round(1000 * queries / items, 3), MOST_SPARQL),
    }
    figures = {
        "runs": [asdict(run) for run in runs],
        "statuses": dict(statuses.most_common()),
        "commons_requests": requests,
        "sparql_queries": queries,
        "items": items,
        "changed_landmarks": len(changed),
        "baseline": baseline(one, baseline_landmarks),
    }
    return figures, bars


def _input_rows(landmarks: int) -> Iterator[str]:
    """Yields the rows of the input."""
    for number in range(1, landmarks + 1):
        yield f'{number},"{Landmark(number=number).url}"\n'


def run_in_process(root: Path, config: ScrapeConfig, categories: Path) -> None:
    """Runs the scrape, as the target of a process."""
    run_scrape(Workspace(root), config, categories)


def watch(one: Rehearsal, task: str, config: ScrapeConfig, die_at: int = 0) -> ScrapeRun:
    """Scrapes in a process, and looks at its memory meanwhile.

    Args:
        one: the rehearsal.
        task: name of the run.
        config: settings of the scrape.
        die_at: how many answers about pages must be there for the process to be killed; 0: never.

    Raises:
        RuntimeError: it ended otherwise than it should.
    """
    before = one.servers.api_requests()
    folder = one.workspace.path(COMMONS_PAGES)
    context = multiprocessing.get_context("spawn")
    process = context.Process(
        target=run_in_process, args=(one.workspace.root, config, one.categories)
    )
    started = time.perf_counter()
    process.start()
    memory, peak, cpu = list[float](), 0.0, 0.0
    while process.is_alive() and process.pid is not None:
        with contextlib.suppress(OSError, LookupError):  # it ends between two looks
            status, cpu = _status(process.pid)
            memory.append(status["VmRSS"])
            peak = status["VmHWM"]
        if die_at and folder.exists() and sum(1 for _ in folder.iterdir()) >= die_at:
            process.kill()
        process.join(_POLL_S)
    seconds = time.perf_counter() - started
    if process.exitcode != (-signal.SIGKILL if die_at else 0):
        raise RuntimeError(f"{task} ended with {process.exitcode}")
    run = ScrapeRun(
        task=task,
        ended="killed" if die_at else "done",
        seconds=round(seconds, 1),
        cpu_s=round(cpu, 1),
        requests=one.servers.api_requests() - before,
        rss_mb=[round(memory[tenth * (len(memory) - 1) // 10], 1) for tenth in range(11)],
        peak_mb=round(peak, 1),
    )
    print(run, flush=True)
    return run


def _status(pid: int) -> tuple[dict[str, float], float]:
    """Returns the memory of a process in MB, by name, and the seconds of CPU it has taken."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    fields = dict(line.split(":", 1) for line in lines)
    memory = {name: int(fields[name].split()[0]) / 1024 for name in ("VmRSS", "VmHWM")}
    ticks = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[11:13]
    return memory, sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


def count_wrong_rows(workspace: Workspace, landmarks: int, *, later: bool) -> int:
    """Counts the landmarks that the tables do not say of what is true of the world."""
    classes: dict[int, list[str]] = {}
    for row in workspace.read(CLASSES, ["landmark_id", "class_qid"]).to_pylist():
        classes.setdefault(row["landmark_id"], []).append(row["class_qid"])
    rows = workspace.read(CATEGORIES, ["landmark_id", "status", "page_title", "qid"]).to_pylist()
    wrong = abs(len(rows) - landmarks)
    for number, row in enumerate(rows, 1):
        truth = Landmark(number=number, later=later)
        is_there = truth.status not in {"no_page", "redirect_loop"}
        wrong += (
            row
            != {
                "landmark_id": number,
                "status": truth.status,
                "page_title": truth.page_title if is_there else None,
                "qid": truth.item or None,
            }
            or tuple(classes.get(number, ())) != truth.classes
        )
    return wrong


def changed_landmarks(landmarks: int) -> Iterator[int]:
    """Yields the numbers of those landmarks that are another matter later."""
    for number in range(1, landmarks + 1):
        now, later = Landmark(number=number), Landmark(number=number, later=True)
        if (now.status, now.item, now.classes) != (later.status, later.item, later.classes):
            yield number


def baseline(one: Rehearsal, landmarks: int) -> dict[str, float]:
    """Scrapes the first landmarks with one title and item a request, into a build of its own."""
    rows = one.categories.read_text(encoding="utf-8").splitlines()[: landmarks + 1]
    with tempfile.TemporaryDirectory() as folder:
        some = Path(folder) / "categories.csv"
        some.write_text("\n".join(rows) + "\n", encoding="utf-8")
        config = replace(one.config(), titles_per_request=1, items_per_request=1)
        apart = replace(one, workspace=Workspace(Path(folder) / "build"), categories=some)
        run = watch(apart, "one a request", config)
    return {
        "landmarks": landmarks,
        "requests": run.requests,
        "seconds": run.seconds,
        "ms_per_category": round(1000 * run.seconds / landmarks, 3),
    }


def _outputs(workspace: Workspace) -> dict[str, str]:
    """Returns data set to digest of what the scrape has written."""
    manifest = workspace.manifest(STAGE.name)
    if manifest is None or manifest.failed:
        raise RuntimeError("the scrape has not ended, or has failed rows")
    return manifest.outputs


if __name__ == "__main__":
    main()
