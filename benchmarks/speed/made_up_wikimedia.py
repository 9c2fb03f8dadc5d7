"""A made-up Wikimedia on loopback, in a process of its own, that counts what it is asked.

2% of the categories are soft redirects, 1% are gone, and there is a class for every 60 items, as in
GLDv2. Five items lie in each place, 40 places in each district, and ten of these in each country.
"""

import contextlib
import json
import multiprocessing
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from typing import Any
from urllib.parse import parse_qs

_ITEMS_PER_CLASS, _SOFT_EVERY, _GONE_EVERY = 60, 50, 100
_FIRST_CLASS = 10_000_000
# Of a rank, the first number and how many lie in one of the next.
_PLACES = ((0, 5), (20_000_000, 40), (21_000_000, 10), (22_000_000, 20), (23_000_000, 0))
_COUNTRY = 3
_ENTITY = "http://www.wikidata.org/entity/"


@contextlib.contextmanager
def counting_server() -> Iterator[tuple[str, Callable[[], Counter[str]]]]:
    """Serves MediaWiki's API and SPARQL from another process; yields the address and a count."""
    context = multiprocessing.get_context("forkserver")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs,), daemon=True)
    process.start()

    def requests() -> Counter[str]:
        ours.send("how many?")
        counts: Counter[str] = ours.recv()
        return counts

    try:
        yield ours.recv(), requests
    finally:
        process.terminate()
        process.join()


def serve(pipe: Connection) -> None:
    """Answers until the process is ended; tells the address first, and counts when asked."""
    counts = Counter[str]()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Else the end of an answer waits for the client to acknowledge its start.
        wbufsize = -1

        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            service = "commons" if self.path.startswith("/w/") else "sparql"
            counts[service] += 1  # the client asks one thing at a time
            body = json.dumps((_commons if service == "commons" else _sparql)(form)).encode()
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


def _commons(form: Mapping[str, list[str]]) -> dict[str, Any]:
    wants_text = "content" in form["rvprop"][0]
    pages = [_page(title, wants_text=wants_text) for title in form["titles"][0].split("|")]
    return {"batchcomplete": True, "query": {"pages": pages}}


def _page(title: str, *, wants_text: bool) -> dict[str, Any]:
    number = int(title.rpartition(" ")[2])
    if number % _GONE_EVERY == 1:
        return {"ns": 14, "title": title, "missing": True}
    page: dict[str, Any] = {"pageid": number, "ns": 14, "title": title}
    revision: dict[str, Any] = {"revid": number, "parentid": 0}
    if wants_text:
        text = f"{{{{Category redirect|New landmark {number}}}}}"
        revision["slots"] = {"main": {"contentmodel": "wikitext", "content": text}}
    elif number % _SOFT_EVERY == 0 and not title.startswith("Category:New "):
        page["categories"] = [{"ns": 14, "title": "Category:Category redirects"}]
    else:
        page["pageprops"] = {"wikibase_item": f"Q{number}"}
    return {**page, "revisions": [revision]}


def _sparql(form: Mapping[str, list[str]]) -> dict[str, Any]:
    """Tells one class an item and a label a class, and what was asked for where that is wanted."""
    query = form["query"][0]
    numbers = list(map(int, dict.fromkeys(re.findall(r"wd:Q(\d+)", query))))
    rows = [_fact(number) for number in numbers]
    if "p:P131 " in query:
        known = dict.fromkeys(numbers) | dict.fromkeys(_above(number) for number in numbers)
        rows = [row for number in known if number for row in _whereabouts(number)]
    if '"asked"' in query:
        asked = _literal("asked")
        rows += [{"entity": _uri(f"Q{number}"), "property": asked} for number in numbers]
    return {"results": {"bindings": rows}}


def _fact(number: int) -> dict[str, dict[str, str]]:
    entity = {"entity": _uri(f"Q{number}")}
    if number >= _FIRST_CLASS:
        label = {**_literal(f"kind {number}"), "xml:lang": "en"}
        return {**entity, "property": _literal("label"), "value": label}
    return _statement(number, "P31", _uri(f"Q{_FIRST_CLASS + number // _ITEMS_PER_CLASS}"))


def _above(number: int) -> int:
    """Returns the place that an item or a place lies in, or a country's continent; 0 for none."""
    rank = max(rank for rank, (first, _) in enumerate(_PLACES) if number >= first)
    first, together = _PLACES[rank]
    return _PLACES[rank + 1][0] + (number - first) // together if together else 0


def _whereabouts(number: int) -> Iterator[dict[str, dict[str, str]]]:
    """Yields the coordinates of an item, or the name of a place, and what it lies in."""
    if number < _FIRST_CLASS:
        degrees = {name: _literal(str(number % 90)) for name in ("latitude", "longitude")}
        yield _statement(number, "P625", _uri("Q2")) | degrees
    else:
        label = {**_literal(f"place {number}"), "xml:lang": "en"}
        yield {"entity": _uri(f"Q{number}"), "property": _literal("label"), "value": label}
    way = [number]
    while above := _above(way[-1]):
        way.append(above)
    if country := next((one for one in way if _PLACES[_COUNTRY][0] <= one < _PLACES[-1][0]), 0):
        yield _statement(number, "P17", _uri(f"Q{country}"))
    if len(way) > 1:
        yield _statement(number, "P30" if number == country else "P131", _uri(f"Q{way[1]}"))


def _statement(number: int, prop: str, value: dict[str, str]) -> dict[str, dict[str, str]]:
    return {
        "entity": _uri(f"Q{number}"),
        "property": _literal(prop),
        "statement": _uri(f"statement/Q{number}-{prop}"),
        "rank": {"type": "uri", "value": "http://wikiba.se/ontology#NormalRank"},
        "value": value,
    }


def _literal(value: str) -> dict[str, str]:
    return {"type": "literal", "value": value}


def _uri(name: str) -> dict[str, str]:
    return {"type": "uri", "value": f"{_ENTITY}{name}"}
