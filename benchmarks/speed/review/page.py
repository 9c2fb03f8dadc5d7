"""From the key to the picture: 100 actions on a page of 10,000 labels in 150 clusters.

A real browser presses the keys, on a build that `hgld cluster --labels` made. The time goes from
the key's own time stamp to the end of the frame that shows what the server answered: the request,
the event on the disk, the page made, sent, put in place and painted. Twice: with pauses of 0.5 to
2.5 s before the keys, as a person makes, so that some meet what the page does by itself; and with
none, each key as soon as the page has shown what the one before it did. Nothing looks at the page
meanwhile: it tells by itself, since to be asked with each frame has the browser make frames all the
time. The baseline is the whole page loaded anew, which is what each action would take without parts
of it being sent.

    python -m hgld.benchmarks.speed.review.page --out page.json

It needs `chromium`, playwright, and the extras `cluster`, `offline` and `review`.
"""

import argparse
import csv
import random
import shutil
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hgld.benchmarks.environment import describe_environment
from hgld.benchmarks.reviewing.building import call_hgld
from hgld.benchmarks.reviewing.chromium import started_chromium
from hgld.benchmarks.reviewing.desk import Desk
from hgld.benchmarks.reviewing.served import ServedPage
from hgld.benchmarks.speed.labels.lists import made_up_labels
from hgld.benchmarks.speed.measuring import write_report

if TYPE_CHECKING:
    from playwright.sync_api import Browser

MOST_MS = 100.0
PAUSES_MS = (500, 2500)
PACED, HURRIED = "a person's pauses", "no pause"
_ALPHA = 0.9  # of the Pareto distribution of landmarks: a few classes have most of them
_RELOADS = 10
_SHOWN_MS = 5_000
_TYPING_MS = 60  # between two letters: a fast typist's
_WIDTH, _HEIGHT = 1280, 800
# The observer sees the page as soon as it is another one; the message comes after its frame.
_CLOCK = """
() => {
  const bench = document.getElementById("bench"), say = document.getElementById("say");
  const changes = (element, names, work) =>
    new MutationObserver(work).observe(element, { attributes: true, attributeFilter: names });
  const timings = [];
  let pressed = 0, tell = () => {};
  addEventListener("keydown", ({ timeStamp }) => { pressed = timeStamp; }, true);
  changes(bench, ["data-line", "data-group"], () => {
    if (!pressed) return;
    const [start, changed] = [pressed, performance.now()];
    pressed = 0;
    requestAnimationFrame(() => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => tell(timings.push([changed - start, performance.now() - start]));
      port2.postMessage(0);
    });
  });
  changes(bench, ["aria-busy"], () => tell());
  changes(say, ["open"], () => tell());
  const isIdle = () => !bench.hasAttribute("aria-busy");
  // One that was agreed to stays open, unseen, until it is answered.
  const isAsked = () => say.matches("[open]:not(.is-leaving)") && say.querySelector("[data-again]");
  window.clock = {
    timings,
    until: (what, before, patience) => new Promise((done, fail) => {
      const seen = {
        idle: () => isIdle() && "idle",
        page: () => timings.length > before && "page",
        shown: () => timings.length > before ? "page" : isAsked() && "preview",
      }[what];
      tell = () => seen() && done(seen());
      setTimeout(() => fail(Error(`not ${what} after ${patience} ms`)), patience);
      tell();
    }),
  };
}
"""
_LOADED = """
() => new Promise((done) => {
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => done(performance.now());
  requestAnimationFrame(() => port2.postMessage(0));
})
"""
_PREVIEW = "preview"
_NAME = "castle"


def press_accept(desk: Desk) -> None:
    """Accepts the cluster, and goes on."""
    desk.hit("Enter")


def press_number(desk: Desk) -> None:
    """Gives the cluster the second likeliest name."""
    desk.hit("2")


def press_ignore(desk: Desk) -> None:
    """Ignores the row in focus alone, or what is ticked."""
    desk.hit("i")


def press_undo(desk: Desk) -> None:
    """Takes the last thing back."""
    desk.hit("u")


def press_redo(desk: Desk) -> None:
    """Does it again."""
    desk.hit("U")


def press_next(desk: Desk) -> None:
    """Goes to the next cluster; nothing is decided."""
    desk.hit("]")


def press_name(desk: Desk) -> None:
    """Gives a name by the dialog; its last key counts."""
    desk.hit("r")
    desk.type(_NAME, _TYPING_MS)
    desk.hit("Enter")


def press_doubt(desk: Desk) -> None:
    """Marks what is ticked as doubtful."""
    desk.hit("d")
    desk.page.wait_for_timeout(_TYPING_MS)
    desk.hit("Enter")


ACTIONS: Mapping[str, Callable[[Desk], None]] = {
    "accept": press_accept,
    "name by number": press_number,
    "undo": press_undo,
    "redo": press_redo,
    "next cluster": press_next,
    "ignore": press_ignore,
    "name by dialog": press_name,
    "doubtful": press_doubt,
}
"""In the order in which they are done, again and again."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures, writes the JSON file, and fails where the bar is not met."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--build", type=Path, help="a build to copy, in place of a made-up one")
    parser.add_argument("--labels", type=int, default=10_000)
    parser.add_argument("--clusters", type=int, default=150)
    parser.add_argument("--actions", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--note", default="", help="what else ran on the machine")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="hgld-page-") as name:
        made = Path(name) / "made"
        if options.build is None:
            make_build(made, options.labels, options.clusters, options.seed)
        build = options.build or made
        results = measure_page(build, Path(name), options.actions, options.seed)
    report = {
        "metadata": {
            **describe_environment(["fastapi", "jinja2", "playwright", "uvicorn"]),
            "chromium": results.pop("chromium"),
            "labels": options.labels,
            "clusters": options.clusters,
            "window": [_WIDTH, _HEIGHT],
            "seed": options.seed,
            "note": options.note,
        },
        "results": results,
    }
    bars = {
        f"{name}: {way}": (results[way]["all"][name], MOST_MS)
        for way in (PACED, HURRIED)
        for name in ("median_ms", "p95_ms")
    }
    write_report(parser, options.out, report, bars)


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


def measure_page(build: Path, folder: Path, actions: int, seed: int = 0) -> dict[str, Any]:
    """Times the page of a build in each way, each on a copy of its own.

    Args:
        build: what is copied.
        folder: where to.
        actions: how many.
        seed: of the pauses.

    Returns:
        By way: of all actions and of each kind how many there were, the median, the 95th
        percentile and the most of the milliseconds; and the median of those until the page was
        changed, before it was painted.
    """
    with started_chromium() as browser:
        results: dict[str, Any] = {"chromium": browser.version}
        chance = random.Random(seed)  # noqa: S311 - not for secrets
        for way in (PACED, HURRIED):
            root = Path(shutil.copytree(build, folder / way))
            with ServedPage(root) as server:
                desk = _seat(browser, server)
                pauses = [chance.uniform(*PAUSES_MS) * (way == PACED) for _ in range(actions)]
                results[way] = _summed(_timed(desk, pauses))
                if way == HURRIED:
                    results["the whole page loaded anew"] = summarize_times(_reloads(desk))
                desk.page.context.close()
    return results


def _seat(browser: "Browser", server: ServedPage) -> Desk:
    context = browser.new_context(viewport={"width": _WIDTH, "height": _HEIGHT})
    return Desk(context.new_page(), server.url).open(reviewer="ann")


def _timed(desk: Desk, pauses: Sequence[float]) -> list[tuple[str, float, float]]:
    """Acts after each pause; returns the kind, and when the page was changed and painted."""
    desk.tell(_CLOCK)
    found = []
    for number, pause in enumerate(pauses):
        kind = list(ACTIONS)[number % len(ACTIONS)]
        desk.page.wait_for_timeout(pause)
        _until(desk, "idle")
        ACTIONS[kind](desk)
        if _until(desk, "shown", number) == _PREVIEW:  # of what lies beyond the page
            desk.page.wait_for_timeout(pause)  # it is there to be read
            desk.hit("Enter")  # its own key counts
            _until(desk, "page", number)
        changed, painted = desk.tell("() => clock.timings.at(-1)")
        found.append((kind, float(changed), float(painted)))
    return found


def _until(desk: Desk, what: str, before: int = 0) -> str:
    """Waits until the page is idle, or shows what a key leads to; returns what it shows.

    Args:
        desk: the page, with a clock.
        what: idle, page (which shows what was done), or shown: that, or a question about it.
        before: how many actions were timed.
    """
    script = "([what, before, patience]) => clock.until(what, before, patience)"
    return str(desk.tell(script, [what, before, _SHOWN_MS]))


def _reloads(desk: Desk) -> list[float]:
    found = []
    for _ in range(_RELOADS):
        desk.page.reload()
        found.append(float(desk.tell(_LOADED)))
        desk.wait()
    return found


def _summed(timings: Sequence[tuple[str, float, float]]) -> dict[str, Any]:
    by_kind = defaultdict[str, list[tuple[float, float]]](list)
    for kind, changed, painted in timings:
        by_kind["all"].append((changed, painted))
        by_kind[kind].append((changed, painted))
    return {
        kind: summarize_times([painted for _, painted in found])
        | {"changed_median_ms": _rounded(statistics.median([changed for changed, _ in found]))}
        for kind, found in by_kind.items()
    }


def summarize_times(times: Sequence[float]) -> dict[str, Any]:
    """Returns how many times there are, their median, 95th percentile and largest, in ms."""
    ordered = sorted(times)
    place = min(round(0.95 * len(ordered)), len(ordered) - 1)
    return {
        "times": len(ordered),
        "median_ms": _rounded(statistics.median(ordered)),
        "p95_ms": _rounded(ordered[place]),
        "most_ms": _rounded(ordered[-1]),
    }


def _rounded(value: float) -> float:
    return round(value, 1)


if __name__ == "__main__":
    main()
