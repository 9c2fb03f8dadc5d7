"""What does it cost to show a data set, and to write it as a site?

Made-up landmarks with three classes each, their images and credits, and no pictures. In a process
of its own for each size: the data set is opened and its pages are asked for, then the site is
written.

    python -m hgld.benchmarks.speed.release.browse --out browse.json
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from hgld.annotations.release.facts import ReleaseConfig
from hgld.annotations.release.stage import run_release
from hgld.annotations.stage import AnnotateConfig, run_annotate
from hgld.benchmarks.environment import describe_environment
from hgld.benchmarks.speed.release.annotate import write_world
from hgld.engine.workspace import Workspace
from hgld.memory import peak_memory_mb, reset_peak_memory
from hgld.pages.browse.addresses import LiveAddresses
from hgld.pages.browse.exhibit import Exhibit
from hgld.pages.browse.pages import PageWriter
from hgld.pages.browse.site.writer import SiteConfig, write_site

_IMAGES_EACH = 20
_ASKED = 20


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures each size and writes the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--landmarks", type=int, nargs="+", default=[2_000, 20_000, 203_094])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--note", default="", help="what else ran on the machine")
    options = parser.parse_args(arguments)
    load = os.getloadavg()
    results = []
    for landmarks in options.landmarks:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
            results.append(process.submit(measure, landmarks, options.seed).result())
        print(json.dumps(results[-1]))
    report = {
        "metadata": {
            **describe_environment(["pyarrow", "numpy", "jinja2"]),
            "seed": options.seed,
            "note": options.note,
            "load_average": {"before": load, "after": os.getloadavg()},
        },
        "results": results,
    }
    options.out.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def measure(landmarks: int, seed: int) -> dict[str, Any]:
    """Measures one size."""
    with tempfile.TemporaryDirectory(prefix="hgld-browse-") as name:
        workspace = Workspace(Path(name) / "build")
        images = landmarks * _IMAGES_EACH
        write_world(workspace, landmarks, images, seed)
        run_annotate(workspace, AnnotateConfig(train="all"))
        run_release(workspace, ReleaseConfig())
        reset_peak_memory()
        pages = _pages(workspace.root)
        folder = Path(name) / "site"
        site = write_site(workspace.root, folder, SiteConfig())
        copied = sum(path.stat().st_size for path in (folder / "files").rglob("*.*"))
        largest = max(path.stat().st_size for path in folder.rglob("*.html"))
        shards = [path.stat().st_size for path in folder.glob("search/*.json")]
        return {
            "landmarks": landmarks,
            "images": images,
            "page": pages,
            "site": {
                "files": site.files,
                "bytes": site.bytes,
                "bytes_of_release": copied,
                "largest_page": largest,
                "search_files": len(shards),
                "largest_search_file": max(shards),
                "seconds": round(site.seconds, 2),
            },
            "peak_mb": peak_memory_mb(),
        }


def _pages(root: Path) -> dict[str, float]:
    """Returns how long it takes to open the data set, and pages of it, in ms."""
    begun = time.perf_counter()
    exhibit, to = Exhibit(root), LiveAddresses("x")
    pages = PageWriter(exhibit)
    pages.home(to)
    ready = time.perf_counter() - begun
    begun = time.perf_counter()
    pages.search(to, "1")
    first_search = time.perf_counter() - begun
    step = max(1, len(exhibit.landmarks) // _ASKED)
    rows = exhibit.landmarks.table.take(list(range(0, len(exhibit.landmarks), step))).to_pylist()
    keys = [(row["split"], row["landmark_id"]) for row in rows]
    slugs = [one.slug for one in exhibit.landmarks.groups[:_ASKED]]
    return {
        "ready_ms": round(1000 * ready, 1),
        "first_search_ms": round(1000 * first_search, 1),
        "search_ms": _median_ms(lambda key: pages.search(to, f"landmark {key[1]}"), keys),
        "label_ms": _median_ms(lambda slug: pages.group(to, slug), slugs),
        "landmark_ms": _median_ms(lambda key: pages.landmark(to, *key), keys),
    }


def _median_ms(ask: Callable[[Any], object], asked: Sequence[Any]) -> float:
    times = []
    for one in asked:
        begun = time.perf_counter()
        ask(one)
        times.append(1000 * (time.perf_counter() - begun))
    return round(statistics.median(times), 1)


if __name__ == "__main__":
    main()
