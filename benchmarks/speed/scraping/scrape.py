"""How many requests and how much CPU the scrape takes, against one request a category.

A made-up Wikimedia on loopback, in a process of its own, counts what it is asked: 2% of the
categories are soft redirects, 1% are gone, and there is a class for every 60 items, as in GLDv2.
The baseline is the same scrape with one title and one item a request.

    python -m hgld.benchmarks.speed.scraping.scrape --out scrape.json
"""

import argparse
import json
import multiprocessing
import os
import re
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from hgld.benchmarks.environment import describe_environment
from hgld.benchmarks.speed.measuring import write_report
from hgld.engine.workspace import Workspace
from hgld.memory import peak_memory_mb, reset_peak_memory
from hgld.scrape.stage import ScrapeConfig, run_scrape
from hgld.tables import CATEGORIES

MOST_COMMONS = 25.0  # requests per 1,000 categories
MOST_SPARQL = 5.0  # queries per 1,000 items
MOST_CPU_MS = 2.0  # of the client, a category

ITEMS_PER_CLASS = 60
SOFT_EVERY, GONE_EVERY = 50, 100
_FIRST_CLASS = 10_000_000
_ENTITY = "http://www.wikidata.org/entity/"

_Counts = dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScrapeCost:
    """What one way of scraping cost."""

    method: str
    categories: int
    items: int
    commons_requests: int
    sparql_requests: int
    commons_per_1000_categories: float
    sparql_per_1000_items: float
    cpu_ms_per_category: list[float]
    """Of this process, a round each; the server has its own."""
    median_cpu_ms: float
    spread_cpu_ms: float
    median_s: float
    peak_mb: float | None
    """Most memory of the process meanwhile, libraries included."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures, writes the result, and fails where a bar is not met."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--categories", type=int, default=20_000)
    parser.add_argument("--baseline-categories", type=int, default=1_000)
    parser.add_argument("--note", default="", help="what else ran on the machine")
    options = parser.parse_args(arguments)
    load = os.getloadavg()
    ours = measure_scrape("batches", ScrapeConfig(), options.categories, options.rounds)
    one = ScrapeConfig(titles_per_request=1, items_per_request=1)
    plain = measure_scrape("one a request", one, options.baseline_categories, options.rounds)
    bars = {
        "commons_per_1000_categories": (ours.commons_per_1000_categories, MOST_COMMONS),
        "sparql_per_1000_items": (ours.sparql_per_1000_items, MOST_SPARQL),
        "median_cpu_ms": (ours.median_cpu_ms, MOST_CPU_MS),
    }
    report = {
        "metadata": {
            **describe_environment(["mwclient", "SPARQLWrapper", "requests", "pyarrow"]),
            "rounds": options.rounds,
            "load_average_before": list(load),
            "load_average_after": list(os.getloadavg()),
            "note": options.note,
        },
        "results": [asdict(ours), asdict(plain)],
        "ratios": {
            "commons requests": _ratio(ours, plain, "commons_per_1000_categories"),
            "sparql requests": _ratio(ours, plain, "sparql_per_1000_items"),
            "cpu": _ratio(ours, plain, "median_cpu_ms"),
        },
    }
    write_report(parser, options.out, report, bars)


def _ratio(ours: ScrapeCost, plain: ScrapeCost, name: str) -> float:
    """Returns what the scrape takes of what the baseline takes."""
    return round(float(getattr(ours, name) / getattr(plain, name)), 4)


def measure_scrape(method: str, config: ScrapeConfig, categories: int, rounds: int) -> ScrapeCost:
    """Scrapes the made-up Wikimedia a few times, each into a workspace of its own.

    Raises:
        RuntimeError: a round left failed rows, or other counts than the one before.
    """
    cpu_s, wall_s, counts, items = [], [], [], []
    reset_peak_memory()
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder, CountingServer() as server:
            path = Path(folder) / "categories.csv"
            path.write_text("\n".join(["landmark_id,category", *_input_rows(categories)]) + "\n")
            here = replace(config, commons=f"{server.base}/w/", sparql=f"{server.base}/query")
            workspace = Workspace(Path(folder) / "build")
            started, cpu_started = time.perf_counter(), time.process_time()
            done = run_scrape(workspace, here, path)
            cpu_s.append(time.process_time() - cpu_started)
            wall_s.append(time.perf_counter() - started)
            counts.append(server.counts())
            if done.manifest.failed:
                raise RuntimeError(f"{done.manifest.failed} rows failed; nothing was measured")
            items.append(sum(qid.is_valid for qid in workspace.read(CATEGORIES)["qid"]))
        print(f"{method}: {wall_s[-1]:.1f} s, {cpu_s[-1]:.1f} s of CPU, {counts[-1]}", flush=True)
    if any(one != counts[0] for one in counts):
        raise RuntimeError(f"the rounds asked for different numbers: {counts}")
    cpu_ms = [round(1000 * s / categories, 4) for s in cpu_s]
    return ScrapeCost(
        method=method,
        categories=categories,
        items=items[0],
        commons_requests=counts[0]["commons"],
        sparql_requests=counts[0]["sparql"],
        commons_per_1000_categories=round(1000 * counts[0]["commons"] / categories, 3),
        sparql_per_1000_items=round(1000 * counts[0]["sparql"] / items[0], 3),
        cpu_ms_per_category=cpu_ms,
        median_cpu_ms=statistics.median(cpu_ms),
        spread_cpu_ms=round(max(cpu_ms) - min(cpu_ms), 4),
        median_s=round(statistics.median(wall_s), 3),
        peak_mb=peak_memory_mb(),
    )


def _input_rows(categories: int) -> Iterator[str]:
    """Yields the rows of the input."""
    for number in range(1, categories + 1):
        yield f"{number},https://commons.wikimedia.org/wiki/Category:Landmark_{number}"


class CountingServer:
    """MediaWiki's API and a SPARQL endpoint over made-up facts, in another process."""

    def __init__(self) -> None:
        """Starts it."""
        context = multiprocessing.get_context("forkserver")
        self._ours, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs,), daemon=True)
        self._process.start()
        self.base: str = self._ours.recv()

    def __enter__(self) -> "CountingServer":
        """Returns itself: nothing is left to start."""
        return self

    def __exit__(self, *_: object) -> None:
        """Ends the process, whatever became of the scrape."""
        self._process.terminate()
        self._process.join()

    def counts(self) -> _Counts:
        """Returns how many requests of which service came."""
        self._ours.send("how many?")
        counts: _Counts = self._ours.recv()
        return counts


def serve(pipe: Connection) -> None:
    """Answers until the process is ended; tells the address first, and counts when asked."""
    counts: _Counts = {"commons": 0, "sparql": 0}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Else the end of an answer waits for the client to acknowledge its start.
        wbufsize = -1

        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            service = "commons" if self.path.startswith("/w/") else "sparql"
            counts[service] += 1  # the client asks one thing at a time
            answer = commons_answer(form) if service == "commons" else sparql_answer(form)
            body = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    pipe.send(f"http://127.0.0.1:{httpd.server_address[1]}")
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    while pipe.recv():
        pipe.send(counts)


def commons_answer(form: dict[str, list[str]]) -> dict[str, Any]:
    """Returns pages with an item, but for soft redirects and those that are gone."""
    wants_text = "content" in form["rvprop"][0]
    pages = [_page(title, wants_text=wants_text) for title in form["titles"][0].split("|")]
    return {"batchcomplete": True, "query": {"pages": pages}}


def _page(title: str, *, wants_text: bool) -> dict[str, Any]:
    number = int(title.rpartition(" ")[2])
    if number % GONE_EVERY == 1:
        return {"ns": 14, "title": title, "missing": True}
    page: dict[str, Any] = {"pageid": number, "ns": 14, "title": title}
    revision: dict[str, Any] = {"revid": number, "parentid": 0}
    is_soft = number % SOFT_EVERY == 0 and not title.startswith("Category:New ")
    if wants_text:
        text = f"{{{{Category redirect|New landmark {number}}}}}"
        revision["slots"] = {"main": {"contentmodel": "wikitext", "content": text}}
    elif is_soft:
        page["categories"] = [{"ns": 14, "title": "Category:Category redirects"}]
    else:
        page["pageprops"] = {"wikibase_item": f"Q{number}"}
    return {**page, "revisions": [revision]}


def sparql_answer(form: dict[str, list[str]]) -> dict[str, Any]:
    """Returns facts of the entities asked for: one class an item, and a label a class.

    And a row for each that was asked for, where the query wants one.
    """
    query = form["query"][0]
    numbers = list(map(int, dict.fromkeys(re.findall(r"wd:Q(\d+)", query))))
    bindings = [_binding(number) for number in numbers]
    if '"asked"' in query:
        row = {"property": {"type": "literal", "value": "asked"}}
        bindings += [{"entity": _entity(number), **row} for number in numbers]
    return {"results": {"bindings": bindings}}


def _entity(number: int) -> dict[str, str]:
    return {"type": "uri", "value": f"{_ENTITY}Q{number}"}


def _binding(number: int) -> dict[str, dict[str, str]]:
    entity = _entity(number)
    if number >= _FIRST_CLASS:
        label = {"type": "literal", "value": f"kind {number}", "xml:lang": "en"}
        return {
            "entity": entity,
            "property": {"type": "literal", "value": "label"},
            "value": label,
        }
    return {
        "entity": entity,
        "property": {"type": "literal", "value": "P31"},
        "statement": {"type": "uri", "value": f"{_ENTITY}statement/Q{number}-0"},
        "rank": {"type": "uri", "value": "http://wikiba.se/ontology#NormalRank"},
        "value": {"type": "uri", "value": f"{_ENTITY}Q{_FIRST_CLASS + number // ITEMS_PER_CLASS}"},
    }


if __name__ == "__main__":
    main()
