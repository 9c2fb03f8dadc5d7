"""From the key to the picture: 100 actions on a page of 10,000 labels in 150 clusters.

A real browser presses the keys, on a build that `hgld cluster --labels` made. The time goes from
the key's own time stamp to the end of the frame that shows what the server answered: the request,
the event on the disk, the page made, sent, put in place and painted. Before the keys are pauses of
0.5 to 2.5 s, as a person makes, so that some meet what the page does by itself. The baseline is the
whole page loaded anew, which is what each action would take without parts of it being sent.

    python -m hgld.benchmarks.speed.review_action --out review_action.json

It needs Chromium, playwright, and the extras `cluster`, `offline` and `review`.
"""

import csv
import itertools
import random
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hgld.benchmarks.reviewing.desk import Desk, ServedPage, call_hgld, started_chromium
from hgld.benchmarks.speed.measuring import read_options, write_report
from hgld.labels.taxonomy.rows import load_taxonomy_tables

PAUSES_MS = (500, 2500)
ALL, RELOADED = "all actions", "the whole page loaded anew"
_ALPHA = 0.9  # of the Pareto distribution of landmarks: a few classes have most of them
_RELOADS = 10
_SHOWN_MS = 5_000
_TYPING_MS = 60  # between two keys of one action: a fast typist's
_CLOCK = Path(__file__).with_name("clock.js")
# What stands before a noun in the labels of Wikidata's classes.
_BEFORE = (
    *("", "former", "historic", "Gothic", "municipal", "medieval", "rural", "private", "national"),
    *("modern", "abandoned", "Roman", "small", "coastal", "wooden"),
)
ACTIONS: Mapping[str, Sequence[str]] = {
    "accept": ["Enter"],
    "name by number": ["1"],
    "undo": ["u"],
    "redo": ["U"],
    "next group": ["]"],
    "ignore": ["i"],
    "name by dialog": ["r", *"castle", "Enter"],
    "doubtful": ["d", *"why", "Enter"],
}
"""The keys of each, of which the last counts; they are done in this order, again and again."""
_LOADED = """
() => new Promise((done) => {
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => done(performance.now());
  requestAnimationFrame(() => port2.postMessage(0));
})
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures and writes the result."""
    options = read_options(
        __doc__,
        arguments,
        labels=10_000,
        clusters=150,
        actions=100,
        seed=0,
    )
    with tempfile.TemporaryDirectory(prefix="hgld-page-") as name:
        build = Path(name) / "build"
        make_build(build, options.labels, options.clusters, options.seed)
        results = measure_page(build, options.actions, options.seed)
    ratio = round(results[ALL]["median_ms"] / results[RELOADED]["median_ms"], 3)
    packages = ["fastapi", "jinja2", "playwright", "uvicorn"]
    write_report(options, packages, results, action_over_reload=ratio)


def make_build(root: Path, labels: int, clusters: int, seed: int) -> None:
    """Makes a build of made-up labels, as `hgld cluster --labels` does.

    Raises:
        InputError: it could not be made.
    """
    root.mkdir(parents=True)
    chance, path = random.Random(seed), root / "list.csv"  # noqa: S311 - not for secrets
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = ([one, int(chance.paretovariate(_ALPHA))] for one in made_up_labels(labels, seed))
        csv.writer(file).writerows([["label", "count"], *rows])
    command = ["cluster", "--out", str(root), "--encoder", "minilm", "--clusters", str(clusters)]
    call_hgld(*command, "--labels", str(path))


def made_up_labels(count: int, seed: int) -> list[str]:
    """Returns distinct labels in an order of the seed: shipped nouns under adjectives."""
    nouns = [one.alias for one in load_taxonomy_tables().aliases if one.language == "en"]
    pairs = itertools.product(_BEFORE, nouns)
    labels = list(dict.fromkeys(f"{before} {noun}".strip() for before, noun in pairs))
    random.Random(seed).shuffle(labels)  # noqa: S311 - not for secrets
    return labels[:count]


def measure_page(build: Path, actions: int, seed: int = 0) -> dict[str, Any]:
    """Times the page of a build, whose log is written.

    Args:
        build: what is reviewed.
        actions: how many.
        seed: of the pauses.

    Returns:
        Of all actions, of each kind and of the whole page what `summarize_times` tells.
    """
    chance = random.Random(seed)  # noqa: S311 - not for secrets
    with started_chromium() as browser, ServedPage(build) as server:
        page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
        desk = Desk(page, server.url).open(reviewer="ann")
        timed = _timed(desk, [chance.uniform(*PAUSES_MS) for _ in range(actions)])
        kinds = {kind: [ms for one, ms in timed if one == kind] for kind, _ in timed}
        times = {ALL: [ms for _, ms in timed], **kinds, RELOADED: _reloads(desk)}
        page.context.close()
    return {what: summarize_times(found) for what, found in times.items()}


def _timed(desk: Desk, pauses: Sequence[float]) -> list[tuple[str, float]]:
    """Acts after each pause; returns the kind, and when its picture was there."""
    desk.tell(_CLOCK.read_text(encoding="utf-8"))
    found = []
    for number, pause in enumerate(pauses):
        kind = list(ACTIONS)[number % len(ACTIONS)]
        desk.page.wait_for_timeout(pause)
        _until(desk, 0, "idle")
        for place, key in enumerate(ACTIONS[kind]):
            desk.page.wait_for_timeout(_TYPING_MS * bool(place))
            desk.hit(key)
        if _until(desk, number, "page", "question") == "question":  # of what lies out of sight
            desk.page.wait_for_timeout(pause)  # it is there to be read
            desk.hit(ACTIONS[kind][-1])  # its own key counts
            _until(desk, number, "page")
        found.append((kind, float(desk.tell("() => clock.timings.at(-1)"))))
    return found


def _until(desk: Desk, before: int, *wanted: str) -> str:
    """Waits until the page is or shows one of what is wanted; returns which.

    Args:
        desk: the page, with a clock.
        before: how many actions were timed.
        wanted: idle, page (which shows what was done) or question, which the page asks first.
    """
    script = "([wanted, before, patience]) => clock.until(wanted, before, patience)"
    return str(desk.tell(script, [wanted, before, _SHOWN_MS]))


def _reloads(desk: Desk) -> list[float]:
    found = []
    for _ in range(_RELOADS):
        desk.page.reload()
        found.append(float(desk.tell(_LOADED)))
        desk.wait()
    return found


def summarize_times(times: Sequence[float]) -> dict[str, Any]:
    """Returns how many times there are, their median, 95th percentile and largest, in ms."""
    ordered = sorted(times)
    place = min(round(0.95 * len(ordered)), len(ordered) - 1)
    return {
        "times": len(ordered),
        "median_ms": round(statistics.median(ordered), 1),
        "p95_ms": round(ordered[place], 1),
        "most_ms": round(ordered[-1], 1),
    }


if __name__ == "__main__":
    main()
